/* Hashing counts its yescrypts, whatever it is asked; the quality of new passwords with and without a dictionary. */
#include "config.h"

#include "common/alphabet.h"
#include "common/text.h"
#include "keeper/password.h"
#include "tests/unit/unit.h"
#include <crypt.h>
#include <pwquality.h>

static int yescrypts, others;
static size_t longest;
static bool dictionary_missing, crypt_broken;

char *__real_crypt_rn(const char *phrase, const char *setting, void *data, int size);
char *__wrap_crypt_rn(const char *phrase, const char *setting, void *data, int size);
char *__wrap_crypt_rn(const char *phrase, const char *setting, void *data, int size)
{
	*(strncmp(setting, "$y$", 3) == 0 ? &yescrypts : &others) += 1;
	longest = strlen(phrase);
	return crypt_broken ? NULL : __real_crypt_rn(phrase, setting, data, size);
}

int __real_pwquality_check(pwquality_settings_t *q, const char *password, const char *old, const char *user,
			   void **aux);
int __wrap_pwquality_check(pwquality_settings_t *q, const char *password, const char *old, const char *user,
			   void **aux);
int __wrap_pwquality_check(pwquality_settings_t *q, const char *password, const char *old, const char *user, void **aux)
{
	if (dictionary_missing && pwquality_set_str_value(q, PWQ_SETTING_DICT_PATH, "/nonexistent/dictionary") != 0)
		return PWQ_ERROR_MEM_ALLOC;
	return __real_pwquality_check(q, password, old, user, aux);
}

static bool check(const char *hash, const char *password, bool *upgrade)
{
	yescrypts = others = 0;
	return password_check(hash, password, upgrade);
}

static void test_hash(void **state)
{
	char a[PASSWORD_HASH_MAX], b[PASSWORD_HASH_MAX];
	bool upgrade = true;

	(void)state;
	assert_int_equal(password_hash("correct horse", a), ERR_NONE);
	assert_int_equal(password_hash("correct horse", b), ERR_NONE);
	assert_string_not_equal(a, b);
	assert_int_equal(strncmp(a, "$y$j9T$", 7), 0);
	assert_true(password_hash_known(a));
	assert_true(check(a, "correct horse", &upgrade));
	assert_false(upgrade);
	assert_int_equal(yescrypts, 1);
	assert_int_equal(others, 0);
	assert_false(check(a, "correct hors", &upgrade));
	assert_false(check(a, "correct horse ", NULL));
	assert_false(check(a, "", NULL));
	assert_int_equal(yescrypts, 1);
}

