/* Mailed one-time codes in the browser: one page for all places where one is typed. A code goes out where a form asks
 * for it, never because a page was looked at. */
#include "config.h"

#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/method.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Where a mailed code is typed. */
struct place {
	const char *path;    /* its page; path/again sends */
	const char *name;    /* what the page is told: its words */
	const char *another; /* the page with the other ways; NULL: there are none */
	enum code_purpose purpose;
	bool whole; /* who is here may read the whole address */
	bool next;  /* goes on to field next */
};

static const struct place at_guard = {"/login/mail", "guard", NULL, CODE_GUARD, false, false};
static const struct place at_login = {"/login/mail-code", "login", "/login/another", CODE_LOGIN, false, false};
static const struct place at_confirm = {
    "/account/confirm/mail", "confirm", "/account/confirm/another", CODE_LOGIN, true, true};
static const struct place at_register = {"/mailcode", "register", NULL, CODE_LOGIN, true, false};

static void leads_to(struct call *c, const struct place *pl, const char *notice)
{
	char to[128];
	snprintf(to, sizeof to, "%s?%s%s%sn=%s", pl->path, pl->next ? "next=" : "", pl->next ? confirm_next(c) : "",
		 pl->next ? "&" : "", notice);
	view_redirect(c, to);
}

/* ---- sending ---- */

/* [tx] Too many wrong ones switched them off: what is mailed would not be taken. */
static enum err switched_off(struct call *c, const struct id *person, const struct place *pl, bool *ret)
{
	*ret = false;
	return pl->purpose == CODE_LOGIN ? limits_disabled(c->st, person, FACTOR_MAILCODE, ret) : ERR_NONE;
}

static enum err send_code(struct call *c, const struct person *p, const struct place *pl, bool *ret_sent)
{
	bool sent = false, off;
	enum err e = switched_off(c, &p->id, pl, &off);
	if (!e && !off)
		e = mailcode_send(c->k, c->st, p, pl->purpose, c->lang, c->now, &sent);
	if (!e && sent) {
		const struct audit row = {.time = c->now,
					  .person = p->id,
					  .event = "mailcode.sent",
					  .door = "web",
					  .address = c->address,
					  .detail = pl->name};
		e = store_audit(c->st, &row);
	}
	c->mailed = c->mailed || sent;
	if (!e)
		*ret_sent = sent;
	return e;
}

enum err guard_send(struct call *c, const struct person *p)
{
	bool sent;
	return send_code(c, p, &at_guard, &sent);
}

enum err mailcode_begin(struct call *c, const struct person *p)
{
	bool sent;
	return send_code(c, p, &at_register, &sent);
}

enum err login_mail_send(struct call *c, const struct person *p)
{
	bool sent;
	return send_code(c, p, &at_login, &sent);
}

struct sending {
	const struct place *place;
	bool sent;
};

static enum err send_again(struct call *c, struct person *p, void *arg)
{
	struct sending *s = arg;
	return send_code(c, p, s->place, &s->sent);
}

static void again(struct call *c, const struct place *pl)
{
	struct sending s = {.place = pl};
	enum err e = call_transact(c, send_again, &s);
	if (e)
		view_failure(c, e, "a mail");
	else
		leads_to(c, pl, s.sent ? "sent" : "wait");
}

/* ---- the page ---- */

static void clock_text(const struct call *c, int64_t t, char ret[static MAIL_TIME])
{
	time_t when = t;
	struct tm tm;
	ret[0] = '\0';
	if (localtime_r(&when, &tm))
		snprintf(ret, MAIL_TIME, !strcmp(c->lang, "ja") ? "%d時%02d分%02d秒" : "%d:%02d:%02d", tm.tm_hour,
			 tm.tm_min, tm.tm_sec);
}

void view_again(struct call *c, const char *page, const char *resend, int64_t wait)
{
	AUTO_BUF in = BUF_INIT;
	char at[MAIL_TIME];
	view_put(c, "fresh", page);
	view_put(c, "resend", resend);
	view_num(c, "again_in", wait);
	if (wait <= 0)
		return;
	call_wait(c, wait, &in);
	clock_text(c, c->now + wait, at);
	view_put(c, "again_text", buf_str(&in) ? buf_str(&in) : "");
	view_put(c, "again_at", at);
}

