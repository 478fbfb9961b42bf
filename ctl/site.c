/* kosmoctl site template, and what config check and doctor say of the site's own files. What a page may be, the browser
 * door alone knows: kosmo-site, a program of its own, does the work. */
#include "config.h"

#include "common/paths.h"
#include "ctl/commands.h"
#include "ctl/site.h"
#include "keeper/terms_print.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SITE_ROWS     100
#define SITE_ROWS_ALL 5000 /* entries of the audit log that are looked at */
#define SITE_LINE     4800 /* bytes of a sentence with its path */

/* Opened before the user is changed, who may not reach it in a build tree. */
static int site_program(char path[static PATH_MAX])
{
	paths_find("enroll/kosmo-site", LIBEXECDIR "/kosmo-site", path, PATH_MAX);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* kosmo-web in a system, in an instance of somebody's own its owner. NULL: nobody known. */
static const struct passwd *site_user(const struct conf *conf)
{
	struct stat st;
	if (stat(conf->state_dir, &st) < 0)
		return NULL;
	const struct passwd *pw = getpwuid(st.st_uid);
	if (pw && strcmp(pw->pw_name, "kosmo") == 0)
		pw = getpwnam("kosmo-web");
	return pw;
}

static bool site_become(const struct conf *conf)
{
	const struct passwd *pw = geteuid() == 0 ? site_user(conf) : NULL;
	if (!pw || pw->pw_uid == 0)
		return true;
	return initgroups(pw->pw_name, pw->pw_gid) == 0 && setgid(pw->pw_gid) == 0 && setuid(pw->pw_uid) == 0;
}

/* In the child. */
static void site_exec(const struct conf *conf, int program, int out)
{
	static char path[] = "PATH=/usr/bin:/bin", name[] = "kosmo-site", c[] = "-c", check[] = "check";
	char *env[] = {path, NULL}, *argv[] = {name, c, conf->file, check, NULL};
	if (!site_become(conf) || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(127);
	(void)fexecve(program, argv, env);
	_exit(127);
}

static void site_line(char *line, site_say *say, void *arg)
{
	static const char mark[] = "warning: ";
	bool warning = strncmp(line, mark, sizeof mark - 1) == 0;
	line[strcspn(line, "\n")] = '\0';
	say(arg, warning, line + (warning ? sizeof mark - 1 : 0));
}

enum err site_look(const struct conf *conf, site_say *say, void *arg, struct errmsg *m)
{
	char path[PATH_MAX], line[SITE_LINE];
	int p[2], status = -1, program = site_program(path);
	size_t lines = 0;
	if (program < 0)
		return err_set(m, ERR_IO, "%s: %s; the site's own files cannot be looked through", path,
			       strerror(errno));
	(void)fflush(NULL);
	pid_t pid = pipe2(p, O_CLOEXEC) == 0 ? fork() : -1;
	if (pid < 0) {
		(void)close(program);
		return err_set(m, ERR_IO, "%s: %s", path, strerror(errno));
	}
	if (pid == 0)
		site_exec(conf, program, p[1]);
	(void)close(program);
	(void)close(p[1]);
	FILE *f = fdopen(p[0], "r");
	for (; f && fgets(line, sizeof line, f); lines++)
		site_line(line, say, arg);
	if (f)
		(void)fclose(f);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	/* 1 is what it ends with when it has said something */
	if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || (WEXITSTATUS(status) == 1 && lines)))
		return ERR_NONE;
	return err_set(m, ERR_INTERNAL, "%s did not look through the site's own files (exit status %d)", path,
		       WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

bool site_terms_changed(struct store *st, const struct conf *conf)
{
	const struct id all = {{0}};
	struct audit row[SITE_ROWS];
	char now[TERMS_PRINT + 1], version[64];
	int64_t before = 0;
	size_t n = SITE_ROWS;
	terms_print(conf, now);
	int len = snprintf(version, sizeof version, "version %lld" TERMS_TEXT, (long long)conf->terms_version);
	for (size_t seen = 0; now[0] && seen < SITE_ROWS_ALL && n == SITE_ROWS; seen += n) {
		if (store_audit_page(st, &all, before, row, SITE_ROWS, &n) != ERR_NONE)
			return false;
		for (size_t i = 0; i < n; i++)
			if (strcmp(row[i].event, "terms.agreed") == 0 &&
			    strncmp(row[i].detail, version, (size_t)len) == 0)
				return strcmp(row[i].detail + len, now) != 0;
		before = n ? row[n - 1].seq : before;
	}
	return false;
}

enum ctl_exit site_template(struct ctl *c, const struct args *a)
{
	char path[PATH_MAX];
	int status = -1, program = site_program(path);
	(void)c;
	if (program < 0)
		return ctl_failed(ERR_IO, path, NULL);
	(void)fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		static char name[] = "kosmo-site", template[] = "template";
		char *argv[] = {name, template, a->n_word ? (char *)(uintptr_t)a->word[0] : NULL, NULL};
		char *env[] = {NULL};
		(void)fexecve(program, argv, env);
		_exit(127);
	}
	(void)close(program);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status) == 127)
		return ctl_failed(ERR_IO, path, NULL);
	return (enum ctl_exit)WEXITSTATUS(status);
}
