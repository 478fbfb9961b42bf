/* A passkey used in the browser: to log in without anything else, after the password, to prove it once more before a
 * change, and on the way to a new password. */
#include "config.h"

#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/passkey_form.h"
#include <stdio.h>
#include <string.h>

/* Why there was nothing to be looked at. */
static void unread(struct call *c, enum err e)
{
	if (e == ERR_INVALID)
		view_error(
		    c, "form",
		    T(c,
		      N_("This browser did not ask for your passkey. For that, JavaScript must be switched on. You can "
			 "also use another way.")));
	else if (e == ERR_DENIED || e == ERR_TIMEOUT)
		view_error(c, "form", T(c, N_("That took too long. Please press the button once more.")));
	else
		view_failure(c, e, "a passkey");
}

static void not_accepted(struct call *c, enum verdict v, const struct assertion *x)
{
	if (v == VERDICT_UNAVAILABLE || v == VERDICT_INTERNAL)
		view_failure(c, v == VERDICT_UNAVAILABLE ? ERR_BUSY : ERR_INTERNAL, "a passkey");
	else if (x->unknown)
		view_error(
		    c, "form",
		    T(c,
		      N_("This passkey is not known here, or not any more. Please use another one, or another way to "
			 "log in.")));
	else if (x->check == PASSKEY_ELIGIBILITY) /* for good: another try would end the same */
		view_error(c, "form",
			   T(c, N_("This passkey no longer matches what was registered, so it is not accepted. Please "
				   "log in another "
				   "way, remove it there, and register it anew.")));
	else
		view_error(c, "form",
			   T(c, N_("This passkey was not accepted. Please try once more, or use another way.")));
	if (x->unknown) /* the browser may forget it */
		view_put(c, "unknown_passkey", call_field(c, "id"));
}

/* who: the person who must be it; "": whoever it is. */
static enum verdict decide(struct call *c, const struct origin *origin, const char *who, bool step_up,
			   attempt_within within, void *arg, struct assertion *x)
{
	struct attempt a;
	attempt_init(&a, DOOR_WEB, "web", origin, who);
	a.password_right = true; /* asked already, or not asked here */
	a.no_password = !who[0];
	a.step_up = step_up;
	a.agent = c->agent;
	c->attempt = &a;
	enum verdict v = attempt_passkey(c->k, c->st, &a, x, c->now, within, arg);
	c->attempt = NULL;
	session_settle(c, v == VERDICT_ALLOW);
	attempt_clear(&a);
	return v;
}

/* r: as it was read, e: whether it could be; spend: NULL where the challenge counts once by other means. */
static bool looked_at(struct call *c, enum err e, const struct passkey_reply *r, struct passkey_bytes challenge,
		      const struct challenge *spend, const char *who, bool step_up, attempt_within within, void *arg)
{
	struct origin origin;
	const struct passkey_assertion got = {.id = {r->id.data, r->id.len},
					      .client_data = {r->client_data.data, r->client_data.len},
					      .auth_data = {r->auth_data.data, r->auth_data.len},
					      .signature = {r->signature.data, r->signature.len},
					      .user_handle = {r->user_handle.data, r->user_handle.len}};
	struct assertion x = {.r = &got, .challenge = challenge, .spend = spend};
	if (!e)
		e = call_origin(c, &origin);
	if (e) {
		unread(c, e);
		return false;
	}
	enum verdict v = decide(c, &origin, who, step_up, within, arg, &x);
	if (v != VERDICT_ALLOW)
		not_accepted(c, v, &x);
	return v == VERDICT_ALLOW;
}

/* The answer of the form, checked; within runs in the same transaction. True: right; else the error is put. */
static bool passkey_right(struct call *c, enum ceremony what, const char *who, bool step_up, attempt_within within)
{
	struct passkey_reply r;
	enum err e = passkey_reply(c, what, &r);
	bool right = looked_at(c, e, &r, (struct passkey_bytes){r.challenge.b, sizeof r.challenge.b}, &r.challenge, who,
			       step_up, within, c);
	passkey_reply_free(&r);
	return right;
}

