/* A forgotten password up to the proof that the mail was read, and a forgotten user ID. Whoever asks gets the same
 * page; what depends on whom they named is done when it is out (keeper/forgot.h). */
#include "config.h"

#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/call.h"
#include "keeper/forgot.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_AFTER 60 /* seconds until another mail would go out */

/* What a later needs of this call; NULL: no memory. */
static struct forgot_asked *asked_new(struct call *c)
{
	struct forgot_asked *a = calloc(1, sizeof *a);
	if (!a)
		return NULL;
	a->now = c->now;
	snprintf(a->lang, sizeof a->lang, "%s", c->lang);
	snprintf(a->from, sizeof a->from, "%s", c->address);
	if (!call_origin(c, &a->origin) && !session_digest(c, c->token, a->browser))
		return a;
	forgot_asked_free(a);
	return NULL;
}

static void sent_page(struct call *c, int64_t again_in)
{
	const char *at = strchr(c->k->conf->mail_from, '@');
	view_put(c, "login", call_field(c, "login"));
	view_put(c, "sender_domain", at ? at + 1 : "");
	view_num(c, "again_in", again_in);
	view_page(c, "forgot-sent");
}

static void name_missing(struct call *c)
{
	view_error(c, "login", T(c, N_("Please type your user ID. It is on the letter that you were sent.")));
}

void flow_forgot_password(struct call *c)
{
	const char *login = call_field(c, "login");
	if (c->post && !login[0])
		name_missing(c);
	if (!c->post || c->errors) {
		view_page(c, "forgot-password");
		return;
	}
	struct forgot_asked *a = asked_new(c);
	if (!a || forgot_name(login, &a->name)) {
		forgot_asked_free(a);
		view_failure(c, ERR_NOMEM, "a forgotten password");
		return;
	}
	call_later(c, forgot_mail_reset, a, forgot_asked_free);
	sent_page(c, AGAIN_AFTER);
}

/* ---- the mailed code, the mailed link ---- */

/* [tx] The mail was read, in the browser that had asked for it. */
static enum err opened(struct call *c, const struct person *p, const char *how, const char *proof)
{
	const struct audit row = {.time = c->now,
				  .person = p->id,
				  .event = "reset.opened",
				  .door = "web",
				  .address = c->address,
				  .detail = how};
	enum err e = session_start_by(c, &p->id, SESSION_RESET, proof);
	return e ? e : store_audit(c->st, &row);
}

static enum err open_to(struct call *c, const struct person *p, bool *ret)
{
	struct facts f;
	enum reset_way way = RESET_NONE;
	enum err e = require_facts(c->st, c->k->conf, p, c->now, &f);
	if (!e)
		e = reset_way(c->st, p, &f, c->now, &way);
	if (!e)
		*ret = way == RESET_FACTOR || way == RESET_BIRTH;
	return e;
}

struct code_try {
	struct forgot_name name;
	char code[8];
	uint8_t browser[DIGEST_LEN];
	struct origin origin;
	enum err result; /* as of forgot_try */
	bool spent;	 /* too many for now */
};

/* One path for everyone: where no code may be used here, what was typed is wrong, counted and looked up all the same.
 */
static enum err code_check(struct call *c, struct person *nobody, void *arg)
{
	struct code_try *t = arg;
	struct person p;
	struct code live;
	struct id owner;
	struct forgot_asker asker;
	bool found = false, usable = false;
	(void)nobody;
	memset(&p, 0, sizeof p);
	memset(&live, 0, sizeof live);
	enum err e = forgot_find(c->k, c->st, &t->name, &p, &found, &owner);
	if (!e)
		e = forgot_asker(c->k, c->st, &t->name, &t->origin, t->browser, found, &owner, c->now, &asker);
	if (e)
		goto out;
	e = store_code_live_in(c->st, &owner, CODE_RESET, t->browser, c->now, &live);
	if (!e && found)
		e = open_to(c, &p, &usable);
	if (e && e != ERR_NOTFOUND)
		goto out;
	e = ERR_NONE;
	t->result = forgot_try(c->st, c->k->seal, &asker, &owner, t->browser, usable, t->code, c->now, &t->spent);
	if (!t->result) {
		e = opened(c, &p, "code", call_field(c, "code"));
	} else if (t->result != ERR_DENIED && t->result != ERR_TOOBIG && t->result != ERR_NOTFOUND) {
		e = t->result;
	} else if (!t->spent) {
		struct audit row = {
		    .time = c->now, .event = "reset.wrong-code", .door = "web", .address = c->address, .detail = ""};
		if (found)
			row.person = p.id;
		e = store_audit(c->st, &row);
	}
out:
	secret_wipe(&live, sizeof live);
	person_wipe(&p);
	return e;
}

