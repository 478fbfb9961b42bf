#include "config.h"

#include "common/failure.h"
#include "ctl/commands.h"
#include "ctl/json.h"
#include <inttypes.h>
#include <string.h>

#define AUDIT_PAGE 100
#define AUDIT_SEEN 64 /* logins kept at hand: rows of the same few people follow each other */

struct audit_out {
	struct ctl *c;
	struct json json;
	struct {
		struct id id;
		char login[LOGIN_MAX + 1];
	} seen[AUDIT_SEEN];
	size_t n_seen;
};

/* "" for nobody, "(deleted)" for people who are no more. */
static enum err audit_login(struct audit_out *o, const struct id *id, const char **ret)
{
	static const struct id zero;
	struct person p;
	*ret = "";
	if (memcmp(id, &zero, sizeof zero) == 0)
		return ERR_NONE;
	for (size_t i = 0; i < AUDIT_SEEN; i++) {
		if (memcmp(&o->seen[i].id, id, sizeof *id) == 0) {
			*ret = o->seen[i].login;
			return ERR_NONE;
		}
	}
	enum err e = store_person_by_id(o->c->st, id, &p);
	if (e && e != ERR_NOTFOUND)
		return e;
	size_t at = o->n_seen++ % AUDIT_SEEN;
	o->seen[at].id = *id;
	(void)snprintf(o->seen[at].login, sizeof o->seen[at].login, "%s", e ? "(deleted)" : p.login);
	*ret = o->seen[at].login;
	if (!e)
		person_wipe(&p);
	return ERR_NONE;
}

static void audit_line(struct audit_out *o, const struct audit *a, const char *login)
{
	char t[32];
	if (!o->c->json) {
		ctl_time_local(a->time, t);
		(void)printf("%s  %-20s %-12s %-20s %-15s %s\n", t, a->event, a->door, login, a->address, a->detail);
		return;
	}
	ctl_time_utc(a->time, t);
	json_object(&o->json, NULL);
	json_int(&o->json, "seq", a->seq);
	json_str(&o->json, "time", t);
	json_str(&o->json, "event", a->event);
	json_str(&o->json, "door", a->door);
	json_str(&o->json, "login", login);
	json_str(&o->json, "address", a->address);
	json_str(&o->json, "detail", a->detail);
	json_end(&o->json, '}');
}

static enum err audit_pages(struct audit_out *o, const struct id *person, int64_t limit)
{
	struct audit page[AUDIT_PAGE];
	int64_t before = 0;
	while (limit > 0 && !ferror(stdout)) {
		const char *login;
		size_t n = 0, max = limit < AUDIT_PAGE ? (size_t)limit : AUDIT_PAGE;
		enum err e = store_audit_page(o->c->st, person, before, page, max, &n);
		if (e)
			return e;
		for (size_t i = 0; i < n; i++) {
			e = audit_login(o, &page[i].person, &login);
			if (e)
				return e;
			audit_line(o, &page[i], login);
			before = page[i].seq;
		}
		if (n < max)
			break;
		limit -= (int64_t)n;
	}
	return ERR_NONE;
}

/* The entry of the failure with this number. ERR_NOTFOUND: there is none. */
static enum err audit_failure(struct audit_out *o, const char *id)
{
	struct audit page[AUDIT_PAGE];
	int64_t before = 0;
	size_t n = AUDIT_PAGE;
	while (n == AUDIT_PAGE) {
		enum err e = store_audit_of(o->c->st, STORE_AUDIT_FAILURE, before, page, AUDIT_PAGE, &n);
		if (e)
			return e;
		for (size_t i = 0; i < n; i++) {
			const char *login;
			before = page[i].seq;
			if (strncmp(page[i].detail, id, FAILURE_LEN) != 0)
				continue;
			e = audit_login(o, &page[i].person, &login);
			if (!e)
				audit_line(o, &page[i], login);
			return e;
		}
	}
	return ERR_NOTFOUND;
}

static enum ctl_exit audit_failure_run(struct ctl *c, const char *typed)
{
	struct audit_out o = {.c = c, .json.f = stdout};
	char id[FAILURE_LEN + 1];
	if (failure_id_read(typed, strlen(typed), id))
		return ctl_input("%s: a failure's number has 8 digits and letters, as in k7mq-x2np", typed);
	enum ctl_exit r = ctl_conf(c);
	if (!r)
		r = ctl_store(c);
	if (r)
		return r;
	enum err e = audit_failure(&o, id);
	if (e == ERR_NOTFOUND)
		return ctl_input("%s: no such failure in the audit log. What could not be written there yet is in the "
				 "journal: journalctl -t kosmo-keeper -t kosmo-enrolld | grep %s",
				 id, id);
	return e ? ctl_failed(e, "audit", NULL) : CTL_OK;
}

enum ctl_exit audit_run(struct ctl *c, const struct args *a)
{
	struct audit_out o = {.c = c, .json.f = stdout};
	struct id person = {0};
	int64_t limit = 50;
	char login[LOGIN_MAX + 1];
	if (a->value[OPT_VERIFY])
		return audit_verify_run(c, a);
	if (a->value[OPT_HEAD] || a->value[OPT_HEADS])
		return ctl_usage("audit: --head and --heads are for --verify");
	if (a->value[OPT_FAILURE])
		return audit_failure_run(c, a->value[OPT_FAILURE]);
	if (a->value[OPT_LIMIT] && !args_number(a->value[OPT_LIMIT], 1, INT64_MAX, &limit))
		return ctl_usage("audit: --limit is no number from 1");
	if (a->value[OPT_PERSON] && !ctl_login(a->value[OPT_PERSON], login))
		return CTL_INPUT;
	enum ctl_exit r = ctl_conf(c);
	if (!r)
		r = ctl_store(c);
	if (!r && a->value[OPT_PERSON]) {
		struct person p;
		enum err e = store_person_by_login(c->st, login, &p);
		if (e == ERR_NOTFOUND)
			return ctl_input("%s: there is no such person", login);
		if (e)
			return ctl_failed(e, login, NULL);
		person = p.id;
		person_wipe(&p);
	}
	if (r)
		return r;
	if (c->json)
		json_array(&o.json, NULL);
	enum err e = audit_pages(&o, &person, limit);
	if (c->json)
		json_end(&o.json, ']');
	return e ? ctl_failed(e, "audit", NULL) : CTL_OK;
}
