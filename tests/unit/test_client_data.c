/* clientDataJSON: what a browser may send is read, what two readers could take for two things is refused. */
#include "config.h"

#include "keeper/client_data.h"
#include "tests/unit/unit.h"

#define MUST "\"type\":\"t\",\"challenge\":\"AAECAwQFBgcICQoLDA0ODw\",\"origin\":\"https://a.example\""

static struct client_data c;

static bool parse_n(const char *s, size_t n)
{
	uint8_t *p = malloc(n ? n : 1);
	assert_non_null(p);
	memcpy(p, s, n);
	bool ok = client_data_parse((struct passkey_bytes){p, n}, &c);
	free(p);
	return ok;
}

static bool parse(const char *s)
{
	return parse_n(s, strlen(s));
}

static bool is(struct passkey_bytes b, const char *s)
{
	return b.p && b.n == strlen(s) && memcmp(b.p, s, b.n) == 0;
}

static void test_members(void **state)
{
	(void)state;
	assert_true(parse("{" MUST "}"));
	assert_true(is(c.type, "t") && is(c.origin, "https://a.example") && is(c.challenge, "AAECAwQFBgcICQoLDA0ODw"));
	assert_true(!c.cross_origin && !c.top_origin.p);
	assert_true(parse("{" MUST ",\"crossOrigin\":true,\"topOrigin\":\"https://b.example\"}"));
	assert_true(c.cross_origin && is(c.top_origin, "https://b.example"));
	assert_true(parse("{" MUST ",\"crossOrigin\":false}"));
	assert_false(c.cross_origin);
	assert_true(parse("\xef\xbb\xbf{" MUST "}"));
	assert_true(parse(" \t\r\n{ " MUST " , \"a\" : 1 } \r\n"));
}

/* The same text however it is written. */
static void test_escapes(void **state)
{
	(void)state;
	assert_true(parse("{\"ty\\u0070e\":\"\\u0074\",\"challenge\":\"\",\"origin\":"
			  "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u3042\\uD83D\\ude00\\u007f\"}"));
	assert_true(is(c.type, "t"));
	assert_true(is(c.origin, "\"\\/\b\f\n\r\t\xc3\xa9\xe3\x81\x82\xf0\x9f\x98\x80\x7f"));
	assert_true(parse("{\"type\":\"a\\u0000\",\"challenge\":\"\",\"origin\":\"\"}"));
	assert_true(c.type.n == 2 && !is(c.type, "a"));
}

static void test_unknown(void **state)
{
	static const char *const good[] = {"null",
					   "true",
					   "false",
					   "0",
					   "-0",
					   "10",
					   "-1.5",
					   "1e5",
					   "1E+5",
					   "0.1e-10",
					   "\"\"",
					   "\"x\\u12aby\"",
					   "[]",
					   "{}",
					   "[1,[2,{\"a\":[]}],3]",
					   "{\"a\":{\"b\":[{}]},\"a\":1}",
					   "[ { \"a\" : 1 , \"b\" : [ ] } ]",
					   "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"};
	static const char *const bad[] = {"",
					  "nul",
					  "True",
					  "01",
					  "-",
					  "+1",
					  ".5",
					  "1.",
					  "1e",
					  "1e+",
					  "0x1",
					  "NaN",
					  "'a'",
					  "\"",
					  "\"\\x\"",
					  "\"\\u12\"",
					  "\"\\u12g4\"",
					  "\"\\ud800\"",
					  "\"\\ud800\\u0041\"",
					  "\"\\udc00\"",
					  "\"\\ud800\\ud800\"",
					  "\"\n\"",
					  "\"\x01\"",
					  "[",
					  "[1",
					  "[1,",
					  "[1,]",
					  "[,1]",
					  "[1 2]",
					  "[1}",
					  "{",
					  "{\"a\"",
					  "{\"a\":",
					  "{\"a\":1",
					  "{\"a\":1,",
					  "{\"a\":1,}",
					  "{a:1}",
					  "{1:1}",
					  "{\"a\" 1}",
					  "{,}",
					  "{\"a\":1]",
					  "1 1",
					  "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]",
					  "/**/1",
					  "undefined"};
	char text[512];
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		snprintf(text, sizeof text, "{\"x\":%s," MUST "}", good[i]);
		if (!parse(text))
			fail_msg("refused: %s", text);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		snprintf(text, sizeof text, "{\"x\":%s," MUST "}", bad[i]);
		if (parse(text))
			fail_msg("taken: %s", text);
		snprintf(text, sizeof text, "{" MUST ",\"x\":%s", bad[i]);
		if (parse(text))
			fail_msg("taken: %s", text);
	}
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
	    "",
	    "\xef\xbb\xbf",
	    "null",
	    "[]",
	    "{}",
	    "{" MUST,
	    "{" MUST "}}",
	    "{" MUST "}x",
	    "{" MUST "},",
	    "{" MUST ",}",
	    "{," MUST "}",
	    "\xef\xbb\xbf\xef\xbb\xbf{" MUST "}",
	    " \xef\xbb\xbf{" MUST "}",
	    "{" MUST ",\"type\":\"t\"}", /* twice */
	    "{" MUST ",\"\\u0074ype\":\"t\"}",
	    "{" MUST ",\"x\":1,\"x\":1}",
	    "{" MUST ",\"\":1,\"\":1}",
	    "{" MUST ",\"\xe3\x81\x82\":1,\"\\u3042\":1}",
	    "{\"type\":\"t\",\"challenge\":\"c\"}", /* missing */
	    "{\"type\":\"t\",\"origin\":\"o\"}",
	    "{\"challenge\":\"c\",\"origin\":\"o\"}",
	    "{\"Type\":\"t\",\"challenge\":\"c\",\"origin\":\"o\"}",
	    "{\"type\":1,\"challenge\":\"c\",\"origin\":\"o\"}", /* of other types */
	    "{\"type\":null,\"challenge\":\"c\",\"origin\":\"o\"}",
	    "{\"type\":\"t\",\"challenge\":[],\"origin\":\"o\"}",
	    "{\"type\":\"t\",\"challenge\":\"c\",\"origin\":[\"o\"]}",
	    "{" MUST ",\"crossOrigin\":\"true\"}",
	    "{" MUST ",\"crossOrigin\":1}",
	    "{" MUST ",\"crossOrigin\":null}",
	    "{" MUST ",\"crossOrigin\":truex}",
	    "{" MUST ",\"topOrigin\":null}",
	    "{" MUST ",\"topOrigin\":false}",
	    "{" MUST ",\"x\":\"\xff\"}", /* no UTF-8 */
	    "{" MUST ",\"x\":\"\xc0\xaf\"}",
	    "{" MUST ",\"x\":\"\xed\xa0\x80\"}",
	    "{" MUST "}\xff",
	};
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		if (parse(bad[i]))
			fail_msg("taken: %s", bad[i]);
	assert_false(parse_n("{" MUST "}", sizeof "{" MUST "}")); /* a NUL behind it */
	assert_false(client_data_parse((struct passkey_bytes){NULL, 0}, &c));
}

