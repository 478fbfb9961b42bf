/* TPM attestation (section 8.3). The structures are those of TPM 2.0 Library, part 2: big-endian, and what begins with
 * TPM2B has its length before it, in 16 bits. */
#include "config.h"

#include "keeper/passkey_statement.h"
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <string.h>

#define TPM_GENERATED	      0xff544347u
#define TPM_ST_ATTEST_CERTIFY 0x8017
#define TPM_ALG_NULL	      0x0010
#define TPM_ALG_RSA	      0x0001
#define TPM_ALG_ECC	      0x0023
#define CLOCK_INFO_LEN	      (8 + 4 + 4 + 1)
#define FIRMWARE_LEN	      8
#define OID_AIK		      "2.23.133.8.3"

/* A cursor that gives zeros once it ran out; failed says so at the end. */
struct tpm {
	const uint8_t *p, *end;
	bool failed;
};

static struct passkey_bytes tpm_take(struct tpm *t, size_t n)
{
	if (t->failed || (size_t)(t->end - t->p) < n) {
		t->failed = true;
		return (struct passkey_bytes){NULL, 0};
	}
	t->p += n;
	return (struct passkey_bytes){t->p - n, n};
}

static uint32_t tpm_number(struct tpm *t, size_t width)
{
	struct passkey_bytes b = tpm_take(t, width);
	uint32_t v = 0;
	for (size_t i = 0; i < b.n; i++)
		v = v << 8 | b.p[i];
	return v;
}

static struct passkey_bytes tpm_sized(struct tpm *t)
{
	return tpm_take(t, tpm_number(t, 2));
}

static bool same(struct passkey_bytes a, const void *p, size_t n)
{
	return a.n == n && n && memcmp(a.p, p, n) == 0;
}

/* 12.2.3: a signing key has no symmetric algorithm; a scheme, if any, has one hash. */
static bool tpm_scheme(struct tpm *t)
{
	if (tpm_number(t, 2) != TPM_ALG_NULL)
		return false;
	if (tpm_number(t, 2) != TPM_ALG_NULL)
		(void)tpm_number(t, 2);
	return !t->failed;
}

static bool tpm_rsa(struct tpm *t, const struct cose_key *k)
{
	if (k->kind != COSE_RSA || !tpm_scheme(t))
		return false;
	uint32_t bits = tpm_number(t, 2), exponent = tpm_number(t, 4), said = 0;
	struct passkey_bytes n = tpm_sized(t);
	for (size_t i = 0; i < k->y.n; i++) /* at most 4 bytes: cose_key saw to it */
		said = said << 8 | k->y.p[i];
	return !t->failed && bits == 8 * n.n && (exponent ? exponent : 65537) == said && same(k->x, n.p, n.n);
}

static bool tpm_coordinate(struct passkey_bytes ours, struct passkey_bytes theirs)
{
	while (theirs.n < ours.n && *ours.p == 0) /* a TPM may leave zeros before it out */
		ours.p++, ours.n--;
	return same(ours, theirs.p, theirs.n);
}

static bool tpm_ecc(struct tpm *t, const struct cose_key *k)
{
	/* TPM_ECC_NIST_P256 is 3, and so on; COSE's P-256 is 1. */
	if (k->kind != COSE_EC2 || !tpm_scheme(t) || tpm_number(t, 2) != (uint32_t)k->curve + 2 ||
	    tpm_number(t, 2) != TPM_ALG_NULL)
		return false;
	struct passkey_bytes x = tpm_sized(t), y = tpm_sized(t);
	return !t->failed && tpm_coordinate(k->x, x) && tpm_coordinate(k->y, y);
}

/* TPMT_PUBLIC (12.2.4): the credential's key, under the hash that its name is made with. */
static bool public_area(struct passkey_bytes b, const struct cose_key *k, uint32_t *ret_name_alg)
{
	struct tpm t = {b.p, b.p + b.n, false};
	uint32_t type = tpm_number(&t, 2);
	*ret_name_alg = tpm_number(&t, 2);
	(void)tpm_number(&t, 4); /* attributes */
	(void)tpm_sized(&t);	 /* policy */
	bool ok = type == TPM_ALG_RSA ? tpm_rsa(&t, k) : type == TPM_ALG_ECC && tpm_ecc(&t, k);
	return ok && !t.failed && t.p == t.end;
}

static const EVP_MD *name_digest(uint32_t alg)
{
	switch (alg) {
	case 0x000b:
		return EVP_sha256();
	case 0x000c:
		return EVP_sha384();
	case 0x000d:
		return EVP_sha512();
	default:
		return NULL;
	}
}

/* Part 1, 16: a name is the hash's number with the hash of the public area behind it. */
static bool name_is(struct passkey_bytes name, uint32_t alg, struct passkey_bytes area)
{
	const EVP_MD *md = name_digest(alg);
	uint8_t want[2 + EVP_MAX_MD_SIZE] = {(uint8_t)(alg >> 8), (uint8_t)alg};
	unsigned n = 0;
	return md && EVP_Digest(area.p, area.n, want + 2, &n, md, NULL) == 1 && same(name, want, 2 + n);
}

