#include "config.h"

#include "keeper/approval.h"
#include "keeper/recent.h"
#include "keeper/recovery.h"
#include <stdio.h>
#include <string.h>

static void from(struct store_login *l, const struct origin *o, const char *agent)
{
	snprintf(l->address, sizeof l->address, "%s", o->shown);
	snprintf(l->agent, sizeof l->agent, "%s", agent ? agent : "");
	if (o->has_device)
		memcpy(l->device.b, o->device, ID_LEN);
}

static enum err add(const struct keeper *k, struct store *st, const struct attempt *a, enum login_what what,
		    enum factor_kind kind, int64_t now)
{
	struct store_login l = {.what = what, .time = now, .kind = kind};
	if (what != LOGIN_NOBODY)
		l.person = a->person;
	l.password = !a->no_password && !a->approval.used;
	snprintf(l.name, sizeof l.name, "%s", what == LOGIN_WRONG ? "" : a->used);
	snprintf(l.place, sizeof l.place, "%s", a->place);
	if (a->door == DOOR_PAM)
		approval_host(k->conf, l.host, sizeof l.host);
	from(&l, &a->origin, a->agent);
	enum err e = store_login_add(st, &l);
	store_login_wipe(&l, 1);
	return e;
}

enum err recent_in(const struct keeper *k, struct store *st, const struct attempt *a, const struct factor *f,
		   int64_t now)
{
	bool inside = a->door == DOOR_PAM && a->origin.own_uid;
	return add(k, st, a, inside ? LOGIN_INSIDE : LOGIN_IN, f->kind, now);
}

enum err recent_wrong(const struct keeper *k, struct store *st, const struct attempt *a, bool counts,
		      const char *canonical, int64_t now)
{
	return add(k, st, a, counts ? LOGIN_WRONG : LOGIN_NOBODY,
		   recovery_looks_like(canonical) ? FACTOR_RECOVERY
		   : a->asked == FACTOR_MAILCODE  ? FACTOR_MAILCODE
						  : FACTOR_TOTP,
		   now);
}

enum err recent_web(struct store *st, const struct id *person, const struct origin *o, const char *agent,
		    enum factor_kind kind, const char *name, bool password, int64_t now)
{
	struct store_login l = {
	    .person = *person, .what = LOGIN_IN, .time = now, .kind = kind, .password = password, .place = "web"};
	snprintf(l.name, sizeof l.name, "%s", name);
	from(&l, o, agent);
	enum err e = store_login_add(st, &l);
	store_login_wipe(&l, 1);
	return e;
}
