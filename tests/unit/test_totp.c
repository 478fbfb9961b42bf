/* The vectors of RFC 4226 appendix D and RFC 6238 appendix B, the window, and otpauth:// addresses. */
#include "config.h"

#include "keeper/totp.h"
#include "tests/unit/unit.h"

#define SECRET "1234567890123456789012345678901234567890123456789012345678901234"

static struct totp totp_of(enum totp_algorithm a, size_t secret_len, int digits)
{
	return (struct totp){a, digits, 30, (const uint8_t *)SECRET, secret_len};
}

static void test_rfc4226(void **state)
{
	static const char *const want[] = {"755224", "287082", "359152", "969429", "338314",
					   "254676", "287922", "162583", "399871", "520489"};
	struct totp t = totp_of(TOTP_SHA1, 20, 6);
	char code[9];

	(void)state;
	for (uint64_t i = 0; i < 10; i++) {
		assert_int_equal(totp_code(&t, i, code), ERR_NONE);
		assert_string_equal(code, want[i]);
	}
}

static void test_rfc6238(void **state)
{
	static const struct {
		int64_t time;
		const char *sha1, *sha256, *sha512;
	} want[] = {
	    {59, "94287082", "46119246", "90693936"},	      {1111111109, "07081804", "68084774", "25091201"},
	    {1111111111, "14050471", "67062674", "99943326"}, {1234567890, "89005924", "91819424", "93441116"},
	    {2000000000, "69279037", "90698825", "38618901"}, {20000000000, "65353130", "77737706", "47863826"},
	};
	struct totp a = totp_of(TOTP_SHA1, 20, 8), b = totp_of(TOTP_SHA256, 32, 8), c = totp_of(TOTP_SHA512, 64, 8);
	char code[9];
	uint64_t step;

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		uint64_t s = (uint64_t)want[i].time / 30;
		assert_int_equal(totp_code(&a, s, code), ERR_NONE);
		assert_string_equal(code, want[i].sha1);
		assert_int_equal(totp_code(&b, s, code), ERR_NONE);
		assert_string_equal(code, want[i].sha256);
		assert_int_equal(totp_code(&c, s, code), ERR_NONE);
		assert_string_equal(code, want[i].sha512);
		assert_int_equal(totp_check(&a, want[i].sha1, want[i].time, &step), ERR_NONE);
		assert_int_equal(step, s);
		assert_int_equal(totp_check(&a, want[i].sha256, want[i].time, &step), ERR_DENIED);
	}
}

static void test_window(void **state)
{
	struct totp t = totp_of(TOTP_SHA1, 20, 6);
	const int64_t now = 1700000000;
	char code[9];
	uint64_t step;

	(void)state;
	for (int64_t off = -3; off <= 3; off++) {
		uint64_t s = (uint64_t)(now / 30 + off);
		assert_int_equal(totp_code(&t, s, code), ERR_NONE);
		step = 77;
		enum err r = totp_check(&t, code, now, &step);
		if (off >= -1 && off <= 1) {
			assert_int_equal(r, ERR_NONE);
			assert_int_equal(step, s);
		} else {
			assert_int_equal(r, ERR_DENIED);
			assert_int_equal(step, 77);
		}
	}
}

/* Two steps with one code within a window (found by trying): the later one counts, so that the earlier cannot be used
 * after it. */
static void test_latest_of_several(void **state)
{
	struct totp t = totp_of(TOTP_SHA1, 20, 6);
	char code[9], next[9], last[9];
	uint64_t step, found = 0;

	(void)state;
	assert_int_equal(totp_code(&t, 1, code), ERR_NONE);
	assert_int_equal(totp_code(&t, 2, next), ERR_NONE);
	for (uint64_t s = 3; !found && s < 8000000; s++) {
		assert_int_equal(totp_code(&t, s, last), ERR_NONE);
		if (strcmp(last, code) == 0 || strcmp(last, next) == 0)
			found = s;
		memcpy(code, next, sizeof(code));
		memcpy(next, last, sizeof(next));
	}
	assert_true(found > 0);
	assert_int_equal(totp_check(&t, last, (int64_t)(found - 1) * 30, &step), ERR_NONE);
	assert_int_equal(step, found);
}

