/* Logging in with the browser: password, then the factor or (while an enrolment is unfinished) the mailed code. */
#include "config.h"

#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/passkey_form.h"
#include <stdio.h>
#include <string.h>

void flow_home(struct call *c)
{
	view_redirect(c, call_next(c));
}

/* What was typed, or what the letter's QR code brought: shown if it has a login's form, and not looked up. */
static void login_prefill(struct call *c)
{
	const char *id = call_field(c, "id");
	AUTO_BUF login = BUF_INIT;
	bool brought = !c->post && id[0] && text_login(id, strlen(id), &login) == ERR_NONE;
	view_put(c, "login", brought ? buf_str(&login) : call_field(c, "login"));
}

void login_page(struct call *c)
{
	enum err e = passkey_logs_in(c) ? passkey_ask(c, CEREMONY_LOGIN) : ERR_NONE;
	if (e) {
		view_failure(c, e, "the login page");
		return;
	}
	login_prefill(c);
	deadline_view_out(c);
	if (c->k->conf->session_keep) {
		view_put(c, "keep", "1");
		view_put(c, "kept", call_has(c, "keep") ? "1" : "");
	}
	view_page(c, "login");
}

/* How far the right password alone leads. */
static enum session_level level_after_password(const struct facts *f)
{
	if (f->confirmed)
		return SESSION_HALF;
	/* an unfinished enrolment is guarded by a mailed code once an address is verified */
	return f->person->email_verified ? SESSION_HALF : SESSION_WIZARD;
}

struct login {
	struct attempt attempt;
	bool guard, late;
};

/* [tx] For whoever looks into why somebody does not get in. */
static enum err login_late(struct call *c, const struct person *p, int64_t by)
{
	char day[11];
	text_date_iso(text_today(by - 1), day);
	const struct audit row = {.time = c->now,
				  .person = p->id,
				  .event = "enrol.late",
				  .door = "web",
				  .address = c->address,
				  .detail = day};
	return store_audit(c->st, &row);
}

static enum err login_settle(struct call *c, struct person *nobody, void *arg)
{
	struct login *l = arg;
	struct person p;
	struct facts f = {0};
	(void)nobody;
	enum err e = attempt_password_settle(c->k, c->st, &l->attempt, c->now);
	c->mailed = c->mailed || l->attempt.told;
	if (e || !l->attempt.password_right)
		return e;
	e = store_person_by_id(c->st, &l->attempt.person, &p);
	if (!e)
		e = require_facts(c->st, c->k->conf, &p, c->now, &f);
	if (!e && strcmp(p.locale, c->lang)) {
		snprintf(p.locale, sizeof p.locale, "%s", c->lang);
		e = store_person_save(c->st, &p);
	}
	if (!e) {
		enum session_level level = level_after_password(&f);
		c->password_right = true;
		/* whoever was in with this browser is out now */
		e = session_start(c, &p.id, level, FACTOR_NONE);
		l->late = f.unfinished && enrol_late(&f.enrol, c->now);
		l->guard = level == SESSION_HALF && !f.confirmed && !l->late;
		if (!e && l->late)
			e = login_late(c, &p, f.enrol.by);
		if (!e && l->guard)
			e = guard_send(c, &p);
		if (!e && f.confirmed && f.mail && !f.app && !f.passkey)
			e = login_mail_send(c, &p);
	}
	person_wipe(&p);
	return e;
}

/* One sentence for everyone, but where the address has to wait whoever is asked for. */
static void login_error(struct call *c, const struct limit *l)
{
	AUTO_BUF text = BUF_INIT;
	if (l->blocked) {
		call_wait_text(c, l->blocked,
			       T(c, N_("Too many wrong attempts came from your network. Please try again in {wait}.")),
			       &text);
		view_error(c, "form", buf_str(&text));
		return;
	}
	view_error(c, "form",
		   T(c, N_("The user ID or the password is not right. Please check both and try again after a few "
			   "seconds.")));
}

