/* The account page and the change of password, also of one that has expired. */
#include "config.h"

#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/method.h"
#include "keeper/new_password.h"
#include "keeper/passkey_form.h"
#include <stdio.h>
#include <string.h>

#define RECOVERY_LOW 3

/* Where a passkey is kept; "" for other ways. */
static const char *stored(const struct call *c, const struct authenticator *a, const struct store_passkey *k, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!memcmp(&k[i].as.id, &a->id, sizeof a->id))
			return k[i].credential.backed_up ? T(c, N_("Shared with your other devices (synced)"))
							 : T(c, N_("On this one device only"));
	return "";
}

/* The browser is told after a change, and whenever there are some. */
static enum err passkeys(struct call *c, struct store_passkey *k, size_t *n)
{
	enum err e = store_passkeys(c->st, &c->person.id, k, AUTHENTICATORS_MAX, n);
	if (!e && (*n || !strcmp(call_field(c, "n"), "removed")))
		e = passkey_signal(c, k, *n);
	view_put(c, "passkey_offered", require_offers(&c->facts, FACTOR_PASSKEY) ? "1" : "");
	view_put(c, "passkey_alone", !e && *n && passkey_logs_in(c) ? "1" : "");
	return e;
}

/* Who it is, and what else can be changed. */
static void details(struct call *c, const char *waits, size_t devices)
{
	const char *locale = c->person.locale[0] ? c->person.locale : c->k->conf->language;
	char when[MAIL_TIME] = "";
	view_put(c, "name", c->person.name);
	view_put(c, "login", c->person.login);
	view_put(c, "email", c->person.email_verified ? c->person.email : "");
	view_put(c, "email_waits", waits);
	if (c->person.password_set)
		mail_time(c->lang, c->person.password_set, when);
	view_put(c, "set_on", when);
	view_put(c, strcmp(locale, "en") ? "locale_ja" : "locale_en", "1");
	view_num(c, "devices", (int64_t)devices);
	view_put(c, "devices_one", devices == 1 ? "1" : "");
}

void flow_account(struct call *c)
{
	struct store_passkey pk[AUTHENTICATORS_MAX];
	size_t keys = 0;
	struct authenticator au[AUTHENTICATORS_MAX];
	size_t n = 0, left = 0, devices = 0;
	bool mail = false;
	char when[MAIL_TIME], hex[2 * ID_LEN + 1];
	struct code waits = {.address = ""};
	enum err e = factor_confirmed(c->st, &c->person.id, au, &n);
	if (!e)
		e = store_recovery_left(c->st, &c->person.id, &left);
	if (!e)
		e = store_code_live(c->st, &c->person.id, CODE_NEW_EMAIL, c->now, &waits);
	if (e == ERR_NOTFOUND)
		e = ERR_NONE;
	if (!e)
		e = passkeys(c, pk, &keys);
	if (!e)
		e = sessions_count(c, &devices);
	if (!e)
		e = logins_view(c, false);
	if (e) {
		view_failure(c, e, "the account");
		goto out;
	}
	view_put(c, "portal", c->k->conf->portal_url);
	details(c, waits.address, devices);
	for (size_t i = 0; i < n; i++) {
		id_hex(&au[i].id, hex);
		view_item(c, "authenticators", i, "id", hex);
		view_item(c, "authenticators", i, "name", au[i].name);
		const char *kind = T(c, method_of(au[i].kind)->title);
		view_item(c, "authenticators", i, "kind_text", kind);
		view_item(c, "authenticators", i, "plain", strcmp(kind, au[i].name) ? "" : "1");
		mail_time(c->lang, au[i].created, when);
		view_item(c, "authenticators", i, "created", when);
		if (au[i].last_used)
			mail_time(c->lang, au[i].last_used, when);
		view_item(c, "authenticators", i, "last_used", au[i].last_used ? when : "");
		view_item(c, "authenticators", i, "stored", stored(c, &au[i], pk, keys));
		bool off = au[i].kind == FACTOR_MAILCODE && !c->facts.mail;
		mail = mail || au[i].kind == FACTOR_MAILCODE;
		view_item(c, "authenticators", i, "only", c->facts.confirmed == 1 && !off ? "1" : "");
		view_item(c, "authenticators", i, "off", off ? "1" : "");
	}
	view_put(c, "mail_offered", !mail && require_offers(&c->facts, FACTOR_MAILCODE) ? "1" : "");
	view_put(c, "mail_only", c->facts.mail && c->facts.confirmed == 1 ? "1" : "");
	view_put(c, "sheet", c->facts.sheet ? "1" : "");
	view_num(c, "recovery_left", (int64_t)left);
	view_put(c, "recovery_low", left < RECOVERY_LOW && left ? "1" : "");
	view_put(c, "recovery_none", left ? "" : "1");
	view_page(c, "account");
out:
	authenticator_wipe(au, n);
	store_passkey_wipe(pk, keys);
}

