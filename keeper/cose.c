#include "config.h"

#include "keeper/cose.h"
#include "keeper/edwards.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <string.h>

#define RSA_BITS_MIN	 2048
#define RSA_BITS_MAX	 4096
#define RSA_EXPONENT_MAX 4 /* bytes */
#define COORDINATE_MAX	 66

/* Labels of COSE_Key (RFC 9052 section 7.1, RFC 9053 section 7, RFC 8230 section 4). */
#define LABEL_KIND  1
#define LABEL_ALG   3
#define LABEL_CURVE (-1) /* RSA: the modulus */
#define LABEL_X	    (-2) /* RSA: the exponent */
#define LABEL_Y	    (-3)

static const struct cose_alg {
	int64_t alg, kind, curve;
	size_t len;	    /* bytes of a coordinate */
	const char *type;   /* OpenSSL's names */
	const char *group;  /* NULL: none */
	const char *digest; /* NULL: the algorithm has its own */
} algs[] = {
    {PASSKEY_EDDSA, COSE_OKP, 6, 32, "ED25519", NULL, NULL},
    {PASSKEY_ES256, COSE_EC2, 1, 32, "EC", "P-256", "SHA256"},
    {PASSKEY_RS256, COSE_RSA, 0, 0, "RSA", NULL, "SHA256"},
    {PASSKEY_ES384, COSE_EC2, 2, 48, "EC", "P-384", "SHA384"},
    {PASSKEY_ES512, COSE_EC2, 3, 66, "EC", "P-521", "SHA512"},
    {PASSKEY_ED448, COSE_OKP, 7, 57, "ED448", NULL, NULL},
};

static const struct cose_alg *cose_alg(int64_t alg)
{
	for (size_t i = 0; i < sizeof algs / sizeof *algs; i++)
		if (algs[i].alg == alg)
			return &algs[i];
	return NULL;
}

/* ---- the map ---- */

static bool take_label(struct cbor *c, struct cbor_key *key, int64_t label)
{
	int64_t got;
	return cbor_key_int(c, key, &got) && got == label;
}

static bool take_int(struct cbor *c, struct cbor_key *key, int64_t label, int64_t *ret)
{
	return take_label(c, key, label) && cbor_int(c, ret);
}

static bool take_bytes(struct cbor *c, struct cbor_key *key, int64_t label, struct passkey_bytes *ret)
{
	return take_label(c, key, label) && cbor_bytes(c, &ret->p, &ret->n);
}

/* Canonical order is 1, 3, -1, -2, -3: what comes next is known. */
static bool take_members(struct cbor *c, struct cose_key *k)
{
	struct cbor_key key = {NULL, 0};
	size_t pairs;
	if (!cbor_map(c, &pairs) || !take_int(c, &key, LABEL_KIND, &k->kind) || !take_int(c, &key, LABEL_ALG, &k->alg))
		return false;
	switch (k->kind) {
	case COSE_OKP:
		return pairs == 4 && take_int(c, &key, LABEL_CURVE, &k->curve) && take_bytes(c, &key, LABEL_X, &k->x);
	case COSE_EC2: /* a sign bit instead of y would be a compressed point, which section 5.8.5 forbids */
		return pairs == 5 && take_int(c, &key, LABEL_CURVE, &k->curve) && take_bytes(c, &key, LABEL_X, &k->x) &&
		       take_bytes(c, &key, LABEL_Y, &k->y);
	case COSE_RSA:
		return pairs == 4 && take_bytes(c, &key, LABEL_CURVE, &k->x) && take_bytes(c, &key, LABEL_X, &k->y);
	default:
		return false;
	}
}

enum passkey_check cose_take(struct cbor *c, struct cose_key *ret)
{
	struct cose_key k;
	memset(&k, 0, sizeof k);
	k.whole.p = c->p;
	if (!take_members(c, &k))
		return PASSKEY_KEY_FORM;
	k.whole.n = (size_t)(c->p - k.whole.p);
	if (k.whole.n > PASSKEY_KEY_MAX)
		return PASSKEY_KEY_FORM;
	*ret = k;
	return PASSKEY_OK;
}

/* ---- the key ---- */

static enum passkey_check key_build(const char *type, OSSL_PARAM *params, EVP_PKEY **ret)
{
	enum passkey_check r = PASSKEY_INTERNAL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;
	if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1)
		goto out;
	if (EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1) {
		ERR_clear_error();
		r = PASSKEY_POINT;
		goto out;
	}
	*ret = key;
	r = PASSKEY_OK;
out:
	EVP_PKEY_CTX_free(ctx);
	return r;
}

/* OpenSSL refuses coordinates that are too large and points off the curve when it reads them. All three curves have
 * cofactor 1: a point on one is of the right order. */
