/* kosmoctl user recover: the one-time code for somebody who lost phone and recovery codes. */
#include "config.h"

#include "common/clock.h"
#include "common/secret.h"
#include "ctl/commands.h"
#include "ctl/json.h"
#include "keeper/attempt.h"
#include "keeper/mail.h"
#include "keeper/recovery.h"
#include "keeper/require.h"
#include <string.h>

struct recover {
	int64_t now;
	char code[RECOVERY_ADMIN_TEXT];
	const char *canonical;
	const char *refused; /* why there is none for this person */
	bool mailed;
};

static const char *refusal(const struct person *p, const struct facts *f, int64_t now)
{
	if (!attempt_usable(p, DOOR_WEB, now))
		return "cannot log in at all: see kosmoctl user show";
	if (!f->confirmed)
		return "nothing is registered yet, so no code is asked for: the password is enough to go on";
	return NULL;
}

static enum err recover_put(struct ctl *c, const struct person *p, struct recover *r)
{
	struct keeper k = {.conf = c->conf, .seal = c->seal};
	struct code row = {
	    .person = p->id, .purpose = CODE_ADMIN, .created = r->now, .expires = r->now + RECOVERY_ADMIN_LIFE};
	enum err e = id_new(&row.id);
	if (!e)
		e = store_code_put(c->st, &row, "", r->canonical);
	if (!e)
		e = mail_notice(&k, c->st, p, NULL, MAIL_RECOVER_MADE, NULL, NULL, r->now, &r->mailed);
	return e ? e : ctl_audit(c, &p->id, "user.recover", "");
}

static enum err recover_tx(struct ctl *c, const char *login, struct recover *r)
{
	struct person p;
	struct facts f = {0};
	memset(&p, 0, sizeof p);
	enum err e = ctl_begin(c);
	if (!e)
		e = store_person_by_login(c->st, login, &p);
	if (!e)
		e = require_facts(c->st, c->conf, &p, r->now, &f);
	if (!e)
		r->refused = refusal(&p, &f, r->now);
	if (!e && !r->refused)
		e = recover_put(c, &p, r);
	if (!e && !r->refused)
		e = ctl_commit(c);
	ctl_rollback(c);
	person_wipe(&p);
	return e;
}

static void recover_show(const struct ctl *c, const char *login, const struct recover *r)
{
	struct json j = {.f = stdout};
	char until[32];
	if (c->json) {
		ctl_time_utc(r->now + RECOVERY_ADMIN_LIFE, until);
		json_object(&j, NULL);
		json_str(&j, "login", login);
		json_str(&j, "code", r->code);
		json_str(&j, "expires", until);
		json_bool(&j, "mailed", r->mailed);
		json_end(&j, '}');
		return;
	}
	ctl_time_local(r->now + RECOVERY_ADMIN_LIFE, until);
	(void)printf("%s\n", r->code);
	ctl_say("%s types it in the browser, after the password, where the code is asked for; good until %s, for "
		"registering anew only. %s",
		login, until,
		r->mailed ? "They are told by mail that it was made."
			  : "No address of theirs is confirmed: no mail tells them.");
}

enum ctl_exit user_recover(struct ctl *c, const struct args *a)
{
	char login[LOGIN_MAX + 1];
	AUTO_BUF canonical = BUF_INIT;
	struct recover x = {.now = clock_now()};
	if (!ctl_login(a->word[0], login))
		return CTL_INPUT;
	enum ctl_exit r = ctl_conf(c);
	if (!r)
		r = ctl_store(c);
	if (r)
		return r;
	enum err e = recovery_admin_code(x.code);
	if (!e)
		e = text_code(x.code, strlen(x.code), &canonical);
	x.canonical = buf_str(&canonical);
	if (!e && !x.canonical)
		e = ERR_NOMEM;
	if (!e)
		e = recover_tx(c, login, &x);
	if (e == ERR_NOTFOUND)
		r = ctl_input("%s: there is no such person", login);
	else if (e)
		r = ctl_failed(e, login, NULL);
	else if (x.refused)
		r = ctl_input("%s: %s", login, x.refused);
	else
		recover_show(c, login, &x);
	secret_wipe(&x, sizeof x);
	return r;
}
