#include "config.h"

#include "common/secret.h"
#include "keeper/limits.h"
#include "keeper/mail.h"
#include "keeper/mailcode.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const struct quota quota_sent = {.name = "mailcode", .most = 5, .window = 3600, .apart = 60};
static const struct quota quota_hour = {.name = "mailcode-hour", .most = 5, .window = 3600};
static const struct quota quota_day = {.name = "mailcode-day", .most = 20, .window = 86400};

enum mailcode_policy mailcode_policy_of(const char *word)
{
	if (!word) /* a configuration that was never loaded allows nothing */
		return MAILCODE_FORBIDDEN;
	return !strcmp(word, "allowed") ? MAILCODE_ALLOWED : !strcmp(word, "last") ? MAILCODE_LAST : MAILCODE_FORBIDDEN;
}

bool mailcode_fits(enum mailcode_policy policy, bool app, bool passkey)
{
	return policy == MAILCODE_ALLOWED || (policy == MAILCODE_LAST_APP && !app) ||
	       (policy == MAILCODE_LAST && !app && !passkey);
}

enum mailcode_policy mailcode_policy_at(enum mailcode_policy policy, bool passkeys)
{
	return policy == MAILCODE_LAST && !passkeys ? MAILCODE_LAST_APP : policy;
}

enum mailcode_policy mailcode_policy_web(const struct conf *c)
{
	bool passkeys = c->passkey_web && !strcmp(c->passkey_web, "allowed"); /* NULL as above */
	return mailcode_policy_at(mailcode_policy_of(c->mailcode_web), passkeys);
}

bool mailcode_usable(const struct person *p, const struct authenticator *au, size_t n, enum mailcode_policy policy)
{
	bool registered = false, app = false, passkey = false;
	for (size_t i = 0; i < n; i++) {
		registered = registered || au[i].kind == FACTOR_MAILCODE;
		app = app || au[i].kind == FACTOR_TOTP;
		passkey = passkey || au[i].kind == FACTOR_PASSKEY;
	}
	return registered && p->email_verified && mailcode_fits(policy, app, passkey);
}

enum err mailcode_send(struct keeper *k, struct store *st, const struct person *p, enum code_purpose purpose,
		       const char *lang, int64_t now, bool *ret_sent)
{
	int64_t wait;
	unsigned number;
	char code[8];
	enum err e = limits_take(st, k->seal, &quota_sent, &p->id, now, false, &wait);
	if (e) {
		if (e == ERR_DENIED)
			*ret_sent = false;
		return e == ERR_DENIED ? ERR_NONE : e;
	}
	struct code row = {.person = p->id, .purpose = purpose, .created = now, .expires = now + MAILCODE_LIFE};
	snprintf(row.address, sizeof row.address, "%s", p->email);
	e = secret_uniform(1000000, &number);
	if (!e)
		e = id_new(&row.id);
	snprintf(code, sizeof code, "%06u", e ? 0 : number % 1000000);
	const struct fill values[] = {{"code", code}, {NULL, NULL}};
	if (!e)
		e = mail_queue(k, st, &p->id, p->email, lang, purpose == CODE_GUARD ? MAIL_GUARD : MAIL_CODE, values,
			       now, MAILCODE_LIFE, &row.mail);
	if (!e)
		e = store_code_put(st, &row, code, NULL);
	if (!e)
		*ret_sent = true;
	secret_wipe(code, sizeof code);
	secret_wipe(&number, sizeof number);
	return e;
}

enum err mailcode_wait(struct keeper *k, struct store *st, const struct id *person, int64_t now, int64_t *ret_wait)
{
	return limits_look(st, k->seal, &quota_sent, person, now, ret_wait);
}

enum err mailcode_try(struct store *st, const struct seal *seal, const struct id *person, enum code_purpose purpose,
		      const char *canonical, int64_t now, int64_t *ret_wait)
{
	int64_t wait = 0;
	enum err e = limits_take(st, seal, &quota_hour, person, now, false, &wait);
	if (!e)
		e = limits_take(st, seal, &quota_day, person, now, false, &wait);
	*ret_wait = e == ERR_DENIED ? wait : 0;
	if (!e)
		e = store_code_try(st, person, purpose, canonical, now);
	if (e)
		return e;
	e = limits_forget(st, seal, &quota_hour, person);
	return e ? e : limits_forget(st, seal, &quota_day, person);
}

enum err mailcode_try_none(struct store *st, const struct seal *seal, const char *login, const char *canonical,
			   int64_t now)
{
	static const struct quota hour = {.name = "mailcode-hour-none", .most = INT64_MAX, .window = 3600};
	static const struct quota day = {.name = "mailcode-day-none", .most = INT64_MAX, .window = 86400};
	struct id bucket;
	int64_t wait;
	enum err e = limits_bucket(seal, login, &bucket);
	if (!e)
		e = limits_take(st, seal, &hour, &bucket, now, true, &wait);
	if (!e)
		e = limits_take(st, seal, &day, &bucket, now, true, &wait);
	if (!e)
		e = store_code_try(st, &bucket, CODE_LOGIN, canonical, now);
	return e == ERR_NOTFOUND ? ERR_NONE : e;
}

enum err mailcode_spent(struct store *st, const struct seal *seal, const struct id *person, int64_t now,
			int64_t *ret_wait)
{
	int64_t hour = 0, day = 0;
	enum err e = limits_look(st, seal, &quota_hour, person, now, &hour);
	if (!e)
		e = limits_look(st, seal, &quota_day, person, now, &day);
	if (!e)
		*ret_wait = hour > day ? hour : day;
	return e;
}
