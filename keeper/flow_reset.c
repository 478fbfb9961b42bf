/* A new password for one that was forgotten, once the mail is proven: the second factor as usual or, where mailed codes
 * are all there is, the birth date; then the password. The session of these pages is no login. */
#include "config.h"

#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/birth.h"
#include "keeper/call.h"
#include "keeper/forgot.h"
#include "keeper/recent.h"
#include <string.h>

/* Was a factor proven, not only the birth date? Who registered one meanwhile must show it. */
static bool factor_proven(const struct call *c)
{
	return c->session.level == SESSION_RESET_READY && c->session.stepped_up;
}

const char *reset_next(const struct call *c)
{
	if (c->facts.strong)
		return factor_proven(c) ? RESET_PASSWORD_PATH : RESET_FACTOR_PATH;
	return c->session.level == SESSION_RESET_READY ? RESET_PASSWORD_PATH : RESET_BIRTH_PATH;
}

/* ---- the second factor ---- */

enum err reset_factor_right(struct store *st, const struct person *p, void *arg)
{
	struct call *c = arg;
	(void)st;
	enum err e = session_again(c);
	if (!e && memcmp(&c->person.id, &p->id, sizeof p->id) != 0)
		e = ERR_DENIED;
	if (!e && c->attempt->right->kind == FACTOR_RECOVERY)
		e = lost_ask(c); /* once they are in */
	return e ? e : session_start(c, &p->id, SESSION_RESET_READY, c->attempt->right->kind);
}

static void factor_page(struct call *c)
{
	view_put(c, "app", c->facts.app ? "1" : "");
	view_put(c, "passkey", c->facts.passkey ? RESET_FACTOR_PATH "/passkey" : "");
	view_page(c, "forgot-factor");
}

static bool factor_try(struct call *c)
{
	const char *code = call_field(c, "code");
	struct attempt a;
	struct origin origin;
	if (!code[0]) {
		view_error(c, "code",
			   c->facts.app ? T(c, N_("Please type the 6 digits that your authenticator app shows."))
					: T(c, N_("Please type one of your recovery codes.")));
		return false;
	}
	enum err e = call_origin(c, &origin);
	if (e) {
		view_failure(c, e, "a code");
		return false;
	}
	/* strangers who close the lane of all of them do not stop who has read the mail */
	origin.has_link = true;
	memcpy(origin.link, c->session.digest, sizeof origin.link);
	attempt_init(&a, DOOR_WEB, "web", &origin, c->person.login);
	a.password_right = true; /* the mail stands for it */
	a.step_up = true;	 /* no login yet; and a mail never counts twice: a.mailcode stays forbidden */
	c->attempt = &a;
	enum verdict v = attempt_factor(c->k, c->st, &a, code, strlen(code), c->now, NULL, reset_factor_right, c);
	c->attempt = NULL;
	session_settle(c, v == VERDICT_ALLOW);
	if (v != VERDICT_ALLOW)
		code_refused(c, v, &a);
	attempt_clear(&a);
	return v == VERDICT_ALLOW;
}

void flow_reset_factor(struct call *c)
{
	if (!c->post && c->facts.passkey && !call_has(c, "n")) /* n: it was there that another way was asked for */
		view_redirect(c, RESET_FACTOR_PATH "/passkey");
	else if (c->post && factor_try(c))
		view_redirect(c, "/");
	else
		factor_page(c);
}

/* ---- the birth date ---- */

struct birth {
	struct date typed;
	bool right;
};

static enum err birth_check(struct call *c, struct person *p, void *arg)
{
	struct birth *b = arg;
	enum err e = birth_try(c->st, c->k->seal, &quota_birth, p, b->typed, c->now, &b->right);
	if (e == ERR_DENIED) {
		view_error(c, "birth_date",
			   T(c, N_("The birth date was wrong too often. Please try again tomorrow, or contact us.")));
		return ERR_NONE;
	}
	if (!e && b->right)
		e = session_start(c, &p->id, SESSION_RESET_READY, FACTOR_NONE);
	return e ? e : call_audit(c, b->right ? "reset.birth" : "birth.wrong", "");
}

