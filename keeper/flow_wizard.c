/* The first login: birth date, terms, e-mail address, method, own password, done. No step is stored: see require.h. */
#include "config.h"

#include "common/base64url.h"
#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/method.h"
#include "keeper/new_password.h"
#include <stdio.h>
#include <string.h>

#define ADDRESS_LIFE 86400

/* ---- birth date ---- */

static enum err birth_check(struct call *c, struct person *p, void *arg)
{
	bool *right = arg;
	struct date typed;
	int64_t wait;
	const char *s = call_field(c, "birth_date");
	/* counted before it is compared; the form was checked before */
	enum err e = limits_take(c->st, c->k->seal, &quota_birth, &p->id, c->now, false, &wait);
	if (e == ERR_DENIED) {
		view_error(c, "birth_date",
			   T(c, N_("The birth date was wrong too often. Please try again tomorrow, or contact us.")));
		return ERR_NONE;
	}
	if (e || text_birth_date(s, strlen(s), text_today(c->now), &typed))
		return e;
	*right =
	    p->birth.year && typed.year == p->birth.year && typed.month == p->birth.month && typed.day == p->birth.day;
	if (!*right)
		return call_audit(c, "birth.wrong", "");
	p->birth_confirmed = true;
	e = limits_forget(c->st, c->k->seal, &quota_birth, &p->id);
	if (!e)
		e = store_person_save(c->st, p);
	return e ? e : call_audit(c, "birth.confirmed", "");
}

static const char *birth_complaint(struct call *c, enum date_error d)
{
	switch (d) {
	case DATE_OK:
		return NULL;
	case DATE_EMPTY:
		return T(c, N_("Please type your birth date."));
	case DATE_NOSUCH:
		return T(c, N_("There is no such day in the calendar. Please check the year, the month and the day."));
	case DATE_FUTURE:
		return T(c, N_("This day is yet to come. Please check the year."));
	case DATE_OLD:
		return T(c, N_("This day is too long ago. Please check the year."));
	case DATE_FORM:
		break;
	}
	return T(c, N_("Please type year, month and day, for example 1950-04-01 or S25.4.1."));
}

void flow_birth(struct call *c)
{
	const char *s = call_field(c, "birth_date");
	struct date unused;
	bool right = false;
	if (c->post) {
		const char *bad = birth_complaint(c, text_birth_date(s, strlen(s), text_today(c->now), &unused));
		enum err e = bad ? ERR_NONE : call_transact(c, birth_check, &right);
		if (e) {
			view_failure(c, e, "the birth date");
			return;
		}
		if (right) {
			view_redirect(c, "/");
			return;
		}
		if (bad)
			view_error(c, "birth_date", bad);
		else if (!c->errors)
			view_error(c, "birth_date",
				   T(c, N_("This is not the birth date that we have. Please check what you typed. If "
					   "it is right, "
					   "please contact us.")));
	}
	view_put(c, "birth_date", s);
	view_page(c, "birth");
}

/* ---- terms ---- */

static enum err terms_agree(struct call *c, struct person *p, void *arg)
{
	char version[24];
	(void)arg;
	p->terms = c->k->conf->terms_version;
	snprintf(version, sizeof version, "version %lld", (long long)p->terms);
	enum err e = store_person_save(c->st, p);
	return e ? e : call_audit(c, "terms.agreed", version);
}

void flow_terms(struct call *c)
{
	if (c->post && call_has(c, "agree")) {
		enum err e = call_transact(c, terms_agree, NULL);
		if (e)
			view_failure(c, e, "the terms");
		else
			view_redirect(c, "/");
		return;
	}
	if (c->post)
		view_error(c, "agree", T(c, N_("You can go on once you agree to the terms.")));
	view_page(c, "terms");
}

/* ---- e-mail address ---- */

static void email_page(struct call *c)
{
	view_put(c, "email", c->post ? call_field(c, "email") : c->person.email);
	view_page(c, "email");
}

struct email_send {
	const char *address;
	bool sent; /* false: the quota refused */
	int64_t wait;
};