static void test_one_yescrypt(void **state)
{
	/* hello, by libxcrypt */
	static const struct {
		const char *hash;
		bool matches;
		int others;
	} cases[] = {
	    {NULL, false, 0},
	    {"", false, 0},
	    {"x", false, 0},
	    {"*", false, 0},
	    {"!", false, 0},
	    {"!!", false, 0},
	    {"hello", false, 0},
	    {"abl0JrMf6tlhw", false, 0},	/* DES */
	    {"_J9..rasmG1gANnusqQA", false, 0}, /* BSDi */
	    {"$y$", false, 0},
	    {"$y$j9T$abcdefghijkl", false, 0},
	    {"$y$j9T$abcdefghijkl$", false, 0},
	    {"$nonsense$a$b", false, 0},
	    {"$y$j9T$abcdefghijkl$SaUOrok2wSzPBIch847AEMhnPiTjXWVnpnxLhnVeLb3", true, 0},
	    {"$y$j9T$abcdefghijkl$SaUOrok2wSzPBIch847AEMhnPiTjXWVnpnxLhnVeLb4", false, 0},
	    {"$gy$j9T$abcdefghijkl$0eBg.TQ2L.LdAUFiZmotN3txTkNYCElHkvrOpn7ry84", true, 1},
	    {"$7$CU..../....abcdefgh$s5a0tlnh.XzRBeTynH8HoCuKO1Lx8jxWconoaFCjAs2", true, 1},
	    {"$6$abcdefgh$bp46WUxDu2cphMRE0PvVJlqas2imuSq186YS793XKfmqn9XUEL17HECskUTZInaNigNndLLYc7A6yWBmFEFn3/", true,
	     1},
	    {"$6$abcdefgh$bp46WUxDu2cphMRE0PvVJlqas2imuSq186YS793XKfmqn9XUEL17HECskUTZInaNigNndLLYc7A6yWBmFEFn30",
	     false, 1},
	    {"$5$abcdefgh$UUoko/Tf0b.8LrDH6BE28ZvVbc7xd//GfzsD0NKugU7", true, 1},
	    {"$2b$05$abcdefghijklmnopqrstuuWHxnxkyNt6AHCwFMQaY6auyqJA8E98a", true, 1},
	    {"$1$abcdefgh$rwnEbRiN0agqVgZBovWNQ/", true, 1},
	    {"$sha1$40000$abcdefgh$q9KGAyeU1OvgIhXfx6V8vcM07Z2i", true, 1},
	    {"$md5,rounds=5000$abcdefgh$$qh2UAVBmnzvMPqwC6jAyU1", true, 1},
	    {"$3$$066ddfd4ef0e9cd7c256fe77191ef43c", true, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool upgrade = false;
		bool match = check(cases[i].hash, "hello", &upgrade);
		if (match != cases[i].matches || yescrypts != 1 || others != cases[i].others)
			fail_msg("%s: %d, %d yescrypts, %d others", cases[i].hash ? cases[i].hash : "NULL", match,
				 yescrypts, others);
		assert_int_equal(upgrade, match && strncmp(cases[i].hash, "$y$j9T$", 7) != 0);
		assert_false(check(cases[i].hash, "hellp", NULL));
		assert_int_equal(yescrypts, 1);
		assert_int_equal(others, cases[i].others);
		if (cases[i].matches)
			assert_true(password_hash_known(cases[i].hash));
	}
}

/* What one check would cost is bounded before it is begun. */
static void test_hash_cost(void **state)
{
	static const struct {
		const char *hash;
		bool known;
	} cases[] = {
	    {"$y$jBT$abcdefghijkl$0eBg.TQ2L.LdAUFiZmotN3txTkNYCElHkvrOpn7ry84", true},
	    {"$y$jCT$abcdefghijkl$0eBg.TQ2L.LdAUFiZmotN3txTkNYCElHkvrOpn7ry84", false},
	    {"$y$jFT$abcdefghijkl$0eBg.TQ2L.LdAUFiZmotN3txTkNYCElHkvrOpn7ry84", false},
	    {"$y$j9Tz$abcdefghijkl$0eBg.TQ2L.LdAUFiZmotN3txTkNYCElHkvrOpn7ry84", false},
	    {"$gy$jzT$abcdefghijkl$0eBg.TQ2L.LdAUFiZmotN3txTkNYCElHkvrOpn7ry84", false},
	    {"$7$EU..../....abcdefgh$s5a0tlnh.XzRBeTynH8HoCuKO1Lx8jxWconoaFCjAs2", false},
	    {"$7$CU...z/....abcdefgh$s5a0tlnh.XzRBeTynH8HoCuKO1Lx8jxWconoaFCjAs2", false},
	    {"$2b$14$abcdefghijklmnopqrstuuWHxnxkyNt6AHCwFMQaY6auyqJA8E98a", true},
	    {"$2b$15$abcdefghijklmnopqrstuuWHxnxkyNt6AHCwFMQaY6auyqJA8E98a", false},
	    {"$2y$31$abcdefghijklmnopqrstuuWHxnxkyNt6AHCwFMQaY6auyqJA8E98a", false},
	    {"$5$rounds=2000000$abcdefgh$UUoko/Tf0b.8LrDH6BE28ZvVbc7xd//GfzsD0NKugU7", true},
	    {"$5$rounds=2000001$abcdefgh$UUoko/Tf0b.8LrDH6BE28ZvVbc7xd//GfzsD0NKugU7", false},
	    {"$5$rounds=999999999$abcdefgh$UUoko/Tf0b.8LrDH6BE28ZvVbc7xd//GfzsD0NKugU7", false},
	    {"$sha1$4000000000$abcdefgh$q9KGAyeU1OvgIhXfx6V8vcM07Z2i", false},
	    {"$md5,rounds=4000000000$abcdefgh$$qh2UAVBmnzvMPqwC6jAyU1", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (password_hash_known(cases[i].hash) != cases[i].known)
			fail_msg("%s", cases[i].hash);
}

static void test_hash_known(void **state)
{
	static const char *const no[] = {"",
					 "x",
					 "*",
					 "!",
					 "*0",
					 "$6$abcdefgh$",
					 "$6$abcdefgh",
					 "$5$",
					 "$2b$",
					 "$2b$05$",
					 "$y$j9T$x",
					 "abl0JrMf6tlhw",
					 "password",
					 "$1$abcdefgh$a:b",
					 "$1$abcdefgh$rwnEbRiN0agqVgZBovWN ",
					 "$1$abcdefgh$rwnEbRiN0agqVgZBovWNQ/\n"};
	char huge[1000];

	(void)state;
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		if (password_hash_known(no[i]))
			fail_msg("%s", no[i]);
	assert_false(password_hash_known(NULL));
	memset(huge, 'a', sizeof(huge));
	memcpy(huge, "$6$", 3);
	huge[sizeof(huge) - 1] = '\0';
	assert_false(password_hash_known(huge));
}

static void test_crypt_fails(void **state)
{
	char hash[PASSWORD_HASH_MAX] = "untouched";

	(void)state;
	crypt_broken = true;
	assert_int_equal(password_hash("hello", hash), ERR_INTERNAL);
	assert_string_equal(hash, "untouched");
	assert_false(check("$1$abcdefgh$rwnEbRiN0agqVgZBovWNQ/", "hello", NULL));
	crypt_broken = false;
}

static void test_too_long(void **state)
{
	char p[600], hash[PASSWORD_HASH_MAX];

	(void)state;
	memset(p, 'a', sizeof(p));
	p[511] = '\0';
	assert_int_equal(password_hash(p, hash), ERR_NONE);
	assert_true(check(hash, p, NULL));
	p[511] = 'a';
	p[599] = '\0';
	assert_false(check(hash, p, NULL));
	assert_int_equal(yescrypts, 1);
	assert_int_equal(longest, 511);
	assert_int_equal(password_hash(p, hash), ERR_INVALID);
}

/* The same word from another keyboard: full width, half-width kana, a letter and its accent apart. */
static void test_nfkc(void **state)
{
	static const char *const pairs[][2] = {{"Ｐａｓｓ－１２３４", "Pass-1234"},
					       {"ﾊﾟｽﾜｰﾄﾞ", "パスワード"},
					       {"cafe\xcc\x81", "café"},
					       {"が", "か\xe3\x82\x99"},
					       {"㍻①", "平成1"}};
	char hash[PASSWORD_HASH_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		AUTO_BUF a = BUF_INIT;
		AUTO_BUF b = BUF_INIT;
		assert_int_equal(text_nfkc(pairs[i][0], strlen(pairs[i][0]), &a), ERR_NONE);
		assert_int_equal(text_nfkc(pairs[i][1], strlen(pairs[i][1]), &b), ERR_NONE);
		assert_int_equal(password_hash(buf_str(&a), hash), ERR_NONE);
		assert_true(check(hash, buf_str(&b), NULL));
	}
}

struct quality_case {
	const char *password;
	enum password_verdict verdict;
};

static const char *const personal[] = {"taro01", "山田 太郎", "Taro.Yamada+x@example.jp", "1980-01-02", "ken", NULL};

static void quality(const struct quality_case *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		enum password_verdict v = password_quality(c[i].password, 8, personal);
		if (v != c[i].verdict)
			fail_msg("%s: %d instead of %d", c[i].password, (int)v, (int)c[i].verdict);
	}
}

static void test_quality(void **state)
{
	static const struct quality_case cases[] = {
	    {"", PASSWORD_SHORT},
	    {"kj3fw9x", PASSWORD_SHORT},
	    {"ひまわりばたけ", PASSWORD_SHORT}, /* 7 characters, 21 bytes */
	    {"kj3fw9xq", PASSWORD_FINE},
	    {"correct horse battery", PASSWORD_FINE},
	    {"雨の日は本を読みます", PASSWORD_FINE},
	    {"12948603751846", PASSWORD_FINE}, /* no composition rules */
	    {"onlylowercaseletters", PASSWORD_FINE},
	    {"ABCDWXYZPQ", PASSWORD_COMMON},
	    {"kept 65 cabs, hide 43 stunts", PASSWORD_FINE}, /* neighbours here and there, which cracklib minds */
	    {"kj3\tfw9xq", PASSWORD_BYTES},
	    {"kj3fw9xq\x7f", PASSWORD_BYTES},
	    {"kj3fw9xq\xc2\x85", PASSWORD_BYTES},
	    {"kj3fw9xq\xff", PASSWORD_BYTES},
	    {"xx-taro01-xx", PASSWORD_PERSONAL},
	    {"xx TARO01 xx", PASSWORD_PERSONAL},
	    {"ta-ro-01-zzkw", PASSWORD_PERSONAL},
	    {"qw-Yamada-81", PASSWORD_PERSONAL},
	    {"山田の家はここです", PASSWORD_PERSONAL},
	    {"わたしは太郎ですよ", PASSWORD_PERSONAL},
	    {"kentucky-derby-x", PASSWORD_FINE}, /* three letters may be chance */
	    {"zz19800102zz", PASSWORD_PERSONAL},
	    {"zz1980/1/2zz", PASSWORD_PERSONAL},
	    {"zz800102zzqk", PASSWORD_PERSONAL},
	    {"zz550102zzqk", PASSWORD_PERSONAL},
	    {"S55.1.2-zzqk", PASSWORD_PERSONAL},
	    {"zz02.01.1980", PASSWORD_PERSONAL},
	    {"zz01/02/1980", PASSWORD_PERSONAL},
	};
	char p[700];

	(void)state;
	quality(cases, sizeof(cases) / sizeof(cases[0]));
	for (size_t i = 0; i < sizeof(p); i++)
		p[i] = ALPHABET[(i * i * 7 + i / 3) & 31];
	p[128] = '\0';
	assert_int_equal(password_quality(p, 8, NULL), PASSWORD_FINE);
	p[128] = 'a';
	p[129] = '\0';
	assert_int_equal(password_quality(p, 8, NULL), PASSWORD_LONG);
	/* 128 characters of four bytes are one byte too many for crypt(3). */
	for (size_t i = 0; i < 128; i++)
		(void)strcpy(p + 4 * i, i & 1 ? "\xf0\x9f\x90\xb1" : "\xf0\x9f\x90\xb6");
	assert_int_equal(password_quality(p, 8, NULL), PASSWORD_LONG);
	assert_int_equal(password_quality("kj3fw9xq", 15, NULL), PASSWORD_SHORT);
}

static const struct quality_case common[] = {
    {"password", PASSWORD_COMMON},	   {"Password1", PASSWORD_COMMON},
    {"P@ssw0rd!", PASSWORD_COMMON},	   {"12345678", PASSWORD_COMMON},
    {"123456789012", PASSWORD_COMMON},	   {"87654321", PASSWORD_COMMON},
    {"00000000", PASSWORD_COMMON},	   {"aabbccdd", PASSWORD_COMMON},
    {"abcabcabcabc", PASSWORD_COMMON},	   {"qwertyuiop", PASSWORD_COMMON},
    {"qwerty123", PASSWORD_COMMON},	   {"1qaz2wsx3edc", PASSWORD_COMMON},
    {"!@#$%^&*", PASSWORD_COMMON},	   {"sakura2020", PASSWORD_COMMON},
    {"doraemon", PASSWORD_COMMON},	   {"trustno1trustno1", PASSWORD_COMMON},
    {"Summer2024!", PASSWORD_COMMON},	   {"iloveyou", PASSWORD_COMMON},
    {"20240415", PASSWORD_COMMON},	   {"パスワードパスワード", PASSWORD_COMMON},
    {"ああああああああ", PASSWORD_COMMON}, {"letmein!!", PASSWORD_COMMON},
    {"kosmo2025", PASSWORD_COMMON},
};

static void test_common(void **state)
{
	(void)state;
	quality(common, sizeof(common) / sizeof(common[0]));
}

static void test_no_dictionary(void **state)
{
	static const struct quality_case fine[] = {{"kj3fw9xq", PASSWORD_FINE},
						   {"correct horse battery", PASSWORD_FINE}};

	(void)state;
	dictionary_missing = true;
	quality(common, sizeof(common) / sizeof(common[0]));
	quality(fine, sizeof(fine) / sizeof(fine[0]));
	dictionary_missing = false;
}

/* What we hand out must be acceptable too. */
static void test_initial(void **state)
{
	char a[20], b[20];

	(void)state;
	for (int i = 0; i < 50; i++) {
		assert_int_equal(password_initial(a), ERR_NONE);
		assert_int_equal(password_initial(b), ERR_NONE);
		assert_string_not_equal(a, b);
		assert_int_equal(strlen(a), 19);
		for (size_t k = 0; k < 19; k++)
			assert_true(k % 5 == 4 ? a[k] == '-' : strchr(ALPHABET, a[k]) != NULL);
		assert_int_equal(password_quality(a, 15, personal), PASSWORD_FINE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hash),	cmocka_unit_test(test_one_yescrypt),
	    cmocka_unit_test(test_hash_known),	cmocka_unit_test(test_hash_cost),
	    cmocka_unit_test(test_crypt_fails), cmocka_unit_test(test_too_long),
	    cmocka_unit_test(test_nfkc),	cmocka_unit_test(test_quality),
	    cmocka_unit_test(test_common),	cmocka_unit_test(test_no_dictionary),
	    cmocka_unit_test(test_initial),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
