/* kosmoctl user list, find, show: nothing is changed. */
#include "config.h"

#include "common/clock.h"
#include "ctl/commands.h"
#include "ctl/person.h"
#include "ctl/why.h"
#include "keeper/address.h"
#include "keeper/policy.h"
#include "keeper/require.h"
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define USER_PAGE 200

/* ---- a line or an object for each ---- */

struct user_out {
	struct ctl *c;
	bool unfinished; /* those alone */
	struct json json;
	int64_t now;
	size_t n;
};

static void user_day(int64_t end, char ret[static 11])
{
	ret[0] = '\0';
	if (end)
		text_date_iso(text_today(end - 1), ret);
}

static void user_line(struct user_out *o, const struct person *p, const struct enrol *by)
{
	const char *state = person_state(p, o->c->conf, o->now);
	char day[11];
	user_day(by ? enrol_next(by) : 0, day);
	o->n++;
	if (!o->c->json) {
		(void)printf("%-20s %-6s %-10s ", p->login, person_role(p->role), state);
		if (by)
			(void)printf("%-10s ", day[0] ? day : "-");
		(void)printf("%s\n", p->name);
		return;
	}
	json_object(&o->json, NULL);
	json_str(&o->json, "login", p->login);
	json_str(&o->json, "role", person_role(p->role));
	json_str(&o->json, "state", state);
	json_str(&o->json, "name", p->name);
	json_str(&o->json, "email", p->email);
	json_bool(&o->json, "email_verified", p->email_verified);
	if (by)
		json_str(&o->json, "until", day);
	json_end(&o->json, '}');
}

/* One that was asked for: a line. */
static enum err user_take(struct user_out *o, const struct person *p)
{
	struct facts f;
	enum err e = o->unfinished ? require_facts(o->c->st, o->c->conf, p, o->now, &f) : ERR_NONE;
	if (!e && (!o->unfinished || f.unfinished))
		user_line(o, p, o->unfinished ? &f.enrol : NULL);
	return e;
}

/* Folded for the search: NFKC, ASCII letters lower. */
static bool user_fold(const char *s, struct buf *ret)
{
	buf_wipe(ret);
	if (text_nfkc(s, strlen(s), ret))
		return false;
	for (size_t i = 0; i < ret->len; i++)
		ret->data[i] = (uint8_t)tolower(ret->data[i]);
	return buf_str(ret);
}

static bool user_matches(const struct person *p, const char *text, struct buf *scratch)
{
	const char *const in[] = {p->login, p->name, p->email};
	for (size_t i = 0; i < sizeof in / sizeof *in; i++)
		if (user_fold(in[i], scratch) && strstr(buf_str(scratch), text))
			return true;
	return false;
}

/* Everyone, or those that match. */
static enum ctl_exit user_each(struct ctl *c, const char *text, bool unfinished)
{
	struct user_out o = {.c = c, .unfinished = unfinished, .json.f = stdout, .now = clock_now()};
	AUTO_BUF scratch = BUF_INIT;
	char after[LOGIN_MAX + 1] = "";
	enum err e = ERR_NOMEM;
	size_t n = 1;
	struct person *p = calloc(USER_PAGE, sizeof *p);
	if (!p)
		goto out;
	if (c->json)
		json_array(&o.json, NULL);
	for (e = ERR_NONE; !e && n && !ferror(stdout);) {
		e = store_person_page(c->st, after, p, USER_PAGE, &n);
		for (size_t i = 0; !e && i < n; i++)
			if (!text || user_matches(&p[i], text, &scratch))
				e = user_take(&o, &p[i]);
		if (!e && n)
			memcpy(after, p[n - 1].login, sizeof after);
	}
	if (c->json)
		json_end(&o.json, ']');
out:
	for (size_t i = 0; p && i < USER_PAGE; i++)
		person_wipe(&p[i]);
	free(p);
	if (e)
		return ctl_failed(e, "reading people", NULL);
	return text && !o.n ? CTL_INPUT : CTL_OK;
}

enum ctl_exit user_list(struct ctl *c, const struct args *a)
{
	enum ctl_exit r = ctl_conf(c);
	if (!r)
		r = ctl_store(c);
	return r ? r : user_each(c, NULL, a->value[OPT_UNFINISHED] != NULL);
}

