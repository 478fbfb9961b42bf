#include "config.h"

#include "common/text.h"
#include "enroll/request.h"
#include "tests/unit/unit.h"

#define ALLOWED "login password birth_date new"

static enum err parse(const char *body, bool strict, struct form *f, char **ret_copy)
{
	*ret_copy = strdup(body);
	return request_form(*ret_copy, strlen(body), ALLOWED, strict, f);
}

static void takes(const char *body, const char *name, const char *value)
{
	struct form f;
	char *copy;

	assert_int_equal(parse(body, true, &f, &copy), ERR_NONE);
	assert_non_null(form_get(&f, name));
	assert_string_equal(form_get(&f, name), value);
	free(copy);
}

static void forms(void **state)
{
	(void)state;
	takes("login=hanako", "login", "hanako");
	takes("login=a&password=b", "password", "b");
	takes("login=", "login", "");
	takes("login", "login", "");
	takes("password=a+b%20c%2B%26%3d=", "password", "a b c+&==");
	takes("log%69n=x", "login", "x");
	takes("birth_date=%E6%98%AD%E5%92%8C55%e5%b9%b4", "birth_date", "昭和55年");
	takes("birth_date=昭和", "birth_date", "昭和");
	takes("new=%0a%7f", "new", "\n\x7f");
}

static void bad_forms(void **state)
{
	static const char *const bad[] = {"login=a&login=b",
					  "login=a&log%69n=b",
					  "login=%00",
					  "login=%",
					  "login=%4",
					  "login=%4g",
					  "login=%g4",
					  "login=%%41",
					  "other=1",
					  "=",
					  "=x",
					  "&",
					  "login=a&",
					  "&login=a",
					  "login=a&&new=b",
					  "login=%ff",
					  "login=\xc3",
					  "login=%c0%80",
					  "login=%ed%a0%80",
					  "login%00=x",
					  "login%zz=x",
					  "LOGIN=x",
					  "logi=x",
					  "loginx=x",
					  "log in=x",
					  "login+password=x",
					  "+=x"};
	struct form f;
	char *copy;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(parse(bad[i], true, &f, &copy), ERR_INVALID);
		assert_int_equal(f.n, 0);
		free(copy);
	}
}

static void queries(void **state)
{
	struct form f;
	char *copy;

	(void)state;
	assert_int_equal(parse("utm=%zz&&login=a&a[]=b&", false, &f, &copy), ERR_NONE);
	assert_int_equal(f.n, 1);
	assert_string_equal(form_get(&f, "login"), "a");
	free(copy);
	assert_int_equal(parse("login=a&login=b", false, &f, &copy), ERR_INVALID);
	free(copy);
	assert_int_equal(parse("login=%zz", false, &f, &copy), ERR_INVALID);
	free(copy);
	assert_int_equal(parse("", true, &f, &copy), ERR_NONE);
	assert_int_equal(f.n, 0);
	free(copy);
}

static void sizes(void **state)
{
	char *s = malloc(64 * 1024), allowed[REQUEST_FIELDS * 8 + 64] = "";
	struct form f;
	size_t n;

	(void)state;
	memcpy(s, "login=", 6);
	memset(s + 6, 'a', REQUEST_VALUE_MAX + 1);
	s[6 + REQUEST_VALUE_MAX] = '\0';
	assert_int_equal(request_form(s, 6 + REQUEST_VALUE_MAX, ALLOWED, true, &f), ERR_NONE);
	memcpy(s, "login=", 6); /* it was decoded in place */
	memset(s + 6, 'a', REQUEST_VALUE_MAX + 1);
	assert_int_equal(request_form(s, 7 + REQUEST_VALUE_MAX, ALLOWED, true, &f), ERR_TOOBIG);
	n = 0;
	for (int i = 0; i <= REQUEST_FIELDS; i++) {
		snprintf(allowed + strlen(allowed), 8, "f%d ", i);
		n += (size_t)sprintf(s + n, "%sf%d=", i ? "&" : "", i);
	}
	assert_int_equal(request_form(s, n, allowed, true, &f), ERR_TOOBIG);
	free(s);
}

