/* For people without email, and perhaps without a phone: saying so, and codes on a sheet of paper as a way of their
 * own. The sheet waits in the store as an unconfirmed authenticator, of whose secret the codes are made, so that a
 * reload or another device shows the same; its codes count, and the old ones are void, once one of them was typed back.
 */
#include "config.h"

#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/call.h"
#include "keeper/recovery.h"
#include <stdio.h>
#include <string.h>

/* ---- no address ---- */

bool email_may_be_none(const struct call *c)
{
	return !email_is_given(c) && (c->person.email_optional || !strcmp(c->k->conf->email, "optional"));
}

bool email_is_given(const struct call *c)
{
	return c->facts.mail_kept && !c->session.stepped_up && c->person.email[0];
}

static enum err email_none(struct call *c, struct person *p, void *arg)
{
	(void)arg;
	p->email[0] = '\0';
	p->email_verified = false;
	p->email_optional = true;
	enum err e = store_code_void(c->st, &p->id); /* a link that is on its way */
	if (!e)
		e = store_person_save(c->st, p);
	return e ? e : call_audit(c, "email.none", "");
}

void flow_email_none(struct call *c)
{
	if (!email_may_be_none(c)) {
		view_redirect(c, "/first/email");
		return;
	}
	enum err e = call_transact(c, email_none, NULL);
	if (e)
		view_failure(c, e, "the address");
	else
		view_redirect(c, "/");
}

/* ---- the sheet ---- */

struct sheet {
	struct authenticator waiting; /* of its secret the codes are made */
	struct authenticator row;     /* the confirmed one, id zero: there is none yet */
	char shown[RECOVERY_CODES][RECOVERY_TEXT];
	struct buf canonical[RECOVERY_CODES];
};

static void sheet_clear(struct sheet *s)
{
	for (size_t i = 0; i < RECOVERY_CODES; i++)
		buf_free(&s->canonical[i]);
	secret_wipe(s, sizeof *s);
}

static enum err sheet_codes(const struct seal *seal, struct sheet *s)
{
	static const char purpose[] = "sheet";
	uint8_t d[DIGEST_LEN];
	enum err e = ERR_NONE;
	for (uint8_t i = 0; i < RECOVERY_CODES && !e; i++) {
		const struct seal_part part[] = {
		    {purpose, strlen(purpose)}, {s->waiting.secret, s->waiting.secret_len}, {&i, 1}};
		e = seal_mac(seal, SEAL_CODE, part, sizeof part / sizeof *part, d);
		if (e)
			break;
		recovery_from(d, s->shown[i]);
		e = text_code(s->shown[i], strlen(s->shown[i]), &s->canonical[i]);
		if (!e && !buf_str(&s->canonical[i]))
			e = ERR_NOMEM;
	}
	secret_wipe(d, sizeof d);
	return e;
}

/* ERR_NOTFOUND: none waits. */
static enum err sheet_load(struct call *c, const struct id *person, struct sheet *ret)
{
	struct authenticator au[AUTHENTICATORS_MAX];
	size_t n = 0;
	bool found = false;
	memset(ret, 0, sizeof *ret);
	enum err e = store_authenticators(c->st, person, au, AUTHENTICATORS_MAX, &n);
	if (e)
		return e;
	for (size_t i = 0; i < n; i++) {
		if (au[i].kind != FACTOR_RECOVERY)
			continue;
		*(au[i].confirmed ? &ret->row : &ret->waiting) = au[i];
		found = found || !au[i].confirmed;
	}
	authenticator_wipe(au, n);
	return found ? sheet_codes(c->k->seal, ret) : ERR_NOTFOUND;
}

enum err sheet_prepare(struct call *c, const struct person *p)
{
	struct sheet s;
	struct authenticator a = {
	    .person = p->id, .kind = FACTOR_RECOVERY, .secret_len = 32, .last_step = -1, .created = c->now};
	enum err e = sheet_load(c, &p->id, &s);
	if (e == ERR_NOTFOUND) {
		e = id_new(&a.id);
		if (!e)
			e = secret_random(a.secret, a.secret_len);
		if (!e)
			e = store_authenticator_add(c->st, &a);
	}
	authenticator_wipe(&a, 1);
	sheet_clear(&s);
	return e;
}

