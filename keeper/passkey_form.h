/* A passkey's ceremony in a page: what the browser is asked (the JSON forms of WebAuthn 5.1.8, PublicKeyCredential*
 * OptionsJSON) and what its form brings back. */
#ifndef KOSMO_PASSKEY_FORM_H
#define KOSMO_PASSKEY_FORM_H

#include "keeper/call.h"

/* AuthenticatorTransport (5.8.4), as bits of store_passkey.transports. */
enum {
	TRANSPORT_USB = 1,
	TRANSPORT_NFC = 2,
	TRANSPORT_BLE = 4,
	TRANSPORT_CARD = 8,
	TRANSPORT_HYBRID = 16,
	TRANSPORT_INTERNAL = 32
};

/* What pubKeyCredParams offers, in this order, and so what a registration may have. */
#define PASSKEY_ALGORITHMS 3
extern const int32_t passkey_algorithms[PASSKEY_ALGORITHMS];

/* PublicKeyCredentialCreationOptionsJSON for this person: v.options and v.challenge. */
enum err passkey_ask_new(struct call *c);
/* PublicKeyCredentialRequestOptionsJSON, v.rp_id beside it: of the passkeys of the call's person; with CEREMONY_LOGIN
 * of anybody's. */
enum err passkey_ask(struct call *c, enum ceremony what);

/* The same over a challenge of somebody else's making, which counts once by other means. */
enum err passkey_ask_over(struct call *c, const uint8_t *challenge, size_t n);

/* What the browser's own list of passkeys is to agree with (5.1.10, signal methods): v.signal. An empty list has the
 * person's passkeys deleted there: only where it was read without an error. */
enum err passkey_signal(struct call *c, const struct store_passkey *k, size_t n);

/* What came back, decoded. */
struct passkey_reply {
	struct challenge challenge;
	struct buf id, client_data, auth_data, signature, user_handle, attestation;
	unsigned transports;
};
void passkey_reply_free(struct passkey_reply *r);
/* ERR_INVALID: no complete answer of a browser's; ERR_DENIED: not to a challenge of this page; ERR_TIMEOUT: too late.
 */
enum err passkey_reply_new(struct call *c, struct passkey_reply *ret);
enum err passkey_reply(struct call *c, enum ceremony what, struct passkey_reply *ret);
/* The same but for the challenge. */
enum err passkey_reply_over(struct call *c, struct passkey_reply *ret);

/* ---- flow_passkey_in.c ---- */
/* The form's answer over such a challenge, by the call's person: true if right; else the error is put. within runs in
 * the same transaction, with arg. */
bool passkey_right_over(struct call *c, const uint8_t challenge[static 32], attempt_within within, void *arg);

#endif
