#include "config.h"

#include "common/clock.h"
#include "common/daemon.h"
#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/call.h"
#include "keeper/door_web.h"
#include "keeper/failures.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

/* Who may call an action. */
enum need {
	NEED_NOTHING, /* anyone */
	NEED_GUEST,   /* a page of the way in: those who are in go on */
	NEED_FACTOR,  /* password right, a factor's code due */
	NEED_GUARD,   /* password right, no authenticator: the mailed code due */
	NEED_RESET,   /* forgot the password: what was mailed is proven, and the action is what is due next */
	NEED_STEP,    /* in, and the first unmet requirement is the action's */
	NEED_CHOICE,  /* in, and the way to log in is to be chosen, or chosen and not yet registered */
	NEED_IN,      /* in, whatever is unmet */
	NEED_APP,     /* in, and a way to log in may be registered: it is the step due, or nothing is unmet and a factor
		       * proven; or NEED_NEW */
	NEED_LATE,    /* in but for the deadline, which is past */
	NEED_ALL,     /* in, nothing unmet */
	NEED_PROOF,   /* NEED_ALL, and a factor proven within STEP_UP_LIFE */
	NEED_ASK,     /* in by a recovery code: was the phone lost? */
	NEED_NEW      /* it was, or the admin's code was typed: another is to be registered */
};

struct action {
	const char *name;
	void (*get)(struct call *c), (*post)(struct call *c); /* NULL: not for this method */
	enum need need;
	enum requirement_id step;
	bool hashes;	  /* its POST computes a hash */
	const char *path; /* its page, to come back to */
};