/* [tx] The codes are the person's, the one that proved them is used up, and what they were made of is gone. */
static enum err sheet_take(struct call *c, const struct person *p, struct sheet *s, const char *typed)
{
	const char *codes[RECOVERY_CODES];
	bool renewed = s->row.confirmed;
	enum err e = store_authenticator_remove(c->st, &p->id, &s->waiting.id);
	for (size_t i = 0; i < RECOVERY_CODES; i++)
		codes[i] = buf_str(&s->canonical[i]);
	if (!e)
		e = store_recovery_replace(c->st, &p->id, codes, RECOVERY_CODES);
	if (!e)
		e = store_recovery_consume(c->st, &p->id, typed, c->now);
	if (!e && !renewed) {
		s->row = (struct authenticator){
		    .person = p->id, .kind = FACTOR_RECOVERY, .confirmed = true, .last_step = -1, .created = c->now};
		snprintf(s->row.name, sizeof s->row.name, "%s", T(c, N_("Sheet of codes")));
		e = id_new(&s->row.id);
		if (!e)
			e = store_authenticator_add(c->st, &s->row);
	}
	if (!e)
		e = store_authenticator_used(c->st, &s->row.id, c->now);
	if (!e)
		e = lost_replaced(c, p, &s->row);
	if (!e)
		e = session_start(c, &p->id, SESSION_FULL, FACTOR_RECOVERY);
	if (!e)
		e = call_notice(c, p, MAIL_SHEET, NULL);
	return e ? e : call_audit(c, renewed ? "sheet.renewed" : "sheet.registered", "");
}

struct proof {
	const char *typed;
	bool renewed;	 /* it takes another sheet's place */
	enum err result; /* ERR_NONE right, ERR_DENIED no code of this sheet, ERR_NOTFOUND none waits */
};

static enum err sheet_confirm(struct call *c, struct person *p, void *arg)
{
	struct proof *f = arg;
	struct sheet s;
	bool right = false;
	enum err e = sheet_load(c, &p->id, &s);
	f->result = e == ERR_NOTFOUND ? e : ERR_DENIED;
	for (size_t i = 0; !e && i < RECOVERY_CODES; i++)
		right |= secret_equal(f->typed, strlen(f->typed), s.canonical[i].data, s.canonical[i].len);
	if (!e && right) {
		f->result = ERR_NONE;
		f->renewed = s.row.confirmed;
		e = sheet_take(c, p, &s, f->typed);
	}
	sheet_clear(&s);
	return e == ERR_NOTFOUND && f->result == e ? ERR_NONE : e;
}

/* Only who may choose it, or has it. */
static bool sheet_due(const struct call *c)
{
	return lost_allows(c, FACTOR_RECOVERY) && (c->facts.sheet || require_offers(&c->facts, FACTOR_RECOVERY));
}

static enum err sheet_start(struct call *c, struct person *p, void *arg)
{
	(void)arg;
	enum err e = lost_drop_older(c, p);
	return e ? e : sheet_prepare(c, p);
}

static void sheet_page(struct call *c, const struct sheet *s)
{
	char when[MAIL_TIME];
	for (size_t i = 0; i < RECOVERY_CODES; i++)
		view_item(c, "codes", i, "code", s->shown[i]);
	mail_time(c->lang, s->waiting.created, when);
	view_put(c, "login", c->person.login);
	view_put(c, "created", when);
	if (s->row.confirmed)
		view_put(c, "renewed", "1");
	if (c->anew)
		view_put(c, "lost", "1");
	view_page(c, "sheet");
}

/* No sheet waits: the wizard has a page that begins one, and so has a new phone's way; else this one is it. */
static void sheet_none(struct call *c)
{
	if (c->anew || lost_state(c) == SCRATCH_LOST) {
		view_redirect(c, "/lost/new");
	} else if (c->unmet && c->unmet->id == REQ_AUTHENTICATOR) {
		view_redirect(c, "/first/done");
	} else {
		view_num(c, "left", (int64_t)c->facts.sheet_left);
		view_page(c, "sheet-start");
	}
}

static void sheet_submit(struct call *c)
{
	AUTO_BUF code = BUF_INIT;
	const char *typed = call_field(c, "code");
	bool text = typed[0] && !text_code(typed, strlen(typed), &code) && buf_str(&code);
	struct proof f = {.typed = text ? buf_str(&code) : "", .result = ERR_DENIED};
	enum err e = text ? call_transact(c, sheet_confirm, &f) : ERR_NONE;
	if (e)
		view_failure(c, e, "the sheet");
	else if (f.result == ERR_NOTFOUND) /* a second tab was faster */
		view_redirect(c, call_next(c));
	else if (!f.result)
		view_redirect(c, f.renewed ? "/account?n=sheet" : "/");
	else
		view_error(c, "code",
			   typed[0] ? T(c, N_("This is not a code of this sheet. Please type one as it is printed."))
				    : T(c, N_("Please type one of the codes of your sheet.")));
}

void flow_sheet(struct call *c)
{
	struct sheet s;
	if (!sheet_due(c)) {
		view_redirect(c, c->unmet ? call_next(c) : "/account");
		return;
	}
	if (c->post && call_has(c, "start")) {
		enum err e = call_transact(c, sheet_start, NULL);
		if (e)
			view_failure(c, e, "the sheet");
		else
			view_redirect(c, "/sheet");
		return;
	}
	if (c->post)
		sheet_submit(c);
	if (c->decided)
		return;
	enum err e = sheet_load(c, &c->person.id, &s);
	if (e == ERR_NOTFOUND)
		sheet_none(c);
	else if (e)
		view_failure(c, e, "the sheet");
	else
		sheet_page(c, &s);
	sheet_clear(&s);
}