static enum err link_text(struct call *c, const char *token, struct buf *ret)
{
	buf_addf(ret, "%s/mail/%s", c->k->conf->url, token);
	return buf_str(ret) ? ERR_NONE : ERR_NOMEM;
}

static enum err email_send(struct call *c, struct person *p, void *arg)
{
	struct email_send *es = arg;
	struct code old,
	    row = {.person = p->id, .purpose = CODE_VERIFY_EMAIL, .created = c->now, .expires = c->now + ADDRESS_LIFE};
	char code[8], token[TOKEN_TEXT + 1];
	unsigned number, pair;
	AUTO_BUF link = BUF_INIT;
	enum err e = store_code_live(c->st, &p->id, CODE_VERIFY_EMAIL, c->now, &old);
	if (e && e != ERR_NOTFOUND)
		return e;
	bool other = e || strcmp(old.address, es->address) != 0; /* who mistyped need not wait */
	e = limits_take(c->st, c->k->seal, &quota_address, &p->id, c->now, other, &es->wait);
	if (e)
		return e == ERR_DENIED ? ERR_NONE : e;
	es->sent = true;
	snprintf(row.address, sizeof row.address, "%s", es->address);
	e = secret_uniform(1000000, &number);
	if (!e)
		e = secret_uniform(90, &pair);
	if (!e)
		e = session_token(token);
	if (!e)
		e = id_new(&row.id);
	if (e)
		goto out;
	row.pair = 10 + (int)pair;
	snprintf(code, sizeof code, "%06u", number % 1000000);
	e = link_text(c, token, &link);
	const struct fill values[] = {{"code", code}, {"link", buf_str(&link)}, {NULL, NULL}};
	if (!e)
		e = call_mail(c, p, row.address, MAIL_VERIFY, values, ADDRESS_LIFE, &row.mail);
	if (!e)
		e = store_code_put(c->st, &row, code, token);
	if (!e)
		e = call_audit(c, "email.sent", "");
out:
	secret_wipe(code, sizeof code);
	secret_wipe(token, sizeof token);
	secret_wipe(&number, sizeof number);
	return e;
}

static void send_to(struct call *c, const char *address, bool page_on_refusal)
{
	struct email_send es = {.address = address};
	enum err e = call_transact(c, email_send, &es);
	if (e) {
		view_failure(c, e, "a mail");
	} else if (es.sent) {
		view_redirect(c, page_on_refusal ? "/first/email/sent" : "/first/email/sent?n=again");
	} else if (!page_on_refusal || es.wait <= 60) {
		view_redirect(c, "/first/email/sent?n=wait");
	} else {
		view_error(c, "email", T(c, N_("Mails were sent too often. Please wait an hour and try again.")));
		email_page(c);
	}
}

void flow_email(struct call *c)
{
	AUTO_BUF address = BUF_INIT;
	const char *typed = call_field(c, "email");
	if (!c->post) {
		email_page(c);
	} else if (!typed[0]) {
		view_error(c, "email", T(c, N_("Please type your e-mail address.")));
		email_page(c);
	} else if (text_email(typed, strlen(typed), &address) || !buf_str(&address)) {
		view_error(c, "email",
			   T(c, N_("This is not an e-mail address. Please type it as in name@example.jp.")));
		email_page(c);
	} else {
		send_to(c, buf_str(&address), true);
	}
}

void flow_email_sent(struct call *c)
{
	struct code live;
	int64_t wait = 0;
	char pair[8];
	AUTO_BUF words = BUF_INIT;
	const char *at = strchr(c->k->conf->mail_from, '@');
	enum err e = store_code_live(c->st, &c->person.id, CODE_VERIFY_EMAIL, c->now, &live);
	if (e == ERR_NOTFOUND) {
		if (c->errors && c->post) {
			view_put(c, "email", c->person.email);
			view_page(c, "email");
		} else {
			view_redirect(c, "/first/email");
		}
		return;
	}
	if (!e)
		e = limits_look(c->st, c->k->seal, &quota_address, &c->person.id, c->now, &wait);
	if (e) {
		view_failure(c, e, "the mailed code");
		return;
	}
	mail_words(c, &live.mail, &words);
	snprintf(pair, sizeof pair, "%02d", live.pair);
	view_put(c, "email", live.address);
	view_put(c, "pair", pair);
	view_put(c, "mail_state", buf_str(&words));
	view_put(c, "sender_domain", at ? at + 1 : "");
	view_num(c, "again_in", wait);
	view_page(c, "email-sent");
	secret_wipe(&live, sizeof live);
}