static void test_cut(void **state)
{
	static const char whole[] = "{" MUST ",\"x\":[{\"y\":\"\\ud83d\\ude00\"},-1.5e3,true]}";
	(void)state;
	assert_true(parse(whole));
	for (size_t n = 0; n < sizeof whole - 1; n++)
		assert_false(parse_n(whole, n));
}

static void test_bounds(void **state)
{
	static char text[PASSKEY_CLIENT_MAX + 2];
	size_t n;
	(void)state;
	for (int over = 0; over < 2; over++) {
		n = (size_t)snprintf(text, sizeof text, "{" MUST ",\"x\":\"");
		while (n < PASSKEY_CLIENT_MAX - 2 + (size_t)over)
			text[n++] = 'x';
		text[n++] = '"';
		text[n++] = '}';
		assert_int_equal(parse_n(text, n), !over);
	}
	for (int over = 0; over < 2; over++) {
		n = (size_t)snprintf(text, sizeof text, "{" MUST);
		for (int i = 3; i < CLIENT_DATA_MEMBERS + over; i++)
			n += (size_t)snprintf(text + n, sizeof text - n, ",\"%d\":0", i);
		n += (size_t)snprintf(text + n, sizeof text - n, "}");
		assert_int_equal(parse_n(text, n), !over);
	}
	memset(text, '[', PASSKEY_CLIENT_MAX); /* depth is bounded, not the stack's end */
	memcpy(text, "{\"x\":", 5);
	assert_false(parse_n(text, PASSKEY_CLIENT_MAX));
}

static enum passkey_check challenge(const char *sent, size_t bytes)
{
	static const uint8_t issued[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255};
	char text[256];
	snprintf(text, sizeof text, "{\"type\":\"t\",\"challenge\":\"%s\",\"origin\":\"o\"}", sent);
	assert_true(parse(text));
	return client_data_challenge(&c, (struct passkey_bytes){issued, bytes});
}

static void test_challenge(void **state)
{
	static const char *const wrong[] = {"",
					    "AAECAwQFBgcICQoLDA0ODv8",
					    "AAECAwQFBgcICQoLDA0OD_",
					    "AAECAwQFBgcICQoLDA0OD_8=",
					    "AAECAwQFBgcICQoLDA0OD/8",
					    "AAECAwQFBgcICQoLDA0OD_9", /* loose bits behind */
					    " AAECAwQFBgcICQoLDA0OD_8",
					    "AAECAwQFBgcICQoLDA0OD_8A",
					    "AAECAwQFBgcICQoLDA0ODw"};
	(void)state;
	assert_int_equal(challenge("AAECAwQFBgcICQoLDA0OD_8", 17), PASSKEY_OK);
	assert_int_equal(challenge("AAECAwQFBgcICQoLDA0ODw", 16), PASSKEY_OK);
	assert_int_equal(challenge("AAECAwQFBgcICQoLDA0O", 15), PASSKEY_CHALLENGE); /* too short to be one of ours */
	assert_int_equal(challenge("", 0), PASSKEY_CHALLENGE);
	for (size_t i = 0; i < COUNT(wrong); i++)
		assert_int_equal(challenge(wrong[i], 17), PASSKEY_CHALLENGE);
	assert_int_equal(client_data_challenge(&c, (struct passkey_bytes){NULL, 17}), PASSKEY_CHALLENGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_members),  cmocka_unit_test(test_escapes),
					   cmocka_unit_test(test_unknown),  cmocka_unit_test(test_refused),
					   cmocka_unit_test(test_cut),	    cmocka_unit_test(test_bounds),
					   cmocka_unit_test(test_challenge)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
