#include "config.h"

#include "common/secret.h"
#include "common/text.h"
#include "keeper/attempt.h"
#include <stdio.h>
#include <string.h>

void attempt_init(struct attempt *a, enum door door, const char *place, const struct origin *origin, const char *login)
{
	memset(a, 0, sizeof *a);
	a->door = door;
	snprintf(a->place, sizeof a->place, "%s", place);
	a->origin = *origin;
	AUTO_BUF b = BUF_INIT;
	if (door == DOOR_WEB && !text_login(login, strlen(login), &b) && buf_str(&b))
		login = buf_str(&b);
	a->nobody = strlen(login) > LOGIN_MAX;
	snprintf(a->login, sizeof a->login, "%s", login);
}

void attempt_clear(struct attempt *a)
{
	secret_wipe(a, sizeof *a);
}

bool attempt_usable(const struct person *p, enum door door, int64_t now)
{
	return !p->disabled && (!p->expires || now < p->expires) && (door == DOOR_WEB || p->role == ROLE_STAFF);
}

/* ERR_NONE with a->found false for everyone who may not enter here: from then on they are all strangers alike. */
static enum err find(struct store *st, struct attempt *a, int64_t now, struct person *p)
{
	a->found = false;
	if (a->nobody || (a->door == DOOR_PAM && !text_login_staff(a->login)))
		return ERR_NONE;
	enum err e = store_person_by_login(st, a->login, p);
	if (e == ERR_NOTFOUND)
		return ERR_NONE;
	if (e)
		return e;
	if (attempt_usable(p, a->door, now)) {
		a->found = true;
		a->person = p->id;
	}
	return ERR_NONE;
}

static enum err limit_for(struct keeper *k, struct attempt *a, bool counts, enum factor_kind kind)
{
	return counts ? limits_for_person(k->seal, &a->person, kind, &a->limit)
		      : limits_for_unknown(k->seal, a->login, kind, &a->limit);
}

/* The initial password opens the wizard only: never the terminal, never once an own password is there. */
static bool initial_opens(const struct keeper *k, const struct attempt *a, const struct person *p, int64_t now)
{
	return a->door == DOOR_WEB && a->found && p->has_initial && !p->password[0] && p->initial_from &&
	       now < p->initial_from + k->conf->initial_password_days * 86400;
}

bool attempt_initial_matches(const struct keeper *k, const struct person *p, const char *text, size_t n)
{
	uint8_t d[DIGEST_LEN];
	bool right = p->has_initial && !password_initial_digest(k->seal, &p->id, text, n, d) &&
		     secret_equal(d, sizeof d, p->initial, DIGEST_LEN);
	secret_wipe(d, sizeof d);
	return right;
}

static enum err audit(struct store *st, const struct attempt *a, bool known, int64_t now, const char *event,
		      const char *detail)
{
	struct audit row = {
	    .time = now, .event = event, .door = a->place, .address = a->origin.shown, .detail = detail};
	if (known)
		row.person = a->person;
	return store_audit(st, &row);
}

/* Counting is a transaction of its own, committed before anything is hashed. */
static enum err count_first(struct store *st, struct attempt *a, int64_t now)
{
	enum err e = store_begin(st);
	if (e)
		return e;
	e = limits_count(st, &a->limit, now);
	a->throttled = e == ERR_DENIED;
	if (e && !a->throttled) {
		store_rollback(st);
		return e;
	}
	return store_commit(st);
}

enum err attempt_password(struct keeper *k, struct store *st, struct hash_gate *g, struct attempt *a, const char *text,
			  size_t n, int64_t now)
{
	struct person p;
	AUTO_BUF nfkc = BUF_INIT;
	memset(&p, 0, sizeof p);
	a->password_right = a->initial = false;
	enum err e = find(st, a, now, &p);
	if (!e)
		e = limit_for(k, a, a->found, FACTOR_NONE);
	if (!e)
		e = count_first(st, a, now);
	if (e)
		goto out;
	bool upgrade = false;
	bool text_ok = !text_nfkc(text, n, &nfkc) && buf_str(&nfkc) && nfkc.len && nfkc.len <= 4 * PASSWORD_MAX;
	const char *hash = text_ok && a->found && p.password[0] ? p.password : NULL;
	bool right = gate_password_check(g, hash, text_ok ? buf_str(&nfkc) : "", &upgrade) && hash;
	if (right && !a->throttled) {
		a->password_right = true;
		memcpy(a->checked, p.password, sizeof a->checked);
		if (upgrade && gate_password_hash(g, buf_str(&nfkc), a->upgrade))
			a->upgrade[0] = '\0'; /* the old hash still serves */
	} else if (initial_opens(k, a, &p, now) && attempt_initial_matches(k, &p, text, n)) {
		a->password_right = a->initial = true;
		memcpy(a->digest, p.initial, sizeof a->digest);
	}
out:
	person_wipe(&p);
	return e;
}

