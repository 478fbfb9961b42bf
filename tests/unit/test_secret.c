#include "config.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/secret.h"
#include "common/verdict.h"
#include "tests/unit/unit.h"
#include <errno.h>

static void equal(void **state)
{
	uint8_t a[33], b[33];

	(void)state;
	for (size_t i = 0; i < sizeof a; i++)
		a[i] = b[i] = (uint8_t)(i * 7);
	for (size_t n = 0; n <= sizeof a; n++)
		assert_true(secret_equal(a, n, b, n));
	assert_false(secret_equal(a, 5, b, 6));
	assert_false(secret_equal(a, 0, b, 1));
	assert_true(secret_equal(NULL, 0, NULL, 0));
	for (size_t i = 0; i < sizeof a; i++)
		for (int bit = 0; bit < 8; bit++) {
			b[i] ^= (uint8_t)(1 << bit);
			assert_false(secret_equal(a, sizeof a, b, sizeof b));
			b[i] ^= (uint8_t)(1 << bit);
		}
}

static void wipe(void **state)
{
	char p[8] = "secret!";

	(void)state;
	secret_wipe(p, 3);
	assert_memory_equal(p, "\0\0\0ret!", 8);
	secret_wipe(NULL, 10);
	secret_wipe(p, 0);
	secret_free_str(NULL);
	secret_free_str(strdup("gone"));
}

static void random_bytes(void **state)
{
	uint8_t big[70000] = {0}, small[2][16];
	unsigned seen[256] = {0};

	(void)state;
	assert_int_equal(secret_random(NULL, 0), ERR_NONE);
	assert_int_equal(secret_random(small[0], 16), ERR_NONE);
	assert_int_equal(secret_random(small[1], 16), ERR_NONE);
	assert_memory_not_equal(small[0], small[1], 16);
	assert_int_equal(secret_random(big, sizeof big), ERR_NONE);
	for (size_t i = 0; i < sizeof big; i++)
		seen[big[i]]++;
	for (size_t i = 0; i < 256; i++) /* 273 +- 17 each: 100 is ten sigma away */
		assert_in_range(seen[i], 100, 450);
}

static void uniform(void **state)
{
	unsigned seen[10] = {0}, v = 77;

	(void)state;
	assert_int_equal(secret_uniform(0, &v), ERR_INVALID);
	assert_int_equal(v, 77);
	assert_int_equal(secret_uniform(1, &v), ERR_NONE);
	assert_int_equal(v, 0);
	for (int i = 0; i < 10000; i++) {
		assert_int_equal(secret_uniform(10, &v), ERR_NONE);
		assert_in_range(v, 0, 9);
		seen[v]++;
	}
	for (int i = 0; i < 10; i++) /* 1000 +- 30 */
		assert_in_range(seen[i], 700, 1300);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(secret_uniform(0x80000001u, &v), ERR_NONE);
		assert_true(v <= 0x80000000u);
	}
}

static void verdict_names(void **state)
{
	static const enum verdict all[] = {VERDICT_INTERNAL,	VERDICT_DENY,	  VERDICT_THROTTLED, VERDICT_LOCKED,
					   VERDICT_UNAVAILABLE, VERDICT_DISABLED, VERDICT_EXPIRED,   VERDICT_UNFINISHED,
					   VERDICT_IGNORE,	VERDICT_ALLOW};
	static const char *const bad[] = {"", "ALLOW", "allow ", "allowed", "al", "0", "90"};

	(void)state;
	for (size_t i = 0; i < COUNT(all); i++) {
		assert_int_equal(verdict_from(verdict_name(all[i])), all[i]);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(verdict_name(all[i]), verdict_name(all[j]));
	}
	assert_string_equal(verdict_name(VERDICT_ALLOW), "allow");
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(verdict_from(bad[i]), VERDICT_INTERNAL);
	assert_int_equal(verdict_from(NULL), VERDICT_INTERNAL);
	for (unsigned v = 0; v < 256; v++)
		if (v != VERDICT_ALLOW)
			assert_string_not_equal(verdict_name((enum verdict)v), "allow");
}

static void errors(void **state)
{
	struct errmsg m = {0};
	char longer[1000];

	(void)state;
	for (int e = 0; e < ERR__MAX; e++) {
		assert_non_null(err_text((enum err)e));
		for (int f = 0; f < e; f++)
			assert_string_not_equal(err_text((enum err)e), err_text((enum err)f));
	}
	assert_non_null(err_text((enum err) - 1));
	assert_non_null(err_text(ERR__MAX));
	errno = ENOSPC;
	assert_int_equal(err_set(&m, ERR_IO, "%s:%d", "f", 7), ERR_IO);
	assert_int_equal(errno, ENOSPC);
	assert_string_equal(m.text, "f:7");
	assert_int_equal(err_set(NULL, ERR_BUSY, "x"), ERR_BUSY);
	memset(longer, 'x', sizeof longer);
	longer[sizeof longer - 1] = '\0';
	err_set(&m, ERR_INVALID, "%s", longer);
	assert_int_equal(strlen(m.text), sizeof m.text - 1);
}

static void clocks(void **state)
{
	int64_t before = clock_mono_ms();

	(void)state;
	assert_true(clock_now() > 1600000000);
	clock_fix(1234567890);
	assert_int_equal(clock_now(), 1234567890);
	assert_int_equal(clock_now_ms(), 1234567890000);
	assert_true(clock_mono_ms() >= before);
	clock_fix(0);
	assert_int_equal(clock_now(), 0);
	clock_fix(-1);
	assert_true(clock_now() > 1600000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(equal),   cmocka_unit_test(wipe),		cmocka_unit_test(random_bytes),
	    cmocka_unit_test(uniform), cmocka_unit_test(verdict_names), cmocka_unit_test(errors),
	    cmocka_unit_test(clocks),
	};

	return cmocka_run_group_tests_name("secret, verdict, err, clock", tests, NULL, NULL);
}
