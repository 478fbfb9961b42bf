/* The mailed link: opens a page with a button, and GET changes nothing. What the button does depends on what the link
 * was mailed for: a row of the table. */
#include "config.h"

#include "common/daemon.h"
#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/address.h"
#include "keeper/call.h"
#include <stdio.h>
#include <string.h>
#include <syslog.h>

static bool same_person(const struct call *c, const struct code *code)
{
	return c->in && !c->half && !memcmp(c->person.id.b, code->person.b, ID_LEN);
}

/* ---- an address is confirmed; elsewhere than in the first browser by the pair number ---- */

static void confirm_page(struct call *c, const char *token, const struct code *code)
{
	view_put(c, "token", token);
	view_put(c, "email", code->address);
	view_put(c, "change", code->purpose == CODE_NEW_EMAIL ? "1" : "");
	if (!same_person(c, code))
		view_put(c, "need_pair", "1");
	view_page(c, "link");
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

/* In the enrolment an address that is verified already is never replaced by an older link. */
static bool confirms(const struct code *code, const struct person *p, int64_t now)
{
	return (code->purpose == CODE_NEW_EMAIL || (code->purpose == CODE_VERIFY_EMAIL && !p->email_verified)) &&
	       attempt_usable(p, DOOR_WEB, now);
}

/* Who presses the button may be nobody to us (another browser): the person is the code's, not the session's. */
static enum err link_confirm(struct call *c, struct person *nobody, void *arg)
{
	struct link_confirm *l = arg;
	struct person p;
	(void)nobody;
	memset(&p, 0, sizeof p);
	enum err e = store_code_by_link(c->st, l->token, c->now, &l->code);
	if (!e)
		e = store_person_by_id(c->st, &l->code.person, &p);
	if (e && e != ERR_NOTFOUND)
		return e;
	l->result = e || !confirms(&l->code, &p, c->now) ? ERR_NOTFOUND : link_pair(c, &l->code);
	e = ERR_NONE;
	if (l->result == ERR_DENIED)
		e = store_code_miss(c->st, &l->code.id);
	if (!l->result)
		e = store_code_consume(c->st, &l->code.id, c->now);
	if (!e && !l->result)
		e = email_confirmed(c, &p, &l->code);
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
		confirm_page(c, l.token, &l.code);
	} else {
		if (same_person(c, &l.code))
			view_put(c, "same_browser", "1");
		view_put(c, "change", l.code.purpose == CODE_NEW_EMAIL ? "1" : "");
		view_page(c, "link-done");
	}
	secret_wipe(&l.code, sizeof l.code);
}

/* ---- "this was not me": the account is frozen ---- */

static void frozen_page(struct call *c, const struct code *code)
{
	view_put(c, "email", code->address);
	view_page(c, "frozen");
}

/* Also once it is frozen, so that who presses the link again reads what was done. */
static void freeze_page(struct call *c, const char *token, const struct code *code)
{
	struct person p;
	char when[MAIL_TIME];
	memset(&p, 0, sizeof p);
	enum err e = store_person_by_id(c->st, &code->person, &p);
	if (e && e != ERR_NOTFOUND) {
		view_failure(c, e, "the link");
	} else if (!e && p.frozen) {
		frozen_page(c, code);
	} else if (!e) {
		mail_time(c->lang, code->created, when);
		view_put(c, "token", token);
		view_put(c, "email", code->address);
		view_put(c, "changed", when);
		view_page(c, "freeze");
	}
	person_wipe(&p);
}

struct freeze {
	const char *token;
	struct code code;
	bool bad, done; /* done: by this call */
	char login[LOGIN_MAX + 1];
};

static enum err freeze_tx(struct call *c, struct person *nobody, void *arg)
{
	struct freeze *f = arg;
	struct person p;
	const struct audit by = {.time = c->now, .door = "web", .address = c->address, .detail = ""};
	(void)nobody;
	memset(&p, 0, sizeof p);
	enum err e = store_code_by_link(c->st, f->token, c->now, &f->code);
	if (!e && f->code.purpose != CODE_FREEZE)
		e = ERR_NOTFOUND;
	if (!e)
		e = store_person_by_id(c->st, &f->code.person, &p);
	f->bad = e == ERR_NOTFOUND;
	if (!e && !p.frozen) {
		f->done = true;
		memcpy(f->login, p.login, sizeof f->login);
		e = address_freeze(c->k, c->st, &p, &f->code, f->token, &by, &c->mailed);
	}
	person_wipe(&p);
	return f->bad ? ERR_NONE : e;
}

/* What a scanner sends that fills in no form is not enough: the box must be ticked. */
void flow_freeze(struct call *c)
{
	struct freeze f = {.token = call_field(c, "token")};
	enum err e = ERR_NONE;
	if (!call_has(c, "sure")) {
		view_error(c, "sure", T(c, N_("Please tick the box if it was not you.")));
		flow_link(c);
		return;
	}
	e = call_transact_any(c, freeze_tx, &f);
	if (e) {
		view_failure(c, e, "the link");
	} else if (f.bad) {
		view_page(c, "link-bad");
	} else {
		if (f.done)
			daemon_log(LOG_AUTHPRIV | LOG_WARNING,
				   "web: user=%s is frozen: by the link that went to their former address; see "
				   "kosmoctl user show",
				   f.login);
		frozen_page(c, &f.code);
	}
	secret_wipe(&f.code, sizeof f.code);
}

/* ---- the page that the link opens ---- */

static const struct {
	enum code_purpose purpose;
	void (*page)(struct call *c, const char *token, const struct code *code);
} pages[] = {
    {CODE_VERIFY_EMAIL, confirm_page},
    {CODE_RESET, reset_link_page},
    {CODE_NEW_EMAIL, confirm_page},
    {CODE_FREEZE, freeze_page},
};

void flow_link(struct call *c)
{
	struct code code;
	const char *token = call_field(c, "token");
	enum err e = store_code_by_link(c->st, token, c->now, &code);
	if (e && e != ERR_NOTFOUND)
		view_failure(c, e, "the link");
	for (size_t i = 0; !e && i < sizeof pages / sizeof *pages; i++)
		if (pages[i].purpose == code.purpose)
			pages[i].page(c, token, &code);
	if (e == ERR_NOTFOUND && c->reset) /* opened twice */
		view_redirect(c, reset_next(c));
	if (!c->decided)
		view_page(c, "link-bad");
	secret_wipe(&code, sizeof code);
}