static enum err email_confirmed(struct call *c, struct person *p, const char *address)
{
	snprintf(p->email, sizeof p->email, "%s", address);
	p->email_verified = true;
	enum err e = store_person_save(c->st, p);
	struct audit row = {.time = c->now,
			    .person = p->id,
			    .event = "email.verified",
			    .door = "web",
			    .address = c->address,
			    .detail = ""};
	return e ? e : store_audit(c->st, &row);
}

static enum err email_code(struct call *c, struct person *p, void *arg)
{
	enum err *right = arg;
	struct code live;
	AUTO_BUF code = BUF_INIT;
	const char *typed = call_field(c, "code");
	enum err e = store_code_live(c->st, &p->id, CODE_VERIFY_EMAIL, c->now, &live);
	if (e && e != ERR_NOTFOUND)
		return e;
	*right = e ? ERR_NOTFOUND
		 : text_code(typed, strlen(typed), &code) || !buf_str(&code)
		     ? ERR_DENIED
		     : store_code_try(c->st, &p->id, CODE_VERIFY_EMAIL, buf_str(&code), c->now);
	if (*right == ERR_DENIED || *right == ERR_TOOBIG || *right == ERR_NOTFOUND)
		return call_audit(c, "email.wrong-code", "");
	return *right ? *right : email_confirmed(c, p, live.address);
}

void flow_email_code(struct call *c)
{
	enum err right = ERR_DENIED;
	enum err e = call_has(c, "code") ? call_transact(c, email_code, &right) : ERR_NONE;
	if (e) {
		view_failure(c, e, "the mailed code");
		return;
	}
	if (!right) {
		view_redirect(c, "/");
		return;
	}
	view_error(c, "code",
		   !call_has(c, "code")	 ? T(c, N_("Please type the 6 digits of the mail."))
		   : right == ERR_TOOBIG ? T(c, N_("That code was typed wrong too often. Please have a new one sent."))
		   : right == ERR_NOTFOUND
		       ? T(c, N_("The code has expired. Please have a new one sent."))
		       : T(c, N_("That code is not right. Please type the 6 digits of the newest mail.")));
	flow_email_sent(c);
}

void flow_email_again(struct call *c)
{
	struct code live;
	enum err e = store_code_live(c->st, &c->person.id, CODE_VERIFY_EMAIL, c->now, &live);
	if (e == ERR_NOTFOUND)
		view_redirect(c, "/first/email");
	else if (e)
		view_failure(c, e, "the mailed code");
	else
		send_to(c, live.address, false);
}

void flow_email_state(struct call *c)
{
	view_put(c, "done", c->in && !c->half && c->person.email_verified ? "1" : "");
	view_page(c, "email-state");
}

/* ---- the mailed link: opens a page with a button; elsewhere than in the first browser it asks for the pair number
 * ---- */

static bool same_person(const struct call *c, const struct code *code)
{
	return c->in && !c->half && !memcmp(c->person.id.b, code->person.b, ID_LEN);
}

static void link_page(struct call *c, const char *token, const struct code *code)
{
	view_put(c, "token", token);
	view_put(c, "email", code->address);
	if (!same_person(c, code))
		view_put(c, "need_pair", "1");
	view_page(c, "link");
}

void flow_link(struct call *c)
{
	struct code code;
	const char *token = call_field(c, "token");
	enum err e = store_code_by_link(c->st, token, c->now, &code);
	if (e && e != ERR_NOTFOUND)
		view_failure(c, e, "the link");
	else if (e || code.purpose != CODE_VERIFY_EMAIL)
		view_page(c, "link-bad");
	else
		link_page(c, token, &code);
	secret_wipe(&code, sizeof code);
}

