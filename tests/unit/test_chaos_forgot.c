/* A forgotten password: the answer is out before anything depends on who was named, and while each call fails in turn
 * one of the two passwords opens, never both, and nothing that was mailed serves twice. */
#include "config.h"

#include "chaos.h"
#include <sys/stat.h>

static struct chaos *c0;
static char code[8];

static bool post_login(struct chaos *c, const char *login)
{
	if (!chaos_get(c, "forgot.password"))
		return false;
	(void)chaos_post(c, "forgot.password", "login", login, NULL); /* leads nowhere: a page */
	return strcmp(c->page, "forgot-sent") == 0;
}

static bool take_code(struct chaos *c)
{
	fault_pause();
	bool found = chaos_mail_code(c, code);
	fault_resume();
	return found;
}

/* ---- asking ---- */

enum { ASKED = 1 };

static void ask_taro(struct chaos *c, int *told)
{
	*told = post_login(c, "taro") ? ASKED : 0;
}

static void ask_nobody(struct chaos *c, int *told)
{
	*told = post_login(c, "nobody-here") ? ASKED : 0;
}

static void ask_staff_by_mail(struct chaos *c, int *told)
{
	*told = post_login(c, "shiro") ? ASKED : 0;
}

static void asked_judge(struct chaos *c, int told)
{
	int64_t codes = chaos_sql(c, "SELECT count(*) FROM code WHERE purpose = 4");

	(void)told; /* the page says the same whatever becomes of the mail */
	assert_in_range(codes, 0, 1);
	assert_int_equal(chaos_sql(c, "SELECT count(*) FROM outbox"), codes);
	assert_int_equal(chaos_sql(c, "SELECT count(*) FROM audit WHERE event = 'reset.asked'"), codes);
}

static void nothing_judge(struct chaos *c, int told)
{
	(void)told;
	assert_int_equal(chaos_sql(c, "SELECT count(*) FROM code"), 0);
	assert_int_equal(chaos_sql(c, "SELECT count(*) FROM outbox"), 0);
	assert_in_range(chaos_sql(c, "SELECT count(*) FROM audit WHERE event = 'reset.asked'"), 0, 1);
}

/* ---- from the mail to the new password ---- */

enum { RESET = 1 };

static void reset(struct chaos *c, int *told)
{
	if (post_login(c, "taro") && take_code(c) &&
	    chaos_post(c, "forgot.code", "login", "taro", "code", code, NULL) && chaos_at(c, "/") &&
	    chaos_get(c, "reset.factor") && chaos_post(c, "reset.factor", "code", chaos_code(CHAOS_NOW), NULL) &&
	    chaos_at(c, "/") && chaos_get(c, "reset.password") &&
	    chaos_post(c, "reset.password", "new", CHAOS_OWN, "again", CHAOS_OWN, NULL) &&
	    chaos_at(c, "/account?n=password"))
		*told = RESET;
}

static bool opens(struct chaos *c, const char *password)
{
	c->cookie[0] = '\0';
	return chaos_web_password(c, "taro", password);
}

static void reset_judge(struct chaos *c, int told)
{
	static const char audited[] = "SELECT count(*) FROM audit WHERE event = 'password.reset'";
	int64_t done = chaos_sql(c, audited);

	assert_in_range(done, told == RESET ? 1 : 0, 1);
	assert_in_range(chaos_sql(c, "SELECT count(*) FROM audit WHERE event = 'reset.opened'"), done, 1);
	/* what the browser has now is a login only if it was proven to the end */
	bool in = chaos_get(c, "account") && strcmp(c->page, "account") == 0;
	assert_true(in ? done == 1 : told != RESET);
	c->cookie[0] = '\0';
	assert_true(chaos_get(c, "forgot.code"));
	(void)chaos_post(c, "forgot.code", "login", "taro", "code", code, NULL);
	assert_false(chaos_at(c, "/"));
	assert_int_equal(opens(c, done ? CHAOS_OWN : CHAOS_PASSWORD), true);
	assert_int_equal(opens(c, done ? CHAOS_PASSWORD : CHAOS_OWN), false);
}

static void every_call(void **state)
{
	static const struct chaos_job jobs[] = {
	    {"forgotten password", ask_taro, asked_judge, ASKED},
	    {"forgotten password, unknown", ask_nobody, nothing_judge, ASKED},
	    {"forgotten password, staff by mail", ask_staff_by_mail, nothing_judge, ASKED},
	    {"reset", reset, reset_judge, RESET},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(jobs); i++)
		chaos_run(c0, &jobs[i]);
}

/* ---- what is done after the answer ---- */

static int64_t writes_at_reply;

static void replied(struct chaos *c)
{
	writes_at_reply = chaos_sql(c, "SELECT (SELECT count(*) FROM counter) + (SELECT count(*) FROM outbox) + "
				       "(SELECT count(*) FROM audit)");
}

static void the_answer_is_out_first(void **state)
{
	(void)state;
	fault_clock(CHAOS_NOW);
	chaos_start(c0, true);
	int64_t audited = chaos_sql(c0, "SELECT count(*) FROM audit"),
		counted = chaos_sql(c0, "SELECT count(*) FROM counter");
	chaos_on_reply(c0, replied);
	writes_at_reply = -1;
	assert_true(post_login(c0, "taro"));
	assert_int_equal(writes_at_reply, audited + counted);
	assert_int_equal(chaos_sql(c0, "SELECT count(*) FROM outbox"), 1);
	chaos_on_reply(c0, NULL);
	chaos_stop(c0);
}

/* A double click: the second form has the first one's cookie, and its answer is all that the browser keeps. */
static void a_form_that_went_out_twice(void **state)
{
	char before[sizeof c0->cookie], csrf[sizeof c0->csrf], after[sizeof c0->cookie];

	(void)state;
	fault_clock(CHAOS_NOW);
	chaos_start(c0, true);
	assert_true(post_login(c0, "taro") && take_code(c0));
	memcpy(before, c0->cookie, sizeof before);
	memcpy(csrf, c0->csrf, sizeof csrf);
	assert_true(chaos_post(c0, "forgot.code", "login", "taro", "code", code, NULL) && chaos_at(c0, "/"));
	memcpy(after, c0->cookie, sizeof after);
	assert_string_not_equal(after, before);
	for (int64_t wait = 0; wait <= 60; wait += 20) {
		fault_clock(CHAOS_NOW + wait);
		memcpy(c0->cookie, before, sizeof before);
		memcpy(c0->csrf, csrf, sizeof csrf);
		(void)chaos_post(c0, "forgot.code", "login", "taro", "code", code, NULL);
		assert_int_equal(chaos_at(c0, "/"), wait < 60);
		assert_string_equal(c0->cookie, wait < 60 ? after : before);
	}
	assert_int_equal(chaos_sql(c0, "SELECT count(*) FROM session"), 1);
	memcpy(c0->cookie, after, sizeof after);
	assert_true(chaos_get(c0, "reset.factor"));
	chaos_stop(c0);
}

static int fresh(void **state)
{
	(void)state;
	c0 = chaos_new();
	return 0;
}

static int gone(void **state)
{
	(void)state;
	print_message("%ld runs\n", c0->runs);
	chaos_free(c0);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_answer_is_out_first, fresh, gone),
	    cmocka_unit_test_setup_teardown(a_form_that_went_out_twice, fresh, gone),
	    cmocka_unit_test_setup_teardown(every_call, fresh, gone),
	};

	umask(022);
	fault_install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
