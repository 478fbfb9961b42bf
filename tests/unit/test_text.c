#include "config.h"

#include "common/text.h"
#include "tests/unit/unit.h"

struct sample {
	const char *in, *out; /* out NULL: ERR_INVALID */
};

static void samples(enum err (*canonical)(const char *, size_t, struct buf *), const struct sample *t, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		AUTO_BUF b = BUF_INIT;
		enum err e;

		buf_addc(&b, '|');
		e = canonical(t[i].in, strlen(t[i].in), &b);
		if (e != (t[i].out ? ERR_NONE : ERR_INVALID) || strcmp(buf_str(&b) + 1, t[i].out ? t[i].out : "") != 0)
			fail_msg("\"%s\" gave %s \"%s\", not \"%s\"", t[i].in, err_text(e), buf_str(&b) + 1,
				 t[i].out ? t[i].out : "(refused)");
	}
}

static void utf8(void **state)
{
	static const char *const good[] = {"",
					   "a",
					   "\x7f",
					   "\xc2\x80",
					   "\xdf\xbf",
					   "\xe0\xa0\x80",
					   "\xed\x9f\xbf",
					   "\xee\x80\x80",
					   "\xef\xbf\xbf",
					   "\xf0\x90\x80\x80",
					   "\xf4\x8f\xbf\xbf",
					   "日本語"};
	static const char *const bad[] = {"\x80",
					  "\xbf",
					  "\xc0\x80",
					  "\xc1\xbf",
					  "\xc2",
					  "\xc2\x41",
					  "\xe0\x80\x80",
					  "\xe0\x9f\xbf",
					  "\xe3\x81",
					  "\xed\xa0\x80",
					  "\xed\xbf\xbf",
					  "\xf0\x80\x80\x80",
					  "\xf0\x8f\xbf\xbf",
					  "\xf0\x9f\x98",
					  "\xf4\x90\x80\x80",
					  "\xf5\x80\x80\x80",
					  "\xf8\x88\x80\x80\x80",
					  "\xfe",
					  "\xff",
					  "ok\xff"};

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(text_utf8_valid(good[i], strlen(good[i])));
	for (size_t i = 0; i < COUNT(bad); i++) {
		AUTO_BUF b = BUF_INIT;

		assert_false(text_utf8_valid(bad[i], strlen(bad[i])));
		assert_int_equal(text_nfkc(bad[i], strlen(bad[i]), &b), ERR_INVALID);
		assert_int_equal(text_code(bad[i], strlen(bad[i]), &b), ERR_INVALID);
		assert_int_equal(text_login(bad[i], strlen(bad[i]), &b), ERR_INVALID);
		assert_int_equal(text_email(bad[i], strlen(bad[i]), &b), ERR_INVALID);
		assert_int_equal(b.len, 0);
	}
	static const char *const control[] = {"\x01",	      "\n",	      "\x7f",	      "\xc2\x80",
					      "\xc2\x9f",     "\xe2\x80\x8b", "\xe2\x80\x8f", "\xe2\x80\xa8",
					      "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x81\xa9", "\xef\xbb\xbf"};
	static const char *const letters[] = {"a", " ", "\xc2\xa0", "é", "健", "\xe2\x80\x8d", "\xe2\x80\xaf", "😀", ""};
	for (size_t i = 0; i < COUNT(control); i++)
		assert_int_equal(text_control(control[i], strlen(control[i])), strlen(control[i]));
	for (size_t i = 0; i < COUNT(letters); i++)
		assert_int_equal(text_control(letters[i], strlen(letters[i])), 0);
	assert_int_equal(text_control("\xe2\x80\xae", 2), 0); /* cut */
	assert_false(text_utf8_valid("a\0b", 3));
	assert_false(text_utf8_valid("\0", 1));
	assert_true(text_utf8_valid(NULL, 0));
}