bool passkey_right_over(struct call *c, const uint8_t challenge[static 32], attempt_within within, void *arg)
{
	struct passkey_reply r;
	enum err e = passkey_reply_over(c, &r);
	bool right =
	    looked_at(c, e, &r, (struct passkey_bytes){challenge, 32}, NULL, c->person.login, true, within, arg);
	passkey_reply_free(&r);
	return right;
}

/* ---- nothing but the passkey ---- */

bool passkey_logs_in(const struct call *c)
{
	return !strcmp(c->k->conf->passkey_web, "allowed") && !strcmp(c->k->conf->passkey_both_factors, "yes");
}

static enum err in(struct store *st, const struct person *p, void *arg)
{
	struct call *c = arg;
	struct person now = *p;
	/* whoever was in with this browser is out now */
	enum err e = session_start(c, &p->id, SESSION_FULL, FACTOR_PASSKEY);
	if (!e && strcmp(now.locale, c->lang) != 0) {
		snprintf(now.locale, sizeof now.locale, "%s", c->lang);
		e = store_person_save(st, &now);
	}
	person_wipe(&now);
	return e ? e : store_person_seen(st, &p->id, c->now);
}

void flow_login_passkey(struct call *c)
{
	if (!passkey_logs_in(c)) {
		view_redirect(c, "/login");
		return;
	}
	c->keep = call_has(c, "keep") ? KEEP_YES : KEEP_NO;
	if (passkey_right(c, CEREMONY_LOGIN, "", false, in)) {
		c->in = c->device_known = true; /* the cookie is kept for as long as the session */
		view_redirect(c, "/");
	} else if (!c->decided) {
		login_page(c);
	}
}

/* ---- after the password, and once more ---- */

static const struct place {
	const char *name; /* v.NAME is set: the template says the rest */
	const char *self, *code, *another;
	bool next; /* carries where it leads */
} at_login = {"login", "/login/passkey", "/login/code", "/login/another", false},
  at_confirm = {"confirm", "/account/confirm/passkey", "/account/confirm", "/account/confirm/another", true},
  at_reset = {"reset", RESET_FACTOR_PATH "/passkey", RESET_FACTOR_PATH, NULL, false};

static void page(struct call *c, const struct place *pl)
{
	enum err e = passkey_ask(c, CEREMONY_PROOF);
	if (e) {
		view_failure(c, e, "the passkey's page");
		return;
	}
	view_put(c, pl->name, "1");
	view_put(c, "self", pl->self);
	view_put(c, "code", c->facts.app ? pl->code : "");
	view_put(c, "another", pl->another ? pl->another : "");
	if (pl->next)
		confirm_view(c);
	view_page(c, "passkey-use");
}

/* Who has none, or none that counts here, is led to what they have. */
static bool usable(struct call *c)
{
	if (!c->facts.passkey)
		view_redirect(c, call_next(c));
	return c->facts.passkey;
}

void flow_factor_passkey(struct call *c)
{
	if (!usable(c))
		return;
	if (c->post && passkey_right(c, CEREMONY_PROOF, c->person.login, false, login_factor_right)) {
		c->device_known = c->session.level == SESSION_FULL;
		view_redirect(c, "/");
	} else if (!c->decided) {
		page(c, &at_login);
	}
}

void flow_confirm_passkey(struct call *c)
{
	if (!usable(c))
		return;
	if (c->post && passkey_right(c, CEREMONY_PROOF, c->person.login, true, confirm_factor_right))
		view_redirect(c, confirm_next(c));
	else if (!c->decided)
		page(c, &at_confirm);
}

void flow_reset_passkey(struct call *c)
{
	if (!c->facts.passkey) {
		view_redirect(c, RESET_FACTOR_PATH);
		return;
	}
	if (c->post && passkey_right(c, CEREMONY_PROOF, c->person.login, true, reset_factor_right))
		view_redirect(c, "/");
	else if (!c->decided)
		page(c, &at_reset);
}
