/* A login at a terminal, approved with a passkey by its owner (keeper/approval.h). Whoever is not the one, or comes too
 * late, is told one and the same thing, as is whoever made the address up. */
#include "config.h"

#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/approval.h"
#include "keeper/passkey_form.h"
#include <stdio.h>
#include <string.h>

/* Field token, as it stands in the address; "" if it is none. */
static void token_of(const struct call *c, char ret[static APPROVAL_TOKEN + 1])
{
	if (!approval_token(call_field(c, "token"), ret))
		ret[0] = '\0';
}

/* ERR_NOTFOUND also for everybody but its owner. */
static enum err find(struct call *c, struct approval *ret)
{
	char token[APPROVAL_TOKEN + 1];
	token_of(c, token);
	enum err e = store_approval_find(c->st, token, c->now, ret);
	if (!e && memcmp(&ret->person, &c->person.id, sizeof ret->person) != 0) {
		secret_wipe(ret, sizeof *ret);
		e = ERR_NOTFOUND;
	}
	return e;
}

/* Did this session approve it? Then these are its digits. */
static enum err digits(struct call *c, const struct approval *a, char ret[static APPROVAL_CODE + 1], bool *ret_ours)
{
	enum err e = approval_code(c->k->seal, a, c->session.digest, ret);
	return e ? e : store_approval_code_is(c->st, a, ret, ret_ours);
}

static void to(struct call *c, const char *token)
{
	char path[32 + APPROVAL_TOKEN];
	snprintf(path, sizeof path, "/approve/%s", token);
	view_redirect(c, path);
}

/* ---- pages ---- */

static void nothing_here(struct call *c)
{
	char token[APPROVAL_TOKEN + 1];
	token_of(c, token);
	view_put(c, "token", token);
	/* of whoever looks, and nothing of what was asked for */
	view_put(c, "no_passkey", !c->facts.passkey && require_offers(&c->facts, FACTOR_PASSKEY) ? "1" : "");
	view_page(c, "approve-none");
}

static void put_facts(struct call *c, const struct approval *a)
{
	char token[APPROVAL_TOKEN + 1], when[MAIL_TIME];
	int64_t ago = c->now > a->created ? c->now - a->created : 0;
	AUTO_BUF since = BUF_INIT;
	AUTO_BUF wait = BUF_INIT;
	AUTO_BUF left = BUF_INIT;
	token_of(c, token);
	mail_time(c->lang, a->created, when);
	call_wait(c, ago, &wait);
	fill(&since, T(c, N_("{time} ({ago} ago)")),
	     (const struct fill[]){{"time", when}, {"ago", buf_str(&wait)}, {NULL, NULL}});
	if (a->state != APPROVAL_DENIED)
		call_wait(c, a->expires - c->now, &left);
	view_put(c, "token", token);
	view_put(c, "user", a->user);
	view_put(c, "terminal", "1");
	view_put(c, "host", a->host);
	view_put(c, "service", a->service);
	view_put(c, "from", a->from);
	view_put(c, "since", buf_str(&since) ? buf_str(&since) : when);
	view_put(c, "left", buf_str(&left) ? buf_str(&left) : "");
}

static enum err ask_page(struct call *c, const struct approval *a)
{
	uint8_t challenge[32];
	enum err e = ERR_NONE;
	put_facts(c, a);
	if (approval_elsewhere(c->k->conf, a, c->address)) {
		view_put(c, "elsewhere", "1");
	} else {
		e = approval_challenge(a, challenge);
		if (!e)
			e = passkey_ask_over(c, challenge, sizeof challenge);
	}
	if (!e)
		view_page(c, "approve");
	return e;
}

/* What there is to be seen by its owner. */
static enum err page(struct call *c, const struct approval *a)
{
	char code[APPROVAL_CODE + 1] = "", spaced[APPROVAL_CODE + 2];
	bool ours = false;
	enum err e = ERR_NONE;
	switch (a->state) {
	case APPROVAL_WAITING:
		return ask_page(c, a);
	case APPROVAL_APPROVED:
		e = digits(c, a, code, &ours);
		break;
	case APPROVAL_DENIED:
		put_facts(c, a);
		view_page(c, "approve-denied");
		return ERR_NONE;
	case APPROVAL_USED:
		break;
	}
	if (!e && ours) {
		put_facts(c, a);
		snprintf(spaced, sizeof spaced, "%.3s %.3s", code, code + 3);
		view_put(c, "code", spaced);
		view_page(c, "approve-code");
	} else if (!e) {
		nothing_here(c);
	}
	secret_wipe(code, sizeof code);
	secret_wipe(spaced, sizeof spaced);
	return e;
}

