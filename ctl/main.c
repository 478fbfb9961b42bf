/* kosmoctl: the admin's tool over the keeper's store library. */
#include "config.h"

#include "common/clock.h"
#include "common/daemon.h"
#include "common/i18n.h"
#include "ctl/commands.h"
#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANY  SIZE_MAX
#define B(o) OPT_BIT(OPT_##o)

static const struct ctl_command main_commands[] = {
    {"init", "", "make an instance: configuration, key, database", B(DIR) | B(URL), 0, 0, init_run},
    {"import", "FILE", "add and update people from a CSV file",
     B(SKIP_BAD) | B(DRY_RUN) | B(PASSWORDS) | B(LETTERS) | B(ALLOW) | B(JSON), 1, 1, import_run},
    {"user list", "", "list everyone", B(UNFINISHED) | B(JSON), 0, 0, user_list},
    {"user find", "TEXT", "list those whose login, name or address holds TEXT", B(JSON), 1, 1, user_find},
    {"user show", "LOGIN", "show one person", B(JSON), 1, 1, user_show},
    {"user add", "LOGIN", "add one person, with an initial password",
     B(NAME) | B(BIRTH) | B(EMAIL) | B(EMAIL_OPTIONAL) | B(ROLE) | B(LOCALE) | B(PASSWORDS) | B(LETTERS) |
	 B(PASSWORD_STDIN) | B(ALLOW),
     1, 1, user_change_add},
    {"user set", "LOGIN", "change one person",
     B(NAME) | B(BIRTH) | B(EMAIL) | B(EMAIL_OPTIONAL) | B(ROLE) | B(LOCALE) | B(ALLOW), 1, 1, user_change_set},
    {"user disable", "LOGIN", "refuse every login from now on", 0, 1, 1, user_change_disable},
    {"user enable", "LOGIN", "undo disable, and a freeze by the owner", B(FORMER_EMAIL), 1, 1, user_change_enable},
    {"user expire", "LOGIN DATE|never", "refuse every login from the beginning of DATE (Japan time)", 0, 2, 2,
     user_change_expire},
    {"user extend", "LOGIN DATE|never|default",
     "give one person until the end of DATE (Japan time) to finish the enrolment", 0, 2, 2, user_extend},
    {"user expire-password", "LOGIN", "ask for another password at the next login", B(UNDO), 1, 1,
     user_change_expire_password},
    {"user reissue", "[LOGIN...]", "make new initial passwords",
     B(ALL_UNFINISHED) | B(FILE) | B(REPLACE_OWN) | B(PASSWORDS) | B(LETTERS), 0, ANY, user_reissue},
    {"user recover", "LOGIN", "make a one-time code for somebody who lost phone and recovery codes", B(JSON), 1, 1,
     user_recover},
    {"user unlock", "LOGIN", "forget wrong passwords and codes; codes disabled by them work again", 0, 1, 1,
     user_unlock},
    {"user sessions", "LOGIN", "list the browsers that one person is logged in with", B(JSON), 1, 1, user_sessions},
    {"user logout", "LOGIN", "end all of one person's sessions in browsers", 0, 1, 1, user_logout},
    {"user delete", "LOGIN", "delete one person and all that is theirs", B(YES), 1, 1, user_change_delete},
    {"letters", "[LOGIN...]", "print the initial passwords that wait, or say how many do",
     B(PDF) | B(CSV) | B(LANG) | B(SAMPLE) | B(TEMPLATE) | B(JSON), 0, ANY, letters_run},
    {"audit", "", "show what happened, newest first",
     B(PERSON) | B(LIMIT) | B(FAILURE) | B(VERIFY) | B(HEAD) | B(HEADS) | B(JSON), 0, 0, audit_run},
    {"store check", "", "look whether everything in the database is whole", B(JSON), 0, 0, store_run_check},
    {"store backup", "FILE", "copy the database into a new file, while it is in use", 0, 1, 1, store_run_backup},
    {"store upgrade", "", "bring an older version's database to this version's schema", 0, 0, 0, store_run_upgrade},
    {"config check", "", "check the configuration and the files that it names", 0, 0, 0, config_check},
    {"config show", "", "show every option and its value", B(JSON), 0, 0, config_show},
    {"site template", "[NAME]", "print a built-in page, to make one of the site's own of, or the names", 0, 0, 1,
     site_template},
    {"mail test", "ADDRESS", "send a mail now, and say what the relay says", 0, 1, 1, mailcmd_test},
    {"mail queue", "", "list the mails that wait, were refused or came too late",
     B(JSON) | B(ADDRESSES) | B(RETRY) | B(DROP), 0, 0, mailcmd_queue},
    {"mail template", "[NAME [LANG]]", "print a mail's text, to make another one of", 0, 0, 2, mailcmd_template},
    {"mail bounce", "", "read a delivery report of a mail server on standard input", 0, 0, 0, mailcmd_bounce},
    {"doctor", "", "look for whatever keeps people from logging in, and say the remedy", B(JSON) | B(ROOT), 0, 0,
     doctor_run},
    {"pam try", "SERVICE USER", "log in through a PAM stack as a trial", B(RHOST) | B(STACK), 2, 2, pam_try},
    {"pam enable", "SERVICE", "put pam_kosmo into /etc/pam.d/SERVICE, for 5 minutes until confirmed",
     B(WITH) | B(MINUTES) | B(DRY_RUN) | B(FORCE) | B(ROOT), 1, 1, pam_enable},
    {"pam confirm", "SERVICE", "keep it, from a second login", B(FORCE) | B(ROOT), 1, 1, pam_confirm},
    {"pam undo", "[SERVICE]", "bring the old file back before it is confirmed", B(DUE) | B(ROOT), 0, 1, pam_undo},
    {"pam disable", "SERVICE", "take pam_kosmo out of /etc/pam.d/SERVICE", B(DRY_RUN) | B(ROOT), 1, 1, pam_disable},
};
#define MAIN_N (sizeof main_commands / sizeof *main_commands)

