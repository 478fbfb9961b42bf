/* Attestation of phones (sections 8.4 and 8.8), as far as passkey_attest.h says. */
#include "config.h"

#include "common/secret.h"
#include "keeper/passkey_statement.h"
#include <openssl/asn1.h>
#include <openssl/evp.h>
#include <string.h>

#define OID_ANDROID "1.3.6.1.4.1.11129.2.1.17"
#define OID_APPLE   "1.2.840.113635.100.8.2"

/* One DER value of this tag and class at the front of *b; *b moves behind it. */
static bool der_take(struct passkey_bytes *b, int tag, int class, struct passkey_bytes *ret)
{
	const unsigned char *at = b->p;
	long n = 0;
	int got_tag = 0, got_class = 0;
	/* 0x80: cut or malformed; 1: of indefinite length */
	if (b->n == 0 || ASN1_get_object(&at, &n, &got_tag, &got_class, (long)b->n) & 0x81)
		return false;
	if (got_tag != tag || got_class != class || n < 0)
		return false;
	*ret = (struct passkey_bytes){at, (size_t)n};
	b->n -= (size_t)(at + n - b->p);
	b->p = at + n;
	return true;
}

/* KeyDescription: version, level, version, level, challenge, ... */
static bool android_challenge(struct passkey_bytes b, struct passkey_bytes *ret)
{
	struct passkey_bytes all, unused;
	return der_take(&b, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL, &all) && b.n == 0 &&
	       der_take(&all, V_ASN1_INTEGER, V_ASN1_UNIVERSAL, &unused) &&
	       der_take(&all, V_ASN1_ENUMERATED, V_ASN1_UNIVERSAL, &unused) &&
	       der_take(&all, V_ASN1_INTEGER, V_ASN1_UNIVERSAL, &unused) &&
	       der_take(&all, V_ASN1_ENUMERATED, V_ASN1_UNIVERSAL, &unused) &&
	       der_take(&all, V_ASN1_OCTET_STRING, V_ASN1_UNIVERSAL, ret);
}

enum passkey_check statement_android(struct statement *s, const struct passkey_attested *a)
{
	struct passkey_bytes value, challenge;
	bool critical;
	if (!statement_alg(s) || !statement_signature(s) || !statement_certificates(s) || !statement_at_end(s) ||
	    !certificate_key_is(s->leaf, a->key))
		return PASSKEY_ATT_STATEMENT;
	enum passkey_check r = statement_verify(s, NULL, a->signed_p, a->signed_n);
	if (r != PASSKEY_OK)
		return r;
	return certificate_extension(s->leaf, OID_ANDROID, &value, &critical) == 1 &&
		       android_challenge(value, &challenge) &&
		       secret_equal(challenge.p, challenge.n, a->client_hash, 32)
		   ? PASSKEY_OK
		   : PASSKEY_ATT_STATEMENT;
}

/* SEQUENCE { [1] EXPLICIT OCTET STRING } */
static bool apple_nonce(struct passkey_bytes b, struct passkey_bytes *ret)
{
	struct passkey_bytes all, tagged;
	return der_take(&b, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL, &all) && b.n == 0 &&
	       der_take(&all, 1, V_ASN1_CONTEXT_SPECIFIC, &tagged) && all.n == 0 &&
	       der_take(&tagged, V_ASN1_OCTET_STRING, V_ASN1_UNIVERSAL, ret) && tagged.n == 0;
}

/* Nothing is signed but the certificate, for this key and what is attested. */
enum passkey_check statement_apple(struct statement *s, const struct passkey_attested *a)
{
	struct passkey_bytes value, nonce;
	uint8_t want[32];
	bool critical;
	(void)statement_alg(s); /* devices write it, the standard has it no more */
	if (!statement_certificates(s) || !statement_at_end(s) || !certificate_key_is(s->leaf, a->key))
		return PASSKEY_ATT_STATEMENT;
	if (EVP_Digest(a->signed_p, a->signed_n, want, NULL, EVP_sha256(), NULL) != 1)
		return PASSKEY_INTERNAL;
	return certificate_extension(s->leaf, OID_APPLE, &value, &critical) == 1 && apple_nonce(value, &nonce) &&
		       secret_equal(nonce.p, nonce.n, want, sizeof want)
		   ? PASSKEY_OK
		   : PASSKEY_ATT_SIGNATURE;
}