static const struct action actions[] = {
    {"home", flow_home, NULL, NEED_NOTHING, 0, false, "/"},
    {"login", flow_login, flow_login, NEED_GUEST, 0, true, "/login"},
    {"login.passkey", NULL, flow_login_passkey, NEED_GUEST, 0, false, "/login"},
    {"logout", NULL, flow_logout, NEED_NOTHING, 0, false, "/logout"},
    {"logout.ask", flow_logout_ask, NULL, NEED_NOTHING, 0, false, "/logout"},
    {"code", flow_code, flow_code, NEED_FACTOR, 0, false, "/login/code"},
    {"factor.passkey", flow_factor_passkey, flow_factor_passkey, NEED_FACTOR, 0, false, "/login/passkey"},
    {"lost.help", flow_lost_help, NULL, NEED_FACTOR, 0, false, "/login/lost"},
    {"lost", flow_lost, flow_lost, NEED_ASK, 0, false, "/lost"},
    {"lost.which", flow_lost_which, flow_lost_which, NEED_ASK, 0, false, "/lost/which"},
    {"lost.new", flow_lost_new, flow_lost_new, NEED_NEW, 0, false, "/lost/new"},
    {"lost.stop", NULL, flow_lost_stop, NEED_NEW, 0, false, "/lost/new"},
    {"guard", flow_guard, flow_guard, NEED_GUARD, 0, false, "/login/mail"},
    {"guard.again", NULL, flow_guard_again, NEED_GUARD, 0, false, "/login/mail"},
    {"forgot.password", flow_forgot_password, flow_forgot_password, NEED_GUEST, 0, false, "/forgot/password"},
    {"forgot.code", flow_forgot_code, flow_forgot_code, NEED_GUEST, 0, false, "/forgot/code"},
    {"forgot.link", NULL, flow_forgot_link, NEED_GUEST, 0, false, "/forgot/code"},
    {"forgot.id", flow_forgot_id, flow_forgot_id, NEED_GUEST, 0, false, "/forgot/id"},
    {"reset.factor", flow_reset_factor, flow_reset_factor, NEED_RESET, 0, false, RESET_FACTOR_PATH},
    {"reset.passkey", flow_reset_passkey, flow_reset_passkey, NEED_RESET, 0, false, RESET_FACTOR_PATH},
    {"reset.birth", flow_reset_birth, flow_reset_birth, NEED_RESET, 0, false, RESET_BIRTH_PATH},
    {"reset.password", flow_reset_password, flow_reset_password, NEED_RESET, 0, true, RESET_PASSWORD_PATH},
    {"login.mail", flow_login_mail, flow_login_mail, NEED_FACTOR, 0, false, "/login/mail-code"},
    {"login.mail.again", NULL, flow_login_mail_again, NEED_FACTOR, 0, false, "/login/mail-code"},
    {"another", flow_another, flow_another, NEED_FACTOR, 0, false, "/login/another"},
    {"birth", flow_birth, flow_birth, NEED_STEP, REQ_BIRTH, false, "/first/birth-date"},
    {"terms", flow_terms, flow_terms, NEED_STEP, REQ_TERMS, false, "/first/terms"},
    {"email", flow_email, flow_email, NEED_STEP, REQ_EMAIL, false, "/first/email"},
    {"email.sent", flow_email_sent, NULL, NEED_STEP, REQ_EMAIL, false, "/first/email/sent"},
    {"email.code", NULL, flow_email_code, NEED_STEP, REQ_EMAIL, false, "/first/email/sent"},
    {"email.again", NULL, flow_email_again, NEED_STEP, REQ_EMAIL, false, "/first/email/sent"},
    {"email.none", NULL, flow_email_none, NEED_STEP, REQ_EMAIL, false, "/first/email"},
    {"email.state", flow_email_state, NULL, NEED_NOTHING, 0, false, "/first/email/sent"},
    {"method", flow_method, flow_method, NEED_CHOICE, REQ_METHOD, false, "/first/method"},
    {"own-password", flow_own_password, flow_own_password, NEED_STEP, REQ_PASSWORD, true, "/first/password"},
    {"late", flow_late, NULL, NEED_LATE, 0, false, "/first/late"},
    {"done", flow_done, flow_done, NEED_STEP, REQ_AUTHENTICATOR, false, "/first/done"},
    {"link", flow_link, NULL, NEED_NOTHING, 0, false, "/"},
    {"link.confirm", NULL, flow_link_confirm, NEED_NOTHING, 0, false, "/"},
    {"freeze", NULL, flow_freeze, NEED_NOTHING, 0, false, "/"},
    {"address", flow_address, flow_address, NEED_PROOF, 0, false, "/account/email"},
    {"address.sent", flow_address_sent, NULL, NEED_ALL, 0, false, "/account/email/sent"},
    {"address.code", NULL, flow_address_code, NEED_ALL, 0, false, "/account/email/sent"},
    {"address.again", NULL, flow_address_again, NEED_ALL, 0, false, "/account/email/sent"},
    {"address.state", flow_address_state, NULL, NEED_NOTHING, 0, false, "/account/email/sent"},
    {"app", flow_app, flow_app, NEED_APP, REQ_AUTHENTICATOR, false, "/app"},
    {"approve.page", flow_approve_page, NULL, NEED_NOTHING, 0, false, "/approve/"},
    {"approve", NULL, flow_approve, NEED_ALL, 0, false, "/approve/"},
    {"approve.deny", NULL, flow_approve_deny, NEED_ALL, 0, false, "/approve/"},
    {"approve.other", NULL, flow_approve_other, NEED_NOTHING, 0, false, "/approve/"},
    {"passkey", flow_passkey, flow_passkey, NEED_APP, REQ_AUTHENTICATOR, false, "/passkey"},
    {"sheet", flow_sheet, flow_sheet, NEED_APP, REQ_AUTHENTICATOR, false, "/sheet"},
    {"app.qr", flow_app_qr, NULL, NEED_APP, 0, false, "/app"},
    {"app.cancel", NULL, flow_app_cancel, NEED_ALL, 0, false, "/app"},
    {"mailcode", flow_mailcode, flow_mailcode, NEED_APP, REQ_AUTHENTICATOR, false, "/mailcode"},
    {"mailcode.again", NULL, flow_mailcode_again, NEED_APP, 0, false, "/mailcode"},
    {"recovery", flow_recovery, flow_recovery, NEED_IN, 0, false, "/recovery"},
    {"recovery.new", NULL, flow_recovery_new, NEED_PROOF, 0, false, "/account"},
    {"account", flow_account, NULL, NEED_ALL, 0, false, "/account"},
    {"logins", flow_logins, NULL, NEED_ALL, 0, false, "/account/logins"},
    {"not-me", flow_not_me, NULL, NEED_ALL, 0, false, "/account/not-me"},
    {"account.language", NULL, flow_language, NEED_ALL, 0, false, "/account"},
    {"rename", flow_rename, flow_rename, NEED_ALL, 0, false, "/account"},
    {"remove", flow_remove, flow_remove, NEED_PROOF, 0, false, "/account"},
    {"password", flow_password, flow_password, NEED_ALL, 0, true, "/account/password"},
    {"confirm", flow_confirm, flow_confirm, NEED_ALL, 0, false, "/account/confirm"},
    {"confirm.mail", flow_confirm_mail, flow_confirm_mail, NEED_ALL, 0, false, "/account/confirm/mail"},
    {"confirm.mail.again", NULL, flow_confirm_mail_again, NEED_ALL, 0, false, "/account/confirm/mail"},
    {"confirm.another", flow_confirm_another, flow_confirm_another, NEED_ALL, 0, false, "/account/confirm/another"},
    {"confirm.passkey", flow_confirm_passkey, flow_confirm_passkey, NEED_ALL, 0, false, "/account/confirm/passkey"},
    {"sessions", flow_sessions, NULL, NEED_ALL, 0, false, "/account/sessions"},
    {"session.end", NULL, flow_session_end, NEED_ALL, 0, false, "/account/sessions"},
    {"sessions.end", NULL, flow_sessions_end, NEED_ALL, 0, false, "/account/sessions"},
};