/* extraData is the hash, under the statement's algorithm, of what is attested. */
static bool extra_is(struct passkey_bytes extra, int64_t alg, const struct passkey_attested *a)
{
	const EVP_MD *md = alg == PASSKEY_ES256 || alg == PASSKEY_RS256 ? EVP_sha256()
			   : alg == PASSKEY_ES384			? EVP_sha384()
			   : alg == PASSKEY_ES512			? EVP_sha512()
									: NULL;
	uint8_t want[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	return md && EVP_Digest(a->signed_p, a->signed_n, want, &n, md, NULL) == 1 && same(extra, want, n);
}

/* TPMS_ATTEST (10.12.12) that certifies this public area. */
static bool certify_info(struct passkey_bytes b, int64_t alg, struct passkey_bytes area, uint32_t name_alg,
			 const struct passkey_attested *a)
{
	struct tpm t = {b.p, b.p + b.n, false};
	if (tpm_number(&t, 4) != TPM_GENERATED || tpm_number(&t, 2) != TPM_ST_ATTEST_CERTIFY)
		return false;
	(void)tpm_sized(&t); /* who signed */
	struct passkey_bytes extra = tpm_sized(&t);
	(void)tpm_take(&t, CLOCK_INFO_LEN + FIRMWARE_LEN);
	struct passkey_bytes name = tpm_sized(&t);
	(void)tpm_sized(&t); /* its name in the hierarchy */
	return !t.failed && t.p == t.end && extra_is(extra, alg, a) && name_is(name, name_alg, area);
}

/* ---- the certificate ---- */

static bool name_has(const X509_NAME *name, const char *oid)
{
	ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
	bool has = o && X509_NAME_get_index_by_OBJ(name, o, -1) >= 0;
	ASN1_OBJECT_free(o);
	return has;
}

/* TCG EK Credential Profile 3.2.9: manufacturer, model and version of the TPM, in a directory name. */
static bool alternative_name(X509 *x)
{
	bool ok = false;
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; !ok && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
		ok = g->type == GEN_DIRNAME && name_has(g->d.directoryName, "2.23.133.2.1") &&
		     name_has(g->d.directoryName, "2.23.133.2.2") && name_has(g->d.directoryName, "2.23.133.2.3");
	}
	GENERAL_NAMES_free(names);
	return ok;
}

static bool used_for_aik(X509 *x)
{
	bool ok = false;
	char oid[64];
	EXTENDED_KEY_USAGE *uses = X509_get_ext_d2i(x, NID_ext_key_usage, NULL, NULL);
	for (int i = 0; !ok && i < sk_ASN1_OBJECT_num(uses); i++)
		ok = OBJ_obj2txt(oid, sizeof oid, sk_ASN1_OBJECT_value(uses, i), 1) > 0 && !strcmp(oid, OID_AIK);
	EXTENDED_KEY_USAGE_free(uses);
	return ok;
}

/* Section 8.3.1. */
static bool certificate_is_aik(X509 *x, const uint8_t aaguid[static PASSKEY_AAGUID_LEN])
{
	return certificate_is_leaf(x) && X509_NAME_entry_count(X509_get_subject_name(x)) == 0 && alternative_name(x) &&
	       used_for_aik(x) && certificate_aaguid(x, aaguid);
}

/* In canonical order: alg, sig, ver, x5c, pubArea, certInfo. */
enum passkey_check statement_tpm(struct statement *s, const struct passkey_attested *a)
{
	struct passkey_bytes area, info;
	const char *version;
	uint32_t name_alg;
	size_t n;
	if (!statement_alg(s) || !statement_signature(s) || !cbor_key_is(&s->c, &s->key, "ver") ||
	    !cbor_text(&s->c, &version, &n) || n != 3 || memcmp(version, "2.0", 3) != 0 || !statement_certificates(s) ||
	    !cbor_key_is(&s->c, &s->key, "pubArea") || !cbor_bytes(&s->c, &area.p, &area.n) ||
	    !cbor_key_is(&s->c, &s->key, "certInfo") || !cbor_bytes(&s->c, &info.p, &info.n) || !statement_at_end(s))
		return PASSKEY_ATT_STATEMENT;
	if (!public_area(area, &a->auth->key, &name_alg) || !certify_info(info, s->alg, area, name_alg, a))
		return PASSKEY_ATT_STATEMENT;
	enum passkey_check r = statement_verify(s, NULL, info.p, info.n);
	if (r != PASSKEY_OK)
		return r;
	return certificate_is_aik(s->leaf, a->auth->aaguid) ? PASSKEY_OK : PASSKEY_ATT_CHAIN;
}
