/* The first login: birth date, terms, method, own password, done; the email address is in flow_email.c. No step is
 * stored: see require.h. */
#include "config.h"

#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/birth.h"
#include "keeper/method.h"
#include "keeper/new_password.h"
#include <stdio.h>
#include <string.h>

/* ---- birth date ---- */

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
	if (e)
		return e;
	if (!b->right)
		return call_audit(c, "birth.wrong", "");
	p->birth_confirmed = true;
	e = store_person_save(c->st, p);
	return e ? e : call_audit(c, "birth.confirmed", "");
}

const char *birth_complaint(struct call *c, const char *typed, struct date *ret)
{
	switch (text_birth_date(typed, strlen(typed), text_today(c->now), ret)) {
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
	struct birth b = {.right = false};
	if (c->post) {
		const char *bad = birth_complaint(c, s, &b.typed);
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
	char version[64];
	(void)arg;
	p->terms = c->k->conf->terms_version;
	snprintf(version, sizeof version, "version %lld%s%s", (long long)p->terms, c->k->terms[0] ? TERMS_TEXT : "",
		 c->k->terms);
	enum err e = store_person_save(c->st, p);
	return e ? e : call_audit(c, "terms.agreed", version);
}

void flow_terms(struct call *c)
{
	char now[24];
	snprintf(now, sizeof now, "%lld", (long long)c->k->conf->terms_version);
	if (c->post && call_has(c, "agree") && !strcmp(call_field(c, "agree"), now)) {
		enum err e = call_transact(c, terms_agree, NULL);
		if (e)
			view_failure(c, e, "the terms");
		else
			view_redirect(c, "/");
		return;
	}
	/* The button carries the version that it stood under. */
	if (c->post && call_has(c, "agree"))
		view_error(c, "agree", T(c, N_("The terms have changed meanwhile. Please read them once more.")));
	else if (c->post)
		view_error(c, "agree", T(c, N_("You can go on once you agree to the terms.")));
	view_put(c, "version", now);
	if (c->person.terms > 0)
		view_num(c, "before", c->person.terms);
	view_page(c, "terms");
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
		if (require_offers(&c->facts, m->kind))
			method_view(c, n++, m);
	}
	view_put(c, "paper", require_offers(&c->facts, FACTOR_RECOVERY) ? "1" : "");
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
		e = session_start(c, &p->id, c->session.level, FACTOR_NONE); /* FULL where a factor was imported */
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
			int64_t until = deadline_of(c);
			session_left(c);
			deadline_redirect(c, "/login?n=later", until);
		}
	} else {
		e = ERR_NONE;
		view_put(c, "method", m->id);
		view_put(c, m->id, "1"); /* its picture */
		view_put(c, "lead", T(c, m->lead));
		view_put(c, "then", T(c, m->then));
		view_put(c, "button", T(c, m->button));
		view_page(c, "done");
	}
	if (e)
		view_failure(c, e, "the next step");
}