static void main_help_all(FILE *f, const char *group)
{
	size_t n = group ? strlen(group) : 0;
	(void)fprintf(f, "Usage: kosmoctl [-c CONF] %s%s[OPTION...]\n\nCommands:\n", group ? group : "COMMAND ",
		      group ? " COMMAND " : "");
	for (size_t i = 0; i < MAIN_N; i++) {
		const struct ctl_command *k = &main_commands[i];
		char left[64];
		if (group && (strncmp(k->name, group, n) != 0 || k->name[n] != ' '))
			continue;
		(void)snprintf(left, sizeof left, "%s %s", k->name, k->words);
		(void)fprintf(f, "  %-32s %s\n", left, k->summary);
	}
	(void)fputs("\nOptions:\n", f);
	args_help(ARGS_ANYWHERE, f);
	(void)fputs("\nkosmoctl COMMAND --help shows a command's own options.\n"
		    "Exit status: 0 done, 1 failed, 2 wrong command line, 3 the input is at fault (bad lines, no such\n"
		    "person, login taken) and nothing was done, 4 busy: try again later.\n",
		    f);
}

static void main_help_one(const struct ctl_command *k)
{
	(void)printf("Usage: kosmoctl [-c CONF] %s [OPTION...] %s\n%c%s.\n\nOptions:\n", k->name, k->words,
		     k->summary[0] - 'a' + 'A', k->summary + 1);
	args_help(k->options | ARGS_ANYWHERE, stdout);
}

/* A command is one word or two. *ret_n: how many it took; NULL with *ret_group set: only the group was named. */
static const struct ctl_command *main_find(char **argv, size_t n, size_t *ret_n, const char **ret_group)
{
	*ret_group = NULL;
	for (size_t i = 0; i < MAIN_N; i++) {
		const char *name = main_commands[i].name, *space = strchr(name, ' ');
		size_t len = space ? (size_t)(space - name) : strlen(name);
		if (strlen(argv[0]) != len || memcmp(argv[0], name, len) != 0)
			continue;
		*ret_n = space ? 2 : 1;
		if (!space || (n > 1 && strcmp(argv[1], space + 1) == 0))
			return &main_commands[i];
		*ret_group = argv[0];
	}
	return NULL;
}

/* The login uid survives su and sudo; without one, the real uid. */
static uid_t main_admin(void)
{
	char b[16] = "";
	int64_t v;
	int fd = open("/proc/self/loginuid", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		ssize_t n = read(fd, b, sizeof b - 1);
		b[n > 0 ? n : 0] = '\0';
		(void)close(fd);
	}
	if (args_number(b, 0, UINT32_MAX - 1, &v))
		return (uid_t)v;
	return getuid();
}

static enum ctl_exit main_command(struct ctl *c, struct args *a, char **argv, size_t n)
{
	char why[512];
	const char *group;
	size_t used = 0, took;
	if (!args_parse(a, ARGS_ANYWHERE | OPT_BIT(OPT_JSON), argv, n, true, &used, why))
		return ctl_usage("%s; see kosmoctl --help", why);
	if (a->value[OPT_VERSION]) {
		(void)puts("kosmoctl (" PACKAGE_NAME ") " PACKAGE_VERSION);
		return CTL_OK;
	}
	if (used == n) {
		main_help_all(a->value[OPT_HELP] ? stdout : stderr, NULL);
		return a->value[OPT_HELP] ? CTL_OK : CTL_USAGE;
	}
	argv += used;
	n -= used;
	const struct ctl_command *k = main_find(argv, n, &took, &group);
	if (!k && group && n > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		main_help_all(stdout, group);
		return CTL_OK;
	}
	if (!k && group)
		return ctl_usage("%s needs one of its commands; see kosmoctl %s --help", group, group);
	if (!k)
		return ctl_usage("unknown command \"%s\"; see kosmoctl --help", argv[0]);
	if (!args_parse(a, k->options | ARGS_ANYWHERE, argv + took, n - took, false, NULL, why))
		return ctl_usage("%s: %s; see kosmoctl %s --help", k->name, why, k->name);
	if (a->value[OPT_HELP]) {
		main_help_one(k);
		return CTL_OK;
	}
	if (a->value[OPT_JSON] && !(k->options & OPT_BIT(OPT_JSON)))
		return ctl_usage("%s: it writes no JSON", k->name);
	if (a->n_word < k->min_words || a->n_word > k->max_words)
		return ctl_usage("usage: kosmoctl %s [OPTION...] %s", k->name, k->words);
	c->json = a->value[OPT_JSON];
	if (a->value[OPT_CONF])
		c->conf_path = a->value[OPT_CONF];
	pam_undo_overdue(c);
	return k->run(c, a);
}

int main(int argc, char **argv)
{
	struct args a = {0};
	struct ctl c = {.conf_path = SYSCONFDIR "/kosmo/kosmo.conf", .admin = main_admin()};
	daemon_harden();
	(void)signal(SIGXFSZ, SIG_IGN); /* a file size limit is an error like a full disk */
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	i18n_init(); /* mails that commands write */
	enum ctl_exit r = argc > 0 ? main_command(&c, &a, argv + 1, (size_t)argc - 1) : CTL_USAGE;
	ctl_close(&c);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		ctl_say("cannot write to standard output");
		r = r ? r : CTL_FAILED;
	}
	return (int)r;
}
