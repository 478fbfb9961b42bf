/* An email address is confirmed: a code and a link go there, typed or pressed they make it the person's. The same
 * pages serve the enrolment and, later, a change of the address. */
#include "config.h"

#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/address.h"
#include "keeper/call.h"
#include <stdio.h>
#include <string.h>

#define ADDRESS_LIFE 86400

struct way {
	enum code_purpose purpose;
	const char *base; /* the path that the pages' paths begin with */
	const char *home; /* where one is led when nothing waits to be confirmed */
	const char *done;
};
static const struct way enrolment = {CODE_VERIFY_EMAIL, "/first/email", "/first/email", "/"};
static const struct way change = {CODE_NEW_EMAIL, "/account/email", "/account", "/account?n=address"};

static void redirect(struct call *c, const struct way *w, const char *rest)
{
	char path[64];
	snprintf(path, sizeof path, "%s%s", w->base, rest);
	view_redirect(c, path);
}

/* ---- the address is typed ---- */

/* What the pages of both ways ask. */
static void put_way(struct call *c, const struct way *w)
{
	view_put(c, "base", w->base);
	if (w->purpose != CODE_NEW_EMAIL)
		return;
	view_put(c, "change", "1");
	view_put(c, "present", c->person.email_verified ? c->person.email : "");
	view_put(c, "mailed_codes", c->facts.mail ? "1" : "");
}

static void form_page(struct call *c, const struct way *w)
{
	bool shown = w->purpose == CODE_NEW_EMAIL && c->person.email_verified; /* beside the field, not in it */
	view_put(c, "email", c->post || c->expired ? call_field(c, "email") : shown ? "" : c->person.email);
	put_way(c, w);
	if (w->purpose == CODE_VERIFY_EMAIL && email_may_be_none(c))
		view_put(c, "optional", "1");
	view_page(c, "email");
}

struct sending {
	const struct way *way;
	const char *address;
	bool sent; /* false: the quota refused */
	int64_t wait;
};

/* [tx] The mail with code and link, and the row that waits for either. */
static enum err mail_code(struct call *c, const struct person *p, struct code *row)
{
	char code[8] = "", token[TOKEN_TEXT + 1] = "";
	unsigned number = 0, pair = 0;
	AUTO_BUF link = BUF_INIT;
	enum err e = secret_uniform(1000000, &number);
	if (!e)
		e = secret_uniform(90, &pair);
	if (!e)
		e = token_link(c->k->conf, token, &link);
	if (!e)
		e = id_new(&row->id);
	row->pair = 10 + (int)pair;
	snprintf(code, sizeof code, "%06u", number % 1000000);
	const struct fill values[] = {{"code", code}, {"link", buf_str(&link)}, {NULL, NULL}};
	if (!e)
		e = call_mail(c, p, row->address, MAIL_VERIFY, values, ADDRESS_LIFE, &row->mail);
	if (!e)
		e = store_code_put(c->st, row, code, token);
	secret_wipe(code, sizeof code);
	secret_wipe(token, sizeof token);
	secret_wipe(&number, sizeof number);
	return e;
}

static enum err send_tx(struct call *c, struct person *p, void *arg)
{
	struct sending *s = arg;
	const enum code_purpose purpose = s->way->purpose;
	struct code old,
	    row = {.person = p->id, .purpose = purpose, .created = c->now, .expires = c->now + ADDRESS_LIFE};
	enum err e = store_code_live(c->st, &p->id, purpose, c->now, &old);
	if (e && e != ERR_NOTFOUND)
		return e;
	bool other = e || strcmp(old.address, s->address) != 0; /* who mistyped need not wait */
	e = limits_take(c->st, c->k->seal, &quota_address, &p->id, c->now, other, &s->wait);
	if (e)
		return e == ERR_DENIED ? ERR_NONE : e;
	s->sent = true;
	snprintf(row.address, sizeof row.address, "%s", s->address);
	e = mail_code(c, p, &row);
	return e ? e : call_audit(c, "email.sent", "");
}

static void send_to(struct call *c, const struct way *w, const char *address, bool page_on_refusal)
{
	struct sending s = {.way = w, .address = address};
	enum err e = call_transact(c, send_tx, &s);
	if (e) {
		view_failure(c, e, "a mail");
	} else if (s.sent) {
		redirect(c, w, page_on_refusal ? "/sent" : "/sent?n=again");
	} else if (!page_on_refusal || s.wait <= 60) {
		redirect(c, w, "/sent?n=wait");
	} else {
		view_error(c, "email", T(c, N_("Mails were sent too often. Please wait an hour and try again.")));
		form_page(c, w);
	}
}

static void form(struct call *c, const struct way *w)
{
	AUTO_BUF address = BUF_INIT;
	const char *typed = call_field(c, "email");
	if (!c->post) {
		form_page(c, w);
	} else if (!typed[0]) {
		view_error(c, "email", T(c, N_("Please type your email address.")));
		form_page(c, w);
	} else if (text_email(typed, strlen(typed), &address) || !buf_str(&address)) {
		view_error(c, "email", T(c, N_("This is not an email address. Please type it as in name@example.jp.")));
		form_page(c, w);
	} else if (w->purpose == CODE_NEW_EMAIL && c->person.email_verified &&
		   !strcmp(buf_str(&address), c->person.email)) {
		view_error(c, "email", T(c, N_("This is the address that you have now. Nothing needs to be changed.")));
		form_page(c, w);
	} else if (w->purpose == CODE_VERIFY_EMAIL && email_is_given(c) &&
		   strcmp(buf_str(&address), c->person.email) != 0) {
		view_error(
		    c, "email",
		    T(c, N_("The codes for your login go to the address that we were told. Please leave it as it "
			    "was, or ask the help desk to change it.")));
		form_page(c, w);
	} else {
		send_to(c, w, buf_str(&address), true);
	}
}

