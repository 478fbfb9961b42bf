#include "config.h"

#include "common/secret.h"
#include "common/text.h"
#include "keeper/attempt_parts.h"
#include "keeper/enrol.h"
#include "keeper/notice.h"
#include "keeper/recent.h"
#include "keeper/recovery.h"
#include <inttypes.h>
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

void attempt_wake(struct keeper *k, struct attempt *a)
{
	if (a->told && k->wake_outbox)
		k->wake_outbox(k->wake_arg);
	a->told = false;
}

bool attempt_usable(const struct person *p, enum door door, int64_t now)
{
	return !p->disabled && !p->frozen && (!p->expires || now < p->expires) &&
	       (door == DOOR_WEB || p->role == ROLE_STAFF);
}

enum err attempt_find(struct store *st, struct attempt *a, int64_t now, struct person *p)
{
	a->found = false;
	bool none = a->nobody || (a->door == DOOR_PAM && !text_login_staff(a->login));
	enum err e = none ? ERR_NOTFOUND : store_person_by_login(st, a->login, p);
	if (e == ERR_NOTFOUND)
		return store_person_nobody(st);
	if (e)
		return e;
	if (attempt_usable(p, a->door, now)) {
		a->found = true;
		a->person = p->id;
	}
	return ERR_NONE;
}

bool attempt_known(struct keeper *k, struct store *st, struct attempt *a, int64_t now)
{
	struct person p;
	struct limit l;
	memset(&p, 0, sizeof p);
	bool known =
	    !attempt_find(st, a, now, &p) && /* as much is looked up for a name that nobody has */
	    !limits_for(st, k->seal, &a->origin, a->found ? &a->person : NULL, a->login, FACTOR_NONE, now, &l) &&
	    limits_known(st, &l, now);
	person_wipe(&p);
	return known;
}

/* [tx] ERR_NONE also where the attempt is not to be looked at: a->throttled. */
static enum err count(struct keeper *k, struct store *st, struct attempt *a, bool counts, enum factor_kind kind,
		      int64_t now)
{
	enum err e = limits_for(st, k->seal, &a->origin, counts ? &a->person : NULL, a->login, kind, now, &a->limit);
	if (!e)
		e = limits_count(st, &a->limit, now);
	a->throttled = e == ERR_DENIED;
	return a->throttled ? ERR_NONE : e;
}

/* The initial password opens the wizard only: never the terminal, never once an own password is there. */
static bool initial_serves(const struct attempt *a, const struct person *p)
{
	return a->door == DOOR_WEB && a->found && p->has_initial && !p->password[0] && p->initial_from;
}

static bool initial_opens(const struct keeper *k, const struct attempt *a, const struct person *p, int64_t now)
{
	return initial_serves(a, p) && now < enrol_letter_ends(k->conf, p);
}

bool attempt_initial_matches(const struct keeper *k, const struct person *p, const char *text, size_t n)
{
	uint8_t d[DIGEST_LEN];
	bool right = p->has_initial && !password_initial_digest(k->seal, &p->id, text, n, d) &&
		     secret_equal(d, sizeof d, p->initial, DIGEST_LEN);
	secret_wipe(d, sizeof d);
	return right;
}

enum err attempt_audit(struct store *st, const struct attempt *a, bool known, int64_t now, const char *event,
		       const char *detail)
{
	struct audit row = {
	    .time = now, .event = event, .door = a->place, .address = a->origin.shown, .detail = detail};
	if (known)
		row.person = a->person;
	return store_audit(st, &row);
}

/* The audit gets the first refusal, and then their number. */
static enum err audit_refused(struct store *st, const struct attempt *a, int64_t now, const char *first)
{
	char n[64] = "";
	const struct limit *l = &a->limit;
	if (!l->refused)
		return ERR_NONE;
	if (l->refused > 1)
		snprintf(n, sizeof n, "%" PRId64 " refused since the last such row", l->refused);
	return attempt_audit(st, a, l->why != LIMITS_ADDRESS && l->person, now,
			     l->why == LIMITS_ADDRESS ? "address.throttled" : first, n);
}

