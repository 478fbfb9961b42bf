/* Which attempts the owner of an account finds among the recent logins, and that writing them tells a stranger nothing.
 */
#include "config.h"

#include "keeper/recent.h"
#include "tests/unit/world.h"

static size_t got(struct world *w, enum login_what what, struct store_login *ret)
{
	size_t n = 99;
	assert_int_equal(store_logins(w->st, &w->p.id, what, ret, LOGINS_KEPT, &n), ERR_NONE);
	return n;
}

static int world_named(void **state)
{
	if (world_new(state))
		return -1;
	struct world *w = *state;
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_authenticator_rename(w->st, &w->p.id, &w->a.id, "Taro's phone"));
	return 0;
}

static void a_login_is_there_with_what_it_was_proven_by(void **state)
{
	struct world *w = *state;
	struct attempt a;
	struct store_login l[LOGINS_KEPT];
	start(&a, "taro", DOOR_WEB);
	a.agent = "Mozilla/5.0 (iPhone)";
	assert_true(password(w, &a, "right horse", NOW));
	assert_int_equal(got(w, LOGIN_IN, l), 0);
	assert_int_equal(factor(w, &a, code_at(w, NOW), NOW), VERDICT_ALLOW);
	assert_int_equal(got(w, LOGIN_IN, l), 1);
	assert_int_equal(l[0].time, NOW);
	assert_int_equal(l[0].kind, FACTOR_TOTP);
	assert_true(l[0].password);
	assert_string_equal(l[0].name, "Taro's phone");
	assert_string_equal(l[0].place, "web");
	assert_string_equal(l[0].host, "");
	assert_string_equal(l[0].address, "192.0.2.1");
	assert_string_equal(l[0].agent, "Mozilla/5.0 (iPhone)");
	assert_int_equal(got(w, LOGIN_WRONG, l) + got(w, LOGIN_INSIDE, l), 0);
}

static void sudo_does_not_push_logins_out(void **state)
{
	struct world *w = *state;
	struct attempt a;
	struct store_login l[LOGINS_KEPT];
	start(&a, "taro", DOOR_PAM);
	a.password_right = a.no_password = a.origin.own_uid = true;
	assert_int_equal(factor(w, &a, code_at(w, NOW), NOW), VERDICT_ALLOW);
	assert_int_equal(got(w, LOGIN_IN, l), 0);
	assert_int_equal(got(w, LOGIN_INSIDE, l), 1);
	assert_false(l[0].password);
	assert_string_equal(l[0].place, "pam:test");
	assert_true(l[0].host[0]);
}

static void a_proof_within_a_session_is_no_login(void **state)
{
	struct world *w = *state;
	struct attempt a;
	struct store_login l[LOGINS_KEPT];
	start(&a, "taro", DOOR_WEB);
	a.password_right = a.step_up = true;
	assert_int_equal(factor(w, &a, "000000", NOW), VERDICT_DENY);
	assert_int_equal(factor(w, &a, code_at(w, NOW + 60), NOW + 60), VERDICT_ALLOW);
	assert_int_equal(got(w, LOGIN_IN, l) + got(w, LOGIN_WRONG, l), 0);
}

/* Writes of a wrong code after this password. */
static int64_t wrong(struct world *w, const char *login, const char *text, int64_t now)
{
	struct attempt a;
	start(&a, login, DOOR_PAM);
	password(w, &a, text, now);
	int64_t before = store_writes(w->st);
	assert_int_not_equal(factor(w, &a, "000000", now), VERDICT_ALLOW);
	return store_writes(w->st) - before;
}

static void who_knew_the_password_shows_to_its_owner_alone(void **state)
{
	struct world *w = *state;
	struct store_login l[LOGINS_KEPT];
	int64_t right = wrong(w, "taro", "right horse", NOW);
	assert_int_equal(got(w, LOGIN_WRONG, l), 1);
	assert_true(l[0].password);
	assert_string_equal(l[0].name, "");
	assert_int_equal(wrong(w, "taro", "wrong horse", NOW + 3600), right);
	assert_int_equal(wrong(w, "nobody-here", "right horse", NOW + 7200), right);
	assert_int_equal(got(w, LOGIN_WRONG, l), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_named, world_gone)
int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_login_is_there_with_what_it_was_proven_by),
	    TEST(sudo_does_not_push_logins_out),
	    TEST(a_proof_within_a_session_is_no_login),
	    TEST(who_knew_the_password_shows_to_its_owner_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