static void cookies(void **state)
{
	char v[16];

	(void)state;
	assert_true(request_cookie("kosmo=abc", "kosmo", v, sizeof v));
	assert_string_equal(v, "abc");
	assert_true(request_cookie("a=b;kosmo=x-_9 ; c=d", "kosmo", v, sizeof v));
	assert_string_equal(v, "x-_9");
	assert_true(request_cookie("xkosmo=1; kosmo=2; kosmo2=3", "kosmo", v, sizeof v));
	assert_string_equal(v, "2");
	assert_true(request_cookie("kosmo=123456789012345", "kosmo", v, sizeof v));
	assert_false(request_cookie("kosmo=1234567890123456", "kosmo", v, sizeof v));
	assert_false(request_cookie("kosmo=", "kosmo", v, sizeof v));
	assert_false(request_cookie("kosmo", "kosmo", v, sizeof v));
	assert_false(request_cookie("Kosmo=a", "kosmo", v, sizeof v));
	assert_false(request_cookie("kosmo=a; kosmo=a", "kosmo", v, sizeof v));
	assert_false(request_cookie("kosmo=a b", "kosmo", v, sizeof v));
	assert_false(request_cookie("kosmo=\"a\"", "kosmo", v, sizeof v));
	assert_false(request_cookie("", "kosmo", v, sizeof v));
	assert_false(request_cookie(NULL, "kosmo", v, sizeof v));
}

static void paths(void **state)
{
	static const char *const good[] = {"/", "/login", "/account/rename?id=a%20b", "/a//b"};
	static const char *const bad[] = {"",	   "login",	  "//evil",  "/\\evil", "\\/evil",   "http://evil",
					  "/a\\b", "/a b",	  "/a\r\nX", "/\tevil", "/\xe3\x81", "/a\x7f",
					  "/ ",	   "javascript:x"};
	char longest[1026];

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(text_local_path(good[i]));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(text_local_path(bad[i]));
	assert_false(text_local_path(NULL));
	memset(longest, '/', sizeof longest);
	memset(longest + 1, 'a', sizeof longest - 2);
	longest[1025] = '\0';
	assert_false(text_local_path(longest));
	longest[1024] = '\0';
	assert_true(text_local_path(longest));
	assert_true(request_token("0123456789abcdef"));
	assert_true(request_token("0123456789ABC-_f"));
	assert_false(request_token("0123456789abcde"));
	assert_false(request_token("0123456789abcde/"));
	assert_false(request_token(""));
}

static void types(void **state)
{
	(void)state;
	assert_true(request_is_form("application/x-www-form-urlencoded"));
	assert_true(request_is_form("Application/X-WWW-Form-Urlencoded ; charset=UTF-8"));
	assert_false(request_is_form("application/x-www-form-urlencoded; charset=shift_jis"));
	assert_false(request_is_form("application/x-www-form-urlencodedx"));
	assert_false(request_is_form("text/plain"));
	assert_false(request_is_form(""));
	assert_false(request_is_form(NULL));
}

static void hosts(void **state)
{
	(void)state;
	assert_true(request_host_is("localhost:8480", "http://localhost:8480"));
	assert_true(request_host_is("LocalHost:8480", "http://localhost:8480"));
	assert_false(request_host_is("localhost", "http://localhost:8480"));
	assert_false(request_host_is("localhost:84800", "http://localhost:8480"));
	assert_true(request_host_is("a.example", "https://a.example"));
	assert_true(request_host_is("a.example:443", "https://a.example"));
	assert_true(request_host_is("a.example", "https://a.example:443"));
	assert_false(request_host_is("a.example:80", "https://a.example"));
	assert_true(request_host_is("localhost:80", "http://localhost"));
	assert_false(request_host_is("a.example.evil", "https://a.example"));
	assert_false(request_host_is("a.exampl", "https://a.example"));
	assert_false(request_host_is("a.example@evil", "https://a.example"));
	assert_true(request_host_is("[::1]:8480", "http://[::1]:8480"));
	assert_true(request_host_is("[::1]", "http://[::1]:80"));
	assert_false(request_host_is("", "https://a.example"));
	assert_false(request_host_is(NULL, "https://a.example"));
}

static void lengths(void **state)
{
	static const char *const bad[] = {
	    "", "-1", "+1", " 1", "1 ", "0x1", "1,1", "99999999999999999999999", "18446744073709551616"};
	size_t n = 7;

	(void)state;
	assert_int_equal(request_length("0", &n), ERR_NONE);
	assert_int_equal(n, 0);
	assert_int_equal(request_length("65536", &n), ERR_NONE);
	assert_int_equal(n, 65536);
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(request_length(bad[i], &n), ERR_INVALID);
	assert_int_equal(request_length(NULL, &n), ERR_INVALID);
	assert_int_equal(n, 65536);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(forms), cmocka_unit_test(bad_forms), cmocka_unit_test(queries),
	    cmocka_unit_test(sizes), cmocka_unit_test(cookies),	  cmocka_unit_test(paths),
	    cmocka_unit_test(types), cmocka_unit_test(hosts),	  cmocka_unit_test(lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