void flow_login(struct call *c)
{
	if (!c->post) {
		login_page(c);
		return;
	}
	const char *login = call_field(c, "login"), *password = call_field(c, "password");
	if (!login[0])
		view_error(c, "login", T(c, N_("Please type your user ID. It is on the letter that you were sent.")));
	if (!password[0])
		view_error(c, "password",
			   T(c, N_("Please type your password. The first time, it is the one on the letter.")));
	if (c->errors) {
		login_page(c);
		return;
	}
	struct login l = {.guard = false};
	struct origin origin;
	c->keep = call_has(c, "keep") ? KEEP_YES : KEEP_NO;
	enum err e = call_origin(c, &origin);
	attempt_init(&l.attempt, DOOR_WEB, "web", &origin, login);
	if (!e)
		e = attempt_password(c->k, c->st, &c->k->web_gate, &l.attempt, password, strlen(password), c->now);
	if (!e)
		e = call_transact_any(c, login_settle, &l);
	if (e) {
		view_failure(c, e, "a login");
	} else if (!l.attempt.password_right && l.attempt.lapsed) {
		lapsed_page(c, l.attempt.lapsed);
	} else if (!l.attempt.password_right) {
		login_error(c, &l.attempt.limit);
		login_page(c);
	} else {
		view_redirect(c, l.guard ? "/login/mail" : "/");
	}
	attempt_clear(&l.attempt);
}

/* ---- the factor ---- */

/* [tx] The login that is looked up anew is the session's person, and the session has not ended meanwhile. */
static enum err proof_counts(struct call *c, const struct person *p)
{
	enum err e = session_again(c);
	return e ? e : memcmp(&c->person.id, &p->id, sizeof p->id) ? ERR_DENIED : ERR_NONE;
}

enum err login_factor_right(struct store *st, const struct person *p, void *arg)
{
	struct call *c = arg;
	enum err e = proof_counts(c, p);
	if (!e && c->attempt->right->anew)
		return lost_begin_anew(c);
	if (!e && c->attempt->right->kind == FACTOR_RECOVERY)
		e = lost_ask(c);
	if (!e)
		e = session_start(c, &p->id, SESSION_FULL, c->attempt->right->kind);
	return e ? e : store_person_seen(st, &p->id, c->now);
}

/* What is said of a factor's codes. Who reads this has shown the password: the true state tells a stranger nothing. */
static const struct words {
	enum factor_kind kind;
	const char *none, *wrong, *wait, *off, *off_contact;
} words[] = {
    {FACTOR_TOTP, N_("Please type the 6 digits that your authenticator app shows."),
     N_("That code is not right or was used before. Please wait for the next code in your app and type that one."),
     N_("Too many wrong codes one after another. Please try again in {wait}, with the code that your app shows then."),
     N_("Codes from your app are switched off, because too many wrong ones were typed. Please type one of your "
	"recovery codes here. If you have none, please ask whoever sent you your letter."),
     N_("Codes from your app are switched off, because too many wrong ones were typed. Please type one of your "
	"recovery codes here. If you have none, please ask: {contact}")},
    {FACTOR_MAILCODE, N_("Please type the 6 digits of the mail."),
     N_("That code is not right. Please type the 6 digits of the newest mail."),
     N_("Too many wrong codes one after another. Please try again in {wait}."),
     N_("Mailed codes are switched off, because too many wrong ones were typed. Please use one of your recovery codes. "
	"If you have none, please ask whoever sent you your letter."),
     N_("Mailed codes are switched off, because too many wrong ones were typed. Please use one of your recovery codes. "
	"If you have none, please ask: {contact}")},
    {FACTOR_RECOVERY, N_("Please type the next code of your sheet."),
     N_("That code is not right or was used before. Please type the first code of your sheet that is not crossed out."),
     N_("Too many wrong codes one after another. Please try again in {wait}."), NULL, NULL},
};

