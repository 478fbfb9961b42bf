/* Where somebody is logged in, and ending it. Ending is harmless: no fresh factor is asked. */
#include "config.h"

#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/agent.h"
#include "keeper/call.h"
#include "keeper/policy.h"
#include <stdlib.h>
#include <string.h>

/* *ret: to be freed by list_free. */
static enum err list(struct call *c, struct session **ret, size_t *ret_n)
{
	const struct conf *conf = c->k->conf;
	struct session *s = calloc(SESSIONS_MAX, sizeof *s);
	size_t n = 0;
	enum err e =
	    s ? store_session_list(c->st, &c->person.id, c->now, conf->session_idle, s, SESSIONS_MAX, &n) : ERR_NOMEM;
	if (e) {
		free(s);
		return e;
	}
	*ret_n = 0;
	for (size_t i = 0; i < n; i++)
		if (c->now < policy_session_ends(conf, &s[i]))
			s[(*ret_n)++] = s[i];
		else
			session_clear(&s[i]);
	*ret = s;
	return ERR_NONE;
}

static void list_free(struct session *s, size_t n)
{
	if (s)
		sessions_clear(s, n);
	free(s);
}

static bool this_one(const struct call *c, const struct session *s)
{
	return !memcmp(s->digest, c->session.digest, DIGEST_LEN);
}

static enum err show(struct call *c, size_t i, const struct session *s)
{
	char when[MAIL_TIME], name[2 * ID_LEN + 1];
	AUTO_BUF words = BUF_INIT;
	enum err e = session_name(c, s, name);
	if (e)
		return e;
	agent_words(c->lang, s->agent, &words);
	view_item(c, "sessions", i, "id", name);
	view_item(c, "sessions", i, "agent", buf_str(&words));
	view_item(c, "sessions", i, "address", s->address);
	mail_time(c->lang, s->created, when);
	view_item(c, "sessions", i, "begun", when);
	mail_time(c->lang, this_one(c, s) ? c->now : s->seen, when);
	view_item(c, "sessions", i, "seen", when);
	if (s->kept)
		mail_time(c->lang, policy_session_ends(c->k->conf, s), when);
	view_item(c, "sessions", i, "until", s->kept ? when : "");
	view_item(c, "sessions", i, "this", this_one(c, s) ? "1" : "");
	return ERR_NONE;
}

enum err sessions_count(struct call *c, size_t *ret)
{
	struct session *s = NULL;
	size_t n = 0;
	enum err e = list(c, &s, &n);
	list_free(s, n);
	if (!e)
		*ret = n;
	return e;
}

void flow_sessions(struct call *c)
{
	struct session *s = NULL;
	size_t n = 0, shown = 0;
	enum err e = list(c, &s, &n);
	/* this one first, then those last seen */
	for (size_t i = 0; !e && i < n; i++)
		if (this_one(c, &s[i]))
			e = show(c, shown++, &s[i]);
	for (size_t i = 0; !e && i < n; i++)
		if (!this_one(c, &s[i]))
			e = show(c, shown++, &s[i]);
	if (e) {
		view_failure(c, e, "the list of sessions");
	} else {
		view_put(c, "others", n > 1 ? "1" : "");
		view_page(c, "sessions");
	}
	list_free(s, n);
}

/* The one that the form names: all are compared, whichever it is. */
static enum err find(const struct call *c, const struct session *s, size_t n, const struct session **ret)
{
	const char *id = call_field(c, "id");
	char name[2 * ID_LEN + 1];
	*ret = NULL;
	for (size_t i = 0; i < n; i++) {
		enum err e = session_name(c, &s[i], name);
		if (e)
			return e;
		if (secret_equal(id, strlen(id), name, strlen(name)))
			*ret = &s[i];
	}
	return ERR_NONE;
}

struct ending {
	bool found, this;
};

static enum err end_one(struct call *c, struct person *p, void *arg)
{
	struct session *s = NULL;
	const struct session *found = NULL;
	size_t n = 0;
	struct ending *ending = arg;
	(void)p;
	enum err e = list(c, &s, &n);
	if (!e)
		e = find(c, s, n, &found);
	if (!e && found) {
		ending->found = true;
		ending->this = this_one(c, found);
		e = store_session_end(c->st, found->digest);
		if (!e)
			e = call_audit(c, "session.end", "");
	}
	list_free(s, n);
	return e;
}

void flow_session_end(struct call *c)
{
	struct ending ending = {.found = false};
	enum err e = call_transact(c, end_one, &ending);
	if (e) {
		view_failure(c, e, "the end of a session");
		return;
	}
	if (ending.this)
		session_left(c);
	view_redirect(c, ending.this	? "/login?n=out"
			 : ending.found ? "/account/sessions?n=ended"
					: "/account/sessions");
}

static enum err end_others(struct call *c, struct person *p, void *arg)
{
	(void)arg;
	enum err e = store_session_end_all(c->st, &p->id, c->session.digest);
	return e ? e : call_audit(c, "session.end_others", "");
}

void flow_sessions_end(struct call *c)
{
	enum err e = call_transact(c, end_others, NULL);
	if (e)
		view_failure(c, e, "the end of the other sessions");
	else
		view_redirect(c, "/account/sessions?n=others-ended");
}