static const struct action *action_named(const char *name)
{
	for (size_t i = 0; name && i < sizeof actions / sizeof *actions; i++)
		if (!strcmp(actions[i].name, name))
			return &actions[i];
	return NULL;
}

static const struct action *action_of(const struct wire_msg *m)
{
	return action_named(wire_str(m, "action"));
}

static bool is_action(const char *name)
{
	return action_named(name) != NULL;
}

const char *call_action(const struct call *c)
{
	return c->action ? c->action->name : "unknown";
}

const char *call_page(const struct call *c)
{
	const char *path = c->action ? c->action->path : "/";
	return path[strlen(path) - 1] == '/' ? "/" : path; /* of others the token would be wanted */
}

static bool is_post(const struct wire_msg *m)
{
	const char *method = wire_str(m, "method");
	return method && !strcmp(method, "POST");
}

bool door_web_hashes(const struct request *r)
{
	const struct action *a = action_of(&r->msg);
	return a && a->hashes && is_post(&r->msg);
}

/* Texts that a page shows after a redirect; the query names them with n=. */
static void put_notice(struct call *c)
{
	static const struct {
		const char *name, *text;
		bool bad; /* no good news: not in green */
	} notices[] = {
	    {"expired",
	     N_("The page had been open for too long. Nothing is lost: please press the button once more. Passwords "
		"and codes must be typed again."),
	     true},
	    {"cookies", /* they came through after all */
	     N_("The page had been open for too long. Nothing is lost: please press the button once more. Passwords "
		"and codes must be typed again."),
	     true},
	    {"idle",
	     N_("Please log in again: you are logged out when nothing happens for a while. What you had finished is "
		"not lost."),
	     true},
	    {"moved", N_("That step was done already, perhaps in another window. Nothing is lost: we go on here."),
	     false},
	    {"out", N_("You are logged out."), false},
	    {"disabled",
	     N_("Your codes were switched off, because too many wrong ones were typed. Please log in again and type "
		"one of your recovery codes instead."),
	     true},
	    {"later", N_("You are logged out. The next time you log in, we go on where you stopped."), false},
	    {"renamed", N_("The name was changed."), false},
	    {"removed", N_("It was removed. Other devices that were logged in are logged out."), false},
	    {"mail-added", N_("You can now log in with codes by email."), false},
	    {"sent", N_("We are sending you a mail with a code."), false},
	    {"password", N_("Your password was changed. Other devices that were logged in are logged out."), false},
	    {"again", N_("The mail is being sent again."), false},
	    {"wait", N_("No new mail was sent: please wait for as long as this page says."), true},
	    {"over", N_("Too much time has passed. Nothing was changed: please begin once more."), true},
	    {"reset", N_("Your new password is set. Please log in with it."), false},
	    {"confirmed", N_("Your email address is confirmed."), false},
	    {"sheet", N_("The new sheet is valid from now on. Please throw the old one away."), false},
	    {"as-before", N_("Nothing was changed."), false},
	    {"address", N_("Your new email address is confirmed."), false},
	    {"ended", N_("That device is logged out."), false},
	    {"language", N_("Pages and mails are in English from now on."), false},
	    {"others-ended", N_("All other devices are logged out."), false},
	};
	const char *n = c->expired ? "expired" : call_field(c, "n");
	for (size_t i = 0; i < sizeof notices / sizeof *notices; i++)
		if (!strcmp(notices[i].name, n)) {
			view_put(c, "notice", T(c, notices[i].text));
			view_put(c, "notice_bad", notices[i].bad ? "1" : "");
		}
}

