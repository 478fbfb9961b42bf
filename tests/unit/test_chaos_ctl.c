/* Each call below kosmoctl's library fails in turn while people are imported and shut out, and letters wait and are
 * taken: what it says is done is done, what it does not is so wholly or not at all, and it can be done again. */
#include "config.h"

#include "chaos.h"

#include "ctl/commands.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct chaos *c0;
static int quiet = -1;

/* One command, as main runs it; its words about it go nowhere. */
static enum ctl_exit command(struct chaos *c, enum ctl_exit (*run)(struct ctl *, const struct args *), struct args *a)
{
	struct ctl ctl = {.conf_path = c->conf_path};
	int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
	enum ctl_exit x;

	chaos_stop(c);
	fault_pause();
	fflush(stdout);
	(void)dup2(quiet, STDOUT_FILENO);
	(void)dup2(quiet, STDERR_FILENO);
	fault_resume();
	x = run(&ctl, a);
	ctl_close(&ctl);
	fault_pause();
	fflush(stdout);
	(void)dup2(out, STDOUT_FILENO);
	(void)dup2(err, STDERR_FILENO);
	(void)close(out);
	(void)close(err);
	fault_resume();
	return x;
}

/* ---- import ---- */

#define PEOPLE 5

static char passwords[PATH_MAX], sheet[PATH_MAX];

/* The lock on the folder is kept until the process ends: as that would. */
static void let_go(const struct chaos *c)
{
	char link[32], path[PATH_MAX];

	for (int fd = 3; fd < 64; fd++) {
		snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
		ssize_t n = readlink(link, path, sizeof path);
		if (n == (ssize_t)strlen(c->folder) && memcmp(path, c->folder, (size_t)n) == 0)
			(void)close(fd);
	}
}

static enum ctl_exit import(struct chaos *c)
{
	char *word[] = {sheet};
	struct args a = {.value = {[OPT_PASSWORDS] = passwords}, .word = word, .n_word = 1};
	enum ctl_exit x = command(c, import_run, &a);

	let_go(c);
	return x;
}

static void import_job(struct chaos *c, int *told)
{
	(void)unlink(passwords);
	*told = import(c) == CTL_OK ? 2 : 1;
}

static int64_t rows_of(const char *path)
{
	FILE *f = fopen(path, "re");
	int64_t n = 0;

	for (int ch; f != NULL && (ch = getc(f)) != EOF;)
		n += ch == '\n';
	if (f != NULL)
		fclose(f);
	return n;
}

static int64_t visible(const struct chaos *c)
{
	int64_t n = 0;

	OK(store_person_count(c->st, &n));
	return n - CHAOS_PEOPLE;
}

static void import_judge(struct chaos *c, int told)
{
	int64_t n = visible(c);

	assert_true(n == PEOPLE || (n == 0 && told != 2));
	if (n == PEOPLE) /* everybody to be seen has a password on paper */
		assert_int_equal(rows_of(passwords), PEOPLE + 1);
	(void)unlink(passwords);
	assert_int_equal(import(c), CTL_OK);
	chaos_start(c, false);
	assert_int_equal(visible(c), PEOPLE);
	assert_int_equal(rows_of(passwords), n == 0 ? PEOPLE + 1 : 0);
	assert_int_equal(chaos_sql(c, "SELECT count(*) FROM person"), PEOPLE + CHAOS_PEOPLE);
}

/* ---- disable ---- */

static enum ctl_exit disable(struct chaos *c)
{
	char taro[] = "taro", *word[] = {taro};
	struct args a = {.word = word, .n_word = 1};

	return command(c, user_change_disable, &a);
}

static void disable_job(struct chaos *c, int *told)
{
	*told = disable(c) == CTL_OK ? 2 : 1;
}

static void disable_judge(struct chaos *c, int told)
{
	enum verdict v = chaos_account(c, "taro");
	int64_t noted = chaos_sql(c, "SELECT count(*) FROM audit WHERE event = 'user.disable'");

	assert_int_equal(v, noted ? VERDICT_DISABLED : VERDICT_ALLOW);
	assert_true(noted == 1 || (noted == 0 && told != 2));
	assert_int_equal(disable(c), CTL_OK);
	chaos_start(c, false);
	assert_int_equal(chaos_account(c, "taro"), VERDICT_DISABLED);
}

/* ---- letters ---- */

static enum ctl_exit reissue(struct chaos *c)
{
	char hanako[] = "hanako", *word[] = {hanako};
	struct args a = {.value = {[OPT_LETTERS] = ""}, .word = word, .n_word = 1};
	enum ctl_exit x = command(c, user_reissue, &a);

