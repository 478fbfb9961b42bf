#include "config.h"

#include "keeper/edwards.h"
#include <openssl/bn.h>
#include <string.h>

#define ENCODED_MAX 57

/* a*x^2 + y^2 = 1 + d*x^2*y^2, hence x^2 = (y^2 - 1) / (d*y^2 - a), with d = num/den. */
static const struct edwards {
	size_t len;
	const char *prime; /* hexadecimal */
	int a;
	unsigned long num, den; /* d = -num/den */
} curves[EDWARDS__MAX] = {
    [EDWARDS_25519] = {32, "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed", -1, 121665, 121666},
    [EDWARDS_448] = {57,
		     "fffffffffffffffffffffffffffffffffffffffffffffffffffffffe"
		     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		     1, 39081, 1},
};

/* y of the points of order 8 on edwards25519, least significant byte first; those of order 1, 2 and 4 have y = 1, -1
 * and 0 on both curves, and edwards448 has no others. */
static const uint8_t order8[2][32] = {
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
     0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
     0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
};

static bool edwards_order8(enum edwards_curve curve, const uint8_t *y)
{
	return curve == EDWARDS_25519 && (memcmp(y, order8[0], 32) == 0 || memcmp(y, order8[1], 32) == 0);
}

/* 1: x^2 has a root, so there is such a point. 0: it has none, or x is 0. -1: memory. */
static int edwards_has_x(const struct edwards *e, const BIGNUM *y, const BIGNUM *p, BN_CTX *ctx)
{
	int r = -1;
	BN_CTX_start(ctx);
	BIGNUM *u = BN_CTX_get(ctx), *v = BN_CTX_get(ctx), *yy = BN_CTX_get(ctx);
	/* u = den * (y^2 - 1), v = -num * y^2 - den * a; u/v is a square if u*v is one. */
	if (!yy || !BN_mod_sqr(yy, y, p, ctx) || !BN_copy(u, yy) || !BN_sub_word(u, 1) || !BN_mul_word(u, e->den) ||
	    !BN_copy(v, yy) || !BN_mul_word(v, e->num))
		goto out;
	if (!(e->a > 0 ? BN_add_word(v, e->den) : BN_sub_word(v, e->den)))
		goto out;
	BN_set_negative(v, !BN_is_negative(v));
	if (!BN_nnmod(u, u, p, ctx) || !BN_nnmod(v, v, p, ctx) || !BN_mod_mul(u, u, v, p, ctx))
		goto out;
	int k = BN_kronecker(u, p, ctx);
	if (k >= -1)
		r = k == 1;
out:
	BN_CTX_end(ctx);
	return r;
}

enum passkey_check edwards_point_sane(enum edwards_curve curve, const uint8_t *encoded)
{
	const struct edwards *e = &curves[curve];
	enum passkey_check r = PASSKEY_INTERNAL;
	uint8_t le[ENCODED_MAX];
	BIGNUM *p = NULL, *y = NULL, *back = NULL;
	BN_CTX *ctx = BN_CTX_new();
	memcpy(le, encoded, e->len);
	le[e->len - 1] &= 0x7f; /* the sign of x */
	y = BN_lebin2bn(le, (int)e->len, NULL);
	back = BN_new();
	if (!ctx || !y || !back || !BN_hex2bn(&p, e->prime) || !BN_sub(back, p, BN_value_one()))
		goto out;
	r = PASSKEY_POINT;
	/* 0, 1, -1, and whatever has another name below p */
	if (BN_is_zero(y) || BN_is_one(y) || BN_cmp(y, back) >= 0 || edwards_order8(curve, le))
		goto out;
	int has = edwards_has_x(e, y, p, ctx);
	r = has > 0 ? PASSKEY_OK : has < 0 ? PASSKEY_INTERNAL : PASSKEY_POINT;
out:
	BN_CTX_free(ctx);
	BN_free(back);
	BN_free(y);
	BN_free(p);
	return r;
}
