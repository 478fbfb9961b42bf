/* The lost phone: what to do without it, the question after a recovery code, the admin's one-time code, registering
 * anew. Until the new one is confirmed everything stays as it was: what is meant to happen is in the session alone. */
#include "config.h"

#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/method.h"
#include <stdio.h>
#include <string.h>

enum scratch_kind lost_state(const struct call *c)
{
	enum scratch_kind kind = scratch_kind(&c->session);
	if (kind == SCRATCH_ANEW)
		return c->anew ? kind : SCRATCH_NONE;
	return (kind == SCRATCH_ASK || kind == SCRATCH_LOST) && session_proven_lately(c) ? kind : SCRATCH_NONE;
}

/* ---- where such a session begins ---- */

enum err lost_ask(struct call *c)
{
	/* a sheet is there to be used up, and who has no device has lost none */
	if (c->facts.sheet || (!c->facts.app && !c->facts.passkey) || scratch_kind(&c->session) != SCRATCH_NONE)
		return ERR_NONE;
	return scratch_set(&c->session, SCRATCH_ASK, NULL);
}

enum err lost_begin_anew(struct call *c)
{
	struct code code;
	enum err e = store_code_live(c->st, &c->person.id, CODE_ADMIN, c->now, &code);
	if (!e)
		e = scratch_set_id(&c->session, SCRATCH_ANEW, &code.id);
	return e ? e : session_start(c, &c->person.id, SESSION_ANEW, FACTOR_NONE);
}

enum err lost_anew_lives(struct call *c, bool *ret)
{
	struct code code;
	struct id id;
	enum err e = store_code_live(c->st, &c->session.person, CODE_ADMIN, c->now, &code);
	if (e && e != ERR_NOTFOUND)
		return e;
	*ret = !e && scratch_id(&c->session, &id) && !memcmp(&id, &code.id, sizeof id);
	return ERR_NONE;
}

/* ---- the end of what was lost ---- */

/* [tx] All that somebody may have begun who has the device, or the codes beside it. */
static enum err revoke(struct call *c, const struct person *p)
{
	static const enum factor_kind kinds[] = {FACTOR_TOTP, FACTOR_MAILCODE};
	static const enum code_purpose mailed[] = {CODE_LOGIN, CODE_RESET, CODE_NEW_EMAIL};
	enum err e = store_session_end_all(c->st, &p->id, c->session.digest);
	if (!e)
		e = store_known_end_all(c->st, &p->id);
	for (size_t i = 0; !e && i < sizeof kinds / sizeof *kinds; i++)
		e = limits_enable(c->st, &p->id, kinds[i]);
	for (size_t i = 0; !e && i < sizeof mailed / sizeof *mailed; i++)
		e = store_code_drop(c->st, &p->id, mailed[i]);
	return e;
}

/* [tx] Removes the authenticator `lost` (NULL: all) but `fresh` (may be NULL), and every key that waits for its first
 * code: who had the old device may have seen it. ret_name: of the one that was removed, "" if it was gone already. */
static enum err remove_lost(struct call *c, const struct person *p, const struct id *lost, const struct id *fresh,
			    char ret_name[static NAME_MAX_BYTES + 1])
{
	struct authenticator au[AUTHENTICATORS_MAX];
	size_t n = 0;
	enum err e = store_authenticators(c->st, &p->id, au, AUTHENTICATORS_MAX, &n);
	ret_name[0] = '\0';
	for (size_t i = 0; !e && i < n; i++) {
		bool named = lost && !memcmp(&au[i].id, lost, sizeof *lost);
		if ((fresh && !memcmp(&au[i].id, fresh, sizeof *fresh)) || (lost && !named && au[i].confirmed))
			continue;
		if (named)
			snprintf(ret_name, NAME_MAX_BYTES + 1, "%s", au[i].name);
		e = store_authenticator_remove(c->st, &p->id, &au[i].id);
	}
	authenticator_wipe(au, n);
	return e;
}

/* [tx] */
static enum err lost_gone(struct call *c, const struct person *p, const struct id *lost, const struct id *fresh)
{
	char name[NAME_MAX_BYTES + 1];
	enum err e = remove_lost(c, p, lost, fresh, name);
	if (!e)
		e = revoke(c, p);
	if (!e)
		e = call_notice(c, p, MAIL_LOST, name);
	return e ? e : call_audit(c, "lost.removed", "");
}

