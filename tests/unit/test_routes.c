#include "config.h"

#include "common/own_paths.h"
#include "enroll/request.h"
#include "enroll/routes.h"
#include "tests/unit/unit.h"

static const char *action(int method, const char *path)
{
	const char *rest;
	int allow;
	const struct route *r = routes_find(method, path, &rest, &allow);

	return r ? r->action : NULL;
}

static int allowed(const char *path)
{
	const char *rest;
	int allow = -1;

	assert_null(routes_find(0, path, &rest, &allow));
	return allow;
}

static void finds(void **state)
{
	const char *rest;
	int allow;

	(void)state;
	assert_string_equal(action(ROUTE_GET, "/"), "home");
	assert_string_equal(action(ROUTE_POST, "/logout"), "logout");
	assert_string_equal(action(ROUTE_GET, "/logout"), "logout.ask");
	assert_string_equal(action(ROUTE_POST, "/mail/confirm"), "link.confirm");
	assert_null(action(ROUTE_GET, "/mail/confirm")); /* not the link with the token "confirm" */
	assert_null(action(ROUTE_POST, "/mail/abc"));
	assert_null(action(ROUTE_POST, "/"));
	assert_non_null(routes_find(ROUTE_GET, "/mail/abc", &rest, &allow));
	assert_string_equal(rest, "abc");
	assert_non_null(routes_find(ROUTE_GET, "/login", &rest, &allow));
	assert_string_equal(rest, "");
}

static void finds_nothing(void **state)
{
	static const char *const bad[] = {"",	       "login",	   "/login/", "//login",  "/mail/", "/mail",
					  "/mail/a/b", "/static/", "/Login",  "/login?x", "/.",	    "*"};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_null(action(ROUTE_GET, bad[i]));
		assert_int_equal(allowed(bad[i]), 0);
	}
	assert_int_equal(allowed("/login"), ROUTE_GET | ROUTE_POST);
	assert_int_equal(allowed("/mail/confirm"), ROUTE_POST);
	assert_int_equal(allowed("/mail/abc"), ROUTE_GET);
}

static void leads_back(void **state)
{
	(void)state;
	assert_string_equal(routes_back("/login"), "/login");
	assert_string_equal(routes_back("/login/mail/again"), "/");
	assert_string_equal(routes_back("/mail/confirm"), "/");
	assert_string_equal(routes_back("//evil"), "/");
}

/* What the parser and the wire can carry. */
static void the_table_is_sound(void **state)
{
	(void)state;
	for (const struct route *r = routes; r->path; r++) {
		size_t fields = 1; /* csrf */

		assert_int_equal(r->path[0], '/');
		assert_true(strlen(r->fields) < 100);
		for (const char *p = r->fields; *p; fields++) {
			size_t n = strcspn(p, " ");

			assert_in_range(n, 1, REQUEST_NAME_MAX);
			assert_int_equal(strspn(p, "abcdefghijklmnopqrstuvwxyz_"), n);
			p += n;
			p += *p == ' ';
		}
		assert_in_range(fields, 0, REQUEST_FIELDS);
		for (const struct route *o = r + 1; o->path; o++)
			assert_false(o->method == r->method && strcmp(o->path, r->path) == 0);
	}
}

/* So that no login leads back into them, and no portal is looked for there. */
static void all_are_own_paths(void **state)
{
	(void)state;
	for (const struct route *r = routes; r->path; r++)
		assert_int_equal(own_path(r->path), strcmp(r->path, "/") != 0);
	assert_true(own_path("/login?n=out"));
	assert_false(own_path("/logins"));
	assert_false(own_path("/portal/login"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds),
	    cmocka_unit_test(finds_nothing),
	    cmocka_unit_test(leads_back),
	    cmocka_unit_test(the_table_is_sound),
	    cmocka_unit_test(all_are_own_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
