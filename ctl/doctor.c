#include "config.h"

#include "common/clock.h"
#include "common/daemon.h"
#include "ctl/commands.h"
#include "ctl/doctor.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DOCTOR_COMMAND_MS 5000

static const struct {
	const char *name;
	bool conf;  /* needs a configuration that can be read */
	bool owner; /* looks into the store, as the owner of state_dir; these come last */
	void (*run)(struct doctor *d);
} doctor_checks[] = {
    {"configuration", false, false, doctor_conf},
    {"users", true, false, doctor_users},
    {"state_dir", true, false, doctor_state_dir},
    {"folders", true, false, doctor_folders},
    {"disk", true, false, doctor_disk},
    {"clock", false, false, doctor_clock},
    {"mail", true, false, doctor_mail},
    {"units", true, false, doctor_units},
    {"versions", true, false, doctor_versions},
    {"sockets", true, false, doctor_sockets},
    {"site", true, false, doctor_site},
    {"module", false, false, doctor_module},
    {"pam.d", false, false, doctor_pam},
    {"sshd", false, false, doctor_sshd},
    {"store", true, true, doctor_store},
    {"outbox", true, true, doctor_outbox},
    {"addresses", true, true, doctor_addresses},
    {"enrolment", true, true, doctor_enrolment},
    {"mail texts", true, true, doctor_mail_texts},
    {"terms", true, true, doctor_terms},
};

static const char *const doctor_word[DOCTOR_STATES] = {"ok", "-", "warn", "FAIL"};
static const char *const doctor_json_word[DOCTOR_STATES] = {"ok", "left", "warn", "fail"};

void doctor_fix(struct doctor *d, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(d->fix, sizeof d->fix, fmt, ap);
	va_end(ap);
}

/* File names and other people's words: no control characters on the admin's terminal. */
static void doctor_clean(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = *s == '\n' ? ' ' : '?';
}

void doctor_say(struct doctor *d, enum doctor_state s, const char *fmt, ...)
{
	char text[2048];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	doctor_clean(text);
	d->n[s]++;
	if (d->c->json) {
		json_object(&d->json, NULL);
		json_str(&d->json, "check", d->check);
		json_str(&d->json, "state", doctor_json_word[s]);
		json_str(&d->json, "text", text);
		json_str(&d->json, "remedy", d->fix[0] ? d->fix : NULL);
		json_end(&d->json, '}');
	} else {
		(void)printf("%-4s  %-13s  %s\n", doctor_word[s], d->check, text);
		for (const char *p = d->fix; *p;) {
			size_t n = strcspn(p, "\n");
			(void)printf("                     %s %.*s\n", p == d->fix ? "->" : "  ", (int)n, p);
			p += n + (p[n] != '\0');
		}
	}
	d->fix[0] = '\0';
}

bool doctor_path(const struct doctor *d, const char *path, char *ret)
{
	return (size_t)snprintf(ret, PATH_MAX, "%s%s", d->root, path) < PATH_MAX;
}

const char *doctor_user(uid_t uid, char *ret)
{
	const struct passwd *pw = getpwuid(uid);
	if (pw)
		(void)snprintf(ret, 64, "%s", pw->pw_name);
	else
		(void)snprintf(ret, 64, "uid %u", (unsigned)uid);
	return ret;
}

static void doctor_child(const char *const *argv, int out)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", lang[] = "LC_ALL=C";
	char *env[] = {path, lang, NULL};
	int null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(null, 2) < 0)
		_exit(127);
	(void)setenv("PATH", path + 5, 1);
	(void)execvpe(argv[0], (char *const *)(uintptr_t)argv, env);
	_exit(127);
}

int doctor_command(const char *const *argv, char *ret, size_t cap)
{
	int64_t end = clock_mono_ms() + DOCTOR_COMMAND_MS;
	int p[2], status;
	size_t n = 0;
	if (pipe2(p, O_CLOEXEC) < 0)
		return -1;
	(void)fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		doctor_child(argv, p[1]);
	(void)close(p[1]);
	bool late = pid < 0;
	while (!late) {
		char more[4096];
		struct pollfd f = {.fd = p[0], .events = POLLIN};
		int64_t left = end - clock_mono_ms();
		late = left <= 0 || poll(&f, 1, (int)left) == 0;
		ssize_t got = late ? 0 : read(p[0], more, sizeof more);
		if (got <= 0)
			break;
		size_t take = (size_t)got < cap - 1 - n ? (size_t)got : cap - 1 - n;
		memcpy(ret + n, more, take);
		n += take;
	}
	ret[n] = '\0';
	(void)close(p[0]);
	if (pid < 0)
		return -1;
	if (late)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return !late && WIFEXITED(status) && WEXITSTATUS(status) != 127 ? WEXITSTATUS(status) : -1;
}

/* From here on, what the keeper's user may do. */
static bool doctor_become(struct doctor *d)
{
	struct errmsg m = {""};
	if (!d->state_good) {
		doctor_say(d, DOCTOR_LEFT, "not opened: mend state_dir first (above)");
		return false;
	}
	if (!daemon_become_owner(d->c->conf->state_dir, &m))
		return true;
	doctor_say(d, DOCTOR_FAIL, "%s", m.text);
	return false;
}

static void doctor_all(struct doctor *d)
{
	bool stop = false;
	for (size_t i = 0; !stop && i < sizeof doctor_checks / sizeof *doctor_checks; i++) {
		d->check = doctor_checks[i].name;
		if (doctor_checks[i].owner)
			stop = !d->c->conf || (!d->c->st && !doctor_become(d));
		if (!stop && (d->c->conf || !doctor_checks[i].conf))
			doctor_checks[i].run(d);
		/* doctor_store opens it; the rest has nothing to look at without. */
		stop |= doctor_checks[i].owner && !d->c->st;
	}
}

enum ctl_exit doctor_run(struct ctl *c, const struct args *a)
{
	struct doctor *d = calloc(1, sizeof *d);
	if (!d)
		return ctl_failed(ERR_NOMEM, "doctor", NULL);
	*d = (struct doctor){.c = c, .root = a->value[OPT_ROOT] ? a->value[OPT_ROOT] : "", .json.f = stdout};
	if (c->json)
		json_array(&d->json, NULL);
	doctor_all(d);
	if (c->json)
		json_end(&d->json, ']');
	else
		(void)printf("%zu ok, %zu warnings, %zu failures\n", d->n[DOCTOR_OK], d->n[DOCTOR_WARN],
			     d->n[DOCTOR_FAIL]);
	enum ctl_exit r = d->n[DOCTOR_FAIL] ? CTL_FAILED : CTL_OK;
	free(d);
	return r;
}