enum err lost_replaced(struct call *c, const struct person *p, const struct authenticator *fresh)
{
	struct id id;
	char name[NAME_MAX_BYTES + 1];
	enum err e = ERR_NONE;
	switch (lost_state(c)) {
	case SCRATCH_LOST:
		e = scratch_id(&c->session, &id) ? lost_gone(c, p, &id, &fresh->id) : ERR_CORRUPT;
		break;
	case SCRATCH_ANEW:
		e = scratch_id(&c->session, &id) ? store_code_consume(c->st, &id, c->now) : ERR_CORRUPT;
		if (!e)
			e = remove_lost(c, p, NULL, &fresh->id, name);
		if (!e)
			e = revoke(c, p);
		if (!e)
			e = call_notice(c, p, MAIL_RECOVER_DONE, NULL);
		if (!e)
			e = call_audit(c, "recover.done", "");
		break;
	default:
		return ERR_NONE;
	}
	if (e)
		return e;
	return fresh->kind == FACTOR_RECOVERY ? scratch_set(&c->session, SCRATCH_NONE, NULL) : recovery_make(c, p);
}

/* ---- before the code ---- */

void flow_lost_help(struct call *c)
{
	if (c->facts.mail)
		view_put(c, "mail", "1");
	view_page(c, "lost-help");
}

/* ---- the question ---- */

static enum err not_lost(struct call *c, struct person *p, void *arg)
{
	(void)p;
	(void)arg;
	enum err e = scratch_set(&c->session, SCRATCH_NONE, NULL);
	return e ? e : store_session_save(c->st, &c->session);
}

struct lost {
	struct id id;
	bool done; /* removed at once: another is left */
};

static enum err lost_named(struct call *c, struct person *p, void *arg)
{
	struct lost *l = arg;
	struct authenticator au[AUTHENTICATORS_MAX];
	size_t n = 0, others = 0;
	bool found = false;
	enum err e = factor_confirmed(c->st, &p->id, au, &n);
	if (e)
		return e;
	for (size_t i = 0; i < n; i++) {
		bool same = !memcmp(&au[i].id, &l->id, sizeof l->id);
		found = found || (same && require_good(au[i].kind));
		others += !same && require_good(au[i].kind);
	}
	authenticator_wipe(au, n);
	if (!found)
		return ERR_NOTFOUND;
	l->done = others > 0;
	if (l->done) {
		e = lost_gone(c, p, &l->id, NULL);
		if (!e)
			e = recovery_make(c, p);
	} else {
		e = scratch_set_id(&c->session, SCRATCH_LOST, &l->id);
		if (!e)
			e = call_audit(c, "lost.told", "");
	}
	return e ? e : store_session_save(c->st, &c->session);
}

static void named(struct call *c, const struct id *id)
{
	struct lost l = {.id = *id};
	enum err e = call_transact(c, lost_named, &l);
	if (e == ERR_NOTFOUND)
		view_redirect(c, "/lost");
	else if (e)
		view_failure(c, e, "the lost device");
	else
		view_redirect(c, "/");
}

/* The devices that can be lost. */
static enum err devices(struct call *c, struct authenticator *ret, size_t *ret_n)
{
	size_t n = 0, kept = 0;
	enum err e = factor_confirmed(c->st, &c->person.id, ret, &n);
	for (size_t i = 0; !e && i < n; i++)
		if (require_good(ret[i].kind))
			ret[kept++] = ret[i];
	if (!e)
		*ret_n = kept;
	return e;
}

void flow_lost(struct call *c)
{
	struct authenticator au[AUTHENTICATORS_MAX];
	const char *answer = call_field(c, "answer");
	size_t n = 0;
	if (c->post && !strcmp(answer, "no")) {
		enum err e = call_transact(c, not_lost, NULL);
		if (e)
			view_failure(c, e, "the answer");
		else
			view_redirect(c, "/");
	} else if (c->post && !strcmp(answer, "yes")) {
		enum err e = devices(c, au, &n);
		if (e)
			view_failure(c, e, "the devices");
		else if (n == 1)
			named(c, &au[0].id);
		else
			view_redirect(c, "/lost/which");
		authenticator_wipe(au, AUTHENTICATORS_MAX);
	} else {
		view_page(c, "lost");
	}
}