/* Who logs in with the codes of a sheet and with nothing else. */
static bool sheet_only(const struct call *c)
{
	return c->facts.sheet && !c->facts.app && !c->facts.mail && !c->facts.passkey;
}

static const struct words *words_for(const struct call *c, enum factor_kind asked)
{
	return asked == FACTOR_MAILCODE ? &words[1] : &words[sheet_only(c) ? 2 : 0];
}

void factor_off_error(struct call *c, enum factor_kind asked)
{
	AUTO_BUF text = BUF_INIT;
	const struct words *w = &words[asked == FACTOR_MAILCODE];
	const struct fill values[] = {{"contact", c->k->conf->contact}, {NULL, NULL}};
	fill(&text, T(c, c->k->conf->contact[0] ? w->off_contact : w->off), values);
	view_error(c, "code", buf_str(&text));
	if (asked != FACTOR_MAILCODE)
		view_put(c, "app_off", "1"); /* the page asks for a recovery code instead */
}

/* Why a code was not looked at. */
static void refused_error(struct call *c, const struct attempt *a)
{
	AUTO_BUF text = BUF_INIT;
	const struct limit *l = &a->limit;
	if (l->why == LIMITS_DISABLED) {
		factor_off_error(c, a->asked);
		return;
	}
	call_wait_text(
	    c, l->wait,
	    l->why == LIMITS_ADDRESS ? T(c, N_("Too many wrong attempts came from your network. Please try again in "
					       "{wait}."))
	    : l->why == LIMITS_CLOSED
		? T(c, N_("Too many wrong codes one after another. Please type one of your recovery codes, or try "
			  "again in {wait}."))
		: T(c, words_for(c, a->asked)->wait),
	    &text);
	view_error(c, "code", buf_str(&text));
}

void code_refused(struct call *c, enum verdict v, const struct attempt *a)
{
	if (v == VERDICT_UNAVAILABLE || v == VERDICT_INTERNAL)
		view_failure(c, v == VERDICT_UNAVAILABLE ? ERR_BUSY : ERR_INTERNAL, "a code");
	else if (a->limit.disabled && c->half) /* this login has ended with it */
		view_redirect(c, "/login?n=disabled");
	else if (a->limit.disabled)
		factor_off_error(c, a->asked);
	else if (v == VERDICT_THROTTLED || v == VERDICT_LOCKED)
		refused_error(c, a);
	else if (a->asked == FACTOR_MAILCODE)
		mailcode_error(c, a->mailed, a->mailed_wait);
	else if (!clock_is_off(c))
		view_error(c, "code", T(c, words_for(c, a->asked)->wrong));
}

/* The code of the form, checked; true if right. Puts the error otherwise. asked: FACTOR_MAILCODE, or FACTOR_NONE for
 * the app's; a recovery code is taken in either place. */
static bool factor_right(struct call *c, enum factor_kind asked, attempt_within within)
{
	const char *code = call_field(c, "code");
	struct attempt a;
	struct origin origin;
	if (!code[0]) {
		view_error(c, "code", T(c, words_for(c, asked)->none));
		return false;
	}
	enum err e = call_origin(c, &origin);
	if (e) {
		view_failure(c, e, "a code");
		return false;
	}
	attempt_init(&a, DOOR_WEB, "web", &origin, c->person.login);
	a.password_right = true;
	a.step_up = !c->half;
	a.agent = c->agent;
	a.mailcode = mailcode_policy_web(c->k->conf);
	a.asked = asked;
	c->attempt = &a;
	enum verdict v = attempt_factor(c->k, c->st, &a, code, strlen(code), c->now, NULL, within, c);
	c->attempt = NULL;
	session_settle(c, v == VERDICT_ALLOW);
	if (v != VERDICT_ALLOW)
		code_refused(c, v, &a);
	attempt_clear(&a);
	return v == VERDICT_ALLOW;
}

