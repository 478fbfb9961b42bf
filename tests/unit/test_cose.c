/* COSE_Key: the bounds of RSA, the points of small order and off the Edwards curves, what fits what. */
#include "config.h"

#include "keeper/cose.h"
#include "keeper/edwards.h"
#include "tests/unit/passkey_case.h"
#include "tests/unit/unit.h"
#include <openssl/evp.h>

static enum passkey_check read_key(const struct buf *b)
{
	struct cbor c = cbor_over(b->data, b->len);
	struct cose_key k;
	EVP_PKEY *key = NULL;
	enum passkey_check r = cose_take(&c, &k);
	if (r == PASSKEY_OK)
		r = cose_key(&k, &key);
	assert_int_equal(r == PASSKEY_OK, key != NULL);
	EVP_PKEY_free(key);
	return r;
}

/* A modulus of so many bits, odd or even, behind so many zeros: whether it is a product of primes is nobody's business.
 */
static enum passkey_check rsa(size_t bits, unsigned last, size_t zeros, const char *exponent, size_t exponent_n)
{
	AUTO_BUF b = BUF_INIT;
	uint8_t n[1100] = {0};
	size_t len = zeros + (bits + 7) / 8;
	memset(n + zeros, 0x55, len - zeros);
	n[zeros] = (uint8_t)(1u << (bits - 1) % 8);
	n[len - 1] = (uint8_t)last;
	make_head(&b, CBOR_MAP, 4);
	make_int(&b, 1);
	make_int(&b, COSE_RSA);
	make_int(&b, 3);
	make_int(&b, PASSKEY_RS256);
	make_int(&b, -1);
	make_bytes(&b, n, len);
	make_int(&b, -2);
	make_bytes(&b, exponent, exponent_n);
	return read_key(&b);
}

static void test_rsa(void **state)
{
	static const struct {
		const char *p;
		size_t n;
		enum passkey_check check;
	} exponents[] = {
	    {"\x01\x00\x01", 3, PASSKEY_OK},
	    {"\x03", 1, PASSKEY_OK},
	    {"\xff\xff\xff\xff", 4, PASSKEY_OK},
	    {"\x01", 1, PASSKEY_POINT},
	    {"\x02", 1, PASSKEY_POINT},
	    {"\x00", 1, PASSKEY_POINT},
	    {"", 0, PASSKEY_POINT},
	    {"\x00\x01\x00\x01", 4, PASSKEY_POINT},
	    {"\x01\x00\x00", 3, PASSKEY_POINT},
	    {"\x01\x00\x00\x00\x01", 5, PASSKEY_POINT},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(exponents); i++)
		assert_int_equal(rsa(2048, 1, 0, exponents[i].p, exponents[i].n), exponents[i].check);
	assert_int_equal(rsa(1024, 1, 0, "\3", 1), PASSKEY_POINT);
	assert_int_equal(rsa(2047, 1, 0, "\3", 1), PASSKEY_POINT);
	assert_int_equal(rsa(2049, 1, 0, "\3", 1), PASSKEY_OK);
	assert_int_equal(rsa(3072, 1, 0, "\3", 1), PASSKEY_OK);
	assert_int_equal(rsa(4096, 1, 0, "\3", 1), PASSKEY_OK);
	assert_int_equal(rsa(4097, 1, 0, "\3", 1), PASSKEY_POINT);
	assert_int_equal(rsa(8192, 1, 0, "\3", 1), PASSKEY_KEY_FORM); /* over PASSKEY_KEY_MAX */
	assert_int_equal(rsa(2048, 2, 0, "\3", 1), PASSKEY_POINT);
	assert_int_equal(rsa(2048, 1, 1, "\3", 1), PASSKEY_POINT);
}