static void nfkc(void **state)
{
	static const struct sample t[] = {
	    {"", ""},
	    {"Passwort 1", "Passwort 1"},
	    {"ＡＢＣ１２３", "ABC123"},
	    {"ｶﾞｷﾞ", "ガギ"},
	    {"か\xe3\x82\x99", "が"},
	    {"e\xcc\x81", "é"},
	    {"①㈱㍻", "1(株)平成"},
	    {"\xef\xb7\xba", "صلى الله عليه وسلم"}, /* the longest expansion */
	    {"\xef\xac\x81", "fi"},
	};
	AUTO_BUF in = BUF_INIT, out = BUF_INIT;

	(void)state;
	samples(text_nfkc, t, COUNT(t));
	for (int i = 0; i < 3000; i++)
		buf_adds(&in, "\xef\xb7\xba");
	assert_int_equal(text_nfkc(buf_str(&in), in.len, &out), ERR_NONE);
	assert_int_equal(out.len, 3000 * 33);
	/* many marks on one letter: sorted by class, more than libunistring keeps on the stack */
	buf_wipe(&in);
	buf_wipe(&out);
	buf_addc(&in, 'a');
	for (int i = 0; i < 500; i++)
		buf_adds(&in, i % 2 ? "\xcc\x81" : "\xcc\xa3");
	assert_int_equal(text_nfkc(buf_str(&in), in.len, &out), ERR_NONE);
}

static void codes(void **state)
{
	static const struct sample t[] = {
	    {"", ""},
	    {"123456", "123456"},
	    {"123 456", "123456"},
	    {" 123\t456\r\n", "123456"},
	    {"１２３４５６", "123456"},
	    {"１２３　４５６", "123456"},
	    {"123-456", "123456"},
	    {"123－456", "123456"},
	    {"123ー456", "123456"}, /* the sign for long vowels */
	    {"123ｰ456", "123456"},
	    {"123‐456", "123456"},
	    {"123–456", "123456"},
	    {"123—456", "123456"},
	    {"123−456", "123456"},
	    {"123─456", "123456"},
	    {"123.456", "123456"},
	    {"123．456", "123456"},
	    {"123。456", "123456"},
	    {"123｡456", "123456"},
	    {"123・456", "123456"},
	    {"123\xc2\xa0"
	     "456",
	     "123456"},
	    {"\xe2\x80\x8b"
	     "123456\xef\xbb\xbf",
	     "123456"},
	    {"ABCD-efgh ＪＫ", "abcdefghjk"},
	    {"12a", "12a"},
	    {"一二三", "一二三"},
	    {"007", "007"},
	    {"Ooｏ1", "0001"},
	    {"１２３_４", "123_4"},
	};

	(void)state;
	samples(text_code, t, COUNT(t));
	samples(text_initial, t, COUNT(t));
}

static void staff_logins(void **state)
{
	static const char *const good[] = {"a", "_", "root", "_apt", "a-b_c9", "abcdefghijklmnopqrstuvwxyz012345"};
	static const char *const bad[] = {"",	 "A",	"Root",	  "9a",	 "-a", "a.b",
					  "a b", "a@b", "aé",	  "a ",	 " a", "a$",
					  "a/b", "ａ",	"root\n", "a:b", "..", "abcdefghijklmnopqrstuvwxyz0123456"};

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(text_login_staff(good[i]));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(text_login_staff(bad[i]));
	assert_false(text_login_staff(NULL));
}

static void logins(void **state)
{
	static const struct sample t[] = {
	    {"alice", "alice"},
	    {"  Alice\t", "alice"},
	    {"　ＡＬＩＣＥ　", "alice"},
	    {"0012345", "0012345"},
	    {"００１２", "0012"},
	    {"_x", "_x"},
	    {"a.b-c_d@e", "a.b-c_d@e"},
	    {"", NULL},
	    {"   ", NULL},
	    {"-a", NULL},
	    {".a", NULL},
	    {"@a", NULL},
	    {"a b", NULL},
	    {"a　b", NULL},
	    {"a\nb", NULL},
	    {"太郎", NULL},
	    {"a/b", NULL},
	    {"a\"b", NULL},
	    {"a%b", NULL},
	    {"\xc4\xb1", NULL},	   /* dotless i is no i */
	    {"\xe2\x84\xaa", "k"}, /* the Kelvin sign is a K in NFKC */
	};
	char longest[LOGIN_MAX + 2];
	AUTO_BUF b = BUF_INIT;

	(void)state;
	samples(text_login, t, COUNT(t));
	memset(longest, 'a', sizeof longest);
	assert_int_equal(text_login(longest, LOGIN_MAX, &b), ERR_NONE);
	assert_int_equal(b.len, LOGIN_MAX);
	assert_int_equal(text_login(longest, LOGIN_MAX + 1, &b), ERR_INVALID);
	assert_int_equal(b.len, LOGIN_MAX);
	assert_int_equal(text_login("a\0b", 3, &b), ERR_INVALID);
}