enum ctl_exit user_find(struct ctl *c, const struct args *a)
{
	AUTO_BUF text = BUF_INIT;
	if (!user_fold(a->word[0], &text) || !text.len)
		return ctl_usage("user find: TEXT is empty or no text");
	enum ctl_exit r = ctl_conf(c);
	if (!r)
		r = ctl_store(c);
	if (!r)
		r = user_each(c, buf_str(&text), false);
	if (r == CTL_INPUT && !c->json)
		ctl_say("nobody found");
	return r;
}

/* ---- one person ---- */

struct user_all {
	struct person p;
	struct authenticator a[AUTHENTICATORS_MAX];
	size_t n, recovery;
	struct facts facts;
	struct why why;
	char former[EMAIL_MAX + 1]; /* the address from where a frozen one was frozen */
};

static enum err user_load(struct ctl *c, const char *login, struct user_all *u)
{
	struct store *st = c->st;
	enum err e = store_person_by_login(st, login, &u->p);
	if (!e)
		e = store_authenticators(st, &u->p.id, u->a, AUTHENTICATORS_MAX, &u->n);
	if (!e)
		e = store_recovery_left(st, &u->p.id, &u->recovery);
	if (!e)
		e = require_facts(st, c->conf, &u->p, clock_now(), &u->facts);
	if (!e) {
		e = address_former(st, &u->p, clock_now(), u->former);
		e = e == ERR_NOTFOUND ? ERR_NONE : e;
	}
	return e ? e : why_person(c, &u->p, clock_now(), &u->why);
}

static void user_birth(const struct person *p, char b[static 11])
{
	b[0] = '\0';
	if (p->birth.year)
		text_date_iso(p->birth, b);
}

static const char *user_password(const struct person *p)
{
	return p->password[0] ? "own" : p->has_initial ? "initial" : "none";
}

static void user_show_json(const struct ctl *c, const struct user_all *u)
{
	struct json j = {.f = stdout};
	const struct person *p = &u->p;
	char b[32];
	json_object(&j, NULL);
	json_str(&j, "login", p->login);
	json_str(&j, "role", person_role(p->role));
	json_str(&j, "state", person_state(p, c->conf, clock_now()));
	json_str(&j, "blocked_by", u->why.word);
	json_str(&j, "access", u->why.text);
	json_str(&j, "name", p->name);
	user_birth(p, b);
	json_str(&j, "birth_date", b);
	json_bool(&j, "birth_date_confirmed", p->birth_confirmed);
	json_str(&j, "email", p->email);
	json_bool(&j, "email_verified", p->email_verified);
	json_bool(&j, "email_optional", p->email_optional);
	json_str(&j, "former_email", u->former);
	ctl_time_utc(p->frozen, b);
	json_str(&j, "frozen", b);
	json_str(&j, "locale", p->locale);
	json_str(&j, "password", user_password(p));
	ctl_time_utc(p->password_set, b);
	json_str(&j, "password_set", b);
	json_bool(&j, "password_due", policy_password_due(c->conf, p, clock_now()));
	ctl_time_utc(p->has_initial ? p->initial_from : 0, b);
	json_str(&j, "initial_password_from", b);
	json_bool(&j, "initial_password_used", p->initial_used);
	user_day(u->facts.enrol.letter, b);
	json_str(&j, "initial_password_until", b);
	json_bool(&j, "enrolment_finished", !u->facts.unfinished);
	user_day(u->facts.enrol.by, b);
	json_str(&j, "enrolment_until", b);
	json_bool(&j, "disabled", p->disabled);
	ctl_time_utc(p->expires, b);
	json_str(&j, "expires", b);
	json_int(&j, "terms", p->terms);
	json_str(&j, "method", person_method(p->method));
	json_array(&j, "authenticators");
	for (size_t i = 0; i < u->n; i++) {
		json_object(&j, NULL);
		json_str(&j, "kind", person_method(u->a[i].kind));
		json_str(&j, "name", u->a[i].name);
		json_bool(&j, "confirmed", u->a[i].confirmed);
		ctl_time_utc(u->a[i].created, b);
		json_str(&j, "created", b);
		ctl_time_utc(u->a[i].last_used, b);
		json_str(&j, "last_used", b);
		json_end(&j, '}');
	}
	json_end(&j, ']');
	json_int(&j, "recovery_codes_left", (int64_t)u->recovery);
	ctl_time_utc(p->created, b);
	json_str(&j, "created", b);
	ctl_time_utc(p->last_login, b);
	json_str(&j, "last_login", b);
	json_end(&j, '}');
}