struct link_confirm {
	const char *token;
	struct code code;
	enum err result; /* ERR_NONE, ERR_NOTFOUND (bad link), ERR_DENIED (wrong pair), ERR_INVALID (none typed) */
};

static enum err link_pair(struct call *c, const struct code *code)
{
	AUTO_BUF typed = BUF_INIT;
	char want[8];
	const char *s = call_field(c, "pair");
	if (same_person(c, code))
		return ERR_NONE;
	if (code->tries >= CODE_TRIES)
		return ERR_NOTFOUND;
	if (!s[0])
		return ERR_INVALID;
	snprintf(want, sizeof want, "%02d", code->pair);
	if (text_code(s, strlen(s), &typed) || typed.failed)
		return ERR_DENIED;
	return secret_equal(want, strlen(want), typed.data, typed.len) ? ERR_NONE : ERR_DENIED;
}

/* Who presses the button may be nobody to us (another browser): the person is the code's, not the session's. An address
 * that is verified already is never replaced by an older link. */
static enum err link_confirm(struct call *c, struct person *nobody, void *arg)
{
	struct link_confirm *l = arg;
	struct person p;
	(void)nobody;
	enum err e = store_code_by_link(c->st, l->token, c->now, &l->code);
	if (e == ERR_NOTFOUND || (!e && l->code.purpose != CODE_VERIFY_EMAIL)) {
		l->result = ERR_NOTFOUND;
		return ERR_NONE;
	}
	if (e)
		return e;
	e = store_person_by_id(c->st, &l->code.person, &p);
	if (e && e != ERR_NOTFOUND)
		return e;
	if (e || p.email_verified || !attempt_usable(&p, DOOR_WEB, c->now)) {
		l->result = ERR_NOTFOUND;
		e = ERR_NONE;
		goto out;
	}
	l->result = link_pair(c, &l->code);
	if (l->result == ERR_DENIED)
		e = store_code_miss(c->st, &l->code.id);
	if (l->result)
		goto out;
	e = store_code_consume(c->st, &l->code.id, c->now);
	if (!e)
		e = email_confirmed(c, &p, l->code.address);
out:
	person_wipe(&p);
	return e;
}

void flow_link_confirm(struct call *c)
{
	struct link_confirm l = {.token = call_field(c, "token")};
	enum err e = call_transact_any(c, link_confirm, &l);
	if (e) {
		view_failure(c, e, "the link");
	} else if (l.result == ERR_NOTFOUND) {
		view_page(c, "link-bad");
	} else if (l.result) {
		view_error(
		    c, "pair",
		    l.result == ERR_INVALID
			? T(c, N_("Please type the number of two digits that the first screen shows."))
			: T(c, N_("This is not the number that the first screen shows. Please look at it once more.")));
		link_page(c, l.token, &l.code);
	} else {
		if (same_person(c, &l.code))
			view_put(c, "same_browser", "1");
		view_page(c, "link-done");
	}
	secret_wipe(&l.code, sizeof l.code);
}

/* ---- method ---- */

/* The offered row that field `name` names. */
static const struct method *offered(const struct call *c, const char *name)
{
	for (const struct method *m = methods; m->kind != FACTOR_NONE; m++)
		if (!strcmp(m->id, name) && require_offers(&c->facts, m->kind))
			return m;
	return NULL;
}

static enum err method_choose(struct call *c, struct person *p, void *arg)
{
	const struct method *m = arg;
	p->method = m->kind;
	enum err e = store_person_save(c->st, p);
	if (!e && p->password[0])
		e = m->begin(c, p);
	return e ? e : call_audit(c, "method.chosen", m->id);
}