/* Before anything was typed, too: the code that is asked for would not be taken. */
static void code_look(struct call *c)
{
	bool disabled = false;
	enum err e =
	    c->post || !c->facts.app ? ERR_NONE : limits_disabled(c->st, &c->person.id, FACTOR_TOTP, &disabled);
	if (e)
		view_failure(c, e, "the code's page");
	else if (disabled)
		factor_off_error(c, FACTOR_NONE);
}

bool login_code_right(struct call *c, enum factor_kind asked)
{
	if (!factor_right(c, asked, login_factor_right))
		return false;
	c->device_known = c->session.level == SESSION_FULL;
	view_redirect(c, "/");
	return true;
}

void flow_code(struct call *c)
{
	if (!c->post && !c->facts.app && strcmp(call_next(c), "/login/code") != 0) {
		view_redirect(c, call_next(c));
		return;
	}
	if (c->post && login_code_right(c, FACTOR_NONE))
		return;
	code_look(c);
	view_put(c, "self", "/login/code");
	view_put(c, "another", c->facts.mail || c->facts.passkey ? "/login/another" : "");
	view_page(c, sheet_only(c) ? "code-sheet" : "code");
}

/* ---- out, and step-up ---- */

static enum err logout(struct call *c, struct person *p, void *arg)
{
	(void)p;
	(void)arg;
	enum err e = session_end(c);
	if (!e && c->in)
		e = call_audit(c, "logout", "");
	return e;
}

void flow_logout(struct call *c)
{
	enum err e = call_transact_any(c, logout, NULL);
	if (e) {
		view_failure(c, e, "the logout");
		return;
	}
	int64_t until = deadline_of(c);
	session_left(c);
	deadline_redirect(c, "/login?n=out", until);
}

void flow_logout_ask(struct call *c)
{
	view_page(c, "logout");
}

enum err confirm_factor_right(struct store *st, const struct person *p, void *arg)
{
	struct call *c = arg;
	(void)st;
	enum err e = proof_counts(c, p);
	return e ? e : session_start(c, &p->id, SESSION_FULL, c->attempt->right->kind);
}

/* Only pages of our own, and only those that ask for proof. */
const char *confirm_next(const struct call *c)
{
	static const char *const paths[] = {"/account", "/account/email", "/app",    "/mailcode",
					    "/passkey", "/recovery",	  HOME_PATH, HOME_BY_PASSKEY};
	const char *next = call_field(c, "next");
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		if (!strcmp(paths[i], next))
			return paths[i];
	return "/account";
}

void confirm_view(struct call *c)
{
	const char *next = confirm_next(c);
	bool only = !strcmp(next, HOME_BY_PASSKEY);
	view_put(c, "next", next);
	view_put(c, "onward", only || !strcmp(next, HOME_PATH) ? "1" : "");
	view_put(c, "only_passkey", only ? "1" : "");
}

const char *confirm_path(const struct call *c)
{
	return c->facts.passkey ? "/account/confirm/passkey" : "/account/confirm";
}

bool confirm_code_right(struct call *c, enum factor_kind asked)
{
	if (!factor_right(c, asked, confirm_factor_right))
		return false;
	view_redirect(c, confirm_next(c));
	return true;
}

void flow_confirm(struct call *c)
{
	char to[96];
	if (!c->post && !c->facts.app && (c->facts.passkey || c->facts.mail)) {
		snprintf(to, sizeof to, "%s?next=%s", c->facts.passkey ? confirm_path(c) : "/account/confirm/mail",
			 confirm_next(c));
		view_redirect(c, to);
		return;
	}
	if (c->post && confirm_code_right(c, FACTOR_NONE))
		return;
	code_look(c);
	confirm_view(c);
	view_put(c, "self", "/account/confirm");
	view_put(c, "sheet", sheet_only(c) ? "1" : "");
	view_put(c, "another", c->facts.mail || c->facts.passkey ? "/account/confirm/another" : "");
	view_page(c, "confirm");
}
