#include "config.h"

#include "keeper/passkey_statement.h"
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#define CERTIFICATES_MAX 8

static const struct format {
	const char *name;
	enum passkey_check (*check)(struct statement *s, const struct passkey_attested *a); /* NULL: empty */
	bool leads_to_root; /* accepted where attestation counts */
	bool signs_model;   /* the AAGUID is among what was signed: not so by U2F, which knows of no models */
} formats[] = {
    {"none", NULL, false, false},
    {"packed", statement_packed, true, true},
    {"fido-u2f", statement_u2f, true, false},
    {"tpm", statement_tpm, true, true},
    {"android-key", statement_android, false, false},
    {"apple", statement_apple, false, false},
};

static const struct format *format_find(struct passkey_bytes name)
{
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (name.n == strlen(formats[i].name) && memcmp(name.p, formats[i].name, name.n) == 0)
			return &formats[i];
	return NULL;
}

/* ---- members ---- */

bool statement_alg(struct statement *s)
{
	return cbor_key_is(&s->c, &s->key, "alg") && cbor_int(&s->c, &s->alg);
}

bool statement_signature(struct statement *s)
{
	return cbor_key_is(&s->c, &s->key, "sig") && cbor_bytes(&s->c, &s->signature.p, &s->signature.n);
}

static X509 *take_certificate(struct cbor *c)
{
	const uint8_t *p;
	size_t n;
	if (!cbor_bytes(c, &p, &n) || n == 0)
		return NULL;
	const unsigned char *at = p;
	X509 *x = d2i_X509(NULL, &at, (long)n);
	if (x && at == p + n)
		return x;
	X509_free(x);
	return NULL;
}

bool statement_certificates(struct statement *s)
{
	size_t n;
	if (!cbor_key_is(&s->c, &s->key, "x5c") || !cbor_array(&s->c, &n) || n == 0 || n > CERTIFICATES_MAX)
		return false;
	s->leaf = take_certificate(&s->c);
	s->above = sk_X509_new_null();
	if (!s->leaf || !s->above)
		return false;
	while (--n) {
		X509 *x = take_certificate(&s->c);
		if (!x || !sk_X509_push(s->above, x)) {
			X509_free(x);
			return false;
		}
	}
	return true;
}

bool statement_at_end(const struct statement *s)
{
	return cbor_at_end(&s->c);
}

enum passkey_check statement_check(enum passkey_check c)
{
	switch (c) {
	case PASSKEY_OK:
	case PASSKEY_INTERNAL:
		return c;
	case PASSKEY_SIGNATURE:
		return PASSKEY_ATT_SIGNATURE;
	default:
		return PASSKEY_ATT_STATEMENT; /* an algorithm that does not fit the key */
	}
}

enum passkey_check statement_verify(const struct statement *s, EVP_PKEY *key, const void *p, size_t n)
{
	if (!key)
		key = X509_get0_pubkey(s->leaf);
	if (!key)
		return PASSKEY_ATT_STATEMENT;
	return statement_check(cose_verify(s->alg, key, p, n, s->signature));
}

/* ---- formats ---- */

/* Section 8.2.1. */
static bool subject_is_attestation(X509 *x)
{
	static const int must[] = {NID_countryName, NID_organizationName, NID_commonName};
	static const char unit[] = "Authenticator Attestation";
	const X509_NAME *name = X509_get_subject_name(x);
	for (size_t i = 0; i < sizeof must / sizeof *must; i++)
		if (X509_NAME_get_index_by_NID(name, must[i], -1) < 0)
			return false;
	int at = X509_NAME_get_index_by_NID(name, NID_organizationalUnitName, -1);
	if (at < 0 || X509_NAME_get_index_by_NID(name, NID_organizationalUnitName, at) >= 0)
		return false;
	const ASN1_STRING *said = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
	return (size_t)ASN1_STRING_length(said) == sizeof unit - 1 &&
	       memcmp(ASN1_STRING_get0_data(said), unit, sizeof unit - 1) == 0;
}