void flow_lost_which(struct call *c)
{
	struct authenticator au[AUTHENTICATORS_MAX];
	struct id id;
	char hex[2 * ID_LEN + 1], when[MAIL_TIME];
	size_t n = 0;
	if (c->post && hex_id(call_field(c, "id"), &id)) {
		named(c, &id);
		return;
	}
	if (c->post)
		view_error(c, "id", T(c, N_("Please choose the one that is lost.")));
	enum err e = devices(c, au, &n);
	if (e)
		view_failure(c, e, "the devices");
	for (size_t i = 0; !e && i < n; i++) {
		id_hex(&au[i].id, hex);
		mail_time(c->lang, au[i].created, when);
		view_item(c, "devices", i, "id", hex);
		view_item(c, "devices", i, "name", au[i].name);
		view_item(c, "devices", i, "created", when);
	}
	view_page(c, "lost-which");
	authenticator_wipe(au, AUTHENTICATORS_MAX);
}

/* ---- another one ---- */

enum err lost_drop_older(struct call *c, const struct person *p)
{
	struct authenticator au[AUTHENTICATORS_MAX];
	struct code code;
	size_t n = 0;
	int64_t since = c->session.stepped_up;
	enum err e = c->anew ? store_code_live(c->st, &p->id, CODE_ADMIN, c->now, &code) : ERR_NONE;
	if (!e && c->anew)
		since = code.created;
	if (!e)
		e = store_authenticators(c->st, &p->id, au, AUTHENTICATORS_MAX, &n);
	for (size_t i = 0; !e && i < n; i++)
		if (!au[i].confirmed && au[i].created < since)
			e = store_authenticator_remove(c->st, &p->id, &au[i].id);
	authenticator_wipe(au, n);
	return e;
}

static enum err begin_new(struct call *c, struct person *p, void *arg)
{
	const struct method *m = arg;
	enum err e = lost_drop_older(c, p);
	return e ? e : m->begin(c, p);
}

bool lost_allows(const struct call *c, enum factor_kind kind)
{
	return lost_state(c) != SCRATCH_LOST || require_good(kind) ||
	       !strcmp(c->k->conf->policy_remove_last_strong, "yes");
}

static bool offered(const struct call *c, const struct method *m)
{
	return lost_allows(c, m->kind) && require_offers(&c->facts, m->kind);
}

static void new_page(struct call *c)
{
	size_t n = 0;
	for (const struct method *m = methods; m->kind != FACTOR_NONE; m++) {
		if (offered(c, m))
			method_view(c, n++, m);
	}
	if (n > 1)
		view_put(c, "several", "1");
	if (c->anew)
		view_put(c, "anew", "1");
	view_page(c, "lost-new");
}

void flow_lost_new(struct call *c)
{
	const char *chosen = call_field(c, "method");
	for (const struct method *m = methods; c->post && m->kind != FACTOR_NONE; m++) {
		if (strcmp(m->id, chosen) != 0 || !offered(c, m))
			continue;
		enum err e = call_transact(c, begin_new, (void *)m);
		if (e)
			view_failure(c, e, "the new way");
		else
			view_redirect(c, m->path);
		return;
	}
	if (c->post)
		view_error(c, "method", T(c, N_("Please choose one way.")));
	new_page(c);
}

/* [tx] */
static enum err stop(struct call *c, struct person *p, void *arg)
{
	char name[NAME_MAX_BYTES + 1];
	const struct id none = {{0}};
	(void)arg;
	enum err e = remove_lost(c, p, &none, NULL, name);
	if (!e && c->anew)
		e = session_end(c);
	else if (!e)
		e = scratch_set(&c->session, SCRATCH_NONE, NULL);
	if (!e && !c->anew)
		e = store_session_save(c->st, &c->session);
	return e ? e : call_audit(c, "lost.stopped", "");
}

void flow_lost_stop(struct call *c)
{
	bool anew = c->anew;
	enum err e = call_transact(c, stop, NULL);
	if (e) {
		view_failure(c, e, "the end of it");
		return;
	}
	if (anew)
		session_left(c);
	view_redirect(c, anew ? "/login?n=as-before" : "/account?n=as-before");
}
