/* Attestation statements (Web Authentication Level 3, sections 7.1 steps 22 to 24, and 8).
 *
 * Without a trust, attestation is not asked for, and browsers send "none" (or, seldom, a self attestation). What else
 * comes then is still held against its format's rules, signature included, so that garbage is no credential: packed,
 * fido-u2f, tpm, android-key and apple. Nobody who did not forge it is locked out by that. Chains are not looked at.
 * What has another format (android-safetynet, which is withdrawn; compound) cannot be held against anything and is
 * PASSKEY_ATT_FORMAT: no browser sends it unasked.
 *
 * With a trust, only what can lead to a root is accepted: packed with a certificate, fido-u2f, tpm; self attestation is
 * PASSKEY_ATT_CHAIN. Of android-key the authorization lists are not read: it is not accepted where that would count.
 * SHA-1 (RS1, as older TPMs sign) is accepted nowhere. */
#ifndef KOSMO_PASSKEY_ATTEST_H
#define KOSMO_PASSKEY_ATTEST_H

#include "common/err.h"
#include "keeper/auth_data.h"

/* Roots that an admin trusts, and the models that may be registered. Read-only once loaded, shared by all threads. */
struct passkey_trust;

/* roots: a file of certificates in PEM, or a folder of such files (names that begin with a dot are left out); at least
 * one must be there. What stands there is trusted itself too, be it an intermediate's or an authenticator's.
 * aaguids: the only models that are accepted, "cb69481e-8ff7-4039-93ec-0a2729a154a8 ...", separated by white space or
 * commas; NULL or empty: any. fido-u2f's is all zeros. */
enum err passkey_trust_load(const char *roots, const char *aaguids, struct passkey_trust **ret, struct errmsg *m);
void passkey_trust_free(struct passkey_trust *t);

/* What a statement is about. */
struct passkey_attested {
	const struct auth_data *auth;
	EVP_PKEY *key;		 /* the credential's */
	const uint8_t *signed_p; /* authenticatorData with the hash of clientDataJSON behind it */
	size_t signed_n;
	const uint8_t *client_hash; /* the 32 bytes at its end */
};

/* format: fmt; statement: attStmt, one canonical CBOR map; now: the time that certificates must be valid at, which
 * counts with a trust alone. PASSKEY_OK or one of PASSKEY_ATT_*, PASSKEY_AAGUID, PASSKEY_INTERNAL. */
enum passkey_check passkey_attest(const struct passkey_trust *t, int64_t now, struct passkey_bytes format,
				  struct passkey_bytes statement, const struct passkey_attested *a);

#endif