struct change {
	struct attempt attempt;
	const char *hash; /* NULL: only settle the check of the present password */
};

static enum err password_change(struct call *c, struct person *p, void *arg)
{
	struct change *ch = arg;
	enum err e = attempt_password_settle(c->k, c->st, &ch->attempt, c->now);
	c->mailed = c->mailed || ch->attempt.told;
	if (e || !ch->attempt.password_right || !ch->hash)
		return e;
	e = store_person_by_id(c->st, &c->person.id, p); /* the settling may have written */
	if (e)
		return e;
	const struct audit by = {.time = c->now, .door = "web", .address = c->address, .detail = ""};
	e = new_password_change(c->k, c->st, p, ch->hash, c->session.digest, &by, c->lang, &c->mailed);
	return e ? e : session_start(c, &p->id, SESSION_FULL, FACTOR_NONE);
}

static void password_page(struct call *c)
{
	view_put(c, "login", c->person.login);
	view_num(c, "min", c->k->conf->password_min);
	if (c->facts.password_due)
		view_put(c, "expired", "1");
	view_page(c, c->facts.password_due ? "own-password" : "password");
}

static enum err change(struct call *c, struct change *ch, const char *current, const char *nfkc, char *hash)
{
	struct origin origin;
	enum err e = call_origin(c, &origin);
	attempt_init(&ch->attempt, DOOR_WEB, "web", &origin, c->person.login);
	if (e)
		return e;
	e = attempt_password(c->k, c->st, &c->k->web_gate, &ch->attempt, current, strlen(current), c->now);
	/* the initial password is no password to change from */
	ch->attempt.password_right = ch->attempt.password_right && !ch->attempt.initial;
	if (!e && ch->attempt.password_right) {
		e = gate_password_hash(&c->k->web_gate, nfkc, hash);
		ch->hash = hash;
	}
	return e ? e : call_transact(c, password_change, ch);
}

void flow_password(struct call *c)
{
	AUTO_BUF nfkc = BUF_INIT;
	AUTO_BUF old = BUF_INIT;
	char hash[PASSWORD_HASH_MAX] = "";
	const char *current = call_field(c, "current");
	if (!c->post) {
		password_page(c);
		return;
	}
	if (!current[0])
		view_error(c, "current", T(c, N_("Please type the password that you have now.")));
	const char *present = !text_nfkc(current, strlen(current), &old) ? buf_str(&old) : NULL;
	if (!password_acceptable(c, &c->person, present, &nfkc) || c->errors) {
		password_page(c);
		return;
	}
	struct change ch = {.hash = NULL};
	enum err e = change(c, &ch, current, buf_str(&nfkc), hash);
	if (e) {
		view_failure(c, e, "the new password");
	} else if (ch.attempt.password_right) {
		view_redirect(c, "/account?n=password");
	} else {
		view_error(
		    c, "current",
		    T(c, N_("That is not the password that you have now. Please try again after a few seconds.")));
		password_page(c);
	}
	attempt_clear(&ch.attempt);
	secret_wipe(hash, sizeof hash);
}
