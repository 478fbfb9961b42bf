/* The mailed link: opens a page with a button, and GET changes nothing. What the button does depends on what the link
 * was mailed for: a row of the table. */
#include "config.h"

#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/call.h"
#include <stdio.h>
#include <string.h>

static bool same_person(const struct call *c, const struct code *code)
{
	return c->in && !c->half && !memcmp(c->person.id.b, code->person.b, ID_LEN);
}

/* ---- an address is confirmed; elsewhere than in the first browser by the pair number ---- */

static void confirm_page(struct call *c, const char *token, const struct code *code)
{
	view_put(c, "token", token);
	view_put(c, "email", code->address);
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
	return code->purpose == CODE_VERIFY_EMAIL && !p->email_verified && attempt_usable(p, DOOR_WEB, now);
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
		view_page(c, "link-done");
	}
	secret_wipe(&l.code, sizeof l.code);
}

/* ---- the page that the link opens ---- */

static const struct {
	enum code_purpose purpose;
	void (*page)(struct call *c, const char *token, const struct code *code);
} pages[] = {
    {CODE_VERIFY_EMAIL, confirm_page},
    {CODE_RESET, reset_link_page},
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