static void test_refused(void **state)
{
	struct totp t = totp_of(TOTP_SHA1, 20, 6), bad;
	char code[9], longer[16];
	uint64_t step = 5;

	(void)state;
	assert_int_equal(totp_code(&t, 40, code), ERR_NONE);
	assert_int_equal(totp_check(&t, "", 1200, &step), ERR_DENIED);
	(void)strcat(strcpy(longer, code), "0");
	assert_int_equal(totp_check(&t, longer, 1200, &step), ERR_DENIED);
	code[5] = '\0';
	assert_int_equal(totp_check(&t, code, 1200, &step), ERR_DENIED);
	assert_int_equal(totp_check(&t, "755224", -1, &step), ERR_INVALID);
	assert_int_equal(totp_check(&t, "755224", 29, &step), ERR_INVALID);
	assert_int_equal(step, 5);
#define REFUSED(field, value)                                                                                          \
	do {                                                                                                           \
		bad = t;                                                                                               \
		bad.field = (value);                                                                                   \
		assert_int_equal(totp_code(&bad, 1, code), ERR_INVALID);                                               \
		assert_int_equal(totp_check(&bad, "755224", 1200, &step), ERR_INVALID);                                \
	} while (0)
	REFUSED(algorithm, (enum totp_algorithm)0);
	REFUSED(algorithm, (enum totp_algorithm)4);
	REFUSED(digits, 5);
	REFUSED(digits, 7);
	REFUSED(digits, 9);
	REFUSED(period, 0);
	REFUSED(period, -30);
	REFUSED(period, 121);
	REFUSED(secret_len, 9);
	REFUSED(secret_len, 65);
	REFUSED(secret, NULL);
}

static void test_uri(void **state)
{
	struct totp t = totp_of(TOTP_SHA1, 20, 6);
	AUTO_BUF b = BUF_INIT;

	(void)state;
	assert_int_equal(totp_uri(&t, "Example Co", "alice@example.com", &b), ERR_NONE);
	assert_string_equal(buf_str(&b),
			    "otpauth://totp/Example%20Co:alice%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
			    "&issuer=Example%20Co&algorithm=SHA1&digits=6&period=30");
	buf_wipe(&b);
	t.algorithm = TOTP_SHA256;
	t.digits = 8;
	t.period = 60;
	assert_int_equal(totp_uri(&t, "健保", "u.1_a-b", &b), ERR_NONE);
	assert_string_equal(buf_str(&b),
			    "otpauth://totp/%E5%81%A5%E4%BF%9D:u.1_a-b?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
			    "&issuer=%E5%81%A5%E4%BF%9D&algorithm=SHA256&digits=8&period=60");
	buf_wipe(&b);
	/* Nothing in a name gets out of its place. */
	assert_int_equal(totp_uri(&t, "a:b&secret=x?#/%\"", "x", &b), ERR_NONE);
	assert_non_null(strstr(buf_str(&b), "totp/a%EF%BC%9Ab%26secret%3Dx%3F%23%2F%25%22:x?secret=GEZ"));
	buf_wipe(&b);
	assert_int_equal(totp_uri(&t, "", "x", &b), ERR_NONE);
	assert_non_null(strstr(buf_str(&b), "otpauth://totp/x?secret="));
	assert_null(strstr(buf_str(&b), "issuer"));
	buf_wipe(&b);
	assert_int_equal(totp_uri(&t, "ok", "", &b), ERR_INVALID);
	assert_int_equal(totp_uri(&t, "\xff", "x", &b), ERR_INVALID);
	assert_int_equal(totp_uri(&t, "ok", "\xe5\x81", &b), ERR_INVALID);
	assert_int_equal(b.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rfc4226),	      cmocka_unit_test(test_rfc6238), cmocka_unit_test(test_window),
	    cmocka_unit_test(test_latest_of_several), cmocka_unit_test(test_refused), cmocka_unit_test(test_uri),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