static void show(struct call *c)
{
	struct approval a;
	enum err e = find(c, &a);
	if (e == ERR_NOTFOUND)
		nothing_here(c);
	else if (!e)
		e = page(c, &a);
	if (e && e != ERR_NOTFOUND)
		view_failure(c, e, "an approval");
	if (!e)
		secret_wipe(&a, sizeof a);
}

void flow_approve_page(struct call *c)
{
	char token[APPROVAL_TOKEN + 1];
	token_of(c, token);
	if (c->in && !c->half && !c->anew && !c->unmet) {
		call_come_back(c, NULL);
		show(c);
	} else {
		if (token[0])
			call_come_back(c, token);
		view_redirect(c, call_next(c));
	}
}

/* ---- deciding ---- */

static enum err audit(struct call *c, const char *event, const struct approval *a)
{
	char detail[sizeof a->service + sizeof a->host + sizeof a->from + 16];
	snprintf(detail, sizeof detail, "%s on %s%s%s", a->service, a->host, a->from[0] ? " for " : "", a->from);
	return call_audit(c, event, detail);
}

struct approving {
	struct call *c;
	struct approval *a;
};

/* [tx] The assertion was right: it counts once, because the request waits once. */
static enum err approved(struct store *st, const struct person *p, void *arg)
{
	struct approving *x = arg;
	struct call *c = x->c;
	char code[APPROVAL_CODE + 1];
	enum err e = session_again(c);
	if (!e && memcmp(&c->person.id, &p->id, sizeof p->id) != 0)
		e = ERR_DENIED;
	if (!e)
		e = approval_code(c->k->seal, x->a, c->session.digest, code);
	if (!e)
		e = store_approval_approve(st, x->a, code, c->now);
	secret_wipe(code, sizeof code);
	if (e == ERR_EXISTS) /* another page was faster */
		e = ERR_DENIED;
	return e ? e : audit(c, "approval.allow", x->a);
}

void flow_approve(struct call *c)
{
	struct approval a;
	struct approving x = {.c = c, .a = &a};
	uint8_t challenge[32];
	char token[APPROVAL_TOKEN + 1];
	token_of(c, token);
	enum err e = find(c, &a);
	bool open = !e && a.state == APPROVAL_WAITING && !approval_elsewhere(c->k->conf, &a, c->address);
	if (open)
		e = approval_challenge(&a, challenge);
	if (e && e != ERR_NOTFOUND)
		view_failure(c, e, "an approval");
	else if (open && passkey_right_over(c, challenge, approved, &x))
		to(c, token);
	else if (!c->decided)
		show(c);
	if (!e)
		secret_wipe(&a, sizeof a);
}

static enum err deny(struct call *c, struct person *p, void *arg)
{
	struct approval *a = arg;
	(void)p;
	enum err e = store_approval_deny(c->st, &a->id, c->now);
	if (e == ERR_EXISTS) /* denied before, or used */
		return ERR_NONE;
	return e ? e : audit(c, "approval.deny", a);
}

void flow_approve_deny(struct call *c)
{
	struct approval a;
	char token[APPROVAL_TOKEN + 1];
	token_of(c, token);
	enum err e = find(c, &a);
	if (!e) {
		e = call_transact(c, deny, &a);
		secret_wipe(&a, sizeof a);
	}
	if (e && e != ERR_NOTFOUND && !c->decided)
		view_failure(c, e, "an approval");
	else if (!c->decided)
		to(c, token);
}

static enum err leave(struct call *c, struct person *nobody, void *arg)
{
	(void)nobody;
	(void)arg;
	enum err e = session_end(c);
	return !e && c->in ? call_audit(c, "logout", "") : e;
}

void flow_approve_other(struct call *c)
{
	char token[APPROVAL_TOKEN + 1];
	token_of(c, token);
	enum err e = call_transact_any(c, leave, NULL);
	if (e) {
		view_failure(c, e, "the logout");
		return;
	}
	session_left(c);
	if (token[0])
		call_come_back(c, token);
	view_redirect(c, "/login?n=out");
}
