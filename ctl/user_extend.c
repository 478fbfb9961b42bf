/* kosmoctl user extend: more time for one person to finish the enrolment. */
#include "config.h"

#include "common/clock.h"
#include "ctl/commands.h"
#include "keeper/require.h"
#include <string.h>

/* "never": DEADLINE_NONE, "default": 0, or a date: the end of that day in Japan. */
static enum ctl_exit extend_until(const char *word, int64_t *ret)
{
	static const struct date any = {.year = 9999, .month = 12, .day = 31};
	struct date d;
	if (!strcmp(word, "never") || !strcmp(word, "default")) {
		*ret = word[0] == 'n' ? DEADLINE_NONE : 0;
		return CTL_OK;
	}
	if (text_birth_date(word, strlen(word), any, &d) != DATE_OK || d.year < 2000)
		return ctl_input("the date cannot be understood; write it as 2030-03-31, or never, or default");
	*ret = text_midnight(d) + 86400;
	return *ret > clock_now() ? CTL_OK : ctl_input("that day is past");
}

static void extend_day(int64_t end, char ret[static 11])
{
	memcpy(ret, "never", 6);
	if (end)
		text_date_iso(text_today(end - 1), ret);
}

/* [tx] *ret: what counts for them from now on. ERR_EXISTS: they have registered. */
static enum err extend_one(struct ctl *c, const char *login, int64_t until, struct enrol *ret)
{
	struct person p;
	struct facts f;
	char day[11], what[32];
	enum err e = store_person_by_login(c->st, login, &p);
	if (!e)
		e = require_facts(c->st, c->conf, &p, clock_now(), &f);
	if (!e && !f.unfinished)
		e = ERR_EXISTS;
	if (!e)
		e = store_deadline_put(c->st, &p.id, until);
	if (!e)
		e = enrol_load(c->st, c->conf, &p, ret);
	extend_day(until == DEADLINE_NONE ? 0 : until, day);
	(void)snprintf(what, sizeof what, "%s", until ? day : "default");
	if (!e)
		e = ctl_audit(c, &p.id, "user.extend", what);
	person_wipe(&p);
	return e;
}

static void extend_say(const struct ctl *c, const char *login, const struct enrol *e)
{
	char by[11], letter[11];
	extend_day(e->by, by);
	extend_day(e->letter, letter);
	if (!c->conf->enrol_by && !c->conf->enrol_days)
		(void)printf("%s: there is no deadline: neither enrol.by nor enrol.days is set\n", login);
	else if (e->by)
		(void)printf("%s: may finish the enrolment until the end of %s\n", login, by);
	else
		(void)printf("%s: has no deadline\n", login);
	if (e->letter && clock_now() >= e->letter)
		(void)printf("The initial password has ended on %s; kosmoctl user reissue %s makes a new one\n", letter,
			     login);
	else if (e->letter && (!e->by || e->letter < e->by))
		(void)printf("The initial password ends on %s all the same; kosmoctl user reissue %s makes a new one\n",
			     letter, login);
}

enum ctl_exit user_extend(struct ctl *c, const struct args *a)
{
	char login[LOGIN_MAX + 1];
	int64_t until = 0;
	struct enrol now = {0};
	enum ctl_exit r = ctl_login(a->word[0], login) ? extend_until(a->word[1], &until) : CTL_INPUT;
	if (!r)
		r = ctl_conf(c);
	if (!r)
		r = ctl_store(c);
	if (r)
		return r;
	enum err e = ctl_begin(c);
	if (!e)
		e = extend_one(c, login, until, &now);
	if (!e)
		e = ctl_commit(c);
	ctl_rollback(c);
	if (e == ERR_NOTFOUND)
		return ctl_input("%s: there is no such person", login);
	if (e == ERR_EXISTS)
		return ctl_input("%s: has registered how to log in; there is no deadline any more", login);
	if (e == ERR_DENIED)
		return ctl_failed(e, login,
				  &(struct errmsg){"the store is an older version's: run kosmoctl store upgrade"});
	if (e)
		return ctl_failed(e, login, NULL);
	extend_say(c, login, &now);
	return CTL_OK;
}