/* RFC 6454: the Origin header must be ours exactly; "null" and none are not. */
static bool origin_ours(const struct call *c)
{
	const char *origin = wire_str(c->m, "origin");
	return origin && !strcmp(origin, c->k->conf->url);
}

static bool csrf_right(const struct call *c)
{
	char want[TOKEN_TEXT + 1];
	const char *got = wire_str(c->m, "csrf");
	bool right = got && !session_csrf(c, want) && secret_equal(got, strlen(got), want, TOKEN_TEXT);
	secret_wipe(want, sizeof want);
	return right;
}

/* What such a page's address ends with. */
static const char *token_in_path(const struct call *c, const char *path)
{
	const char *token = call_field(c, "token");
	bool plain = strlen(token) <= TOKEN_TEXT &&
		     strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == strlen(token);
	return path[0] && path[1] && path[strlen(path) - 1] == '/' && plain ? token : "";
}

/* The page of a form, with this text of put_notice. */
static void back_to_page(struct call *c, const char *notice)
{
	char back[128];
	const char *path = c->action->path;
	snprintf(back, sizeof back, "%s%s%sn=%s", path, token_in_path(c, path), strchr(path, '?') ? "&" : "?", notice);
	view_redirect(c, back);
}

static bool has_cookie(const struct call *c)
{
	return session_token_form(wire_str(c->m, "session"));
}

/* The token is of another session, or an older one: the form once more, with what was typed and is no secret. Without
 * any cookie the next page sees whether this browser keeps them at all. The origin is ours: nobody else has filled the
 * form in. */
static void expired(struct call *c)
{
	if (!has_cookie(c) || !c->action->get) {
		back_to_page(c, has_cookie(c) ? "expired" : "cookies");
		return;
	}
	c->expired = true;
	c->post = false;
	if (call_allowed(c))
		c->action->get(c);
}

static void cookies_page(struct call *c)
{
	view_put(c, "cookies", "1");
	view_trouble(
	    c, 400, T(c, N_("This browser keeps no cookies")),
	    T(c, N_("Without a cookie we cannot tell from page to page that it is you. Nothing is lost. Please "
		    "allow cookies as described here, then press the button.")),
	    T(c, N_("Try again")), call_page(c));
}

static bool post_genuine(struct call *c)
{
	if (!origin_ours(c)) {
		view_trouble(c, 403, T(c, N_("This form came from another page")),
			     T(c, N_("For your safety it was not accepted, and nothing was changed. Please start from "
				     "our own page. If this happens again, please use another browser.")),
			     T(c, N_("Go to the first page")), "/");
		return false;
	}
	if (!csrf_right(c)) {
		expired(c);
		return false;
	}
	return true;
}

/* Those who were found in, but without fresh proof, are asked for it. */
static bool proven(struct call *c)
{
	char to[128];
	if (session_stepped_up(c))
		return true;
	snprintf(to, sizeof to, "%s?next=%s", confirm_path(c), c->action->path);
	view_redirect(c, to);
	return false;
}

/* A step of the wizard; or the next sheet, for which none of the last codes is asked once more. */
static bool registers(const struct call *c)
{
	return c->unmet->id == REQ_AUTHENTICATOR ||
	       (c->unmet->id == REQ_SHEET && (c->action->get == flow_sheet || session_stepped_up(c)));
}