static void mailcode_page(struct call *c, const struct place *pl)
{
	struct code live;
	int64_t wait = 0;
	bool off = false;
	char resend[64];
	const char *at = strrchr(c->person.email, '@'), *from = strchr(c->k->conf->mail_from, '@');
	AUTO_BUF hint = BUF_INIT;
	enum err e = switched_off(c, &c->person.id, pl, &off);
	if (!e)
		e = mailcode_wait(c->k, c->st, &c->person.id, c->now, &wait);
	enum err there = e ? e : store_code_live(c->st, &c->person.id, pl->purpose, c->now, &live);
	if (e || (there && there != ERR_NOTFOUND)) {
		view_failure(c, e ? e : there, "a mailed code");
		return;
	}
	if (!there && live.tries < CODE_TRIES && !off) {
		view_put(c, "live", "1");
		view_mail(c, &live.mail);
	} else {
		view_put(c, "first", "1");
	}
	if (off && !c->post)
		factor_off_error(c, FACTOR_MAILCODE);
	bool whole = pl->whole && !c->half;
	buf_addf(&hint, "%s%s", whole ? "" : "…", whole ? c->person.email : at ? at : "");
	view_put(c, "address_hint", buf_str(&hint) ? buf_str(&hint) : "");
	view_put(c, "address_end", whole ? "" : "1");
	view_put(c, "sender_domain", from ? from + 1 : "");
	view_put(c, "self", pl->path);
	view_put(c, pl->name, "1");
	view_put(c, "off", off ? "1" : "");
	view_put(c, "another", pl->another ? pl->another : "");
	if (pl->next)
		confirm_view(c);
	snprintf(resend, sizeof resend, "%s/again", pl->path);
	view_again(c, pl->path, resend, wait);
	view_page(c, "mail-code");
	secret_wipe(&live, sizeof live);
}

/* ---- registering this way; the guard of an unfinished enrolment, which proves the same ---- */

/* kind stays FACTOR_NONE where it is not registered. */
static enum err registered(struct call *c, const struct id *person, struct authenticator *ret)
{
	struct authenticator au[AUTHENTICATORS_MAX];
	size_t n = 0;
	enum err e = factor_confirmed(c->st, person, au, &n);
	if (e)
		return e;
	*ret = (struct authenticator){.kind = FACTOR_NONE};
	for (size_t i = 0; i < n; i++)
		if (au[i].kind == FACTOR_MAILCODE)
			*ret = au[i];
	authenticator_wipe(au, n);
	return ERR_NONE;
}

/* Something that was lost is to go once this way is proven. */
static bool replaces(const struct call *c)
{
	return c->anew || lost_state(c) == SCRATCH_LOST;
}

static bool may_register(const struct call *c, const struct authenticator *there)
{
	return require_offers(&c->facts, FACTOR_MAILCODE) && lost_allows(c, FACTOR_MAILCODE) &&
	       (there->kind == FACTOR_NONE || replaces(c));
}

/* [tx] After a right code. there: as `registered` found it. */
static enum err mailcode_register(struct call *c, struct person *p, const struct authenticator *there)
{
	struct authenticator a = {
	    .person = p->id, .kind = FACTOR_MAILCODE, .confirmed = true, .last_step = -1, .created = c->now};
	enum err e = ERR_NONE;
	snprintf(a.name, sizeof a.name, "%s", T(c, N_("Codes by email")));
	if (there->kind != FACTOR_NONE)
		a = *there;
	else
		e = id_new(&a.id);
	if (!e && there->kind == FACTOR_NONE)
		e = store_authenticator_add(c->st, &a);
	if (!e)
		e = lost_replaced(c, p, &a);
	if (!e)
		e = session_start(c, &p->id, SESSION_FULL, FACTOR_MAILCODE);
	if (!e)
		e = call_notice(c, p, MAIL_WAY_ADDED, a.name);
	return e ? e : call_audit(c, "mailcode.registered", "");
}

struct typed {
	const struct place *place;
	enum err result; /* ERR_NONE right, ERR_DENIED wrong, ERR_NOTFOUND no code lives, ERR_TOOBIG too many tries */
	int64_t wait;	 /* none is looked at for so many seconds, whatever the code */
	bool done;	 /* and this way is registered now, */
	bool replaced;	 /* in place of something that was lost */
};

static enum err typed_right(struct call *c, struct person *p, struct typed *t)
{
	bool due =
	    t->place == &at_register || (p->method == FACTOR_MAILCODE && c->unmet && c->unmet->id == REQ_AUTHENTICATOR);
	struct authenticator there;
	t->replaced = replaces(c);
	enum err e = registered(c, &p->id, &there);
	if (!e && t->place == &at_guard)
		e = call_audit(c, "guard.right", "");
	t->done = !e && due && may_register(c, &there);
	if (e || t->done)
		return e ? e : mailcode_register(c, p, &there);
	return t->place == &at_guard ? session_start(c, &p->id, SESSION_WIZARD, FACTOR_NONE) : ERR_NONE;
}

static enum err typed_check(struct call *c, struct person *p, void *arg)
{
	struct typed *t = arg;
	char event[40];
	AUTO_BUF code = BUF_INIT;
	const char *typed = call_field(c, "code");
	bool text = !text_code(typed, strlen(typed), &code) && buf_str(&code);
	t->result =
	    mailcode_try(c->st, c->k->seal, &p->id, t->place->purpose, text ? buf_str(&code) : "", c->now, &t->wait);
	if (!t->result)
		return typed_right(c, p, t);
	if (t->result != ERR_DENIED && t->result != ERR_TOOBIG && t->result != ERR_NOTFOUND)
		return t->result;
	snprintf(event, sizeof event, "%s.%s", t->place == &at_guard ? "guard" : "mailcode",
		 t->wait ? "throttled" : "wrong");
	return call_audit(c, event, "");
}

