/* The catalogue is found beside the program, so the test copies itself into a tree with one and runs there. */
#include "config.h"

#include "common/i18n.h"
#include "common/paths.h"
#include "tests/unit/unit.h"
#include <locale.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char po[] = "msgid \"\"\nmsgstr \"Content-Type: text/plain; charset=UTF-8\\n\"\n\n"
			 "msgid \"Log in\"\nmsgstr \"ログイン\"\n\nmsgid \"Code: \"\nmsgstr \"コード: \"\n";

static void texts(void **state)
{
	(void)state;
	assert_string_equal(i18n("ja", "Log in"), "ログイン");
	assert_string_equal(i18n("ja", "Code: "), "コード: ");
	assert_string_equal(i18n("ja", "Not translated"), "Not translated");
	assert_string_equal(i18n("ja", ""), "");
	assert_string_equal(i18n("en", "Log in"), "Log in");
	assert_string_equal(i18n("en", ""), "");
	assert_string_equal(i18n(NULL, "Log in"), "Log in");
	assert_string_equal(i18n("de", "Log in"), "Log in");
	assert_string_equal(i18n("", "Log in"), "Log in");
	assert_null(getenv("LANGUAGE"));
}

/* The process's own locale neither matters nor changes. */
static void locale_kept(void **state)
{
	static const char *const locales[] = {"C", "C.UTF-8", "POSIX"};

	(void)state;
	for (size_t i = 0; i < COUNT(locales); i++) {
		assert_non_null(setlocale(LC_ALL, locales[i]));
		assert_string_equal(i18n("ja", "Log in"), "ログイン");
		assert_ptr_equal(uselocale((locale_t)0), LC_GLOBAL_LOCALE);
	}
	setlocale(LC_ALL, "C");
}

static void *many(void *arg)
{
	const char *lang = arg, *want = lang[0] == 'j' ? "ログイン" : "Log in";

	for (int i = 0; i < 20000; i++)
		if (strcmp(i18n(lang, "Log in"), want) != 0)
			return arg;
	return NULL;
}

static void threads(void **state)
{
	static char ja[] = "ja", en[] = "en";
	pthread_t t[4];
	void *bad;

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, many, i % 2 ? ja : en), 0);
	for (size_t i = 0; i < COUNT(t); i++) {
		assert_int_equal(pthread_join(t[i], &bad), 0);
		assert_null(bad);
	}
}

static void pick(void **state)
{
	static const char *const t[][2] = {
	    {"ja", "ja"},
	    {"en", "en"},
	    {"ja-JP", "ja"},
	    {"JA", "ja"},
	    {"en_US.UTF-8", "en"},
	    {"ja,en-US;q=0.9,en;q=0.8", "ja"},
	    {"en-US,en;q=0.9,ja;q=0.8", "en"},
	    {"fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", "en"},
	    {"en;q=0.2, ja;q=0.3", "ja"},
	    {"en;q=0.300, ja;q=0.301", "ja"},
	    {"en;q=0, ja;q=0.001", "ja"},
	    {"en ; q=0.5 , ja ; q=0.6", "ja"},
	    {"en;Q=0.5,ja;Q=0.4", "en"},
	    {"ja;q=0", "fallback"},
	    {"ja;q=0.000", "fallback"},
	    {"ja;q=x", "fallback"},
	    {"ja;x=1", "fallback"},
	    {"ja;q=2", "fallback"},
	    {"ja;q=", "fallback"},
	    {"ja;", "fallback"},
	    {"ja;q=1.9", "ja"},
	    {"", "fallback"},
	    {",, ,", "fallback"},
	    {"*", "fallback"},
	    {"*;q=0.9,en;q=0.1", "fallback"},
	    {"*;q=0.1,en;q=0.2", "en"},
	    {"fr", "fallback"},
	    {"jav", "fallback"},
	    {"j", "fallback"},
	    {"eng", "fallback"},
	    {"ja\xff", "fallback"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++)
		if (strcmp(i18n_pick(t[i][0], "fallback"), t[i][1]) != 0)
			fail_msg("\"%s\" gave %s", t[i][0], i18n_pick(t[i][0], "fallback"));
	assert_string_equal(i18n_pick(NULL, "ja"), "ja");
}

static void dates(void **state)
{
	static const struct date day = {.year = 2026, .month = 12, .day = 1};
	char b[I18N_TIME];

	(void)state;
	i18n_date("en", day, b);
	assert_string_equal(b, "1 December 2026");
	i18n_date("ja", day, b);
	assert_string_equal(b, "2026年12月1日");
	i18n_time("en", 1796101500, b);
	assert_string_equal(b, "1 December 2026, 05:05");
	i18n_time("ja", 1796101500, b);
	assert_string_equal(b, "2026年12月1日 5時05分");
}

static void paths(void **state)
{
	char found[PATH_MAX], small[8] = "";
	struct stat a, b;

	(void)state;
	paths_find("po", "/installed", found, sizeof found);
	assert_int_equal(stat(found, &a), 0);
	assert_int_equal(stat("/proc/self/cwd/po", &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	paths_find("no/such", "/installed", found, sizeof found);
	assert_string_equal(found, "/installed");
	paths_find("po", "/inst", small, sizeof small); /* the one in the tree does not fit */
	assert_string_equal(small, "/inst");
}

static int run_inside(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(texts), cmocka_unit_test(locale_kept), cmocka_unit_test(threads),
	    cmocka_unit_test(pick),  cmocka_unit_test(dates),	    cmocka_unit_test(paths),
	};

	setenv("LANGUAGE", "en", 1);
	setenv("TZ", "UTC", 1);
	i18n_init();
	i18n_init();
	return cmocka_run_group_tests_name("i18n, paths", tests, NULL, NULL);
}

static int run_command(const char *argv[])
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 127;
}

static int run_in_tree(const char *dir, const char *program)
{
	char copy[PATH_MAX], self[PATH_MAX], mo[PATH_MAX], source[PATH_MAX];
	FILE *f;
	int r;

	snprintf(copy, sizeof copy, "%s/%s", dir, program);
	snprintf(mo, sizeof mo, "%s/po/C.UTF-8/LC_MESSAGES/kosmo-ja.mo", dir);
	snprintf(source, sizeof source, "%s/ja.po", dir);
	f = fopen(source, "we");
	if (!f || fputs(po, f) < 0 || fclose(f) != 0)
		return 99;
	r = run_command((const char *[]){"msgfmt", "-o", mo, source, NULL});
	if (r != 0)
		return r == 127 ? 77 : 99; /* no msgfmt: skipped */
	if (realpath("/proc/self/exe", self) == NULL || run_command((const char *[]){"cp", self, copy, NULL}) != 0)
		return 99;
	return chdir(dir) == 0 ? run_command((const char *[]){copy, "--inside", NULL}) : 99;
}

int main(int argc, char **argv)
{
	static const char *const programs[] = {"bin/test", "bin/.libs/test"};
	static const char *const folders[] = {"bin", "bin/.libs", "po", "po/C.UTF-8", "po/C.UTF-8/LC_MESSAGES"};
	void *dir;
	int r = 0;

	if (argc == 2 && strcmp(argv[1], "--inside") == 0)
		return run_inside();
	if (unit_folder(&dir) != 0)
		return 99;
	for (size_t i = 0; i < COUNT(folders); i++)
		if (mkdir(unit_path(dir, folders[i]), 0700) != 0)
			r = 99;
	for (size_t i = 0; r == 0 && i < COUNT(programs); i++)
		r = run_in_tree(dir, programs[i]);
	unit_folder_gone(&dir);
	return r;
}
