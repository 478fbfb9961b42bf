#include "config.h"

#include "common/base64url.h"
#include "keeper/passkey_form.h"
#include <stdio.h>
#include <string.h>

const int32_t passkey_algorithms[PASSKEY_ALGORITHMS] = {PASSKEY_EDDSA, PASSKEY_ES256, PASSKEY_RS256};

static const struct {
	unsigned bit;
	const char *name;
} transports[] = {
    {TRANSPORT_USB, "usb"},	    {TRANSPORT_NFC, "nfc"},	  {TRANSPORT_BLE, "ble"},
    {TRANSPORT_CARD, "smart-card"}, {TRANSPORT_HYBRID, "hybrid"}, {TRANSPORT_INTERNAL, "internal"},
};
#define TRANSPORTS (sizeof transports / sizeof *transports)

/* ---- writing ---- */

/* RFC 8259 section 7. s: valid UTF-8. */
static void put_string(struct buf *b, const char *s)
{
	buf_addc(b, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_addc(b, '\\');
		if ((unsigned char)*s < ' ')
			buf_addf(b, "\\u%04x", *s);
		else
			buf_addc(b, *s);
	}
	buf_addc(b, '"');
}

static void put_bytes(struct buf *b, const void *p, size_t n)
{
	buf_addc(b, '"');
	base64url_encode(b, p, n);
	buf_addc(b, '"');
}

static void put_credential(struct buf *b, const struct store_passkey *k)
{
	const char *comma = "";
	buf_adds(b, "{\"type\":\"public-key\",\"id\":");
	put_bytes(b, k->credential.id, k->credential.id_len);
	buf_adds(b, ",\"transports\":[");
	for (size_t i = 0; i < TRANSPORTS; i++)
		if (k->transports & transports[i].bit) {
			buf_addf(b, "%s\"%s\"", comma, transports[i].name);
			comma = ",";
		}
	buf_adds(b, "]}");
}

static void put_credentials(struct buf *b, const char *name, const struct store_passkey *k, size_t n)
{
	buf_addf(b, ",\"%s\":[", name);
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_addc(b, ',');
		put_credential(b, &k[i]);
	}
	buf_addc(b, ']');
}

/* [in a call] A fresh challenge, into the options and beside them, where the form brings it back. */
static enum err put_challenge(struct call *c, enum ceremony what, const struct id *person, struct buf *b)
{
	struct challenge ch;
	char text[CHALLENGE_TEXT + 1];
	enum err e = challenge_new(c->k->seal, what, c->token, person, c->now, &ch);
	if (!e)
		e = challenge_text(&ch, text);
	if (e)
		return e;
	buf_addf(b, "\"challenge\":\"%s\",\"timeout\":%d", text, CEREMONY_LIFE * 1000);
	view_put(c, "challenge", text);
	return ERR_NONE;
}

static void put_user(struct call *c, const uint8_t user[static PASSKEY_USER_LEN], struct buf *b)
{
	const char *name = c->person.name[0] ? c->person.name : c->person.login;
	buf_adds(b, ",\"user\":{\"id\":");
	put_bytes(b, user, PASSKEY_USER_LEN);
	buf_adds(b, ",\"name\":");
	put_string(b, c->person.login);
	buf_adds(b, ",\"displayName\":");
	put_string(b, name);
	buf_addc(b, '}');
}

static void put_rp(struct call *c, struct buf *b)
{
	struct relying_party rp;
	const char *name = c->k->conf->organisation;
	relying_party(c->k->conf, &rp);
	buf_adds(b, ",\"rp\":{\"id\":");
	put_string(b, rp.id);
	buf_adds(b, ",\"name\":");
	put_string(b, name[0] ? name : rp.id);
	buf_addc(b, '}');
}

enum err passkey_ask_new(struct call *c)
{
	struct store_passkey k[AUTHENTICATORS_MAX];
	uint8_t user[PASSKEY_USER_LEN];
	AUTO_BUF b = BUF_INIT;
	size_t n = 0;
	enum err e = store_passkeys(c->st, &c->person.id, k, AUTHENTICATORS_MAX, &n);
	if (!e)
		e = ceremony_user(c->st, c->k->seal, &c->person.id, user);
	buf_addc(&b, '{');
	if (!e)
		e = put_challenge(c, CEREMONY_REGISTER, &c->person.id, &b);
	if (!e) {
		put_rp(c, &b);
		put_user(c, user, &b);
		buf_adds(&b, ",\"pubKeyCredParams\":[");
		for (size_t i = 0; i < PASSKEY_ALGORITHMS; i++)
			buf_addf(&b, "%s{\"type\":\"public-key\",\"alg\":%d}", i ? "," : "",
				 (int)passkey_algorithms[i]);
		buf_adds(&b, "]");
		put_credentials(&b, "excludeCredentials", k, n);
		buf_adds(&b, ",\"authenticatorSelection\":{\"residentKey\":\"required\",\"requireResidentKey\":true,"
			     "\"userVerification\":\"required\"}");
		buf_addf(&b, ",\"attestation\":\"%s\"}",
			 strcmp(c->k->conf->passkey_attestation, "require") ? "none" : "direct");
		e = buf_str(&b) ? ERR_NONE : ERR_NOMEM;
	}
	if (!e)
		view_put(c, "options", buf_str(&b));
	store_passkey_wipe(k, n);
	return e;
}

