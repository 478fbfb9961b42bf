/* The numbers of failures: how they are read, what is kept and written, what kosmo-enrolld may tell. */
#include "config.h"

#include "keeper/failures.h"
#include "tests/unit/store.h"
#include "tests/unit/unit.h"

static struct keeper k;
static int n_rows;
static struct audit row[8];

static void rows(struct fixture *f)
{
	size_t n = 0;
	OK(store_audit_of(f->st, STORE_AUDIT_FAILURE, 0, row, COUNT(row), &n));
	n_rows = (int)n;
}

static int all(struct fixture *f)
{
	struct audit page[100];
	int64_t before = 0;
	size_t n = COUNT(page);
	int sum = 0;
	while (n == COUNT(page)) {
		OK(store_audit_of(f->st, STORE_AUDIT_FAILURE, before, page, COUNT(page), &n));
		sum += (int)n;
		before = n ? page[n - 1].seq : 0;
	}
	return sum;
}

static void add(const char *id, const char *what)
{
	struct failure one = {.time = NOW, .address = "192.0.2.1"};
	strcpy(one.id, id);
	snprintf(one.what, sizeof one.what, "%s", what);
	failures_add(&k, &one);
}

static bool known(const char *action)
{
	return !strcmp(action, "login") || !strcmp(action, "email.sent");
}

static void numbers(void **state)
{
	static const char *const good[] = {"k7mq-x2np", "K7MQ X2NP", "k7mqx2np", " k7mq-x2np ", "ｋ７ｍｑ－ｘ２ｎｐ"},
				 *const bad[] = {"", "k7mq-x2n", "k7mq-x2npp", "k7mq-x2nl", "k7mq-x2n1", "k7mq-x2n'"};
	char id[FAILURE_LEN + 1], other[FAILURE_LEN + 1];
	(void)state;
	OK(failure_id(id));
	OK(failure_id(other));
	assert_true(failure_id_form(id));
	assert_string_not_equal(id, other);
	for (size_t i = 0; i < COUNT(good); i++) {
		OK(failure_id_read(good[i], strlen(good[i]), id));
		assert_string_equal(id, "k7mq-x2np");
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(failure_id_read(bad[i], strlen(bad[i]), id), ERR_INVALID);
	assert_false(failure_id_form("k7mqx2npa"));
	assert_false(failure_id_form("k7mq-x2nP"));
}

static void what_cannot_be_written_waits(void **state)
{
	struct fixture *f = *state;
	k.failures = failures_new();
	failures_write(&k, f->st, NOW);
	add("aaaa-aaaa", "login: a test: busy");
	failures_write(&k, NULL, NOW); /* no store */
	OK(store_begin(f->st));	       /* a store that does not take it */
	failures_write(&k, f->st, NOW);
	store_rollback(f->st);
	rows(f);
	assert_int_equal(n_rows, 0);
	add("bbbb-bbbb", "login: a test: busy");
	failures_write(&k, f->st, NOW);
	failures_write(&k, f->st, NOW);
	rows(f);
	assert_int_equal(n_rows, 2);
	assert_string_equal(row[0].detail, "bbbb-bbbb login: a test: busy");
	assert_string_equal(row[1].detail, "aaaa-aaaa login: a test: busy");
	assert_string_equal(row[1].address, "192.0.2.1");
	failures_free(k.failures);
	k.failures = NULL;
	add("cccc-cccc", ""); /* nowhere */
	failures_write(&k, f->st, NOW);
}

static void no_more_than_the_log_bears(void **state)
{
	struct fixture *f = *state;
	k.failures = failures_new();
	for (int i = 0; i < 2 * FAILURES_HOUR; i++) {
		add("aaaa-aaaa", "login: a test: busy");
		failures_write(&k, f->st, NOW);
	}
	assert_int_equal(all(f), FAILURES_HOUR);
	failures_write(&k, f->st, NOW + 3600);
	assert_int_equal(all(f), FAILURES_HOUR + FAILURES_KEPT);
	failures_free(k.failures);
}

static void what_enrolld_tells_is_ours_or_nothing(void **state)
{
	struct fixture *f = *state;
	k.failures = failures_new();
	char lines[4096] = "";
	for (int i = 0; i < 40; i++)
		snprintf(lines + strlen(lines), sizeof lines - strlen(lines), "aaaa-aa%02d %d login absent\n", i + 20,
			 NOW);
	static const char *const bad[] = {
	    "aaaa-aaa1 1700000000 login absent\n",
	    "aaaa-aaaa 1700000000 nothing absent\n",
	    "aaaa-aaaa 1700000000 login hanako\n",
	    "aaaa-aaaa 1600000000 login absent\n",
	    "aaaa-aaaa 1700009000 login absent\n",
	    "aaaa-aaaa 1700000000x login absent\n",
	    "aaaa-aaaa 1700000000 login\n",
	    "aaaa-aaaa  login absent\n",
	    "\n\n\n",
	    "",
	    "aaaa-aaaa 1700000000 "
	    "loginloginloginloginloginloginloginloginloginloginloginlogin absent",
	};
	for (size_t i = 0; i < COUNT(bad); i++)
		failures_told(&k, bad[i], NOW, known);
	failures_write(&k, f->st, NOW);
	rows(f);
	assert_int_equal(n_rows, 0);
	failures_told(&k, "k7mq-x2np 1700000000 email.sent unsure\nnonsense\naaaa-aaaa 1699990000 login page", NOW,
		      known);
	failures_write(&k, f->st, NOW);
	rows(f);
	assert_int_equal(n_rows, 2);
	assert_int_equal(row[0].time, 1699990000);
	assert_non_null(strstr(row[1].detail, "k7mq-x2np email.sent: kosmo-keeper took"));
	failures_told(&k, lines, NOW, known); /* 16 of 40, of which those with a 1 are none */
	failures_write(&k, f->st, NOW);
	assert_in_range(all(f), 3, 18);
	failures_free(k.failures);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers),
	    TEST(what_cannot_be_written_waits),
	    TEST(no_more_than_the_log_bears),
	    TEST(what_enrolld_tells_is_ours_or_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