/* ---- the mail is on its way ---- */

static void sent_page(struct call *c, const struct way *w)
{
	struct code live;
	int64_t wait = 0;
	char pair[8], page[64], resend[64];
	const char *at = strchr(c->k->conf->mail_from, '@');
	enum err e = store_code_live(c->st, &c->person.id, w->purpose, c->now, &live);
	if (e == ERR_NOTFOUND) {
		if (c->errors && c->post) {
			view_put(c, "email", w->purpose == CODE_VERIFY_EMAIL ? c->person.email : "");
			put_way(c, w);
			view_page(c, "email");
		} else {
			view_redirect(c, w->home);
		}
		return;
	}
	if (!e)
		e = limits_look(c->st, c->k->seal, &quota_address, &c->person.id, c->now, &wait);
	if (e) {
		view_failure(c, e, "the mailed code");
		return;
	}
	view_mail(c, &live.mail);
	snprintf(page, sizeof page, "%s/sent", w->base);
	snprintf(resend, sizeof resend, "%s/again", w->base);
	snprintf(pair, sizeof pair, "%02d", live.pair);
	view_put(c, "email", live.address);
	view_put(c, "pair", pair);
	view_put(c, "sender_domain", at ? at + 1 : "");
	view_again(c, page, resend, wait);
	put_way(c, w);
	view_page(c, "email-sent");
	secret_wipe(&live, sizeof live);
}

static void again(struct call *c, const struct way *w)
{
	struct code live;
	enum err e = store_code_live(c->st, &c->person.id, w->purpose, c->now, &live);
	if (e == ERR_NOTFOUND)
		view_redirect(c, w->home);
	else if (e)
		view_failure(c, e, "the mailed code");
	else
		send_to(c, w, live.address, false);
}

/* ---- the code is typed ---- */

enum err email_confirmed(struct call *c, struct person *p, const struct code *code)
{
	struct audit row = {.time = c->now, .person = p->id, .door = "web", .address = c->address, .detail = ""};
	if (code->purpose == CODE_NEW_EMAIL)
		return address_replace(c->k, c->st, p, code->address, &row, &c->mailed);
	row.event = "email.verified";
	snprintf(p->email, sizeof p->email, "%s", code->address);
	p->email_verified = true;
	enum err e = store_person_save(c->st, p);
	return e ? e : store_audit(c->st, &row);
}

struct typed {
	const struct way *way;
	enum err right;
};

static enum err code_tx(struct call *c, struct person *p, void *arg)
{
	struct typed *t = arg;
	struct code live;
	AUTO_BUF code = BUF_INIT;
	const char *typed = call_field(c, "code");
	enum err e = store_code_live(c->st, &p->id, t->way->purpose, c->now, &live);
	if (e && e != ERR_NOTFOUND)
		return e;
	t->right = e ? ERR_NOTFOUND
		   : text_code(typed, strlen(typed), &code) || !buf_str(&code)
		       ? ERR_DENIED
		       : store_code_try(c->st, &p->id, t->way->purpose, buf_str(&code), c->now);
	if (t->right == ERR_DENIED || t->right == ERR_TOOBIG || t->right == ERR_NOTFOUND)
		return call_audit(c, "email.wrong-code", "");
	return t->right ? t->right : email_confirmed(c, p, &live);
}

static void code_typed(struct call *c, const struct way *w)
{
	struct typed t = {.way = w, .right = ERR_DENIED};
	enum err e = call_has(c, "code") ? call_transact(c, code_tx, &t) : ERR_NONE;
	if (e) {
		view_failure(c, e, "the mailed code");
		return;
	}
	if (!t.right) {
		view_redirect(c, w->done);
		return;
	}
	view_error(c, "code",
		   !call_has(c, "code") ? T(c, N_("Please type the 6 digits of the mail."))
		   : t.right == ERR_TOOBIG
		       ? T(c, N_("That code was typed wrong too often. Please have a new one sent."))
		   : t.right == ERR_NOTFOUND
		       ? T(c, N_("The code has expired. Please have a new one sent."))
		       : T(c, N_("That code is not right. Please type the 6 digits of the newest mail.")));
	sent_page(c, w);
}

/* ---- of the enrolment ---- */

void flow_email(struct call *c)
{
	form(c, &enrolment);
}

void flow_email_sent(struct call *c)
{
	sent_page(c, &enrolment);
}

void flow_email_code(struct call *c)
{
	code_typed(c, &enrolment);
}

void flow_email_again(struct call *c)
{
	again(c, &enrolment);
}

void flow_email_state(struct call *c)
{
	view_put(c, "done", c->in && !c->half && c->person.email_verified ? "1" : "");
	view_page(c, "email-state");
}

/* ---- of a change ---- */

void flow_address(struct call *c)
{
	form(c, &change);
}

void flow_address_sent(struct call *c)
{
	sent_page(c, &change);
}

void flow_address_code(struct call *c)
{
	code_typed(c, &change);
}

void flow_address_again(struct call *c)
{
	again(c, &change);
}

/* The page that waits goes on when nothing is to be waited for any more. */
void flow_address_state(struct call *c)
{
	struct code live;
	enum err e =
	    c->in && !c->half ? store_code_live(c->st, &c->person.id, CODE_NEW_EMAIL, c->now, &live) : ERR_NONE;
	view_put(c, "done", e == ERR_NOTFOUND ? "1" : "");
	view_page(c, "email-state");
}