/* [tx] A wrong one that was looked at, or one that was not: the waits, and what the audit says. */
static enum err not_in(struct keeper *k, struct store *st, struct attempt *a, int64_t now, const char *wrong,
		       const char *refused, const char *detail)
{
	struct limit *l = &a->limit;
	if (a->throttled)
		return audit_refused(st, a, now, refused);
	enum err e = limits_wrong(st, l, now);
	if (!e)
		e = attempt_audit(st, a, a->found, now, wrong, detail);
	if (!e && l->closed && !l->disabled)
		e = attempt_audit(st, a, l->person, now, "lane.closed",
				  l->key.kind == FACTOR_NONE ? "password" : "code");
	if (!e && l->closed && !l->disabled)
		e = notice_closed(k, st, a, now);
	if (!e && l->disabled)
		e = attempt_audit(st, a, true, now, "factor.disabled", factor_name(l->key.kind));
	if (!e && l->disabled)
		e = store_session_end_half(st, &a->person);
	if (!e && l->disabled)
		e = notice_factor(k, st, &a->person, MAIL_FACTOR_DISABLED, (enum factor_kind)l->key.kind, now,
				  &a->told);
	return e;
}

/* Counting is a transaction of its own, committed before anything is hashed. */
static enum err count_first(struct keeper *k, struct store *st, struct attempt *a, int64_t now)
{
	enum err e = store_begin(st);
	if (e)
		return e;
	e = count(k, st, a, a->found, FACTOR_NONE, now);
	if (!e)
		return store_commit(st);
	store_rollback(st);
	return e;
}

enum err attempt_password(struct keeper *k, struct store *st, struct hash_gate *g, struct attempt *a, const char *text,
			  size_t n, int64_t now)
{
	struct person p;
	AUTO_BUF nfkc = BUF_INIT;
	memset(&p, 0, sizeof p);
	a->password_right = a->initial = false;
	a->lapsed = 0;
	enum err e = attempt_find(st, a, now, &p);
	if (!e)
		e = count_first(k, st, a, now);
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
	} else if (initial_serves(a, &p) && attempt_initial_matches(k, &p, text, n)) {
		a->password_right = a->initial = initial_opens(k, a, &p, now);
		a->lapsed = a->initial ? 0 : enrol_letter_ends(k->conf, &p);
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
	enum err e = limits_right(st, &a->limit, now);
	if (!e)
		e = audit_refused(st, a, now, "password.throttled");
	if (!e && (a->upgrade[0] || (a->initial && !p->initial_used))) {
		if (a->upgrade[0])
			memcpy(p->password, a->upgrade, sizeof p->password);
		p->initial_used = p->initial_used || a->initial;
		e = store_person_save(st, p);
	}
	return e ? e : attempt_audit(st, a, true, now, a->initial ? "password.initial" : "password.right", "");
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
	e = a->password_right
		? settle_right(st, a, &p, now)
		: not_in(k, st, a, now, a->lapsed ? "password.lapsed" : "password.wrong", "password.throttled", "");
out:
	if (e)
		a->password_right = false;
	person_wipe(&p);
	secret_wipe(a->checked, sizeof a->checked);
	secret_wipe(a->upgrade, sizeof a->upgrade);
	return e;
}

/* Within the transaction: who it is now, and whether what was typed is right. */
static enum err factor_check(struct keeper *k, struct store *st, struct attempt *a, const char *canonical, int64_t now,
			     struct person *p, const struct factor **ret)
{
	struct authenticator au[AUTHENTICATORS_MAX];
	size_t n = 0;
	const struct factor *f = factor_for(canonical, a->asked);
	enum err e = factor_confirmed(st, &p->id, au, &n);
	if (e)
		return e;
	struct factor_check c = {.st = st,
				 .seal = k->seal,
				 .person = p,
				 .mail = mailcode_usable(p, au, n, a->mailcode),
				 .anew = a->door == DOOR_WEB && !a->step_up,
				 .authenticator = au,
				 .n = n,
				 .now = now,
				 .mailed = ERR_DENIED};
	/* someone without a registered authenticator has no factor here, whatever recovery codes are left */
	e = !f || !n ? ERR_DENIED : f->verify(&c, canonical);
	snprintf(a->used, sizeof a->used, "%s", c.right ? c.right->name : "");
	if (e == ERR_DENIED && a->asked == FACTOR_MAILCODE && !(f && n && c.mail && f->kind == FACTOR_MAILCODE)) {
		enum err none = mailcode_try_none(st, k->seal, p->login, canonical, now);
		e = none ? none : e;
	}
	authenticator_wipe(au, n);
	a->mailed = c.mailed;
	a->mailed_wait = c.wait;
	if (!e)
		*ret = f;
	return e;
}

