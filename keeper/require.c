#include "config.h"

#include "keeper/policy.h"
#include "keeper/require.h"
#include <string.h>

#define BOTH_ROLES (1u << ROLE_MEMBER | 1u << ROLE_STAFF)

static bool birth_met(const struct facts *f)
{
	/* staff may be imported without one: there is nothing to compare with then */
	return f->person->birth_confirmed || (f->person->role == ROLE_STAFF && !f->person->birth.year);
}

static bool terms_met(const struct facts *f)
{
	return f->person->terms >= f->conf->terms_version;
}

static bool email_met(const struct facts *f)
{
	/* whoever has none said so, or the admin did: the flag alone waives nothing while there is an address */
	return f->person->email_verified || (f->person->email_optional && !f->person->email[0]);
}

static bool authenticator_met(const struct facts *f)
{
	return f->confirmed > 0;
}

static bool passkey_offered(const struct facts *f)
{
	return !strcmp(f->conf->passkey_web, "allowed");
}

static bool app_offered(const struct facts *f)
{
	(void)f;
	return true;
}

/* On paper, for whoever has nothing else to get codes with. */
static bool sheet_offered(const struct facts *f)
{
	return !f->person->email_verified && f->person->email_optional;
}

static bool mailcode_offered(const struct facts *f)
{
	return f->person->email_verified && mailcode_fits(mailcode_policy_web(f->conf), f->app, f->passkey);
}

static const struct {
	enum factor_kind kind;
	bool (*offered)(const struct facts *f);
} ways[] = {
    {FACTOR_PASSKEY, passkey_offered},
    {FACTOR_TOTP, app_offered},
    {FACTOR_MAILCODE, mailcode_offered},
    {FACTOR_RECOVERY, sheet_offered},
};

bool require_offers(const struct facts *f, enum factor_kind kind)
{
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		if (ways[i].kind == kind)
			return ways[i].offered(f);
	return false;
}

/* A choice that is no longer offered is none. */
static bool method_met(const struct facts *f)
{
	return require_offers(f, f->person->method) || authenticator_met(f);
}

static bool password_met(const struct facts *f)
{
	return f->person->password[0] != '\0' && !f->password_due;
}

static bool sheet_met(const struct facts *f)
{
	return !f->sheet || f->sheet_left > SHEET_LOW || !f->proven;
}

const struct requirement requirements[] = {
    {REQ_BIRTH, BOTH_ROLES, DOOR_WEB, false, birth_met, "/first/birth-date"},
    {REQ_TERMS, BOTH_ROLES, DOOR_WEB, false, terms_met, "/first/terms"},
    {REQ_EMAIL, BOTH_ROLES, DOOR_WEB, false, email_met, "/first/email"},
    {REQ_METHOD, BOTH_ROLES, DOOR_WEB, false, method_met, "/first/method"},
    {REQ_PASSWORD, BOTH_ROLES, DOOR_WEB, false, password_met, "/first/password"},
    {REQ_AUTHENTICATOR, BOTH_ROLES, DOOR_WEB | DOOR_PAM, false, authenticator_met, "/app"},
    {REQ_SHEET, BOTH_ROLES, DOOR_WEB, true, sheet_met, "/sheet"},
    {REQ_NONE, 0, 0, false, NULL, NULL},
};

bool require_binds(const struct requirement *r, const struct person *p, enum door door)
{
	return (r->roles & 1u << p->role) && (r->doors & (unsigned)door);
}

const struct requirement *require_first(const struct facts *f, enum door door)
{
	for (const struct requirement *r = requirements; r->id != REQ_NONE; r++)
		if (require_binds(r, f->person, door) && !r->met(f))
			return r;
	return NULL;
}

void require_place(const struct facts *f, enum requirement_id id, int *ret_step, int *ret_steps)
{
	int step = 0, steps = 0;
	for (const struct requirement *r = requirements; r->id != REQ_NONE; r++) {
		if (!require_binds(r, f->person, DOOR_WEB))
			continue;
		steps += !r->upkeep;
		if (r->id == id)
			step = steps;
	}
	*ret_step = step;
	*ret_steps = steps;
}

bool require_good(enum factor_kind kind)
{
	return kind == FACTOR_TOTP || kind == FACTOR_PASSKEY;
}

size_t require_ways(const struct person *p, const struct authenticator *au, size_t n, enum mailcode_policy policy)
{
	bool mail = mailcode_usable(p, au, n, policy);
	size_t count = 0;
	for (size_t i = 0; i < n; i++)
		/* one that cannot be used any more is none: its owner registers another */
		count += au[i].kind != FACTOR_MAILCODE || mail;
	return count;
}

enum err require_facts(struct store *st, const struct conf *conf, const struct person *p, int64_t now,
		       struct facts *ret)
{
	return require_facts_by(st, conf, p, mailcode_policy_web(conf), now, ret);
}

enum err require_facts_by(struct store *st, const struct conf *conf, const struct person *p, enum mailcode_policy mail,
			  int64_t now, struct facts *ret)
{
	struct authenticator au[AUTHENTICATORS_MAX];
	size_t n = 0;
	enum err e = factor_confirmed(st, &p->id, au, &n);
	if (e)
		return e;
	*ret = (struct facts){.conf = conf, .person = p, .mail = mailcode_usable(p, au, n, mail)};
	for (size_t i = 0; i < n; i++) {
		ret->app = ret->app || au[i].kind == FACTOR_TOTP;
		ret->passkey = ret->passkey || au[i].kind == FACTOR_PASSKEY;
		ret->strong = ret->strong || au[i].kind != FACTOR_MAILCODE;
		ret->mail_kept = ret->mail_kept || au[i].kind == FACTOR_MAILCODE;
		ret->sheet = ret->sheet || au[i].kind == FACTOR_RECOVERY;
	}
	ret->confirmed = require_ways(p, au, n, mail);
	ret->unfinished = n == 0;
	if (ret->unfinished)
		e = enrol_load(st, conf, p, &ret->enrol);
	if (ret->sheet)
		e = store_recovery_left(st, &p->id, &ret->sheet_left);
	ret->password_due = ret->confirmed && policy_password_due(conf, p, now);
	authenticator_wipe(au, n);
	return e;
}
