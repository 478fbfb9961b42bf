/* The strict CBOR reader: what is canonical is read, whatever else is refused, wherever it stands. */
#include "config.h"

#include "keeper/cbor.h"
#include "tests/unit/unit.h"

#define BYTES(s)                                                                                                       \
	{                                                                                                              \
		s, sizeof s - 1                                                                                        \
	}

struct sample {
	const char *p;
	size_t n;
};

/* One whole item each, at most CBOR_DEPTH_MAX deep. */
static const struct sample good[] = {
    BYTES("\x00"),
    BYTES("\x17"),
    BYTES("\x18\x18"),
    BYTES("\x18\xff"),
    BYTES("\x19\x01\x00"),
    BYTES("\x1a\x00\x01\x00\x00"),
    BYTES("\x1b\x00\x00\x00\x01\x00\x00\x00\x00"),
    BYTES("\x1b\xff\xff\xff\xff\xff\xff\xff\xff"),
    BYTES("\x20"),
    BYTES("\x39\x01\x00"),
    BYTES("\x40"),
    BYTES("\x42\x00\xff"),
    BYTES("\x60"),
    BYTES("\x63\xe3\x81\x82"),
    BYTES("\x80"),
    BYTES("\x83\x01\x02\x03"),
    BYTES("\xa0"),
    BYTES("\xf4"),
    BYTES("\xf5"),
    BYTES("\xf6"),
    BYTES("\xa2\x01\x02\x03\x04"),
    BYTES("\xa3\x01\x00\x03\x00\x20\x00"),	       /* numbers before negative ones */
    BYTES("\xa2\x17\x00\x18\x18\x00"),		       /* shorter before longer */
    BYTES("\xa2\x61z\x00\x62\x61\x61\x00"),	       /* of text too */
    BYTES("\xa3\x00\x00\x41\x00\x00\x61\x61\x00"),     /* kinds in order */
    BYTES("\x81\x81\x81\x81\x00"),		       /* four deep */
    BYTES("\x84\x80\xa0\x81\x80\xa1\x00\xa1\x00\x80"), /* siblings do not add up */
};

static const struct sample bad[] = {
    BYTES(""),
    BYTES("\x18"),
    BYTES("\x18\x17"), /* longer than need be */
    BYTES("\x19\x00\xff"),
    BYTES("\x1a\x00\x00\xff\xff"),
    BYTES("\x1b\x00\x00\x00\x00\xff\xff\xff\xff"),
    BYTES("\x1b\x00\x00\x00\x01"),
    BYTES("\x38\x17"),
    BYTES("\x58\x01\x00"),
    BYTES("\x78\x01\x61"),
    BYTES("\x98\x01\x00"),
    BYTES("\xb8\x01\x00\x00"),
    BYTES("\x1c"), /* reserved */
    BYTES("\x1c\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
    BYTES("\x1f"),
    BYTES("\x42\x00"), /* cut */
    BYTES("\x62\x61"),
    BYTES("\x82\x00"),
    BYTES("\xa1\x00"),
    BYTES("\x5b\x7f\xff\xff\xff\xff\xff\xff\xff"),
    BYTES("\x9b\x00\x00\x00\x10\x00\x00\x00\x00"),
    BYTES("\xbb\x80\x00\x00\x00\x00\x00\x00\x01\x00\x00"), /* twice the pairs would be 2 */
    BYTES("\x5f\x41\x00\xff"),				   /* indefinite */
    BYTES("\x7f\x61\x61\xff"),
    BYTES("\x9f\xff"),
    BYTES("\xbf\xff"),
    BYTES("\xff"),
    BYTES("\xc0\x00"), /* tags */
    BYTES("\xd8\x18\x41\x00"),
    BYTES("\xf7"), /* undefined, other simple values, floats */
    BYTES("\xe0"),
    BYTES("\xf8\x20"),
    BYTES("\xf8\x14"),
    BYTES("\xf9\x3c\x00"),
    BYTES("\xfa\x3f\x80\x00\x00"),
    BYTES("\xfb\x3f\xf0\x00\x00\x00\x00\x00\x00"),
    BYTES("\x61\xff"), /* no UTF-8 */
    BYTES("\x62\xc0\xaf"),
    BYTES("\x63\xed\xa0\x80"),
    BYTES("\x61\x00"),
    BYTES("\xa2\x01\x00\x01\x00"), /* twice */
    BYTES("\xa2\x02\x00\x01\x00"), /* out of order */
    BYTES("\xa2\x20\x00\x00\x00"),
    BYTES("\xa2\x62\x61\x61\x00\x61z\x00"),
    BYTES("\xa2\x61\x62\x00\x61\x61\x00"),
    BYTES("\xa1\xf4\x00"), /* keys of other kinds */
    BYTES("\xa1\x80\x00"),
    BYTES("\xa1\xa0\x00"),
    BYTES("\x81\x81\x81\x81\x80"), /* five deep */
    BYTES("\xa1\x00\xa1\x00\xa1\x00\xa1\x00\xa0"),
    BYTES("\x81\xa2\x01\x00\x01\x00"), /* and further in */
    BYTES("\x81\x18\x17"),
};

/* In a block of its own size, so that a read behind it is seen. */
static bool skipped(const struct sample *s, size_t n, size_t *ret_left)
{
	uint8_t *p = malloc(n ? n : 1);
	assert_non_null(p);
	memcpy(p, s->p, n);
	struct cbor c = cbor_over(p, n);
	bool ok = cbor_skip(&c, CBOR_DEPTH_MAX);
	*ret_left = ok ? cbor_left(&c) : 0;
	free(p);
	return ok;
}

static void test_good(void **state)
{
	size_t left;
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		if (!skipped(&good[i], good[i].n, &left) || left)
			fail_msg("good sample %zu", i);
		for (size_t n = 0; n < good[i].n; n++)
			if (skipped(&good[i], n, &left))
				fail_msg("good sample %zu, cut after %zu", i, n);
	}
}

