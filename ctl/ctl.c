#include "config.h"

#include "common/clock.h"
#include "common/daemon.h"
#include "ctl/ctl.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

__attribute__((format(printf, 1, 0))) static void ctl_vsay(const char *fmt, va_list ap)
{
	(void)fputs("kosmoctl: ", stderr);
	(void)vfprintf(stderr, fmt, ap);
	(void)fputc('\n', stderr);
}

void ctl_say(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	ctl_vsay(fmt, ap);
	va_end(ap);
}

enum ctl_exit ctl_input(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	ctl_vsay(fmt, ap);
	va_end(ap);
	return CTL_INPUT;
}

enum ctl_exit ctl_usage(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	ctl_vsay(fmt, ap);
	va_end(ap);
	return CTL_USAGE;
}

enum ctl_exit ctl_failed(enum err e, const char *what, const struct errmsg *m)
{
	bool busy = e == ERR_BUSY || e == ERR_TIMEOUT;
	if (m && m->text[0])
		ctl_say("%s", m->text);
	else if (busy)
		ctl_say("%s: the store is busy; try again", what);
	else
		ctl_say("%s: %s", what, err_text(e));
	return busy ? CTL_BUSY : CTL_FAILED;
}

enum ctl_exit ctl_conf(struct ctl *c)
{
	struct errmsg m = {""};
	enum err e = conf_load(c->conf_path, &c->conf, &m);
	if (e == ERR_NOTFOUND) {
		ctl_say("%s; kosmoctl init makes one, -c names another", m.text);
		return CTL_FAILED;
	}
	return e ? ctl_failed(e, c->conf_path, &m) : CTL_OK;
}

/* Ctrl-Z alone: who ends within a call lets go of everything. */
static void ctl_guard(bool on)
{
	static sigset_t before;
	sigset_t set;
	if (!on) {
		(void)sigprocmask(SIG_SETMASK, &before, NULL);
		return;
	}
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTSTP);
	(void)sigprocmask(SIG_BLOCK, &set, &before);
}

enum ctl_exit ctl_key(struct ctl *c, char ret_db[static PATH_MAX])
{
	struct errmsg m = {""};
	char path[PATH_MAX];
	store_hold(ctl_guard);
	enum err e = daemon_become_owner(c->conf->state_dir, &m);
	if (e)
		return ctl_failed(e, c->conf->state_dir, &m);
	if ((size_t)snprintf(path, sizeof path, "%s/key", c->conf->state_dir) >= sizeof path ||
	    (size_t)snprintf(ret_db, PATH_MAX, "%s/kosmo.db", c->conf->state_dir) >= PATH_MAX)
		return ctl_failed(ERR_TOOBIG, c->conf->state_dir, NULL);
	e = seal_load(path, &c->seal, &m);
	return e ? ctl_failed(e, path, &m) : CTL_OK;
}

enum ctl_exit ctl_store(struct ctl *c)
{
	struct errmsg m = {""};
	char path[PATH_MAX];
	enum ctl_exit r = ctl_key(c, path);
	if (r)
		return r;
	enum err e = store_open(path, c->seal, &c->st, &m);
	return e ? ctl_failed(e, path, &m) : CTL_OK;
}

enum ctl_exit ctl_lock(struct ctl *c)
{
	const char *dir = c->conf->state_dir;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return ctl_failed(ERR_IO, dir, NULL);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return CTL_OK; /* kept open on purpose */
	(void)close(fd);
	ctl_say("another import, or a run of letters, is going on; try again later");
	return CTL_BUSY;
}

void ctl_close(struct ctl *c)
{
	if (c->st) {
		ctl_rollback(c);
		store_close(c->st);
	}
	seal_free(c->seal);
	conf_free(c->conf);
	c->st = NULL;
	c->seal = NULL;
	c->conf = NULL;
}

static const int ctl_stop_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP};

void ctl_hold(sigset_t *ret_before)
{
	sigset_t set;
	(void)sigemptyset(&set);
	for (size_t i = 0; i < sizeof ctl_stop_signals / sizeof *ctl_stop_signals; i++)
		(void)sigaddset(&set, ctl_stop_signals[i]);
	(void)sigprocmask(SIG_BLOCK, &set, ret_before);
}

void ctl_release(const sigset_t *before)
{
	(void)sigprocmask(SIG_SETMASK, before, NULL);
}

static void ctl_tx_over(struct ctl *c)
{
	if (c->in_tx)
		ctl_release(&c->before_tx);
	c->in_tx = false;
}

enum err ctl_begin(struct ctl *c)
{
	ctl_hold(&c->before_tx);
	c->in_tx = true;
	enum err e = store_begin(c->st);
	if (e)
		ctl_tx_over(c);
	return e;
}

enum err ctl_commit(struct ctl *c)
{
	enum err e = store_commit(c->st);
	ctl_tx_over(c);
	return e;
}

void ctl_rollback(struct ctl *c)
{
	store_rollback(c->st);
	ctl_tx_over(c);
}

enum err ctl_audit(struct ctl *c, const struct id *person, const char *event, const char *detail)
{
	char text[512];
	struct audit a = {.time = clock_now(), .event = event, .door = "ctl", .address = "", .detail = text};
	(void)snprintf(text, sizeof text, "by uid %u%s%s", (unsigned)c->admin, detail[0] ? ": " : "", detail);
	if (person)
		a.person = *person;
	return store_audit(c->st, &a);
}

static volatile sig_atomic_t ctl_stop_mark;

static void ctl_on_stop(int sig)
{
	ctl_stop_mark = sig;
}

void ctl_catch_stop(void)
{
	struct sigaction sa = {.sa_handler = ctl_on_stop};
	(void)sigemptyset(&sa.sa_mask);
	(void)sigaction(SIGINT, &sa, NULL);
	(void)sigaction(SIGTERM, &sa, NULL);
	(void)sigaction(SIGHUP, &sa, NULL);
}

bool ctl_stopped(void)
{
	return ctl_stop_mark != 0;
}

bool ctl_login(const char *word, char ret[static LOGIN_MAX + 1])
{
	AUTO_BUF b = BUF_INIT;
	if (text_login(word, strlen(word), &b) || !buf_str(&b)) {
		ctl_say("\"%s\" cannot be a login: 1 to %d of a-z 0-9 . _ @ -, beginning with a letter, a digit or _",
			text_utf8_valid(word, strlen(word)) ? word : "?", LOGIN_MAX);
		return false;
	}
	(void)snprintf(ret, LOGIN_MAX + 1, "%s", buf_str(&b));
	return true;
}

void ctl_time_utc(int64_t t, char ret[static 32])
{
	struct tm tm;
	time_t tt = (time_t)t;
	if (!t || !gmtime_r(&tt, &tm) || !strftime(ret, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
		ret[0] = '\0';
}

void ctl_time_local(int64_t t, char ret[static 32])
{
	struct tm tm;
	time_t tt = (time_t)t;
	if (!t || !localtime_r(&tt, &tm) || !strftime(ret, 32, "%Y-%m-%d %H:%M:%S", &tm))
		(void)snprintf(ret, 32, "-");
}
