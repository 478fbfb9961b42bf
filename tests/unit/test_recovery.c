/* Recovery codes: their form, that their symbols are evenly spread, and what passes for one. */
#include "config.h"

#include "common/alphabet.h"
#include "common/buf.h"
#include "common/text.h"
#include "keeper/recovery.h"
#include "tests/unit/unit.h"

static void test_alphabet(void **state)
{
	(void)state;
	assert_int_equal(strlen(ALPHABET), 32);
	assert_null(strpbrk(ALPHABET, "1ilo"));
	for (const char *p = ALPHABET; *p; p++)
		assert_ptr_equal(strrchr(ALPHABET, *p), p);
}

static void test_form(void **state)
{
	char code[RECOVERY_TEXT];

	(void)state;
	for (int i = 0; i < 100; i++) {
		AUTO_BUF canonical = BUF_INIT;
		assert_int_equal(recovery_code(code), ERR_NONE);
		assert_int_equal(strlen(code), 15);
		assert_true(code[5] == '-' && code[11] == '-');
		assert_int_equal(text_code(code, strlen(code), &canonical), ERR_NONE);
		assert_true(recovery_looks_like(buf_str(&canonical)));
		assert_false(recovery_looks_like(code));
	}
}

/* 13 * 20000 symbols over 32: 8125 each, sigma 89. */
static void test_even(void **state)
{
	size_t seen[256] = {0};
	char code[RECOVERY_TEXT];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		assert_int_equal(recovery_code(code), ERR_NONE);
		for (const char *p = code; *p; p++)
			seen[(uint8_t)*p]++;
	}
	for (const char *p = ALPHABET; *p; p++)
		assert_in_range(seen[(uint8_t)*p], 8125 - 6 * 89, 8125 + 6 * 89);
	assert_int_equal(seen['-'], 40000);
}

static void test_admin_code(void **state)
{
	char code[RECOVERY_ADMIN_TEXT];
	AUTO_BUF canonical = BUF_INIT;

	(void)state;
	assert_int_equal(recovery_admin_code(code), ERR_NONE);
	assert_int_equal(strlen(code), 19);
	assert_int_equal(text_code(code, strlen(code), &canonical), ERR_NONE);
	assert_true(recovery_admin_looks_like(buf_str(&canonical)));
	assert_false(recovery_looks_like(buf_str(&canonical)));
	assert_false(recovery_admin_looks_like(code));
	assert_false(recovery_admin_looks_like("abcdefghjkmnp"));
	assert_false(recovery_admin_looks_like("abcdefghjkmnpqri"));
	assert_false(recovery_admin_looks_like(""));
}

static void test_of_given_bytes(void **state)
{
	uint8_t random[32];
	char code[RECOVERY_TEXT];

	(void)state;
	memset(random, 0xe0, sizeof random);
	recovery_from(random, code);
	assert_string_equal(code, "00000-00000-000");
	memset(random, 0xff, sizeof random);
	random[0] = 1;
	recovery_from(random, code);
	assert_string_equal(code, "2zzzz-zzzzz-zzz");
}

static void test_looks_like(void **state)
{
	(void)state;
	assert_true(recovery_looks_like("abcdefghjkmnp"));
	assert_true(recovery_looks_like("0234567890234"));
	assert_false(recovery_looks_like(""));
	assert_false(recovery_looks_like("123456"));
	assert_false(recovery_looks_like("abcdefghjkmn"));
	assert_false(recovery_looks_like("abcdefghjkmnpq"));
	assert_false(recovery_looks_like("abcdefghjkmni"));
	assert_false(recovery_looks_like("ABCDEFGHJKMNP"));
	assert_false(recovery_looks_like("abcdefghjkmn\xc3"));
}

/* As people type it: case, width, spaces, another hyphen, an o for the zero. */
static void test_typed(void **state)
{
	static const char *const typed[] = {"ab0de-fghjk-mnp", "AB0DE-FGHJK-MNP",
					    "abode fghjk mnp", "ＡＢ０ＤＥ－ｆｇｈｊｋ　ｍｎｐ",
					    "ABODE‐FGHJK‐MNP", " ab0defghjkmnp "};

	(void)state;
	for (size_t i = 0; i < sizeof(typed) / sizeof(typed[0]); i++) {
		AUTO_BUF b = BUF_INIT;
		assert_int_equal(text_code(typed[i], strlen(typed[i]), &b), ERR_NONE);
		assert_string_equal(buf_str(&b), "ab0defghjkmnp");
	}
}

static void test_alphabet_fill(void **state)
{
	char b[40] = "untouched";

	(void)state;
	assert_int_equal(alphabet_fill("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", b), ERR_INVALID);
	assert_string_equal(b, "untouched");
	assert_int_equal(alphabet_fill("-x-", b), ERR_NONE);
	assert_true(b[0] == '-' && b[1] != '-' && b[2] == '-' && b[3] == '\0');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_alphabet),   cmocka_unit_test(test_form),	      cmocka_unit_test(test_even),
	    cmocka_unit_test(test_admin_code), cmocka_unit_test(test_of_given_bytes), cmocka_unit_test(test_looks_like),
	    cmocka_unit_test(test_typed),      cmocka_unit_test(test_alphabet_fill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