void flow_method(struct call *c)
{
	const struct method *m = offered(c, call_field(c, "method"));
	if (c->post && m) {
		enum err e = call_transact(c, method_choose, (void *)m);
		if (e)
			view_failure(c, e, "the choice");
		else
			view_redirect(c, "/");
		return;
	}
	if (c->post)
		view_error(c, "method", T(c, N_("Please choose one way.")));
	size_t n = 0;
	for (m = methods; m->kind != FACTOR_NONE; m++) {
		if (!require_offers(&c->facts, m->kind))
			continue;
		view_item(c, "methods", n, "id", m->id);
		view_item(c, "methods", n, "title", T(c, m->title));
		view_item(c, "methods", n, "text", T(c, m->text));
		view_item(c, "methods", n, "recommended", n == 0 ? "1" : "");
		n++;
	}
	view_page(c, "method");
}

/* ---- own password ---- */

bool password_acceptable(struct call *c, const struct person *p, const char *current, struct buf *nfkc)
{
	const char *new_one = call_field(c, "new"), *again = call_field(c, "again");
	AUTO_BUF words = BUF_INIT;
	if (!new_one[0]) {
		view_error(c, "new", T(c, N_("Please type a new password.")));
		return false;
	}
	enum password_verdict v = new_password_check(c->k, p, new_one, current, nfkc);
	const char *bad = new_password_words(c->k, c->lang, v, &words);
	if (bad)
		view_error(c, "new", bad);
	else if (!again[0])
		view_error(c, "again", T(c, N_("Please type the new password once more here.")));
	else if (strcmp(new_one, again))
		view_error(c, "again", T(c, N_("The two passwords differ. Please type the same one twice.")));
	return !c->errors;
}

static enum err password_store(struct call *c, struct person *p, void *arg)
{
	if (p->password[0]) { /* set meanwhile: what is there is changed only by who knows it */
		view_redirect(c, "/");
		return ERR_DENIED;
	}
	person_set_password(p, arg, c->now);
	p->has_initial = false;
	secret_wipe(p->initial, sizeof p->initial);
	enum err e = store_person_save(c->st, p);
	if (!e)
		e = store_session_end_all(c->st, &p->id, c->session.digest);
	if (!e)
		e = session_start(c, &p->id, c->session.level, false); /* FULL where a factor was imported */
	return e ? e : call_audit(c, "password.set", "");
}

void flow_own_password(struct call *c)
{
	AUTO_BUF nfkc = BUF_INIT;
	char hash[PASSWORD_HASH_MAX] = "";
	if (c->facts.password_due) { /* no step of the wizard then, but a change */
		flow_password(c);
		return;
	}
	if (c->post && password_acceptable(c, &c->person, NULL, &nfkc)) {
		enum err e = gate_password_hash(&c->k->web_gate, buf_str(&nfkc), hash);
		if (!e)
			e = call_transact(c, password_store, hash);
		secret_wipe(hash, sizeof hash);
		if (e)
			view_failure(c, e, "the new password");
		else
			view_redirect(c, "/first/done");
		return;
	}
	view_put(c, "login", c->person.login);
	view_num(c, "min", c->k->conf->password_min);
	view_page(c, "own-password");
}

/* ---- done: straight on, or out and back later ---- */

static enum err done_on(struct call *c, struct person *p, void *arg)
{
	(void)arg;
	return method_of(p->method)->begin(c, p);
}

static enum err done_out(struct call *c, struct person *p, void *arg)
{
	(void)p;
	(void)arg;
	enum err e = session_end(c);
	return e ? e : call_audit(c, "logout", "");
}

void flow_done(struct call *c)
{
	const struct method *m = method_of(c->person.method);
	const char *next = call_field(c, "next");
	enum err e;
	if (c->post && !strcmp(next, m->id)) {
		e = call_transact(c, done_on, NULL);
		if (!e)
			view_redirect(c, m->path);
	} else if (c->post && !strcmp(next, "logout")) {
		e = call_transact(c, done_out, NULL);
		if (!e) {
			c->in = false;
			c->token_new = !session_token(c->token);
			view_redirect(c, "/login?n=later");
		}
	} else {
		e = ERR_NONE;
		view_put(c, "method", m->id);
		view_put(c, "lead", T(c, m->lead));
		view_put(c, "then", T(c, m->then));
		view_put(c, "button", T(c, m->button));
		view_page(c, "done");
	}
	if (e)
		view_failure(c, e, "the next step");
}
