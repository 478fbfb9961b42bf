/* The inside of attestation: one function a format, and what they need of certificates. */
#ifndef KOSMO_PASSKEY_STATEMENT_H
#define KOSMO_PASSKEY_STATEMENT_H

#include "keeper/passkey_attest.h"
#include <openssl/x509.h>

/* A statement while it is read. */
struct statement {
	struct cbor c; /* within attStmt, behind its head */
	struct cbor_key key;
	size_t pairs;
	int64_t alg;
	struct passkey_bytes signature;
	X509 *leaf;		/* x5c[0]; NULL: there is no x5c */
	STACK_OF(X509) * above; /* those behind it */
};

/* What each format's function returns is PASSKEY_OK or PASSKEY_ATT_STATEMENT, _SIGNATURE, _CHAIN, PASSKEY_INTERNAL. */
enum passkey_check statement_packed(struct statement *s, const struct passkey_attested *a);
enum passkey_check statement_u2f(struct statement *s, const struct passkey_attested *a);
enum passkey_check statement_tpm(struct statement *s, const struct passkey_attested *a);
enum passkey_check statement_android(struct statement *s, const struct passkey_attested *a);
enum passkey_check statement_apple(struct statement *s, const struct passkey_attested *a);

/* The next members, by these names; at the end nothing may be left. */
bool statement_alg(struct statement *s);
bool statement_signature(struct statement *s);
bool statement_certificates(struct statement *s);
bool statement_at_end(const struct statement *s);
/* s->signature over these bytes, by the leaf under s->alg; key NULL: the leaf's. */
enum passkey_check statement_verify(const struct statement *s, EVP_PKEY *key, const void *p, size_t n);
/* cose_verify's answer as one about a statement. */
enum passkey_check statement_check(enum passkey_check c);

/* What every attestation certificate is: version 3, and no CA (sections 8.2.1, 8.3.1). */
bool certificate_is_leaf(X509 *x);
/* 1: the extension (dotted) is there once, *ret is its value, inside the outermost OCTET STRING. 0: it is not there.
 * -1: it is there twice. */
int certificate_extension(X509 *x, const char *oid, struct passkey_bytes *ret, bool *ret_critical);
/* The extension id-fido-gen-ce-aaguid, if there is one, is not critical and says the same model. */
bool certificate_aaguid(X509 *x, const uint8_t aaguid[static PASSKEY_AAGUID_LEN]);
bool certificate_key_is(X509 *x, const EVP_PKEY *key);

/* Leads to a root that is valid at this time. PASSKEY_ATT_CHAIN, PASSKEY_INTERNAL. */
enum passkey_check trust_chain(const struct passkey_trust *t, int64_t now, X509 *leaf, STACK_OF(X509) * above);
bool trust_model(const struct passkey_trust *t, const uint8_t aaguid[static PASSKEY_AAGUID_LEN]);

#endif