/* Where this person has to go instead, and why, if it is not plain to see. */
static void lead_on(struct call *c)
{
	const enum need need = c->action->need;
	const char *next = call_next(c), *why = NULL;
	char to[COME_BACK_MAX + 16];
	if (!c->in && !c->reset && has_cookie(c) && need != NEED_NOTHING && need != NEED_GUEST)
		why = "idle";
	else if (c->post && c->in && !c->half && !c->late && (need == NEED_STEP || need == NEED_CHOICE))
		why = "moved";
	snprintf(to, sizeof to, "%s%s%s", next, why ? strchr(next, '?') ? "&n=" : "?n=" : "", why ? why : "");
	view_redirect(c, to);
}

bool call_allowed(struct call *c)
{
	const struct action *a = c->action;
	bool in = c->in && !c->half && !c->late, ok = false;
	bool anew = c->in && (c->anew || (in && lost_state(c) == SCRATCH_LOST));
	switch (a->need) {
	case NEED_NOTHING:
		ok = true;
		break;
	case NEED_GUEST:
		/* a half login may start over as somebody else */
		ok = !in;
		break;
	case NEED_FACTOR:
		ok = c->in && c->half && !c->anew && c->facts.confirmed;
		break;
	case NEED_GUARD:
		ok = c->in && c->half && !c->anew && !c->facts.confirmed && !c->late;
		break;
	case NEED_RESET:
		ok = c->reset && !strcmp(reset_next(c), a->path);
		break;
	case NEED_STEP:
		ok = in && c->unmet && c->unmet->id == a->step;
		break;
	case NEED_CHOICE:
		ok = in && c->unmet && (c->unmet->id == a->step || c->unmet->id == REQ_AUTHENTICATOR);
		break;
	case NEED_IN:
		ok = in;
		break;
	case NEED_APP:
		ok = anew || (in && (c->unmet ? registers(c) : proven(c)));
		break;
	case NEED_LATE:
		ok = c->late;
		break;
	case NEED_ALL:
		ok = in && !c->unmet;
		break;
	case NEED_PROOF:
		ok = in && !c->unmet && proven(c);
		break;
	case NEED_ASK:
		ok = in && lost_state(c) == SCRATCH_ASK;
		break;
	case NEED_NEW:
		ok = anew;
		break;
	}
	if (!ok && a->need == NEED_RESET && !c->in && !c->reset)
		view_redirect(c, "/forgot/password?n=over");
	if (!ok)
		lead_on(c); /* unless it was led elsewhere */
	return ok;
}

static void run(struct call *c)
{
	void (*f)(struct call *) = c->post ? c->action->post : c->action->get;
	enum err e = session_load(c);
	if (e) {
		view_failure(c, e, "the session");
		return;
	}
	if (!f) {
		view_redirect(c, call_next(c));
		return;
	}
	if (c->post && !post_genuine(c))
		return;
	if (!c->post && !has_cookie(c) && !strcmp(call_field(c, "n"), "cookies")) {
		cookies_page(c);
		return;
	}
	if (call_allowed(c))
		f(c);
	if (!c->decided)
		view_failure(c, ERR_INTERNAL, c->action->name);
}

static void put_session_cookie(struct call *c)
{
	int64_t keeps = session_keeps(c);
	if (!c->token[0] || !c->token_new)
		return;
	wire_puts(&c->view, "cookie.session", c->token);
	if (keeps > 0)
		wire_puti(&c->view, "cookie.keep", keeps);
}

/* What every page shows. */
static void finish(struct call *c)
{
	char csrf[TOKEN_TEXT + 1];
	put_session_cookie(c); /* also where no form's token can be made: the session has begun */
	if (c->token[0] && !session_csrf(c, csrf))
		view_put(c, "csrf", csrf);
	if (c->device_known)
		wire_puts(&c->view, "cookie.device", c->device);
	if (c->in && !c->half && !c->late) { /* before the factor the page does not even say whose account it is */
		view_put(c, "person_name", c->person.name);
		view_put(c, "signed_in", "1");
	}
	if (c->leave[0])
		wire_puts(&c->view, "cookie.back", c->leave);
	else if (c->arrived)
		wire_puts(&c->view, "cookie.back", "");
	put_notice(c);
	if (c->in && !c->half && !c->late && c->facts.unfinished && c->unmet)
		deadline_view(c);
	if (c->in && c->action && c->action->step && c->unmet && c->unmet->id == c->action->step &&
	    !(c->facts.password_due && c->action->step == REQ_PASSWORD)) {
		int step, steps;
		require_place(&c->facts, c->action->step, &step, &steps);
		if (step) {
			view_num(c, "step", step);
			view_num(c, "steps", steps);
		}
	}
}