	let_go(c);
	return x;
}

static void reissue_job(struct chaos *c, int *told)
{
	*told = reissue(c) == CTL_OK ? 2 : 1;
}

/* The letter that waits is the one of the password that counts. */
static void letter_fits(struct chaos *c)
{
	uint8_t digest[DIGEST_LEN];
	struct store_letter l;
	struct person p;

	OK(store_person_by_login(c->st, "hanako", &p));
	OK(store_letter_of(c->st, &p.id, &l));
	OK(password_initial_digest(c->k.seal, &p.id, l.text, strlen(l.text), digest));
	assert_memory_equal(digest, p.initial, sizeof digest);
}

static void reissue_judge(struct chaos *c, int told)
{
	int64_t noted = chaos_sql(c, "SELECT count(*) FROM audit WHERE event = 'user.reissue'");

	assert_true(noted == 1 || (noted == 0 && told != 2));
	letter_fits(c);
	assert_int_equal(reissue(c), CTL_OK);
	chaos_start(c, false);
	letter_fits(c);
}

static enum ctl_exit take(struct chaos *c)
{
	struct args a = {.value = {[OPT_CSV] = passwords}};
	enum ctl_exit x = command(c, letters_run, &a);

	let_go(c);
	return x;
}

static void take_job(struct chaos *c, int *told)
{
	(void)unlink(passwords);
	*told = take(c) == CTL_OK ? 2 : 1;
}

static void take_judge(struct chaos *c, int told)
{
	int64_t waits = chaos_sql(c, "SELECT count(*) FROM letter");

	assert_true(waits == 0 || (waits == 1 && told != 2));
	assert_int_equal(chaos_sql(c, "SELECT count(*) FROM audit WHERE event = 'letter.taken'"), 1 - waits);
	if (waits == 0) /* it is on paper */
		assert_int_equal(rows_of(passwords), 2);
	(void)unlink(passwords);
	assert_int_equal(take(c), CTL_OK);
	chaos_start(c, false);
	assert_int_equal(rows_of(passwords), waits ? 2 : 0);
	assert_int_equal(chaos_sql(c, "SELECT count(*) FROM letter"), 0);
}

static void letters(void **state)
{
	static const struct chaos_job each[] = {
	    {"user reissue --letters", reissue_job, reissue_judge, 2},
	    {"letters --csv", take_job, take_judge, 2},
	};
	struct person p;

	(void)state;
	snprintf(passwords, sizeof passwords, "%s", unit_path(c0->folder, "letters.csv"));
	chaos_start(c0, true);
	OK(store_begin(c0->st));
	OK(store_person_by_login(c0->st, "hanako", &p));
	OK(store_letter_put(c0->st, &p.id, CHAOS_INITIAL, CHAOS_NOW + 89 * 86400));
	OK(store_commit(c0->st));
	chaos_keep(c0);
	for (size_t i = 0; i < COUNT(each); i++)
		chaos_run(c0, &each[i]);
}

static void commands(void **state)
{
	static const struct chaos_job each[] = {
	    {"user disable", disable_job, disable_judge, 2},
	    {"import", import_job, import_judge, 2},
	};
	static const char text[] = "login,name,birth_date,email,role\n"
				   "m1,A,1950-04-01,m1@example.jp,member\nm2,B,1950-04-01,,member\n"
				   "m3,C,1950-04-01,m3@example.jp,member\ns1,D,,s1@example.jp,staff\ns2,E,,,staff\n";

	(void)state;
	snprintf(sheet, sizeof sheet, "%s", unit_path(c0->folder, "people.csv"));
	snprintf(passwords, sizeof passwords, "%s", unit_path(c0->folder, "passwords.csv"));
	unit_write(sheet, text, sizeof text - 1);
	for (size_t i = 0; i < COUNT(each); i++)
		chaos_run(c0, &each[i]);
}

static int fresh(void **state)
{
	(void)state;
	quiet = open("/dev/null", O_RDWR | O_CLOEXEC);
	c0 = chaos_new();
	return 0;
}

static int gone(void **state)
{
	(void)state;
	print_message("%ld runs\n", c0->runs);
	chaos_free(c0);
	(void)close(quiet);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(commands, fresh, gone),
					   cmocka_unit_test_setup_teardown(letters, fresh, gone)};

	umask(022);
	fault_install();
	return cmocka_run_group_tests_name("every call of kosmoctl fails", tests, NULL, NULL);
}
