#include "config.h"

#include "common/clock.h"
#include "common/daemon.h"
#include "common/paths.h"
#include "common/wire.h"
#include "enroll/log.h"
#include "enroll/supervise.h"
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SUPERVISE_START_MS 15000
#define SUPERVISE_STOP_MS  5000

static const struct {
	const char *name, *socket, *built, *installed;
} supervise_programs[] = {
    {"kosmo-keeper", "web.sock", "keeper/kosmo-keeper", LIBEXECDIR "/kosmo-keeper"},
    {"kosmo-mailer", "mail.sock", "enroll/kosmo-mailer", LIBEXECDIR "/kosmo-mailer"},
};

static bool supervise_listens(const struct conf *conf, const char *sock)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof path, "%s/%s", conf->run_dir, sock);
	if (wire_connect(path, clock_mono_ms() + 1000, &fd) != ERR_NONE)
		return false;
	close(fd);
	return true;
}

static void supervise_sleep(long ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* In a child, first of all. */
static bool supervise_child(const struct conf *conf, pid_t parent)
{
	struct errmsg m = {""};

	setpgid(0, 0); /* Ctrl-C is for the supervisor, which then stops the others in order */
	/* Here already, for a change of user takes back PR_SET_PDEATHSIG. */
	if (geteuid() == 0 && daemon_become_owner(conf->state_dir, &m) != ERR_NONE) {
		log_error("%s", m.text);
		return false;
	}
	return prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == parent;
}

/* In the child. Never returns. */
static void supervise_exec(const struct conf *conf, const char *path, pid_t parent)
{
	char *argv[] = {(char *)(uintptr_t)path, (char[]){"-c"}, conf->file, NULL};
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	if (!supervise_child(conf, parent))
		_exit(1);
	execv(path, argv);
	log_error("%s: %s", path, strerror(errno));
	_exit(127);
}

static enum err supervise_spawn(const struct conf *conf, size_t which, struct supervise *s, struct errmsg *m)
{
	char path[PATH_MAX];
	pid_t parent = getpid(), pid;

	paths_find(supervise_programs[which].built, supervise_programs[which].installed, path, sizeof path);
	if (access(path, X_OK) < 0)
		return err_set(m, ERR_NOTFOUND, "%s: %s", path, strerror(errno));
	pid = fork();
	if (pid < 0)
		return err_set(m, ERR_IO, "fork: %s", strerror(errno));
	if (pid == 0)
		supervise_exec(conf, path, parent);
	s->child[s->n++] = (struct supervised){.name = supervise_programs[which].name, .pid = pid};
	return ERR_NONE;
}

enum err supervise_start(const struct conf *conf, struct supervise *ret, struct errmsg *m)
{
	int64_t deadline = clock_mono_ms() + SUPERVISE_START_MS;
	struct supervise s = {0};
	enum err r = ERR_NONE;

	for (size_t i = 0; r == ERR_NONE && i < sizeof supervise_programs / sizeof *supervise_programs; i++)
		if (!supervise_listens(conf, supervise_programs[i].socket))
			r = supervise_spawn(conf, i, &s, m);
	while (r == ERR_NONE && !supervise_listens(conf, "web.sock")) {
		if (supervise_died(&s, m))
			r = ERR_IO;
		else if (clock_mono_ms() > deadline)
			r = err_set(m, ERR_TIMEOUT, "kosmo-keeper does not listen on %s/web.sock", conf->run_dir);
		else
			supervise_sleep(20);
	}
	if (r != ERR_NONE) {
		supervise_stop(&s);
		return r;
	}
	*ret = s;
	return ERR_NONE;
}

enum err supervise_fork(const struct conf *conf, const char *name, struct supervise *s, bool *ret_child,
			struct errmsg *m)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		return err_set(m, ERR_IO, "fork: %s", strerror(errno));
	if (pid == 0 && !supervise_child(conf, parent))
		_exit(1);
	if (pid == 0)
		s->n = 0; /* the others are not ours to stop */
	else
		s->child[s->n++] = (struct supervised){.name = name, .pid = pid};
	*ret_child = pid == 0;
	return ERR_NONE;
}

bool supervise_died(struct supervise *s, struct errmsg *m)
{
	bool died = false;

	for (size_t i = 0; i < s->n; i++) {
		struct supervised *c = &s->child[i];
		int status;

		if (c->pid <= 0 || waitpid(c->pid, &status, WNOHANG) != c->pid)
			continue;
		c->pid = 0;
		if (WIFSIGNALED(status))
			err_set(m, ERR_IO, "%s was ended by signal %d; stopping", c->name, WTERMSIG(status));
		else
			err_set(m, ERR_IO, "%s ended with status %d; stopping", c->name, WEXITSTATUS(status));
		died = true;
	}
	return died;
}

static bool supervise_running(struct supervise *s, const struct supervised *c)
{
	supervise_died(s, NULL);
	return c->pid > 0;
}

void supervise_stop(struct supervise *s)
{
	for (size_t i = s->n; i-- > 0;) {
		const struct supervised *c = &s->child[i];
		int64_t deadline = clock_mono_ms() + SUPERVISE_STOP_MS;

		if (c->pid > 0)
			kill(c->pid, SIGTERM);
		while (supervise_running(s, c)) {
			if (clock_mono_ms() >= deadline)
				kill(c->pid, SIGKILL);
			supervise_sleep(10);
		}
	}
}
