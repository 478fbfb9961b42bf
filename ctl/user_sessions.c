/* kosmoctl user sessions, logout: where somebody is logged in with a browser, and the end of it. */
#include "config.h"

#include "common/clock.h"
#include "ctl/commands.h"
#include "ctl/json.h"
#include "keeper/agent.h"
#include "keeper/policy.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static enum ctl_exit open_for(struct ctl *c, const struct args *a, char login[static LOGIN_MAX + 1])
{
	if (!ctl_login(a->word[0], login))
		return CTL_INPUT;
	enum ctl_exit r = ctl_conf(c);
	return r ? r : ctl_store(c);
}

static enum ctl_exit failed(enum err e, const char *login)
{
	return e == ERR_NOTFOUND ? ctl_input("%s: there is no such person", login) : ctl_failed(e, login, NULL);
}

static void show_text(const struct session *s, const char *agent, int64_t ends)
{
	char begun[32], seen[32], end[32];
	ctl_time_local(s->created, begun);
	ctl_time_local(s->seen, seen);
	ctl_time_local(ends, end);
	(void)printf("%-28s %-16s begun %s, last used %s, %s %s\n", agent, s->address[0] ? s->address : "-", begun,
		     seen, s->kept ? "kept until" : "ends at the latest", end);
}

static void show_json(struct json *j, const struct session *s, const char *agent, int64_t ends)
{
	char b[32];
	json_object(j, NULL);
	json_str(j, "browser", agent);
	json_str(j, "address", s->address);
	ctl_time_utc(s->created, b);
	json_str(j, "begun", b);
	ctl_time_utc(s->seen, b);
	json_str(j, "last_used", b);
	json_bool(j, "kept", s->kept);
	ctl_time_utc(ends, b);
	json_str(j, "ends", b);
	json_end(j, '}');
}

static void show(const struct ctl *c, const struct session *s, size_t n, int64_t now)
{
	struct json j = {.f = stdout};
	if (c->json)
		json_array(&j, NULL);
	for (size_t i = 0; i < n; i++) {
		AUTO_BUF agent = BUF_INIT;
		int64_t ends = policy_session_ends(c->conf, &s[i]);
		if (now >= ends)
			continue;
		agent_words("en", s[i].agent, &agent);
		if (c->json)
			show_json(&j, &s[i], buf_str(&agent), ends);
		else
			show_text(&s[i], buf_str(&agent), ends);
	}
	if (c->json)
		json_end(&j, ']');
}

enum ctl_exit user_sessions(struct ctl *c, const struct args *a)
{
	char login[LOGIN_MAX + 1];
	struct person p;
	size_t n = 0;
	int64_t now = clock_now();
	enum ctl_exit r = open_for(c, a, login);
	if (r)
		return r;
	struct session *s = calloc(SESSIONS_MAX, sizeof *s);
	enum err e = s ? store_person_by_login(c->st, login, &p) : ERR_NOMEM;
	if (!e) {
		e = store_session_list(c->st, &p.id, now, c->conf->session_idle, s, SESSIONS_MAX, &n);
		person_wipe(&p);
	}
	if (e) {
		r = failed(e, login);
	} else {
		show(c, s, n, now);
		sessions_clear(s, n);
	}
	free(s);
	return r;
}

static enum err logout_tx(struct ctl *c, const char *login)
{
	struct person p;
	memset(&p, 0, sizeof p);
	enum err e = ctl_begin(c);
	if (!e)
		e = store_person_by_login(c->st, login, &p);
	if (!e)
		e = store_session_end_all(c->st, &p.id, NULL);
	if (!e)
		e = ctl_audit(c, &p.id, "user.logout", "");
	if (!e)
		e = ctl_commit(c);
	ctl_rollback(c);
	person_wipe(&p);
	return e;
}

enum ctl_exit user_logout(struct ctl *c, const struct args *a)
{
	char login[LOGIN_MAX + 1];
	enum ctl_exit r = open_for(c, a, login);
	if (r)
		return r;
	enum err e = logout_tx(c, login);
	if (e)
		return failed(e, login);
	(void)printf("%s: logged out everywhere\n", login);
	return CTL_OK;
}