/* y of points of small order, in every form that there is for them (all signs of x). */
static void test_small_order(void **state)
{
	static const char *const ys[] = {
	    "0000000000000000000000000000000000000000000000000000000000000000",
	    "0100000000000000000000000000000000000000000000000000000000000000",
	    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	uint8_t p[57];
	(void)state;
	for (size_t i = 0; i < COUNT(ys); i++) {
		for (size_t k = 0; k < 32; k++)
			assert_int_equal(sscanf(ys[i] + 2 * k, "%2hhx", &p[k]), 1);
		assert_int_equal(edwards_point_sane(EDWARDS_25519, p), PASSKEY_POINT);
		p[31] |= 0x80;
		assert_int_equal(edwards_point_sane(EDWARDS_25519, p), PASSKEY_POINT);
	}
	for (unsigned y = 0; y < 2; y++) {
		memset(p, 0, sizeof p);
		p[0] = (uint8_t)y;
		assert_int_equal(edwards_point_sane(EDWARDS_448, p), PASSKEY_POINT);
	}
	memset(p, 0xff, sizeof p);
	p[56] = 0;
	assert_int_equal(edwards_point_sane(EDWARDS_448, p), PASSKEY_POINT); /* over the prime */
	p[28] = 0xfe, p[0] = 0xfe;
	assert_int_equal(edwards_point_sane(EDWARDS_448, p), PASSKEY_POINT); /* -1 */
	p[0] = 2, p[56] = 1;
	assert_int_equal(edwards_point_sane(EDWARDS_448, p), PASSKEY_POINT);
}

/* Half of all y have a point; keys that libcrypto makes have one. */
static void test_on_curve(void **state)
{
	static const int32_t algs[] = {PASSKEY_EDDSA, PASSKEY_ED448};
	static const size_t length[] = {32, 57};
	(void)state;
	for (size_t a = 0; a < COUNT(algs); a++) {
		int sane = 0;
		for (int i = 2; i < 202; i++) {
			uint8_t y[57] = {(uint8_t)i, 7};
			enum passkey_check r = edwards_point_sane((enum edwards_curve)a, y);
			assert_true(r == PASSKEY_OK || r == PASSKEY_POINT);
			sane += r == PASSKEY_OK;
		}
		assert_in_range(sane, 60, 140);
		for (int i = 0; i < 20; i++) {
			uint8_t p[57];
			size_t n = sizeof p;
			EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, a ? "ED448" : "ED25519");
			assert_int_equal(EVP_PKEY_get_raw_public_key(key, p, &n), 1);
			assert_int_equal(n, length[a]);
			assert_int_equal(edwards_point_sane((enum edwards_curve)a, p), PASSKEY_OK);
			EVP_PKEY_free(key);
		}
	}
}

/* An algorithm is used with its own kind of key alone. */
static void test_fits(void **state)
{
	static const char text[] = "text";
	(void)state;
	for (size_t i = 0; i < COUNT(case_every); i++) {
		EVP_PKEY *key = make_key(case_every[i]);
		AUTO_BUF sig = BUF_INIT;
		make_sign(case_every[i], key, text, 4, &sig);
		for (size_t k = 0; k < COUNT(case_every); k++) {
			assert_int_equal(cose_fits(case_every[k], key), i == k);
			assert_int_equal(cose_verify(case_every[k], key, text, 4, make_view(&sig)),
					 i == k ? PASSKEY_OK : PASSKEY_ALG);
		}
		assert_int_equal(cose_verify(case_every[i], key, "texu", 4, make_view(&sig)), PASSKEY_SIGNATURE);
		assert_int_equal(cose_verify(case_every[i], key, text, 3, make_view(&sig)), PASSKEY_SIGNATURE);
		assert_int_equal(cose_verify(0, key, text, 4, make_view(&sig)), PASSKEY_ALG);
		assert_int_equal(cose_verify(case_every[i], key, text, 4, (struct passkey_bytes){NULL, 0}),
				 PASSKEY_SIGNATURE);
		for (size_t n = 0; n < sig.len; n += 7) {
			sig.data[n] ^= 0x10;
			assert_int_equal(cose_verify(case_every[i], key, text, 4, make_view(&sig)), PASSKEY_SIGNATURE);
			sig.data[n] ^= 0x10;
		}
	}
	EVP_PKEY *k256 = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1"),
		 *small = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
	assert_true(k256 && small);
	assert_false(cose_fits(PASSKEY_ES256, k256));
	assert_false(cose_fits(PASSKEY_RS256, small));
	EVP_PKEY_free(k256);
	EVP_PKEY_free(small);
}

/* Wherever it is cut, and whatever byte is another one, it is refused or still a key. */
static void test_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(case_every); i++) {
		AUTO_BUF b = BUF_INIT;
		make_cose(case_every[i], make_key(case_every[i]), &b);
		assert_int_equal(read_key(&b), PASSKEY_OK);
		size_t whole = b.len;
		for (b.len = 0; b.len < whole; b.len++)
			assert_int_equal(read_key(&b), PASSKEY_KEY_FORM);
		for (size_t at = 0; at < (whole < 100 ? whole : 100); at++) {
			b.data[at] ^= 0x08;
			enum passkey_check r = read_key(&b);
			assert_true(r == PASSKEY_OK || r == PASSKEY_KEY_FORM || r == PASSKEY_ALG || r == PASSKEY_POINT);
			b.data[at] ^= 0x08;
		}
	}
}

static int gone(void **state)
{
	(void)state;
	make_keys_free();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rsa), cmocka_unit_test(test_small_order),
					   cmocka_unit_test(test_on_curve), cmocka_unit_test(test_fits),
					   cmocka_unit_test(test_bytes)};

	return cmocka_run_group_tests(tests, NULL, gone);
}
