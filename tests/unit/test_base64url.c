#include "config.h"

#include "common/base64url.h"
#include "tests/unit/unit.h"

static const struct {
	const char *plain, *b64, *b32;
} vectors[] = {
    /* RFC 4648 section 10, without padding */
    {"", "", ""},
    {"f", "Zg", "MY"},
    {"fo", "Zm8", "MZXQ"},
    {"foo", "Zm9v", "MZXW6"},
    {"foob", "Zm9vYg", "MZXW6YQ"},
    {"fooba", "Zm9vYmE", "MZXW6YTB"},
    {"foobar", "Zm9vYmFy", "MZXW6YTBOI"},
    {"\xfb\xff\xfe", "-__-", "7P774"},
};

static void vectors_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		AUTO_BUF e64 = BUF_INIT, e32 = BUF_INIT, d64 = BUF_INIT, d32 = BUF_INIT;
		size_t n = strlen(vectors[i].plain);

		base64url_encode(&e64, vectors[i].plain, n);
		base32_encode(&e32, vectors[i].plain, n);
		assert_string_equal(buf_str(&e64), vectors[i].b64);
		assert_string_equal(buf_str(&e32), vectors[i].b32);
		assert_int_equal(base64url_decode(&d64, vectors[i].b64, strlen(vectors[i].b64)), ERR_NONE);
		assert_int_equal(base32_decode(&d32, vectors[i].b32, strlen(vectors[i].b32)), ERR_NONE);
		assert_string_equal(buf_str(&d64), vectors[i].plain);
		assert_string_equal(buf_str(&d32), vectors[i].plain);
	}
}

static void every_length_and_byte(void **state)
{
	uint8_t bytes[256];

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 167 + 13);
	for (size_t n = 0; n <= sizeof bytes; n++) {
		AUTO_BUF text = BUF_INIT, back = BUF_INIT;

		base64url_encode(&text, bytes, n);
		assert_int_equal(text.len, (n * 8 + 5) / 6);
		assert_int_equal(base64url_decode(&back, buf_str(&text), text.len), ERR_NONE);
		assert_int_equal(back.len, n);
		assert_true(n == 0 || memcmp(back.data, bytes, n) == 0);
		buf_wipe(&text);
		buf_wipe(&back);
		base32_encode(&text, bytes, n);
		assert_int_equal(text.len, (n * 8 + 4) / 5);
		assert_int_equal(base32_decode(&back, buf_str(&text), text.len), ERR_NONE);
		assert_int_equal(back.len, n);
		assert_true(n == 0 || memcmp(back.data, bytes, n) == 0);
	}
}

static void refused(enum err (*decode)(struct buf *, const char *, size_t), const char *s, size_t n)
{
	AUTO_BUF b = BUF_INIT;

	buf_adds(&b, "kept");
	if (decode(&b, s, n) != ERR_INVALID)
		fail_msg("taken: \"%s\"", s);
	assert_string_equal(buf_str(&b), "kept");
}

static void base64url_strict(void **state)
{
	static const char *const bad[] = {"Zg==", "Zg=",   "Zm9vYg\n", " Zm9v", "Zm 9v", "Zm9v\t",	    "+/+/",
					  "Z",	  "Zm9vY", "Zh",       "Zm9=",	"Zm9v.", "\xc3\xa9\xc3\xa9"};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		refused(base64url_decode, bad[i], strlen(bad[i]));
	refused(base64url_decode, "Zm\0v", 4);
	for (int c = 1; c < 256; c++) {
		char four[5] = {'A', 'A', (char)c, 'A', 0};
		AUTO_BUF b = BUF_INIT;
		bool in =
		    (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';

		assert_int_equal(base64url_decode(&b, four, 4), in ? ERR_NONE : ERR_INVALID);
	}
}

static void base32_lenient_where_said(void **state)
{
	static const char *const good[] = {"MZXW6YTBOI======", "mzxw 6ytb oi", "MZXW-6YTB-OI",
					   " mZxW6yTbOi= ", "MZXW6YTBOI"};
	static const char *const bad[] = {"MZXW6YTBOI=======", "MZXW6YTB=OI",  "MZXW6YTBO", "MZXW6YTBOJ", "MZXW0YTB",
					  "MZXW1YTB",	       "MZXW8YTB",     "M",	    "MZX",	  "MZXW6Y",
					  "MZXW6\n",	       "M\xef\xbc\xb9"};

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		AUTO_BUF b = BUF_INIT;

		assert_int_equal(base32_decode(&b, good[i], strlen(good[i])), ERR_NONE);
		assert_string_equal(buf_str(&b), "foobar");
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		refused(base32_decode, bad[i], strlen(bad[i]));
	refused(base32_decode, "MZ\0W6YTB", 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(vectors_both_ways),
	    cmocka_unit_test(every_length_and_byte),
	    cmocka_unit_test(base64url_strict),
	    cmocka_unit_test(base32_lenient_where_said),
	};

	return cmocka_run_group_tests_name("base64url", tests, NULL, NULL);
}
