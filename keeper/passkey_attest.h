/* Attestation statements (Web Authentication Level 3, sections 7.1 steps 22 to 24, and 8).
 *
 * Without a trust, attestation is not asked for, and browsers send "none" (or, seldom, a self attestation). What else
 * comes then is still held against its format's rules, signature included, so that garbage is no credential: packed,
 * fido-u2f, tpm, android-key and apple. Nobody who did not forge it is locked out by that. Chains are not looked at.
 * What has another format (android-safetynet, which is withdrawn; compound) cannot be held against anything and is
 * PASSKEY_ATT_FORMAT: no browser sends it unasked.
 *
 * With a trust, only what can lead to a root is accepted: packed with a certificate, fido-u2f, tpm. */
#ifndef KOSMO_PASSKEY_ATTEST_H
#define KOSMO_PASSKEY_ATTEST_H

#include "keeper/auth_data.h"

/* What a statement is about. */
struct passkey_attested {
	const struct auth_data *auth;
	EVP_PKEY *key;		 /* the credential's */
	const uint8_t *signed_p; /* authenticatorData with the hash of clientDataJSON behind it */
	size_t signed_n;
	const uint8_t *client_hash; /* the 32 bytes at its end */
};

/* format: fmt; statement: attStmt, one canonical CBOR map. PASSKEY_OK or one of PASSKEY_ATT_*, PASSKEY_AAGUID,
 * PASSKEY_INTERNAL. */
enum passkey_check passkey_attest(const struct passkey_trust *t, int64_t now, struct passkey_bytes format,
				  struct passkey_bytes statement, const struct passkey_attested *a);

#endif