/* False: another answer than the flow's went out. */
static bool reply(struct request *r, struct call *c)
{
	bool whole = !wire_end(&c->view);
	if (!whole) {
		buf_wipe(&c->view);
		c->view.failed = c->decided = false;
		wire_begin(&c->view, r->msg.id, "view");
		view_failure(c, ERR_NOMEM, "the view could not be written");
		put_session_cookie(c); /* what was done stands: whose session it led to must go on in it */
		wire_end(&c->view);
	}
	server_reply(r, &c->view, false);
	return whole;
}

static void call_clear(struct call *c)
{
	later_settle(&c->later, c->k, NULL, true);
	session_settle(c, false);
	session_clear(&c->session);
	person_wipe(&c->person);
	secret_wipe(c->token, sizeof c->token);
	secret_wipe(c->device, sizeof c->device);
	buf_free(&c->view);
}

static const char *str_or(const struct wire_msg *m, const char *name, const char *otherwise)
{
	const char *s = wire_str(m, name);
	return s ? s : otherwise;
}

static void call_init(struct call *c, struct keeper *k, struct store *st, struct request *r)
{
	const char *lang = wire_str(&r->msg, "lang");
	*c = (struct call){.k = k, .st = st, .m = &r->msg, .now = clock_now()};
	c->action = action_of(&r->msg);
	c->post = is_post(&r->msg);
	c->lang = lang && !strcmp(lang, "en") ? "en" : lang && !strcmp(lang, "ja") ? "ja" : k->conf->language;
	c->address = str_or(&r->msg, "addr", "");
	c->agent = str_or(&r->msg, "agent", "");
	(void)come_back_path(wire_str(&r->msg, "back"), c->back);
	wire_begin(&c->view, r->msg.id, "view");
}

bool door_web_known(struct keeper *k, struct store *st, struct request *r)
{
	struct call c;
	struct attempt a;
	struct origin o;
	bool known;
	call_init(&c, k, st, r);
	if (c.action && c.action->post != flow_login) {
		known = !session_load(&c) && (c.in || c.reset);
	} else {
		known = !call_origin(&c, &o);
		attempt_init(&a, DOOR_WEB, "web", &o, call_field(&c, "login"));
		known = known && attempt_known(k, st, &a, c.now);
		attempt_clear(&a);
	}
	call_clear(&c);
	return known;
}

void door_web_run(struct keeper *k, struct store *st, struct request *r)
{
	struct call c;
	call_init(&c, k, st, r);
	if (strcmp(r->msg.kind, "web") || !c.action)
		view_failure(&c, ERR_INVALID, "an unknown action");
	else if (!st)
		view_failure(&c, ERR_IO, "the store");
	else if (c.now <= 0)
		view_failure(&c, ERR_IO, "the clock");
	else {
		failures_told(k, str_or(&r->msg, "failed", ""), c.now, is_action);
		run(&c);
		finish(&c);
	}
	int64_t now = c.now;
	bool whole = reply(r, &c);
	struct later later = c.later; /* the request is gone, and no secret of its call is kept meanwhile */
	c.later = (struct later){.run = NULL};
	call_clear(&c);
	later_settle(&later, k, st, !whole);
	failures_write(k, st, now);
}

void door_web_busy(struct keeper *k, struct request *r)
{
	struct call c;
	call_init(&c, k, NULL, r);
	daemon_log(LOG_AUTHPRIV | LOG_WARNING, "web: %s is turned away: the queue is full", call_action(&c));
	view_busy(&c);
	reply(r, &c);
	call_clear(&c);
}
