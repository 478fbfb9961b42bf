/* COSE_Key (RFC 9052 section 7, RFC 9053, RFC 8230 for RSA) in the form that Web Authentication Level 3 prescribes
 * (sections 5.8.5 and 6.5.1.1): the members of its kind, no other, uncompressed points. And signatures made with such
 * keys, or with a certificate's, under these algorithms:
 *   -7 ES256 with P-256; -35 ES384 with P-384; -36 ES512 with P-521: ECDSA, in DER
 *   -8 EdDSA with Ed25519; -53 Ed448
 *   -257 RS256: PKCS #1 v1.5 with SHA-256, 2048 to 4096 bits, an odd exponent from 3 to 2^32 - 1 */
#ifndef KOSMO_COSE_H
#define KOSMO_COSE_H

#include "keeper/cbor.h"
#include "keeper/passkey.h"

typedef struct evp_pkey_st EVP_PKEY;

enum cose_kind { COSE_OKP = 1, COSE_EC2 = 2, COSE_RSA = 3 };

struct cose_key {
	struct passkey_bytes whole; /* the encoded map */
	int64_t kind, alg, curve;   /* curve: 0 for RSA */
	struct passkey_bytes x, y;  /* EC2: the point; OKP: x alone; RSA: modulus and exponent */
};

/* Takes one COSE_Key. PASSKEY_KEY_FORM: no canonical map, too long, a member missing, surplus or of another type. All
 * else is left to the next function. *ret points into the cursor's bytes. */
enum passkey_check cose_take(struct cbor *c, struct cose_key *ret);
/* PASSKEY_ALG: an algorithm that is not known, or a kind or curve that is not its own. PASSKEY_KEY_FORM: lengths that
 * the kind does not have. PASSKEY_POINT: not on the curve, of small order, not in its one encoding; a modulus or
 * exponent that is not sane. PASSKEY_INTERNAL. */
enum passkey_check cose_key(const struct cose_key *k, EVP_PKEY **ret);

/* Whether alg is one of those above, and fits this key, whatever brought it. */
bool cose_fits(int64_t alg, const EVP_PKEY *key);
/* PASSKEY_OK: the signature over the n bytes is right. PASSKEY_SIGNATURE: it is not. PASSKEY_ALG: key and algorithm do
 * not fit. PASSKEY_INTERNAL. */
enum passkey_check cose_verify(int64_t alg, EVP_PKEY *key, const void *p, size_t n, struct passkey_bytes signature);

#endif
