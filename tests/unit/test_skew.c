/* A clock that is off: what is said of it, and that nobody learns of a guess whether it would have been right at
 * another time. */
#include "config.h"

#include "keeper/skew.h"
#include "keeper/totp.h"
#include "tests/unit/unit.h"

#define NOW 1700000010

static const uint8_t mine[DIGEST_LEN] = {1}, others[DIGEST_LEN] = {2};

static struct authenticator app(const char *secret, uint8_t id)
{
	struct authenticator a = {.id = {{id}}, .kind = FACTOR_TOTP, .algorithm = TOTP_SHA1, .digits = 6, .period = 30};
	a.secret_len = strlen(secret);
	memcpy(a.secret, secret, a.secret_len);
	return a;
}

static const char *shown(const struct authenticator *a, int64_t at)
{
	static char code[2][9];
	static int turn;
	const struct totp t = {a->algorithm, a->digits, a->period, a->secret, a->secret_len};
	turn = !turn;
	assert_int_equal(totp_code(&t, (uint64_t)at / 30, code[turn]), ERR_NONE);
	return code[turn];
}

static void the_steps_that_are_accepted_are_not_looked_at(void **state)
{
	const struct authenticator a = app("12345678901234567890", 1);
	int64_t off = 77;
	(void)state;
	for (int64_t s = -1; s <= 1; s++)
		assert_false(skew_once(&a, shown(&a, NOW + 30 * s), NOW, &off));
	assert_false(skew_once(&a, "000000", NOW, &off));
	assert_false(skew_once(&a, "", NOW, &off));
	assert_int_equal(off, 77);
	for (int64_t s = 2; s <= SKEW_AROUND / 30; s++) {
		assert_true(skew_once(&a, shown(&a, NOW + 30 * s), NOW, &off));
		assert_int_equal(off, 30 * s);
		assert_true(skew_once(&a, shown(&a, NOW - 30 * s), NOW, &off));
		assert_int_equal(off, -30 * s);
	}
	assert_false(skew_once(&a, shown(&a, NOW + SKEW_AROUND + 30), NOW, &off));
	assert_false(skew_once(&a, shown(&a, NOW - SKEW_AROUND - 30), NOW, &off));
	assert_false(skew_once(&a, shown(&a, NOW), SKEW_AROUND, &off)); /* our own clock is at its beginning */
}

static void two_codes_of_one_clock_are_needed(void **state)
{
	const struct authenticator a[2] = {app("12345678901234567890", 1), app("abcdefghijabcdefghij", 2)};
	struct skews *s = skews_new();
	int64_t off = 77;
	(void)state;
	assert_non_null(s);
	for (int64_t by = -600; by <= 600; by += 1200) {
		assert_false(skew_agrees(s, mine, a, 2, shown(&a[1], NOW + by), NOW, &off));
		assert_false(
		    skew_agrees(s, mine, a, 2, shown(&a[1], NOW + by), NOW + 2, &off)); /* the same once more */
		assert_int_equal(off, 77);
		assert_true(skew_agrees(s, mine, a, 2, shown(&a[1], NOW + 60 + by), NOW + 60, &off));
		assert_int_equal(off, by);
		/* typed a step later than the last time */
		assert_true(skew_agrees(s, mine, a, 2, shown(&a[1], NOW + 90 + by), NOW + 120, &off));
		assert_int_equal(off, by - 30);
		off = 77;
		assert_false(skew_agrees(s, mine, a, 2, "000000", NOW + 150, &off));
	}
	skews_free(s);
}

/* The guesser's side: each right guess alone, however many and whatever between them, is answered like a wrong one. */
static void one_guess_learns_nothing(void **state)
{
	const struct authenticator a[2] = {app("12345678901234567890", 1), app("abcdefghijabcdefghij", 2)};
	struct skews *s = skews_new();
	int64_t off = 77;
	(void)state;
	assert_non_null(s);
	/* of other moments than one clock would show */
	for (int64_t step = 2; step <= 30; step += 2)
		assert_false(skew_agrees(s, mine, a, 2, shown(&a[0], NOW + 30 * step), NOW, &off));
	/* a wrong one between them */
	assert_false(skew_agrees(s, mine, a, 2, "000000", NOW, &off));
	assert_false(skew_agrees(s, mine, a, 2, shown(&a[0], NOW + 300), NOW, &off));
	assert_false(skew_agrees(s, mine, a, 2, "000000", NOW + 30, &off));
	assert_false(skew_agrees(s, mine, a, 2, shown(&a[0], NOW + 330), NOW + 30, &off));
	/* in another session; of another authenticator */
	assert_false(skew_agrees(s, others, a, 2, shown(&a[0], NOW + 360), NOW + 60, &off));
	assert_false(skew_agrees(s, others, a, 2, shown(&a[1], NOW + 390), NOW + 90, &off));
	/* what was remembered is pushed out by others' */
	for (int i = 0; i < SKEW_KEPT; i++) {
		const uint8_t many[DIGEST_LEN] = {3, (uint8_t)i, (uint8_t)(i >> 8)};
		assert_false(skew_agrees(s, many, a, 2, shown(&a[0], NOW + 300), NOW, &off));
	}
	assert_false(skew_agrees(s, others, a, 2, shown(&a[1], NOW + 420), NOW + 120, &off));
	assert_false(skew_agrees(NULL, mine, a, 2, shown(&a[0], NOW + 420), NOW + 120, &off));
	assert_int_equal(off, 77);
	skews_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_steps_that_are_accepted_are_not_looked_at),
	    cmocka_unit_test(two_codes_of_one_clock_are_needed),
	    cmocka_unit_test(one_guess_learns_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