static void test_bad(void **state)
{
	size_t left;
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		if (skipped(&bad[i], bad[i].n, &left))
			fail_msg("bad sample %zu", i);
}

static void test_depth(void **state)
{
	(void)state;
	for (unsigned depth = 0; depth <= CBOR_DEPTH_MAX + 1; depth++) {
		struct cbor c = cbor_over("\x81\x81\x00", 3);
		assert_int_equal(cbor_skip(&c, depth), depth >= 2 && depth <= CBOR_DEPTH_MAX);
	}
	struct cbor c = cbor_over("\x00", 1);
	assert_true(cbor_skip(&c, 0));
}

static void test_kinds(void **state)
{
	static const char all[] = "\x01\x24\x42hi\x62yo\x82\xa3";
	struct cbor c = cbor_over(all, sizeof all - 1);
	const uint8_t *p;
	const char *s;
	int64_t v;
	size_t n;
	(void)state;
	assert_true(cbor_int(&c, &v) && v == 1);
	assert_true(cbor_int(&c, &v) && v == -5);
	assert_true(cbor_bytes(&c, &p, &n) && n == 2 && !memcmp(p, "hi", 2));
	assert_true(cbor_text(&c, &s, &n) && n == 2 && !memcmp(s, "yo", 2));
	assert_false(cbor_array(&c, &n)); /* two elements, one byte */
	for (int kind = 0; kind < 5; kind++)
		for (size_t i = 0; i < 5; i++) {
			static const char *const of[] = {"\x01", "\x40", "\x60", "\x80", "\xa0"};
			c = cbor_over(of[i], 1);
			bool ok = kind == 0   ? cbor_int(&c, &v)
				  : kind == 1 ? cbor_bytes(&c, &p, &n)
				  : kind == 2 ? cbor_text(&c, &s, &n)
				  : kind == 3 ? cbor_array(&c, &n)
					      : cbor_map(&c, &n);
			assert_int_equal(ok, (size_t)kind == i);
		}
	c = cbor_over("\x1b\x80\x00\x00\x00\x00\x00\x00\x00", 9); /* over INT64_MAX */
	assert_false(cbor_int(&c, &v));
	c = cbor_over("\x3b\x7f\xff\xff\xff\xff\xff\xff\xff", 9);
	assert_true(cbor_int(&c, &v) && v == INT64_MIN);
}

static void test_keys(void **state)
{
	struct cbor c = cbor_over("\xa2\x61\x61\x01\x62\x61\x61\x02", 8), before;
	struct cbor_key key = {NULL, 0};
	int64_t v;
	size_t n;
	(void)state;
	assert_true(cbor_map(&c, &n) && n == 2);
	before = c;
	assert_false(cbor_key_is(&c, &key, "b"));
	assert_false(cbor_key_is(&c, &key, "aa"));
	assert_true(c.p == before.p && !key.n);
	assert_true(cbor_key_is(&c, &key, "a") && cbor_int(&c, &v));
	assert_true(cbor_key_is(&c, &key, "aa") && cbor_int(&c, &v) && v == 2 && cbor_at_end(&c));
	assert_false(cbor_key_is(&c, &key, "a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_bad),
					   cmocka_unit_test(test_depth), cmocka_unit_test(test_kinds),
					   cmocka_unit_test(test_keys)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