void mailcode_error(struct call *c, enum err result, int64_t wait)
{
	AUTO_BUF text = BUF_INIT;
	if (wait > 0) {
		call_wait_text(
		    c, wait,
		    T(c, N_("Mailed codes were typed wrong too often. Please try again in {wait}, with a new code.")),
		    &text);
		view_error(c, "code", buf_str(&text) ? buf_str(&text) : "");
		return;
	}
	view_error(c, "code",
		   result == ERR_TOOBIG ? T(c, N_("That code was typed wrong too often. Please have a new one sent."))
		   : result == ERR_NOTFOUND
		       ? T(c, N_("The code has expired. Please have a new one sent."))
		       : T(c, N_("That code is not right. Please type the 6 digits of the newest mail.")));
}

static void typed_in(struct call *c, const struct place *pl)
{
	struct typed t = {.place = pl, .result = ERR_DENIED};
	enum err e = call_has(c, "code") ? call_transact(c, typed_check, &t) : ERR_NONE;
	if (e) {
		view_failure(c, e, "a mailed code");
	} else if (!t.result) {
		view_redirect(c, t.done && !t.replaced && !c->back[0] ? "/account?n=mail-added" : "/");
	} else {
		if (call_has(c, "code"))
			mailcode_error(c, t.result, t.wait);
		else
			view_error(c, "code", T(c, N_("Please type the 6 digits of the mail.")));
		mailcode_page(c, pl);
	}
}

void flow_guard(struct call *c)
{
	if (c->post)
		typed_in(c, &at_guard);
	else
		mailcode_page(c, &at_guard);
}

void flow_guard_again(struct call *c)
{
	again(c, &at_guard);
}

/* Whoever has it already, or may not have it, is led on. */
static bool registrable(struct call *c)
{
	struct authenticator there;
	enum err e = registered(c, &c->person.id, &there);
	if (e)
		view_failure(c, e, "the registration");
	else if (!may_register(c, &there))
		view_redirect(c, call_next(c));
	return !c->decided;
}

void flow_mailcode(struct call *c)
{
	if (!registrable(c))
		return;
	if (replaces(c))
		view_put(c, "lost", "1");
	else if (c->unmet && c->unmet->id == REQ_AUTHENTICATOR)
		view_put(c, "wizard", "1");
	if (c->post)
		typed_in(c, &at_register);
	else
		mailcode_page(c, &at_register);
}

void flow_mailcode_again(struct call *c)
{
	if (registrable(c))
		again(c, &at_register);
}

/* ---- logging in, and proving it once more ---- */

/* Mailed codes are a way of this person's. */
static bool usable(struct call *c)
{
	if (!c->facts.mail)
		view_redirect(c, call_next(c));
	return c->facts.mail;
}

void flow_login_mail(struct call *c)
{
	if (!usable(c))
		return;
	if (c->post && login_code_right(c, FACTOR_MAILCODE))
		return;
	mailcode_page(c, &at_login);
}

void flow_login_mail_again(struct call *c)
{
	if (usable(c))
		again(c, &at_login);
}

void flow_confirm_mail(struct call *c)
{
	if (!usable(c))
		return;
	if (c->post && confirm_code_right(c, FACTOR_MAILCODE))
		return;
	mailcode_page(c, &at_confirm);
}

void flow_confirm_mail_again(struct call *c)
{
	if (usable(c))
		again(c, &at_confirm);
}

/* ---- another way: what this person can use ---- */

static void another_page(struct call *c, const struct place *pl, const char *self, const char *app)
{
	size_t left = 0;
	bool off = false;
	enum err e = store_recovery_left(c->st, &c->person.id, &left);
	if (!e && c->facts.mail)
		e = switched_off(c, &c->person.id, pl, &off);
	if (e) {
		view_failure(c, e, "the other ways");
		return;
	}
	view_put(c, "self", self);
	view_put(c, pl->name, "1");
	if (c->facts.app)
		view_put(c, "app", app);
	if (c->facts.passkey)
		view_put(c, "passkey", pl->next ? "/account/confirm/passkey" : "/login/passkey");
	if (c->facts.mail && !off)
		view_put(c, "mail", pl->path);
	view_put(c, "recovery", left ? "1" : "");
	if (pl->next)
		confirm_view(c);
	view_page(c, "another");
}

void flow_another(struct call *c)
{
	if (c->post && login_code_right(c, FACTOR_NONE))
		return;
	another_page(c, &at_login, "/login/another", "/login/code");
}

void flow_confirm_another(struct call *c)
{
	if (c->post && confirm_code_right(c, FACTOR_NONE))
		return;
	another_page(c, &at_confirm, "/account/confirm/another", "/account/confirm");
}
