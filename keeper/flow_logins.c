/* The recent logins of an account, what to do about one that was somebody else's, and the language of pages and mails.
 */
#include "config.h"

#include "common/i18n.h"
#include "keeper/agent.h"
#include "keeper/call.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_AT_ONCE 3		/* on the account's page */
#define SLIP	      (15 * 60) /* seconds in which somebody types the right code after a wrong one */
#define ROWS	      (LOGIN_WRONG * LOGINS_KEPT)

struct list {
	struct store_login row[ROWS];
	bool often[ROWS]; /* it stands for several like it */
	size_t n;
};

static int newest_first(const void *a, const void *b)
{
	const struct store_login *x = a, *y = b;
	return x->time != y->time ? (x->time < y->time) - (x->time > y->time) : memcmp(&y->id, &x->id, sizeof x->id);
}

static bool same_place(const struct store_login *a, const struct store_login *b)
{
	return !strcmp(a->place, b->place) && !strcmp(a->host, b->host) && !strcmp(a->address, b->address) &&
	       !strcmp(a->agent, b->agent);
}

/* Row i, a wrong code, was put right from the same place soon after: its owner's own slip. */
static bool slip(const struct list *l, size_t i)
{
	for (size_t j = i; j > 0; j--) {
		const struct store_login *r = &l->row[j - 1];
		if (r->what != LOGIN_WRONG && same_place(r, &l->row[i]) && r->time - l->row[i].time <= SLIP)
			return true;
	}
	return false;
}

static void tidy(struct list *l)
{
	size_t kept = 0;
	qsort(l->row, l->n, sizeof l->row[0], newest_first);
	for (size_t i = 0; i < l->n; i++) {
		if (l->row[i].what == LOGIN_WRONG && slip(l, i))
			continue;
		/* what is kept stands before i: slips are looked for among the rows that are still whole */
		if (l->row[i].what == LOGIN_WRONG && kept && l->row[kept - 1].what == LOGIN_WRONG &&
		    same_place(&l->row[kept - 1], &l->row[i])) {
			l->often[kept - 1] = true;
			continue;
		}
		l->row[kept++] = l->row[i];
	}
	l->n = kept;
}

static enum err load(struct call *c, struct list *l)
{
	enum err e = ERR_NONE;
	memset(l, 0, sizeof *l);
	for (int what = LOGIN_IN; !e && what <= LOGIN_WRONG; what++) {
		size_t n = 0;
		e = store_logins(c->st, &c->person.id, (enum login_what)what, l->row + l->n, LOGINS_KEPT, &n);
		l->n += n;
	}
	if (!e)
		tidy(l);
	return e;
}

static const struct how {
	enum factor_kind kind;
	const char *both, *alone;
} hows[] = {
    {FACTOR_TOTP, N_("Password and a code from the authenticator app"), N_("A code from the authenticator app")},
    {FACTOR_MAILCODE, N_("Password and a code by email"), N_("A code by email")},
    {FACTOR_PASSKEY, N_("Password and a passkey"), N_("A passkey")},
    {FACTOR_RECOVERY, N_("Password and a recovery code"), N_("A recovery code")},
};

static const char *how(const struct call *c, const struct store_login *l)
{
	if (l->kind == FACTOR_RECOVERY && c->facts.sheet)
		return l->password ? T(c, N_("Password and a code from the sheet")) : T(c, N_("A code from the sheet"));
	for (size_t i = 0; i < sizeof hows / sizeof *hows; i++)
		if (hows[i].kind == l->kind)
			return T(c, l->password ? hows[i].both : hows[i].alone);
	return "";
}

/* "SSH on gate", "Safari on iPhone". */
static void what_with(const struct call *c, const struct store_login *l, struct buf *ret)
{
	const char *colon = strchr(l->place, ':');
	if (!colon) {
		agent_words(c->lang, l->agent, ret);
		return;
	}
	const struct fill values[] = {
	    {"service", !strcmp(colon + 1, "sshd") ? "SSH" : colon + 1}, {"host", l->host}, {NULL, NULL}};
	fill(ret, T(c, N_("{service} on the computer {host}")), values);
}

static void show(struct call *c, size_t i, const struct list *list, const struct origin *here)
{
	const struct store_login *l = &list->row[i];
	bool wrong = l->what == LOGIN_WRONG;
	bool this = here->has_device && !memcmp(&l->device, here->device, sizeof l->device);
	char when[MAIL_TIME];
	AUTO_BUF words = BUF_INIT;
	what_with(c, l, &words);
	mail_time(c->lang, l->time, when);
	view_item(c, "logins", i, "with", buf_str(&words));
	view_item(c, "logins", i, "when", when);
	view_item(c, "logins", i, "address", l->address);
	view_item(c, "logins", i, "this", this ? "1" : "");
	view_item(c, "logins", i, "how", wrong ? "" : how(c, l));
	view_item(c, "logins", i, "name", l->kind == FACTOR_TOTP || l->kind == FACTOR_PASSKEY ? l->name : "");
	view_item(c, "logins", i, "often", list->often[i] ? "1" : "");
	view_item(c, "logins", i, "wrong",
		  !wrong	? ""
		  : l->password ? T(c, N_("Not logged in: the password was right, but the code was not."))
				: T(c, N_("Not logged in: the code was not right.")));
}

enum err logins_view(struct call *c, bool all)
{
	struct origin here;
	struct list *l = calloc(1, sizeof *l);
	enum err e = l ? load(c, l) : ERR_NOMEM;
	if (!e)
		e = call_origin(c, &here);
	size_t most = all ? ROWS : SHOWN_AT_ONCE;
	for (size_t i = 0; !e && i < l->n && i < most; i++)
		show(c, i, l, &here);
	if (!e) {
		view_put(c, "logins_kept", store_logins_kept(c->st) ? "1" : "");
		view_put(c, "logins_none", l->n ? "" : "1");
		view_put(c, "logins_more", l->n > most ? "1" : "");
	}
	if (l)
		store_login_wipe(l->row, ROWS);
	free(l);
	return e;
}

void flow_logins(struct call *c)
{
	enum err e = logins_view(c, true);
	if (e)
		view_failure(c, e, "the recent logins");
	else
		view_page(c, "logins");
}

void flow_not_me(struct call *c)
{
	view_page(c, "not-me");
}

/* ---- language ---- */

static enum err set_language(struct call *c, struct person *p, void *arg)
{
	snprintf(p->locale, sizeof p->locale, "%s", (const char *)arg);
	enum err e = store_person_save(c->st, p);
	return e ? e : call_audit(c, "language.set", p->locale);
}

void flow_language(struct call *c)
{
	char lang[] = "ja";
	if (!strcmp(call_field(c, "lang"), "en"))
		memcpy(lang, "en", sizeof lang);
	enum err e = call_transact(c, set_language, lang);
	if (e) {
		view_failure(c, e, "the language");
		return;
	}
	wire_puts(&c->view, "cookie.lang", lang);
	view_redirect(c, "/account?n=language");
}