#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10

static void emails(void **state)
{
	static const struct sample t[] = {
	    {"taro@example.jp", "taro@example.jp"},
	    {" Taro.Yamada@EXAMPLE.Jp ", "Taro.Yamada@example.jp"},
	    {"ｔａｒｏ＠ｅｘａｍｐｌｅ．ｊｐ", "taro@example.jp"},
	    {"a..b@docomo.ne.jp", "a..b@docomo.ne.jp"},
	    {"a.@docomo.ne.jp", "a.@docomo.ne.jp"},
	    {"-a-@docomo.ne.jp", "-a-@docomo.ne.jp"},
	    {"a+tag@b.co", "a+tag@b.co"},
	    {"!#$%&'*+/=?^_`{|}~-@b.co", "!#$%&'*+/=?^_`{|}~-@b.co"},
	    {"root@localhost", "root@localhost"},
	    {"a@xn--wgv71a.jp", "a@xn--wgv71a.jp"},
	    {"a@1.b2", "a@1.b2"},
	    {X60 "1234@b.co", X60 "1234@b.co"},
	    {X60 "12345@b.co", NULL},
	    {"a@" X60 "123.co", "a@" X60 "123.co"},
	    {"a@" X60 "1234.co", NULL},
	    {"", NULL},
	    {" ", NULL},
	    {"@", NULL},
	    {"a@", NULL},
	    {"@b.co", NULL},
	    {"a", NULL},
	    {"a@b", NULL},
	    {"a@localhosts", NULL},
	    {"a@b@c.co", NULL},
	    {"a b@c.co", NULL},
	    {"a@b c.co", NULL},
	    {"a@b.co\n", "a@b.co"}, /* outer white space */
	    {"a\n@b.co", NULL},
	    {"a@b.co\r\nBcc: x@y.z", NULL},
	    {"<a@b.co>", NULL},
	    {"a@b.co,c@d.co", NULL},
	    {"a;b@c.co", NULL},
	    {"\"a b\"@c.co", NULL},
	    {"a(b)@c.co", NULL},
	    {"a\\b@c.co", NULL},
	    {".a@b.co", NULL},
	    {"a@.b.co", NULL},
	    {"a@b..co", NULL},
	    {"a@b.co.", NULL},
	    {"a@-b.co", NULL},
	    {"a@b-.co", NULL},
	    {"a@b.-co", NULL},
	    {"a@b.co-", NULL},
	    {"a@b_c.co", NULL},
	    {"a@192.0.2.1", NULL},
	    {"a@[192.0.2.1]", NULL},
	    {"太郎@example.jp", NULL},
	    {"a@例え.jp", NULL},
	    {"a\x7f@b.co", NULL},
	};
	static const struct sample keys[] = {{" Taro.Yamada@EXAMPLE.Jp ", "taro.yamada@example.jp"}, {"A@b", NULL}};
	AUTO_BUF b = BUF_INIT;
	char address[EMAIL_MAX + 80]; /* gcc reckons with all that %.*s might print */

	(void)state;
	samples(text_email, t, COUNT(t));
	samples(text_email_key, keys, COUNT(keys));
	for (int n = EMAIL_MAX; n <= EMAIL_MAX + 1; n++) {
		snprintf(address, sizeof address, "%.*s@" X60 "." X60 "." X60 "." X10 ".co", n - 197, X60 X60);
		address[0] = 'y';
		b.len = 0;
		assert_int_equal(text_email(address, strlen(address), &b),
				 strlen(address) <= EMAIL_MAX ? ERR_NONE : ERR_INVALID);
	}
	assert_int_equal(text_email("a\0@b.co", 7, &b), ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(utf8),	    cmocka_unit_test(nfkc),   cmocka_unit_test(codes),
	    cmocka_unit_test(staff_logins), cmocka_unit_test(logins), cmocka_unit_test(emails),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