/* Section 8.2. Without certificates the credential's own key signs. */
enum passkey_check statement_packed(struct statement *s, const struct passkey_attested *a)
{
	if (!statement_alg(s) || !statement_signature(s))
		return PASSKEY_ATT_STATEMENT;
	if (statement_at_end(s))
		return s->alg == a->auth->key.alg ? statement_verify(s, a->key, a->signed_p, a->signed_n)
						  : PASSKEY_ATT_STATEMENT;
	if (!statement_certificates(s) || !statement_at_end(s))
		return PASSKEY_ATT_STATEMENT;
	enum passkey_check r = statement_verify(s, NULL, a->signed_p, a->signed_n);
	if (r != PASSKEY_OK)
		return r;
	return certificate_is_leaf(s->leaf) && subject_is_attestation(s->leaf) &&
		       certificate_aaguid(s->leaf, a->auth->aaguid)
		   ? PASSKEY_OK
		   : PASSKEY_ATT_CHAIN;
}

/* Section 8.6: what a U2F device signed, put together again (FIDO U2F raw message formats, 4.3). */
enum passkey_check statement_u2f(struct statement *s, const struct passkey_attested *a)
{
	const struct cose_key *k = &a->auth->key;
	uint8_t text[1 + 32 + 32 + PASSKEY_ID_MAX + 1 + 32 + 32], *at = text;
	if (!statement_signature(s) || !statement_certificates(s) || !statement_at_end(s) || sk_X509_num(s->above) > 0)
		return PASSKEY_ATT_STATEMENT;
	s->alg = PASSKEY_ES256; /* both keys are of P-256 */
	if (k->alg != PASSKEY_ES256)
		return PASSKEY_ATT_STATEMENT;
	*at++ = 0;
	memcpy(at, a->auth->rp_id_hash, 32);
	memcpy(at += 32, a->client_hash, 32);
	memcpy(at += 32, a->auth->id.p, a->auth->id.n);
	at += a->auth->id.n;
	*at++ = 4;
	memcpy(at, k->x.p, 32); /* cose_key saw to the lengths */
	memcpy(at += 32, k->y.p, 32);
	return statement_verify(s, NULL, text, (size_t)(at + 32 - text));
}

/* ---- all ---- */

static bool statement_open(struct statement *s, struct passkey_bytes b)
{
	memset(s, 0, sizeof *s);
	s->c = cbor_over(b.p, b.n);
	return cbor_map(&s->c, &s->pairs);
}

static enum passkey_check attest_trust(const struct passkey_trust *t, int64_t now, const struct format *f,
				       const struct statement *s, const struct passkey_attested *a)
{
	static const uint8_t no_model[PASSKEY_AAGUID_LEN];
	enum passkey_check r = s->leaf ? trust_chain(t, now, s->leaf, s->above) : PASSKEY_ATT_CHAIN;
	if (r != PASSKEY_OK)
		return r;
	return trust_model(t, f->signs_model ? a->auth->aaguid : no_model) ? PASSKEY_OK : PASSKEY_AAGUID;
}

enum passkey_check passkey_attest(const struct passkey_trust *t, int64_t now, struct passkey_bytes format,
				  struct passkey_bytes statement, const struct passkey_attested *a)
{
	const struct format *f = format_find(format);
	struct statement s;
	enum passkey_check r = PASSKEY_ATT_STATEMENT;
	if (!f || (t && !f->leads_to_root))
		return PASSKEY_ATT_FORMAT;
	if (!statement_open(&s, statement))
		goto out;
	if (f->check)
		r = f->check(&s, a);
	else if (statement_at_end(&s)) /* section 8.7 */
		r = PASSKEY_OK;
	if (t && r == PASSKEY_OK)
		r = attest_trust(t, now, f, &s, a);
out:
	X509_free(s.leaf);
	sk_X509_pop_free(s.above, X509_free);
	ERR_clear_error();
	return r;
}
