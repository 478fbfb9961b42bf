/* Registering a passkey, in the wizard and from the account. The page asks the browser, whose answer comes back as a
 * form; nothing waits in the store meanwhile. */
#include "config.h"

#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/agent.h"
#include "keeper/method.h"
#include "keeper/passkey_form.h"
#include "keeper/where.h"
#include <stdio.h>
#include <string.h>

enum err passkey_begin(struct call *c, const struct person *p)
{
	(void)c;
	(void)p;
	return ERR_NONE;
}

/* "Chrome on Windows": this device; what is elsewhere has a name after how it was reached. */
static void name_guess(const struct call *c, unsigned transports, struct buf *ret)
{
	if (transports & TRANSPORT_INTERNAL || !transports)
		agent_words(c->lang, c->agent, ret);
	else if (transports & TRANSPORT_HYBRID)
		buf_adds(ret, T(c, N_("My phone")));
	else
		buf_adds(ret, T(c, N_("My security key")));
}

static void page(struct call *c)
{
	AUTO_BUF guess = BUF_INIT;
	enum err e = passkey_ask_new(c);
	name_guess(c, 0, &guess);
	if (e || !buf_str(&guess)) {
		view_failure(c, e ? e : ERR_NOMEM, "the passkey's page");
		return;
	}
	view_put(c, "guess", buf_str(&guess));
	view_put(c, "suggested_name", call_has(c, "name") ? call_field(c, "name") : buf_str(&guess));
	way_view(c);
	where_view(c);
	view_page(c, "passkey");
}

struct making {
	struct store_passkey key;
	const struct challenge *challenge;
	enum err result; /* ERR_NONE, ERR_EXISTS: used before, ERR_DENIED: the challenge was, ERR_TOOBIG: too many */
};

static enum err make(struct call *c, struct person *p, void *arg)
{
	struct making *m = arg;
	struct authenticator au[AUTHENTICATORS_MAX];
	bool replaces = c->anew || lost_state(c) == SCRATCH_LOST;
	size_t n = 0, most = AUTHENTICATORS_MAX - (replaces ? 0u : 1u);
	enum err e = factor_confirmed(c->st, &p->id, au, &n);
	authenticator_wipe(au, n);
	/* room for one is kept, for the day when another must take a lost one's place */
	if (!e && n >= most) {
		m->result = ERR_TOOBIG;
		return ERR_NONE;
	}
	if (!e)
		e = challenge_spend(c->st, m->challenge);
	if (!e)
		e = ceremony_user(c->st, c->k->seal, &p->id, m->key.user);
	if (e == ERR_EXISTS) {
		m->result = ERR_DENIED;
		return ERR_NONE;
	}
	if (!e)
		e = store_passkey_add(c->st, &m->key);
	if (e == ERR_EXISTS) {
		m->result = e;
		return call_audit(c, "passkey.refused", "registered already");
	}
	return e ? e : way_registered(c, p, &m->key.as, "passkey.registered");
}

/* What a browser or a device did that it must not: nobody can mend it by typing, so it says what to try. */
static void refused(struct call *c, const char *check)
{
	(void)call_audit_alone(c, "passkey.refused", check);
	view_error(
	    c, "form",
	    T(c, N_("This passkey could not be accepted. Please try once more, with another browser or device if "
		    "it happens again.")));
	page(c);
}

static void expired(struct call *c)
{
	view_error(c, "form",
		   T(c, N_("That took too long, so nothing was registered. Please press the button once more.")));
	page(c);
}

static enum passkey_check verify(struct call *c, struct passkey_reply *r, struct passkey *ret)
{
	struct relying_party rp;
	relying_party(c->k->conf, &rp);
	const struct passkey_expected x = {.rp_id = rp.id,
					   .origin = rp.origin,
					   .challenge = {r->challenge.b, sizeof r->challenge.b},
					   .require_uv = true,
					   .alg = passkey_algorithms,
					   .algs = PASSKEY_ALGORITHMS,
					   .trust = c->k->trust,
					   .now = c->now};
	const struct passkey_attestation a = {{r->client_data.data, r->client_data.len},
					      {r->attestation.data, r->attestation.len}};
	return passkey_register(&x, &a, ret);
}

static void store_it(struct call *c, struct passkey_reply *r, struct making *m)
{
	enum err e = id_new(&m->key.as.id);
	m->key.as.person = c->person.id;
	m->key.as.kind = FACTOR_PASSKEY;
	m->key.as.last_step = -1;
	m->key.as.created = c->now;
	m->key.transports = r->transports;
	m->challenge = &r->challenge;
	if (!e)
		e = call_transact(c, make, m);
	if (e)
		view_failure(c, e, "the passkey");
	else if (m->result == ERR_TOOBIG)
		ways_full(c);
	else if (m->result == ERR_EXISTS) {
		view_error(c, "form", T(c, N_("This passkey is registered already. You can log in with it.")));
		page(c);
	} else if (m->result)
		expired(c);
	else
		view_redirect(c, way_next(c));
}

static bool named(struct call *c, unsigned transports, char ret[static NAME_MAX_BYTES + 1])
{
	AUTO_BUF name = BUF_INIT, own = BUF_INIT;
	const char *typed = call_field(c, "name");
	name_guess(c, 0, &own);
	/* left as it was, but it became another device's */
	if ((!typed[0] || (buf_str(&own) && !strcmp(typed, buf_str(&own)))) && transports)
		name_guess(c, transports, &name);
	else if (!name_good(typed, &name))
		return false;
	if (!buf_str(&name))
		return false;
	snprintf(ret, NAME_MAX_BYTES + 1, "%s", buf_str(&name));
	return true;
}

static void submitted(struct call *c)
{
	struct passkey_reply r;
	struct making m;
	memset(&m, 0, sizeof m);
	enum err e = passkey_reply_new(c, &r);
	if (e == ERR_INVALID && !call_has(c, "attestation"))
		view_error(
		    c, "form",
		    T(c, N_("This browser did not ask your device for a passkey. For that, JavaScript must be switched "
			    "on. You can also choose another way.")));
	else if (!e && !named(c, r.transports, m.key.as.name))
		view_error(c, "name", T(c, N_("Please give it a name of 1 to 40 characters.")));
	if (c->errors) {
		page(c);
	} else if (e == ERR_TIMEOUT || e == ERR_DENIED) {
		expired(c);
	} else if (e == ERR_INVALID) {
		refused(c, "form");
	} else if (e) {
		view_failure(c, e, "the passkey");
	} else {
		enum passkey_check check = verify(c, &r, &m.key.credential);
		if (check == PASSKEY_OK)
			store_it(c, &r, &m);
		else
			refused(c, passkey_check_name(check));
	}
	store_passkey_wipe(&m.key, 1);
	passkey_reply_free(&r);
}

void flow_passkey(struct call *c)
{
	if (!require_offers(&c->facts, FACTOR_PASSKEY) || !lost_allows(c, FACTOR_PASSKEY))
		view_redirect(c, c->unmet ? "/first/method" : "/account");
	else if (c->post)
		submitted(c);
	else
		page(c);
}