/* Is what was checked before this transaction began still what opens this account? */
static bool still_right(const struct keeper *k, const struct attempt *a, const struct person *p, int64_t now)
{
	return attempt_usable(p, a->door, now) &&
	       (a->initial ? initial_opens(k, a, p, now) && secret_equal(a->digest, DIGEST_LEN, p->initial, DIGEST_LEN)
			   : secret_equal(a->checked, strlen(a->checked), p->password, strlen(p->password)));
}

static enum err settle_right(struct store *st, struct attempt *a, struct person *p, int64_t now)
{
	enum err e = limits_clear(st, &a->limit);
	if (!e && (a->upgrade[0] || (a->initial && !p->initial_used))) {
		if (a->upgrade[0])
			memcpy(p->password, a->upgrade, sizeof p->password);
		p->initial_used = p->initial_used || a->initial;
		e = store_person_save(st, p);
	}
	return e ? e : audit(st, a, true, now, a->initial ? "password.initial" : "password.right", "");
}

enum err attempt_password_settle(struct keeper *k, struct store *st, struct attempt *a, int64_t now)
{
	struct person p;
	enum err e = ERR_NONE;
	memset(&p, 0, sizeof p);
	if (a->password_right) {
		e = store_person_by_id(st, &a->person, &p);
		a->password_right = !e && still_right(k, a, &p, now);
	}
	if (e && e != ERR_NOTFOUND)
		goto out;
	if (a->password_right) {
		e = settle_right(st, a, &p, now);
	} else {
		e = a->throttled ? ERR_NONE : limits_wrong(st, &a->limit, now);
		if (!e)
			e = audit(st, a, a->found, now, a->throttled ? "password.throttled" : "password.wrong", "");
	}
out:
	if (e)
		a->password_right = false;
	person_wipe(&p);
	secret_wipe(a->checked, sizeof a->checked);
	secret_wipe(a->upgrade, sizeof a->upgrade);
	return e;
}

/* Within the transaction: who it is now, and whether what was typed is right. */
static enum err factor_check(struct store *st, const char *canonical, int64_t now, struct person *p,
			     const struct factor **ret)
{
	struct authenticator au[AUTHENTICATORS_MAX];
	size_t n = 0;
	const struct factor *f = factor_for(canonical);
	enum err e = factor_confirmed(st, &p->id, au, &n);
	if (e)
		return e;
	const struct factor_check c = {st, p, au, n, now};
	/* someone without a registered authenticator has no factor here, whatever recovery codes are left */
	e = !f || !n ? ERR_DENIED : f->verify(&c, canonical);
	authenticator_wipe(au, n);
	if (!e)
		*ret = f;
	return e;
}

static enum verdict verdict_for(enum err e)
{
	return e == ERR_BUSY || e == ERR_IO || e == ERR_TIMEOUT ? VERDICT_UNAVAILABLE : VERDICT_INTERNAL;
}

enum verdict attempt_factor(struct keeper *k, struct store *st, struct attempt *a, const char *text, size_t n,
			    int64_t now, const struct factor **ret_factor, attempt_within within, void *arg)
{
	struct person p;
	AUTO_BUF code = BUF_INIT;
	const struct factor *f = NULL;
	enum verdict v = VERDICT_INTERNAL;
	memset(&p, 0, sizeof p);
	const char *canonical = !text_code(text, n, &code) && buf_str(&code) ? buf_str(&code) : "";

	enum err e = store_begin(st);
	if (e)
		return verdict_for(e);
	e = find(st, a, now, &p);
	bool counts = !e && a->found && a->password_right;
	if (!e)
		e = limit_for(k, a, counts, FACTOR_TOTP);
	if (e)
		goto out;
	e = limits_count(st, &a->limit, now);
	a->throttled = e == ERR_DENIED;
	if (e && !a->throttled)
		goto out;

	enum err checked = ERR_DENIED;
	if (counts && !a->throttled) {
		checked = factor_check(st, canonical, now, &p, &f);
		if (checked && checked != ERR_DENIED && checked != ERR_EXISTS) {
			e = checked;
			goto out;
		}
	}
	if (!checked) {
		e = limits_clear(st, &a->limit);
		if (!e && within)
			e = within(st, &p, arg);
		if (!e)
			e = audit(st, a, true, now, a->step_up ? "confirm.allow" : "login.allow", f->name);
		v = VERDICT_ALLOW;
	} else {
		e = a->throttled ? ERR_NONE : limits_wrong(st, &a->limit, now);
		if (!e)
			e = audit(st, a, a->found, now, a->throttled ? "factor.throttled" : "factor.wrong",
				  checked == ERR_EXISTS ? "replayed" : "");
		v = a->throttled ? VERDICT_THROTTLED : VERDICT_DENY;
	}
	if (!e)
		e = store_commit(st);
out:
	if (e) {
		store_rollback(st);
		v = verdict_for(e);
	} else if (v == VERDICT_ALLOW && ret_factor) {
		*ret_factor = f;
	}
	person_wipe(&p);
	return v;
}