/* b: begun, with the challenge in it. */
static enum err put_request(struct call *c, bool anybody, struct buf *b)
{
	struct store_passkey k[AUTHENTICATORS_MAX];
	struct relying_party rp;
	size_t n = 0;
	enum err e = anybody ? ERR_NONE : store_passkeys(c->st, &c->person.id, k, AUTHENTICATORS_MAX, &n);
	if (e)
		return e;
	relying_party(c->k->conf, &rp);
	buf_adds(b, ",\"rpId\":");
	put_string(b, rp.id);
	put_credentials(b, "allowCredentials", k, n);
	buf_adds(b, ",\"userVerification\":\"required\"}");
	store_passkey_wipe(k, n);
	if (!buf_str(b))
		return ERR_NOMEM;
	view_put(c, "options", buf_str(b));
	view_put(c, "rp_id", rp.id);
	return ERR_NONE;
}

enum err passkey_ask(struct call *c, enum ceremony what)
{
	AUTO_BUF b = BUF_INIT;
	bool anybody = what == CEREMONY_LOGIN;
	buf_addc(&b, '{');
	enum err e = put_challenge(c, what, anybody ? NULL : &c->person.id, &b);
	return e ? e : put_request(c, anybody, &b);
}

enum err passkey_ask_over(struct call *c, const uint8_t *challenge, size_t n)
{
	AUTO_BUF b = BUF_INIT;
	buf_adds(&b, "{\"challenge\":");
	put_bytes(&b, challenge, n);
	buf_addf(&b, ",\"timeout\":%d", CEREMONY_LIFE * 1000);
	return put_request(c, false, &b);
}

enum err passkey_signal(struct call *c, const struct store_passkey *k, size_t n)
{
	struct relying_party rp;
	uint8_t user[PASSKEY_USER_LEN];
	AUTO_BUF b = BUF_INIT;
	enum err e = ceremony_user(c->st, c->k->seal, &c->person.id, user);
	if (e)
		return e;
	relying_party(c->k->conf, &rp);
	buf_adds(&b, "{\"rpId\":");
	put_string(&b, rp.id);
	buf_adds(&b, ",\"userId\":");
	put_bytes(&b, user, sizeof user);
	buf_adds(&b, ",\"name\":");
	put_string(&b, c->person.login);
	buf_adds(&b, ",\"displayName\":");
	put_string(&b, c->person.name[0] ? c->person.name : c->person.login);
	buf_adds(&b, ",\"ids\":[");
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_addc(&b, ',');
		put_bytes(&b, k[i].credential.id, k[i].credential.id_len);
	}
	buf_adds(&b, "]}");
	if (!buf_str(&b))
		return ERR_NOMEM;
	view_put(c, "signal", buf_str(&b));
	return ERR_NONE;
}

/* ---- reading ---- */

void passkey_reply_free(struct passkey_reply *r)
{
	buf_free(&r->id);
	buf_free(&r->client_data);
	buf_free(&r->auth_data);
	buf_free(&r->signature);
	buf_free(&r->user_handle);
	buf_free(&r->attestation);
}

/* ERR_INVALID where there must be something and is nothing. */
static enum err take(const struct call *c, const char *name, size_t most, bool must, struct buf *ret)
{
	const char *s = call_field(c, name);
	size_t n = strlen(s);
	if (!n)
		return must ? ERR_INVALID : ERR_NONE;
	if (n > (most * 4 + 2) / 3)
		return ERR_INVALID;
	return base64url_decode(ret, s, n);
}

static enum err take_challenge(struct call *c, enum ceremony what, const struct id *person, struct challenge *ret)
{
	return challenge_open(c->k->seal, what, c->token, person, call_field(c, "challenge"), c->now, ret);
}

/* Words separated by commas; those that we do not know are none of ours. */
static unsigned take_transports(const struct call *c)
{
	unsigned bits = 0;
	for (const char *s = call_field(c, "transports"); *s; s += strcspn(s, ","), s += *s == ',') {
		size_t n = strcspn(s, ",");
		for (size_t i = 0; i < TRANSPORTS; i++)
			if (strlen(transports[i].name) == n && !memcmp(transports[i].name, s, n))
				bits |= transports[i].bit;
	}
	return bits;
}

enum err passkey_reply_new(struct call *c, struct passkey_reply *ret)
{
	memset(ret, 0, sizeof *ret);
	enum err e = take(c, "client_data", PASSKEY_CLIENT_MAX, true, &ret->client_data);
	if (!e)
		e = take(c, "attestation", PASSKEY_ATTEST_MAX, true, &ret->attestation);
	ret->transports = take_transports(c);
	return e ? e : take_challenge(c, CEREMONY_REGISTER, &c->person.id, &ret->challenge);
}

enum err passkey_reply_over(struct call *c, struct passkey_reply *ret)
{
	memset(ret, 0, sizeof *ret);
	enum err e = take(c, "id", PASSKEY_ID_MAX, true, &ret->id);
	if (!e)
		e = take(c, "client_data", PASSKEY_CLIENT_MAX, true, &ret->client_data);
	if (!e)
		e = take(c, "auth_data", PASSKEY_AUTH_MAX, true, &ret->auth_data);
	if (!e)
		e = take(c, "signature", PASSKEY_SIG_MAX, true, &ret->signature);
	if (!e)
		e = take(c, "user_handle", PASSKEY_USER_LEN, false, &ret->user_handle);
	return e;
}

enum err passkey_reply(struct call *c, enum ceremony what, struct passkey_reply *ret)
{
	enum err e = passkey_reply_over(c, ret);
	return e ? e : take_challenge(c, what, what == CEREMONY_LOGIN ? NULL : &c->person.id, &ret->challenge);
}