static enum passkey_check key_ec(const struct cose_alg *a, const struct cose_key *k, EVP_PKEY **ret)
{
	uint8_t point[1 + 2 * COORDINATE_MAX];
	char group[8];
	if (k->x.n != a->len || k->y.n != a->len)
		return PASSKEY_KEY_FORM;
	point[0] = 4;
	memcpy(point + 1, k->x.p, a->len);
	memcpy(point + 1 + a->len, k->y.p, a->len);
	size_t n = strlen(a->group);
	memcpy(group, a->group, n + 1);
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, n),
	    OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * a->len),
	    OSSL_PARAM_construct_end(),
	};
	return key_build(a->type, params, ret);
}

static enum passkey_check key_okp(const struct cose_alg *a, const struct cose_key *k, EVP_PKEY **ret)
{
	if (k->x.n != a->len)
		return PASSKEY_KEY_FORM;
	enum passkey_check r = edwards_point_sane(a->curve == 6 ? EDWARDS_25519 : EDWARDS_448, k->x.p);
	if (r != PASSKEY_OK)
		return r;
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key_ex(NULL, a->type, NULL, k->x.p, k->x.n);
	if (!key)
		return PASSKEY_INTERNAL;
	*ret = key;
	return PASSKEY_OK;
}

/* Most significant byte first, without leading zeros (RFC 8230 section 4). */
static bool rsa_sane(struct passkey_bytes n, struct passkey_bytes e)
{
	if (n.n < RSA_BITS_MIN / 8 || n.n > RSA_BITS_MAX / 8 || n.p[0] == 0 || n.p[n.n - 1] % 2 == 0)
		return false;
	if (n.n == RSA_BITS_MIN / 8 && n.p[0] < 0x80)
		return false;
	if (e.n == 0 || e.n > RSA_EXPONENT_MAX || e.p[0] == 0 || e.p[e.n - 1] % 2 == 0)
		return false;
	return e.n > 1 || e.p[0] >= 3;
}

static enum passkey_check key_rsa(const struct cose_alg *a, const struct cose_key *k, EVP_PKEY **ret)
{
	enum passkey_check r = PASSKEY_INTERNAL;
	OSSL_PARAM_BLD *build = NULL;
	OSSL_PARAM *params = NULL;
	BIGNUM *n = NULL, *e = NULL;
	if (!rsa_sane(k->x, k->y))
		return PASSKEY_POINT;
	n = BN_bin2bn(k->x.p, (int)k->x.n, NULL);
	e = BN_bin2bn(k->y.p, (int)k->y.n, NULL);
	build = OSSL_PARAM_BLD_new();
	if (!n || !e || !build || OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) != 1)
		goto out;
	params = OSSL_PARAM_BLD_to_param(build);
	if (params)
		r = key_build(a->type, params, ret);
out:
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	BN_free(e);
	BN_free(n);
	return r;
}

enum passkey_check cose_key(const struct cose_key *k, EVP_PKEY **ret)
{
	const struct cose_alg *a = cose_alg(k->alg);
	if (!a || a->kind != k->kind || a->curve != k->curve)
		return PASSKEY_ALG;
	switch (a->kind) {
	case COSE_EC2:
		return key_ec(a, k, ret);
	case COSE_OKP:
		return key_okp(a, k, ret);
	default:
		return key_rsa(a, k, ret);
	}
}

/* ---- signatures ---- */

static bool cose_group_is(const struct cose_alg *a, const EVP_PKEY *key)
{
	char group[32];
	size_t n = 0;
	if (!a->group)
		return true;
	if (EVP_PKEY_get_group_name(key, group, sizeof group, &n) != 1)
		return false;
	/* OpenSSL has two names for the oldest. */
	return strcmp(group, a->group) == 0 || (a->alg == PASSKEY_ES256 && strcmp(group, "prime256v1") == 0) ||
	       (a->alg == PASSKEY_ES384 && strcmp(group, "secp384r1") == 0) ||
	       (a->alg == PASSKEY_ES512 && strcmp(group, "secp521r1") == 0);
}

bool cose_fits(int64_t alg, const EVP_PKEY *key)
{
	const struct cose_alg *a = cose_alg(alg);
	if (!a || !EVP_PKEY_is_a(key, a->type) || !cose_group_is(a, key))
		return false;
	int bits = EVP_PKEY_get_bits(key);
	return a->kind != COSE_RSA || (bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX);
}

enum passkey_check cose_verify(int64_t alg, EVP_PKEY *key, const void *p, size_t n, struct passkey_bytes signature)
{
	enum passkey_check r = PASSKEY_INTERNAL;
	if (!cose_fits(alg, key))
		return PASSKEY_ALG;
	if (!signature.p || signature.n == 0 || signature.n > PASSKEY_SIG_MAX)
		return PASSKEY_SIGNATURE;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	if (!ctx || EVP_DigestVerifyInit_ex(ctx, NULL, cose_alg(alg)->digest, NULL, NULL, key, NULL) != 1)
		goto out;
	/* 0 and less: wrong, or no signature at all. Lack of memory looks the same, and refuses as well. */
	r = EVP_DigestVerify(ctx, signature.p, signature.n, p, n) == 1 ? PASSKEY_OK : PASSKEY_SIGNATURE;
	ERR_clear_error();
out:
	EVP_MD_CTX_free(ctx);
	return r;
}
