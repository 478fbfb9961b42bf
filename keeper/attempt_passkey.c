#include "config.h"

#include "common/secret.h"
#include "keeper/attempt_parts.h"
#include "keeper/notice.h"
#include <stdio.h>
#include <string.h>

/* [tx] The credential's row, and who is asked for. x->check is left undecided if it is theirs. */
static enum err look_up(struct store *st, struct attempt *a, struct assertion *x, int64_t now, struct person *p,
			struct store_passkey *pk)
{
	enum err e = store_passkey_find(st, x->r->id.p, x->r->id.n, pk);
	bool there = !e;
	x->unknown = e == ERR_NOTFOUND;
	if (e && !x->unknown)
		return e;
	if (there && !a->login[0]) {
		e = store_person_by_id(st, &pk->as.person, p);
		if (!e)
			memcpy(a->login, p->login, sizeof a->login);
		if (e && e != ERR_NOTFOUND)
			return e;
	}
	e = attempt_find(st, a, now, p);
	if (!e && (!there || !a->found || memcmp(&p->id, &pk->as.person, sizeof p->id) != 0))
		x->check = PASSKEY_NOT_ASKED;
	return e;
}

static enum passkey_check verify(const struct keeper *k, const struct store_passkey *pk, bool known,
				 struct assertion *x)
{
	struct relying_party rp;
	relying_party(k->conf, &rp);
	const struct passkey_expected want = {
	    .rp_id = rp.id, .origin = rp.origin, .challenge = x->challenge, .require_uv = true};
	return x->client_hash ? passkey_assert_hash(&want, &pk->credential, x->client_hash, x->r, &x->used)
			      : passkey_assert(&want, &pk->credential, pk->user, !known, x->r, &x->used);
}

/* [tx] A counter that went back may mean that there is a copy (7.2 step 22). ERR_DENIED: that is not taken here. */
static enum err counter(struct keeper *k, struct store *st, struct attempt *a, const struct person *p,
			const struct store_passkey *pk, struct assertion *x, int64_t now)
{
	bool refuse = !strcmp(k->conf->passkey_counter, "refuse");
	if (!x->used.counter_back)
		return ERR_NONE;
	enum err e = attempt_audit(st, a, true, now, "passkey.counter", pk->as.name);
	if (!e)
		e = notice_passkey(k, st, p, MAIL_PASSKEY_COPY, pk->as.name, false, now, &a->told);
	/* the highest one stays, so that the next of a copy's shows too */
	if (x->used.sign_count < pk->credential.sign_count)
		x->used.sign_count = pk->credential.sign_count;
	return !e && refuse ? ERR_DENIED : e;
}

/* [tx] BS flips when its owner sets up their device: it is told, and locks nobody out. */
static enum err backup(struct keeper *k, struct store *st, struct attempt *a, const struct person *p,
		       const struct store_passkey *pk, const struct assertion *x, int64_t now)
{
	if (!x->used.backup_flip)
		return ERR_NONE;
	enum err e = attempt_audit(st, a, true, now, "passkey.backup", x->used.backed_up ? "synced" : "this device");
	return e ? e : notice_passkey(k, st, p, MAIL_PASSKEY_STORED, pk->as.name, x->used.backed_up, now, &a->told);
}

/* [tx] ERR_DENIED: no. */
static enum err right(struct keeper *k, struct store *st, struct attempt *a, const struct person *p,
		      const struct store_passkey *pk, struct assertion *x, int64_t now)
{
	enum err e = x->spend ? challenge_spend(st, x->spend) : ERR_NONE;
	if (e == ERR_EXISTS) {
		x->check = PASSKEY_CHALLENGE;
		return ERR_DENIED;
	}
	if (!e)
		e = counter(k, st, a, p, pk, x, now);
	if (!e)
		e = store_passkey_used(st, pk, &x->used, now);
	if (e == ERR_EXISTS) /* another assertion moved the counter just now: as if it had gone back */
		return ERR_DENIED;
	if (!e)
		e = backup(k, st, a, p, pk, x, now);
	a->right = factor_of(FACTOR_PASSKEY);
	memcpy(a->used, pk->as.name, sizeof a->used);
	return e ? e : attempt_all_right(k, st, a, p, a->right, now);
}

/* [tx] */
static enum err decide(struct keeper *k, struct store *st, struct attempt *a, struct assertion *x, int64_t now,
		       struct person *p, struct store_passkey *pk)
{
	bool known = a->login[0];
	enum err e = look_up(st, a, x, now, p, pk);
	if (e)
		return e;
	if (x->check == PASSKEY_UNDECIDED)
		x->check = verify(k, pk, known, x);
	if (x->check == PASSKEY_INTERNAL)
		return ERR_INTERNAL;
	return x->check == PASSKEY_OK && a->password_right ? right(k, st, a, p, pk, x, now) : ERR_DENIED;
}

/* [tx] A refusal is audited where somebody's account is concerned; nothing of it is kept otherwise. A signature is not
 * guessed, so no lane counts it and nobody has to wait for it: but whoever sends many fills no log with them. */
static enum err refused(struct keeper *k, struct store *st, const struct attempt *a, const struct assertion *x,
			int64_t now)
{
	static const struct quota rows = {.name = "passkey-wrong", .most = 50, .window = 3600};
	char detail[64];
	int64_t wait = 0;
	const char *why = x->check != PASSKEY_OK ? passkey_check_name(x->check)
			  : a->password_right	 ? "counter"
						 : "password";
	enum err e = a->found ? limits_take(st, k->seal, &rows, &a->person, now, false, &wait) : ERR_DENIED;
	if (e == ERR_DENIED)
		return ERR_NONE;
	snprintf(detail, sizeof detail, "%s%s", why, wait > 0 ? ", the last one noted for an hour" : "");
	return e ? e : attempt_audit(st, a, true, now, "passkey.wrong", detail);
}

enum verdict attempt_passkey(struct keeper *k, struct store *st, struct attempt *a, struct assertion *x, int64_t now,
			     attempt_within within, void *arg)
{
	struct person p;
	struct store_passkey pk;
	enum verdict v = VERDICT_INTERNAL;
	memset(&p, 0, sizeof p);
	memset(&pk, 0, sizeof pk);
	memset(&a->limit, 0, sizeof a->limit);
	a->right = NULL;
	x->check = PASSKEY_UNDECIDED;
	x->unknown = false;

	enum err e = store_begin(st);
	if (e)
		return attempt_verdict(e);
	e = decide(k, st, a, x, now, &p, &pk);
	if (e == ERR_DENIED) {
		v = VERDICT_DENY;
		e = refused(k, st, a, x, now);
	} else if (!e) {
		v = VERDICT_ALLOW;
		e = within ? within(st, &p, arg) : ERR_NONE;
	}
	if (!e)
		e = store_commit(st);
	if (e) {
		store_rollback(st);
		v = e == ERR_DENIED ? VERDICT_DENY : attempt_verdict(e);
	} else {
		attempt_wake(k, a);
	}
	store_passkey_wipe(&pk, 1);
	person_wipe(&p);
	return v;
}