static void user_show_own(const struct ctl *c, const struct person *p)
{
	char b[32];
	ctl_time_local(p->password_set, b);
	(void)printf("%-16s %s%s%s%s\n", "password", user_password(p), p->password_set ? ", set " : "",
		     p->password_set ? b : "",
		     policy_password_due(c->conf, p, clock_now()) ? " (must be changed at the next login)" : "");
}

static void user_show_initial(const struct ctl *c, const struct person *p)
{
	char b[32];
	if (p->password[0] || !p->has_initial)
		return;
	user_day(enrol_letter_ends(c->conf, p), b);
	(void)printf("%-16s the end of %s%s\n", "  good until", b, p->initial_used ? " (used)" : "");
}

static void user_show_enrolment(const struct facts *f)
{
	char day[11];
	user_day(f->enrol.by, day);
	if (!f->unfinished)
		(void)printf("%-16s finished\n", "enrolment");
	else if (f->enrol.by)
		(void)printf("%-16s unfinished; no login after the end of %s\n", "enrolment", day);
	else
		(void)printf("%-16s unfinished; no deadline\n", "enrolment");
}

static void user_show_text(const struct ctl *c, const struct user_all *u)
{
	const struct person *p = &u->p;
	char b[32], used[32];
	(void)printf("%-16s %s\n", "login", p->login);
	(void)printf("%-16s %s\n", "name", p->name);
	(void)printf("%-16s %s\n", "role", person_role(p->role));
	(void)printf("%-16s %s\n", "state", person_state(p, c->conf, clock_now()));
	(void)printf("%-16s %s\n", "access", u->why.text);
	user_birth(p, b);
	(void)printf("%-16s %s%s\n", "birth date", b, p->birth_confirmed ? " (confirmed)" : "");
	(void)printf("%-16s %s%s\n", "email", p->email,
		     !p->email[0]	 ? p->email_optional ? "none (need not have one)" : ""
		     : p->email_verified ? " (confirmed)"
					 : " (not confirmed)");
	if (u->former[0])
		(void)printf("%-16s %s (user enable --former-email puts it back)\n", "former email", u->former);
	(void)printf("%-16s %s\n", "language", p->locale);
	user_show_own(c, p);
	user_show_initial(c, p);
	user_show_enrolment(&u->facts);
	ctl_time_local(p->expires, b);
	(void)printf("%-16s %s\n", "expires", b);
	(void)printf("%-16s %" PRId64 "\n", "terms accepted", p->terms);
	(void)printf("%-16s %s\n", "method", person_method(p->method));
	for (size_t i = 0; i < u->n; i++) {
		ctl_time_local(u->a[i].last_used, used);
		(void)printf("%-16s %s \"%s\"%s, last used %s\n", "authenticator", person_method(u->a[i].kind),
			     u->a[i].name, u->a[i].confirmed ? "" : " (not confirmed)", used);
	}
	(void)printf("%-16s %zu left\n", "recovery codes", u->recovery);
	ctl_time_local(p->created, b);
	(void)printf("%-16s %s\n", "created", b);
	ctl_time_local(p->last_login, b);
	(void)printf("%-16s %s\n", "last login", b);
}

/* Who is there, but not published, cannot log in yet. */
static enum ctl_exit user_absent(struct ctl *c, const char *login)
{
	bool hidden;
	enum err e = store_person_hidden(c->st, login, &hidden);
	if (e)
		return ctl_failed(e, login, NULL);
	return hidden ? ctl_input("%s: cannot log in yet: the import that brings them is not through; if none is "
				  "running, import its file again",
				  login)
		      : ctl_input("%s: there is no such person", login);
}

enum ctl_exit user_show(struct ctl *c, const struct args *a)
{
	char login[LOGIN_MAX + 1];
	if (!ctl_login(a->word[0], login))
		return CTL_INPUT;
	enum ctl_exit r = ctl_conf(c);
	if (!r)
		r = ctl_store(c);
	if (r)
		return r;
	struct user_all *u = calloc(1, sizeof *u);
	if (!u)
		return ctl_failed(ERR_NOMEM, login, NULL);
	enum err e = user_load(c, login, u);
	if (e == ERR_NOTFOUND)
		r = user_absent(c, login);
	else if (e)
		r = ctl_failed(e, login, NULL);
	else if (c->json)
		user_show_json(c, u);
	else
		user_show_text(c, u);
	person_wipe(&u->p);
	authenticator_wipe(u->a, AUTHENTICATORS_MAX);
	free(u);
	return r;
}