/* [tx] As much for whoever is not looked at: the next question, which may be the same again, must not come sooner. */
static enum err factor_none(struct keeper *k, struct store *st, const struct attempt *a, const char *canonical,
			    int64_t now)
{
	enum err e = store_person_nobody(st);
	return e || a->asked != FACTOR_MAILCODE ? e : mailcode_try_none(st, k->seal, a->login, canonical, now);
}

/* [tx] A recovery code enables again what too many wrong ones had disabled. */
static enum err enable_again(struct keeper *k, struct store *st, struct attempt *a, int64_t now)
{
	static const enum factor_kind kinds[] = {FACTOR_TOTP, FACTOR_MAILCODE};
	enum err e = ERR_NONE;
	for (size_t i = 0; !e && i < sizeof kinds / sizeof *kinds; i++) {
		bool disabled = false;
		e = limits_disabled(st, &a->person, kinds[i], &disabled);
		if (!e && disabled)
			e = limits_enable(st, &a->person, kinds[i]);
		if (!e && disabled)
			e = attempt_audit(st, a, true, now, "factor.enabled", factor_name(kinds[i]));
		if (!e && disabled)
			e = notice_factor(k, st, &a->person, MAIL_FACTOR_ENABLED, kinds[i], now, &a->told);
	}
	return e;
}

enum err attempt_all_right(struct keeper *k, struct store *st, struct attempt *a, const struct person *p,
			   const struct factor *f, int64_t now)
{
	struct learned new = {false, false};
	bool counted = f->kind != FACTOR_PASSKEY;
	enum err e = counted ? limits_right(st, &a->limit, now) : ERR_NONE;
	if (!e && counted)
		e = audit_refused(st, a, now, "factor.throttled");
	if (!e && f->anew)
		return attempt_audit(st, a, true, now, "recover.code", "");
	if (!e && f->kind == FACTOR_RECOVERY)
		e = enable_again(k, st, a, now);
	if (!e && !a->step_up)
		e = limits_learn(st, k->seal, &a->origin, &a->person, now, &new);
	if (!e)
		e = notice_in(k, st, a, p, f->kind, &new, now);
	if (!e && !a->step_up)
		e = recent_in(k, st, a, f, now);
	return e ? e : attempt_audit(st, a, true, now, a->step_up ? "confirm.allow" : "login.allow", f->name);
}

static enum verdict verdict_refused(const struct limit *l)
{
	return l->why == LIMITS_CLOSED || l->why == LIMITS_DISABLED ? VERDICT_LOCKED : VERDICT_THROTTLED;
}

enum verdict attempt_verdict(enum err e)
{
	return e == ERR_BUSY || e == ERR_IO || e == ERR_TIMEOUT ? VERDICT_UNAVAILABLE : VERDICT_INTERNAL;
}

/* [tx] Were these the digits of the approval that this dialogue asked for? Its row counts them, and no lane: nobody
 * gets to guess before its owner has approved. As much is done whatever was typed: sshd puts other replies in for names
 * that it does not know. */
static enum err approval_try(struct store *st, const struct attempt *a, const char *canonical, int64_t now, bool *ret)
{
	static const struct id none;
	if (!memcmp(&a->approval.id, &none, sizeof none))
		return ERR_NONE;
	enum err e = store_approval_try(st, &a->approval.id, a->found ? &a->person : &none, canonical, now);
	*ret = !e && a->found && (a->password_right || a->approval.alone);
	return e == ERR_DENIED || e == ERR_NOTFOUND ? ERR_NONE : e;
}

