#include "config.h"

#include "keeper/factor.h"
#include "keeper/recovery.h"
#include "keeper/totp.h"
#include <string.h>

static bool totp_takes(const char *canonical)
{
	size_t n = strlen(canonical);
	return (n == 6 || n == 8) && strspn(canonical, "0123456789") == n;
}

/* Every authenticator is compared, whichever matches, so that their number does not show in the time of a match. */
static enum err totp_verify(struct factor_check *c, const char *canonical)
{
	enum err r = ERR_DENIED;
	for (size_t i = 0; i < c->n; i++) {
		const struct authenticator *a = &c->authenticator[i];
		if (a->kind != FACTOR_TOTP)
			continue;
		const struct totp t = {a->algorithm, a->digits, a->period, a->secret, a->secret_len};
		uint64_t step;
		enum err e = totp_check(&t, canonical, c->now, &step);
		if (e == ERR_DENIED)
			continue;
		if (!e)
			e = store_totp_consume(c->st, &a->id, step, c->now);
		if (r == ERR_NONE && e == ERR_EXISTS)
			continue;
		r = e;
		if (e && e != ERR_EXISTS)
			return e;
		c->right = a;
	}
	return r;
}

static enum err recovery_verify(struct factor_check *c, const char *canonical)
{
	return store_recovery_consume(c->st, &c->person->id, canonical, c->now);
}

/* It is used up where the new authenticator is confirmed (keeper/flow_lost.c): breaking off costs nothing. */
static enum err admin_verify(struct factor_check *c, const char *canonical)
{
	struct code code;
	enum err e = store_code_by_link(c->st, canonical, c->now, &code);
	bool right = !e && code.purpose == CODE_ADMIN && !memcmp(code.person.b, c->person->id.b, ID_LEN) && c->anew;
	if (e && e != ERR_NOTFOUND)
		return e;
	return right ? ERR_NONE : ERR_DENIED;
}

static bool mailcode_takes(const char *canonical)
{
	return strlen(canonical) == 6 && strspn(canonical, "0123456789") == 6;
}

static enum err mailcode_verify(struct factor_check *c, const char *canonical)
{
	if (!c->mail)
		return ERR_DENIED;
	enum err e = mailcode_try(c->st, c->seal, &c->person->id, CODE_LOGIN, canonical, c->now, &c->wait);
	c->mailed = e;
	if (e == ERR_NOTFOUND || e == ERR_TOOBIG)
		return ERR_DENIED;
	for (size_t i = 0; !e && i < c->n; i++)
		if (c->authenticator[i].kind == FACTOR_MAILCODE)
			e = store_authenticator_used(c->st, &c->authenticator[i].id, c->now);
	return e;
}

/* Nobody types one: attempt_passkey. */
static bool passkey_takes(const char *canonical)
{
	(void)canonical;
	return false;
}

static enum err passkey_verify(struct factor_check *c, const char *canonical)
{
	(void)c;
	(void)canonical;
	return ERR_DENIED;
}

const struct factor factors[] = {
    {"mailcode", mailcode_takes, mailcode_verify, FACTOR_MAILCODE, true, false},
    {"totp", totp_takes, totp_verify, FACTOR_TOTP, false, false},
    {"recovery", recovery_looks_like, recovery_verify, FACTOR_RECOVERY, false, false},
    /* counted with the recovery codes, beside which it is typed */
    {"admin", recovery_admin_looks_like, admin_verify, FACTOR_RECOVERY, false, true},
    {"passkey", passkey_takes, passkey_verify, FACTOR_PASSKEY, false, false},
    {NULL, NULL, NULL, FACTOR_NONE, false, false},
};

const struct factor *factor_for(const char *canonical, enum factor_kind asked)
{
	for (const struct factor *f = factors; f->kind != FACTOR_NONE; f++)
		if ((f->asked ? f->kind == asked : asked == FACTOR_NONE || f->kind == FACTOR_RECOVERY) &&
		    f->takes(canonical))
			return f;
	return NULL;
}

const struct factor *factor_of(enum factor_kind kind)
{
	const struct factor *f = factors;
	while (f->kind != FACTOR_NONE && f->kind != kind)
		f++;
	return f;
}

const char *factor_name(enum factor_kind kind)
{
	const struct factor *f = factor_of(kind);
	return f->name ? f->name : "";
}

enum err factor_confirmed(struct store *st, const struct id *person, struct authenticator *ret, size_t *ret_n)
{
	size_t n = 0;
	enum err e = store_authenticators(st, person, ret, AUTHENTICATORS_MAX, &n);
	if (e)
		return e;
	size_t kept = 0;
	for (size_t i = 0; i < n; i++) {
		if (!ret[i].confirmed)
			continue;
		if (kept != i)
			ret[kept] = ret[i];
		kept++;
	}
	authenticator_wipe(ret + kept, n - kept);
	*ret_n = kept;
	return ERR_NONE;
}