void flow_reset_birth(struct call *c)
{
	struct birth b = {.right = false};
	const char *typed = call_field(c, "birth_date");
	if (c->post) {
		const char *bad = birth_complaint(c, typed, &b.typed);
		enum err e = bad ? ERR_NONE : call_transact(c, birth_check, &b);
		if (e) {
			view_failure(c, e, "the birth date");
			return;
		}
		if (b.right) {
			view_redirect(c, "/");
			return;
		}
		if (bad)
			view_error(c, "birth_date", bad);
		else if (!c->errors)
			view_error(
			    c, "birth_date",
			    T(c, N_("This is not the birth date that we have. Please check what you typed. If it "
				    "is right, please contact us.")));
	}
	view_put(c, "birth_date", typed);
	view_page(c, "forgot-birth");
}

/* ---- the new password ---- */

struct reset {
	const char *hash;
	bool full, wizard; /* where it led: else to the login */
};

/* Who proved a factor here is in. Who did not logs in as everybody, or goes on with what was never finished. */
static enum err go_on(struct call *c, const struct person *p, struct reset *r)
{
	struct origin origin;
	struct learned new; /* no news: the new password is told */
	bool proven = factor_proven(c);
	enum err e;
	if (!proven && c->facts.confirmed)
		return ERR_NONE;
	c->password_right = true; /* set just now */
	e = session_start(c, &p->id, proven ? SESSION_FULL : SESSION_WIZARD, proven ? c->session.factor : FACTOR_NONE);
	if (e || !proven) {
		r->wizard = !e;
		return e;
	}
	r->full = true;
	e = call_origin(c, &origin);
	if (!e)
		e = limits_learn(c->st, c->k->seal, &origin, &p->id, c->now, &new);
	if (!e)
		e = store_person_seen(c->st, &p->id, c->now);
	if (!e)
		e = recent_web(c->st, &p->id, &origin, c->agent, c->next.session.factor, "", false, c->now);
	return e ? e : call_audit(c, "login.allow", "reset");
}

static enum err reset_store(struct call *c, struct person *p, void *arg)
{
	struct reset *r = arg;
	enum reset_way way = RESET_NONE;
	enum err e = reset_way(c->st, p, &c->facts, c->now, &way);
	if (!e && (way == RESET_NONE || way == RESET_SHARED)) { /* not any more */
		view_redirect(c, "/forgot/password?n=over");
		return ERR_DENIED;
	}
	if (e)
		return e;
	person_set_password(p, r->hash, c->now);
	e = store_person_save(c->st, p);
	if (!e)
		e = store_session_end_all(c->st, &p->id, NULL);
	if (!e) /* as in new_password_change */
		e = store_code_drop(c->st, &p->id, CODE_NEW_EMAIL);
	if (!e) /* other browsers may have asked too */
		e = store_code_drop(c->st, &p->id, CODE_RESET);
	if (!e)
		e = call_audit(c, "password.reset", "");
	if (!e)
		e = call_notice(c, p, MAIL_PASSWORD_CHANGED, NULL);
	return e ? e : go_on(c, p, r);
}

void flow_reset_password(struct call *c)
{
	AUTO_BUF nfkc = BUF_INIT;
	char hash[PASSWORD_HASH_MAX] = "";
	struct reset r = {.hash = hash};
	if (!c->post || !password_acceptable(c, &c->person, NULL, &nfkc)) {
		view_put(c, "login", c->person.login);
		view_num(c, "min", c->k->conf->password_min);
		view_page(c, "forgot-new");
		return;
	}
	enum err e = gate_password_hash(&c->k->web_gate, buf_str(&nfkc), hash);
	if (!e)
		e = call_transact(c, reset_store, &r);
	secret_wipe(hash, sizeof hash);
	if (e) {
		view_failure(c, e, "the new password");
		return;
	}
	if (r.full)
		c->device_known = true;
	else if (!r.wizard)
		session_left(c);
	view_redirect(c, r.full ? "/account?n=password" : r.wizard ? "/" : "/login?n=reset");
}
