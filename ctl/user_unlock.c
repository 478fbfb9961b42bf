/* kosmoctl user unlock: what was counted against a person is forgotten. */
#include "config.h"

#include "common/clock.h"
#include "ctl/commands.h"
#include "keeper/limits.h"
#include "keeper/notice.h"
#include <inttypes.h>

static enum err unlock_tx(struct ctl *c, const char *login, int64_t *ret_n)
{
	static const enum factor_kind kinds[] = {FACTOR_TOTP, FACTOR_MAILCODE};
	struct person p;
	bool disabled[2] = {false}, told = false;
	struct keeper k = {.conf = c->conf, .seal = c->seal};
	enum err e = ctl_begin(c);
	if (!e)
		e = store_person_by_login(c->st, login, &p);
	for (size_t i = 0; !e && i < 2; i++)
		e = limits_disabled(c->st, &p.id, kinds[i], &disabled[i]);
	if (!e)
		e = store_counter_clear_all(c->st, &p.id, -1, ret_n);
	if (!e)
		e = ctl_audit(c, &p.id, "user.unlock", "");
	for (size_t i = 0; !e && i < 2; i++) {
		if (disabled[i])
			e = ctl_audit(c, &p.id, "factor.enabled", factor_name(kinds[i]));
		if (!e && disabled[i])
			e = notice_factor(&k, c->st, &p.id, MAIL_FACTOR_ENABLED, kinds[i], clock_now(), &told);
	}
	if (!e)
		e = ctl_commit(c);
	ctl_rollback(c);
	person_wipe(&p);
	return e;
}

enum ctl_exit user_unlock(struct ctl *c, const struct args *a)
{
	char login[LOGIN_MAX + 1];
	int64_t n = 0;
	if (!ctl_login(a->word[0], login))
		return CTL_INPUT;
	enum ctl_exit r = ctl_conf(c);
	if (!r)
		r = ctl_store(c);
	if (r)
		return r;
	enum err e = unlock_tx(c, login, &n);
	if (e == ERR_NOTFOUND)
		return ctl_input("%s: there is no such person", login);
	if (e)
		return ctl_failed(e, login, NULL);
	(void)printf("%s: %s\n", login, n ? "unlocked" : "nothing was counted");
	return CTL_OK;
}
