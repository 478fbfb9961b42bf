/* Assertions against what is stored: the credential, its owner, its counter and its flags. */
#include "config.h"

#include "tests/unit/passkey_case.h"
#include "tests/unit/unit.h"

static void test_asked(void **state)
{
	struct passkey_expected x = case_expected();
	static const struct make how = {0};
	struct made m;
	struct passkey_used used;
	(void)state;
	make_assertion(&how, &m);
	const struct login good = case_login(&m, 0);
	struct login l = good;
	assert_int_equal(case_assert(&x, &l, &m, &used), PASSKEY_OK);
	for (size_t n = 0; n < 32; n += 31) {
		l = good;
		l.id.n = n;
		assert_int_equal(case_assert(&x, &l, &m, &used), PASSKEY_NOT_ASKED);
	}
	l = good;
	l.id.p = NULL;
	assert_int_equal(case_assert(&x, &l, &m, &used), PASSKEY_NOT_ASKED);
	l = good;
	l.stored.id[31] ^= 1;
	assert_int_equal(case_assert(&x, &l, &m, &used), PASSKEY_NOT_ASKED);
	l = good;
	l.stored.id_len = 0;
	assert_int_equal(case_assert(&x, &l, &m, &used), PASSKEY_NOT_ASKED);
	l.id.n = 0;
	assert_int_equal(case_assert(&x, &l, &m, &used), PASSKEY_NOT_ASKED);
	made_free(&m);
}

static void test_user(void **state)
{
	struct passkey_expected x = case_expected();
	static const struct make how = {0};
	uint8_t other[PASSKEY_USER_LEN + 1] = {0};
	struct made m;
	struct passkey_used used;
	(void)state;
	make_assertion(&how, &m);
	struct login l = case_login(&m, 0);
	for (int required = 0; required < 2; required++) {
		l.handle_required = required;
		l.handle = (struct passkey_bytes){NULL, 0};
		assert_int_equal(case_assert(&x, &l, &m, &used), required ? PASSKEY_USER_HANDLE : PASSKEY_OK);
		l.handle = (struct passkey_bytes){case_user, sizeof case_user};
		assert_int_equal(case_assert(&x, &l, &m, &used), PASSKEY_OK);
		for (size_t n = 0; n <= sizeof other; n++) { /* empty, cut, longer */
			l.handle = (struct passkey_bytes){other, n};
			assert_int_equal(case_assert(&x, &l, &m, &used), n == 64 ? PASSKEY_OK : PASSKEY_USER_HANDLE);
		}
		other[63] = 1;
		l.handle = (struct passkey_bytes){other, 64};
		assert_int_equal(case_assert(&x, &l, &m, &used), PASSKEY_USER_HANDLE);
		other[63] = 0;
	}
	made_free(&m);
}

/* What stands in the store is believed no more than what came. */
static void test_stored(void **state)
{
	struct passkey_expected x = case_expected();
	static const struct make how = {0};
	static const struct {
		size_t at;
		uint8_t flip;
		enum passkey_check check;
	} flips[] = {
	    {0, 1, PASSKEY_KEY_FORM}, {2, 1, PASSKEY_KEY_FORM}, {2, 3, PASSKEY_KEY_FORM},
	    {4, 1, PASSKEY_ALG},      {6, 3, PASSKEY_ALG},	{7, 1, PASSKEY_KEY_FORM},
	    {9, 1, PASSKEY_KEY_FORM}, {10, 1, PASSKEY_POINT},	{76, 1, PASSKEY_POINT},
	};
	struct made m;
	struct passkey_used used;
	(void)state;
	make_assertion(&how, &m);
	const struct login good = case_login(&m, 0);
	struct login l;
	for (size_t i = 0; i < COUNT(flips); i++) {
		l = good;
		l.stored.key[flips[i].at] ^= flips[i].flip;
		assert_int_equal(case_assert(&x, &l, &m, &used), flips[i].check);
	}
	for (size_t n = 0; n <= good.stored.key_len + 1; n++) {
		l = good;
		l.stored.key_len = n;
		assert_int_equal(case_assert(&x, &l, &m, &used),
				 n == good.stored.key_len ? PASSKEY_OK : PASSKEY_KEY_FORM);
	}
	l = good;
	l.stored.key_len = sizeof l.stored.key + 1;
	assert_int_equal(case_assert(&x, &l, &m, &used), PASSKEY_KEY_FORM);
	for (size_t i = 0; i < COUNT(case_every); i++) {
		l = good;
		l.stored.alg = case_every[i];
		assert_int_equal(case_assert(&x, &l, &m, &used),
				 case_every[i] == PASSKEY_ES256 ? PASSKEY_OK : PASSKEY_ALG);
	}
	l.stored.alg = 0;
	assert_int_equal(case_assert(&x, &l, &m, &used), PASSKEY_ALG);
	made_free(&m);
}

static void test_counters(void **state)
{
	static const struct {
		uint32_t stored, now;
		bool back;
	} counts[] = {{0, 1, false}, {1, 2, false},	    {7, 7, true},
		      {8, 7, true},  {UINT32_MAX, 1, true}, {0x7fffffff, 0x80000000, false}};
	struct passkey_expected x = case_expected();
	struct passkey_used used;
	struct made m;
	(void)state;
	for (size_t i = 0; i < COUNT(counts); i++) {
		const struct make how = {.count = counts[i].now};
		make_assertion(&how, &m);
		struct login l = case_login(&m, 0);
		l.stored.sign_count = counts[i].stored;
		assert_int_equal(case_assert(&x, &l, &m, &used), PASSKEY_OK);
		assert_int_equal(used.counter_back, counts[i].back);
		assert_int_equal(used.sign_count, counts[i].now);
		made_free(&m);
	}
	for (uint32_t stored = 0; stored < 2; stored++) {
		static const struct make zero = {.splice = {PUT(PART_AUTH, 33, 4, "\0\0\0\0")}};
		make_assertion(&zero, &m);
		struct login l = case_login(&m, 0);
		l.stored.sign_count = stored;
		assert_int_equal(case_assert(&x, &l, &m, &used), PASSKEY_OK);
		assert_int_equal(used.counter_back, stored != 0);
		made_free(&m);
	}
}

/* A device that was copied, or is so no more, is still its owner's. */
static void test_backup(void **state)
{
	struct passkey_expected x = case_expected();
	struct passkey_used used;
	struct made m;
	(void)state;
	for (int now = 0; now < 2; now++)
		for (int before = 0; before < 2; before++) {
			const struct make how = {.flags = (uint8_t)(now ? 0x1d : 0x0d)};
			make_assertion(&how, &m);
			struct login l = case_login(&m, 0);
			l.stored.eligible = true;
			l.stored.backed_up = before;
			assert_int_equal(case_assert(&x, &l, &m, &used), PASSKEY_OK);
			assert_int_equal(used.backed_up, now);
			assert_int_equal(used.backup_flip, now != before);
			assert_true(used.user_verified);
			made_free(&m);
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
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_asked), cmocka_unit_test(test_user),
					   cmocka_unit_test(test_stored), cmocka_unit_test(test_counters),
					   cmocka_unit_test(test_backup)};

	return cmocka_run_group_tests(tests, NULL, gone);
}