/* What a wrong one counts against. */
static enum factor_kind counted_as(const struct attempt *a, const char *canonical)
{
	if (recovery_looks_like(canonical) || recovery_admin_looks_like(canonical))
		return FACTOR_RECOVERY;
	return a->asked == FACTOR_MAILCODE ? FACTOR_MAILCODE : FACTOR_TOTP;
}

/* What was typed at the second question. */
struct typed {
	const char *canonical;
	struct person *p;
	bool counts;		/* it is somebody's, and their password was right */
	bool approved;		/* the digits of the approval */
	enum err checked;	/* ERR_NONE: right; ERR_DENIED, or ERR_EXISTS for a replay: not */
	const struct factor *f; /* by which it is right */
};

/* [tx] Counts it and looks at it, or does as much for whoever is not looked at. */
static enum err typed_check(struct keeper *k, struct store *st, struct attempt *a, struct typed *t, int64_t now)
{
	enum err e = approval_try(st, a, t->canonical, now, &t->approved);
	if (!e && t->approved) {
		t->f = factor_of(FACTOR_PASSKEY);
		t->checked = ERR_NONE;
		return ERR_NONE;
	}
	if (!e)
		e = count(k, st, a, t->counts, counted_as(a, t->canonical), now);
	if (e || a->throttled)
		return e;
	if (!t->counts)
		return factor_none(k, st, a, t->canonical, now);
	t->checked = factor_check(k, st, a, t->canonical, now, t->p, &t->f);
	return t->checked == ERR_DENIED || t->checked == ERR_EXISTS ? ERR_NONE : t->checked;
}

/* [tx] */
static enum err typed_right(struct keeper *k, struct store *st, struct attempt *a, const struct typed *t, int64_t now,
			    attempt_within within, void *arg)
{
	a->right = t->f;
	a->approval.used = t->approved && a->approval.alone;
	enum err e = attempt_all_right(k, st, a, t->p, t->f, now);
	return e || !within ? e : within(st, t->p, arg);
}

/* [tx] */
static enum err typed_wrong(struct keeper *k, struct store *st, struct attempt *a, const struct typed *t, int64_t now)
{
	const char *why = t->checked == ERR_EXISTS ? "replayed" : a->mailed_wait ? "too many mailed codes" : "";
	enum err e = not_in(k, st, a, now, "factor.wrong", "factor.throttled", why);
	return e || a->throttled || a->step_up ? e : recent_wrong(k, st, a, t->counts, t->canonical, now);
}

enum verdict attempt_factor(struct keeper *k, struct store *st, struct attempt *a, const char *text, size_t n,
			    int64_t now, const struct factor **ret_factor, attempt_within within, void *arg)
{
	struct person p;
	AUTO_BUF code = BUF_INIT;
	struct typed t = {.p = &p, .checked = ERR_DENIED};
	memset(&p, 0, sizeof p);
	t.canonical = !text_code(text, n, &code) && buf_str(&code) ? buf_str(&code) : "";
	a->right = NULL;
	a->mailed = ERR_DENIED;
	a->mailed_wait = 0;

	enum err e = store_begin(st);
	if (e)
		return attempt_verdict(e);
	e = attempt_find(st, a, now, &p);
	t.counts = !e && a->found && a->password_right;
	if (!e)
		e = typed_check(k, st, a, &t, now);
	if (!e)
		e = t.checked ? typed_wrong(k, st, a, &t, now) : typed_right(k, st, a, &t, now, within, arg);
	if (!e)
		e = store_commit(st);
	if (e)
		store_rollback(st);
	else
		attempt_wake(k, a);
	person_wipe(&p);
	if (e)
		return attempt_verdict(e);
	if (t.checked)
		return a->throttled ? verdict_refused(&a->limit) : a->limit.disabled ? VERDICT_LOCKED : VERDICT_DENY;
	if (ret_factor)
		*ret_factor = t.f;
	return VERDICT_ALLOW;
}