static enum err code_typed(struct call *c, struct code_try *t)
{
	AUTO_BUF code = BUF_INIT;
	const char *typed = call_field(c, "code");
	if (!text_code(typed, strlen(typed), &code) && buf_str(&code) && code.len < sizeof t->code)
		memcpy(t->code, buf_str(&code), code.len + 1);
	enum err e = forgot_name(call_field(c, "login"), &t->name);
	if (!e)
		e = call_origin(c, &t->origin);
	return e ? e : session_digest(c, c->token, t->browser);
}

void flow_forgot_code(struct call *c)
{
	struct code_try t = {.result = ERR_DENIED};
	const char *login = call_field(c, "login");
	if (c->post && !login[0])
		name_missing(c);
	if (c->post && !call_has(c, "code"))
		view_error(c, "code", T(c, N_("Please type the 6 digits of the mail.")));
	if (!c->post || c->errors) {
		sent_page(c, 0);
		return;
	}
	enum err e = code_typed(c, &t);
	if (!e)
		e = call_transact_any(c, code_check, &t);
	secret_wipe(t.code, sizeof t.code);
	if (e) {
		view_failure(c, e, "a mailed code");
		return;
	}
	if (!t.result || session_twice(c, call_field(c, "code"), SESSION_RESET)) {
		view_redirect(c, "/");
		return;
	}
	view_error(
	    c, "code",
	    t.spent
		? T(c, N_("Codes were typed wrong too often. Please wait an hour, or press the link in the mail."))
		: T(c, N_("That code is not right, or can no longer be used. Please type the 6 digits of the newest "
			  "mail.")));
	sent_page(c, 0);
}

static bool asked_here(struct call *c, const struct code *code)
{
	uint8_t browser[DIGEST_LEN];
	return code->bound && !session_digest(c, c->token, browser) &&
	       secret_equal(browser, sizeof browser, code->binding, sizeof code->binding);
}

void reset_link_page(struct call *c, const char *token, const struct code *code)
{
	if (asked_here(c, code))
		view_put(c, "token", token);
	view_page(c, "forgot-link");
}

struct link {
	const char *token;
	bool found, elsewhere;
};

static enum err link_check(struct call *c, struct person *nobody, void *arg)
{
	struct link *l = arg;
	struct code code;
	struct person p;
	bool usable = false;
	(void)nobody;
	memset(&p, 0, sizeof p);
	memset(&code, 0, sizeof code);
	enum err e = store_code_by_link(c->st, l->token, c->now, &code);
	l->found = !e && code.purpose == CODE_RESET;
	l->elsewhere = l->found && !asked_here(c, &code);
	if (l->found && !l->elsewhere)
		e = store_person_by_id(c->st, &code.person, &p);
	if (e || !l->found || l->elsewhere)
		goto out;
	e = open_to(c, &p, &usable);
	l->found = !e && usable;
	if (!l->found)
		goto out;
	e = store_code_consume(c->st, &code.id, c->now);
	if (!e)
		e = opened(c, &p, "link", l->token);
out:
	secret_wipe(&code, sizeof code);
	person_wipe(&p);
	return e == ERR_NOTFOUND ? ERR_NONE : e;
}

void flow_forgot_link(struct call *c)
{
	struct link l = {.token = call_field(c, "token")};
	enum err e = call_transact_any(c, link_check, &l);
	if (e)
		view_failure(c, e, "the link");
	else if (l.elsewhere)
		view_page(c, "forgot-link");
	else if (l.found || session_twice(c, l.token, SESSION_RESET))
		view_redirect(c, "/");
	else if (c->reset) /* pressed again */
		view_redirect(c, reset_next(c));
	else
		view_page(c, "link-bad");
}

/* ---- the user ID ---- */

static void id_page(struct call *c)
{
	view_put(c, "email", call_field(c, "email"));
	view_put(c, "birth_date", call_field(c, "birth_date"));
	view_page(c, "forgot-id");
}

void flow_forgot_id(struct call *c)
{
	AUTO_BUF address = BUF_INIT;
	struct date birth;
	const char *email = call_field(c, "email");
	if (!c->post) {
		id_page(c);
		return;
	}
	if (!email[0])
		view_error(c, "email", T(c, N_("Please type your email address.")));
	else if (text_email_key(email, strlen(email), &address) || !buf_str(&address))
		view_error(c, "email", T(c, N_("This is not an email address. Please type it as in name@example.jp.")));
	const char *bad = birth_complaint(c, call_field(c, "birth_date"), &birth);
	if (bad)
		view_error(c, "birth_date", bad);
	if (c->errors) {
		id_page(c);
		return;
	}
	struct forgot_asked *a = asked_new(c);
	if (!a) {
		view_failure(c, ERR_NOMEM, "a forgotten user ID");
		return;
	}
	snprintf(a->email, sizeof a->email, "%s", buf_str(&address));
	a->birth = birth;
	call_later(c, forgot_mail_ids, a, forgot_asked_free);
	view_page(c, "forgot-id-sent");
}
