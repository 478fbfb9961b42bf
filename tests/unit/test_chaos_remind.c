/* A reminder while each call fails in turn: the mail, what was told and the audit's row are there together or not at
 * all, and who tries again afterwards tells whoever was not told, and nobody twice. And a day on which one person's
 * deadline is moved. */
#include "config.h"

#include "chaos.h"
#include "keeper/enrol.h"
#include "keeper/remind.h"
#include <sys/stat.h>

#define MORNING (CHAOS_NOW + 3 * 3600) /* past 10 o'clock in Japan */

static struct chaos *c0;

static enum err walk(struct chaos *c, bool *mailed)
{
	struct remind r = {.day = 0};
	enum err e = ERR_NONE;

	c->conf->enrol_by = text_midnight(text_today(MORNING)) + 2 * 86400; /* tomorrow */
	do
		e = remind_step(&r, &c->k, c->st, MORNING, mailed);
	while (e == ERR_NONE && r.walking);
	return e;
}

/* ---- a mail ---- */

enum { TOLD = 1 };

static void remind(struct chaos *c, int *told)
{
	bool mailed = false;

	if (c->st != NULL && walk(c, &mailed) == ERR_NONE && mailed)
		*told = TOLD;
}

static int64_t told_once(struct chaos *c)
{
	int64_t n = chaos_sql(c, "SELECT count(*) FROM outbox");

	assert_in_range(n, 0, 1);
	assert_int_equal(chaos_sql(c, "SELECT count(*) FROM reminder"), n);
	assert_int_equal(chaos_sql(c, "SELECT count(*) FROM audit WHERE event = 'enrol.remind'"), n);
	return n;
}

static void remind_judge(struct chaos *c, int told)
{
	bool mailed = false;
	int64_t n = told_once(c);

	if (told == TOLD)
		assert_int_equal(n, 1);
	OK(walk(c, &mailed));
	assert_int_equal(mailed, n == 0);
	assert_int_equal(told_once(c), 1);
	OK(walk(c, &mailed));
	assert_int_equal(told_once(c), 1);
}

/* ---- more time for one ---- */

static void extend(struct chaos *c, int *told)
{
	struct person p;

	if (c->st == NULL || store_begin(c->st) != ERR_NONE)
		return;
	if (store_person_by_login(c->st, "hanako", &p) == ERR_NONE &&
	    store_deadline_put(c->st, &p.id, DEADLINE_NONE) == ERR_NONE && store_commit(c->st) == ERR_NONE)
		*told = TOLD;
	store_rollback(c->st);
}

static void extend_judge(struct chaos *c, int told)
{
	struct person p;
	int64_t until = 0;

	OK(store_person_by_login(c->st, "hanako", &p));
	enum err e = store_deadline_get(c->st, &p.id, &until);
	if (told == TOLD)
		OK(e);
	assert_true(e == ERR_NOTFOUND || (e == ERR_NONE && until == DEADLINE_NONE));
}

static void every_call(void **state)
{
	static const struct chaos_job jobs[] = {
	    {"a reminder", remind, remind_judge, TOLD},
	    {"more time", extend, extend_judge, TOLD},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(jobs); i++)
		chaos_run(c0, &jobs[i]);
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
	    cmocka_unit_test_setup_teardown(every_call, fresh, gone),
	};

	umask(022);
	fault_install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
