#include "config.h"

#include "common/base64url.h"
#include "common/own_paths.h"
#include "keeper/come_back.h"
#include "tests/unit/unit.h"

static const char *const good[] = {"/portal",
				   "/portal/",
				   "/portal/a%20b?x=1&y=%E3%81%82&z=http://a.example/",
				   "/logins",
				   "/Login",
				   "/@evil.example",
				   "/a//b",
				   "/a/.hidden/...",
				   "/a?next=/../x",
				   "/%E5%81%A5%E5%BA%B7",
				   "/;x"};
static const char *const bad[] = {"", "portal", "//evil.example", "/\\evil.example", "\\/evil.example",
				  "/%2f%2fevil.example", "/%2Fevil.example", "/%5cevil.example", "http://evil.example/",
				  "javascript:x", "/a b", "/a\r\nSet-Cookie: x=1", "/a%0d%0aSet-Cookie:%20x=1", "/a%00",
				  "/a%1f", "/a%7f", "/\xe3\x81\x82", "/a#b", "/a/../login", "/a/%2e%2E/logout",
				  "/./logout", "/a/..",
				  /* our own */
				  "/", "/?x", "/login", "/login/code", "/logout?x=1", "/language", "/auth/next",
				  "/approve/abcdefghjkmnpqrs", "/account/sessions/end-others"};

static void taken(void **state)
{
	char cookie[COME_BACK_MAX], path[COME_BACK_PATH];

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		assert_true(come_back_portal(good[i], cookie));
		assert_int_equal(strspn(cookie, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"),
				 strlen(cookie));
		assert_true(come_back_path(cookie, path));
		assert_string_equal(path, good[i]);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(come_back_portal(bad[i], cookie));
	assert_false(come_back_portal(NULL, cookie));
}

/* Whoever can set the cookie leads nobody away either. */
static void used(void **state)
{
	static const char *const words[] = {"path-",	 "path-Lw", "path-L3A=", "path-L3A\n",
					    "path-L3AA", "path",    "Path-L3A",	 ""};
	char path[COME_BACK_PATH] = "before";

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		AUTO_BUF cookie = BUF_INIT;
		buf_adds(&cookie, "path-");
		base64url_encode(&cookie, bad[i], strlen(bad[i]));
		assert_false(come_back_path(buf_str(&cookie), path));
	}
	for (size_t i = 0; i < COUNT(words); i++)
		assert_false(come_back_path(words[i], path));
	assert_false(come_back_path("path-L3AAYg", path)); /* a NUL inside */
	assert_string_equal(path, "before");
	assert_true(come_back_path("path-L3A", path));
	assert_string_equal(path, "/p");
}

static void as_long_as_it_may_be(void **state)
{
	char cookie[COME_BACK_MAX], path[COME_BACK_PATH], longest[TEXT_LOCAL_PATH + 2];

	(void)state;
	memset(longest, 'a', sizeof longest);
	longest[0] = '/';
	longest[TEXT_LOCAL_PATH + 1] = '\0';
	assert_false(come_back_portal(longest, cookie));
	longest[TEXT_LOCAL_PATH] = '\0';
	assert_true(come_back_portal(longest, cookie));
	assert_true(come_back_path(cookie, path));
	assert_string_equal(path, longest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(taken),
	    cmocka_unit_test(used),
	    cmocka_unit_test(as_long_as_it_may_be),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
