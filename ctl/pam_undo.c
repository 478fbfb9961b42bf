#include "config.h"

#include "common/buf.h"
#include "ctl/pam_edit.h"
#include "ctl/pam_undo.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define UNDO_FILE_MAX (256 * 1024)

static const char undo_end[] = ".kosmo-undo";

static int64_t undo_clock_ms(void)
{
	struct timespec t = {0, 0};
	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void undo_boot(char ret[static 40])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, 36);
	if (fd >= 0)
		(void)close(fd);
	ret[n == 36 ? 36 : 0] = '\0';
}

/* ---- files ---- */

enum err pam_undo_load(const char *folder, const char *name, char **ret, mode_t *ret_mode, struct errmsg *m)
{
	char path[PATH_MAX], *text = NULL;
	struct stat st;
	size_t n = 0;
	if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path)
		return err_set(m, ERR_TOOBIG, "%s: the name is too long", folder);
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return err_set(m, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "%s: %s", path,
			       errno == ELOOP ? "it is a link; work on the file itself" : strerror(errno));
	enum err e = ERR_NONE;
	if (fstat(fd, &st) < 0)
		e = err_set(m, ERR_IO, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode) || st.st_size > UNDO_FILE_MAX)
		e = err_set(m, ERR_INVALID, "%s is no plain file", path);
	else if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022))
		e = err_set(m, ERR_DENIED, "%s: others than root may write it: chown root: and chmod go-w it first",
			    path);
	else if (!(text = malloc(UNDO_FILE_MAX + 1)))
		e = ERR_NOMEM;
	while (!e && text && n < UNDO_FILE_MAX) {
		ssize_t got = read(fd, text + n, UNDO_FILE_MAX - n);
		if (got == 0)
			break;
		if (got < 0)
			e = err_set(m, ERR_IO, "%s: %s", path, strerror(errno));
		n += got > 0 ? (size_t)got : 0;
	}
	(void)close(fd);
	if (!e && text && memchr(text, '\0', n))
		e = err_set(m, ERR_INVALID, "%s holds a NUL byte", path);
	if (e || !text) {
		free(text);
		return e ? e : ERR_NOMEM;
	}
	text[n] = '\0';
	*ret = text;
	if (ret_mode)
		*ret_mode = st.st_mode & 07777;
	return ERR_NONE;
}

static bool undo_write(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t put = write(fd, p, n);
		if (put <= 0 && errno != EINTR)
			return false;
		p += put > 0 ? put : 0;
		n -= put > 0 ? (size_t)put : 0;
	}
	return true;
}

/* Not asked for where it is so already: that needs no capability. */
static bool undo_owner(int fd, const struct stat *want)
{
	struct stat st;
	return fstat(fd, &st) == 0 && ((st.st_uid == want->st_uid && st.st_gid == want->st_gid) ||
				       fchown(fd, want->st_uid, want->st_gid) == 0);
}

enum err pam_undo_store(const char *folder, const char *name, const char *like, const char *text, size_t n, mode_t mode,
			struct errmsg *m)
{
	char temp[NAME_MAX + 1];
	struct stat st = {.st_uid = geteuid(), .st_gid = getegid()};
	enum err e = ERR_NONE;
	int fd = -1, dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* a name of our own: two of us must not rename each other's half */
	if ((size_t)snprintf(temp, sizeof temp, ".%s.kosmo-new.%d", name, (int)getpid()) >= sizeof temp)
		e = err_set(m, ERR_TOOBIG, "%s: the name is too long", name);
	if (!e && dir >= 0) {
		(void)fstatat(dir, like, &st, AT_SYMLINK_NOFOLLOW);
		(void)unlinkat(dir, temp, 0); /* of one of our number that was killed */
		fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	}
	if (!e && (fd < 0 || !undo_write(fd, text, n) || !undo_owner(fd, &st) || fchmod(fd, mode) < 0 ||
		   fsync(fd) < 0 || renameat(dir, temp, dir, name) < 0 || fsync(dir) < 0)) {
		e = err_set(m, ERR_IO, "%s/%s: %s", folder, name, strerror(errno));
		if (fd >= 0)
			(void)unlinkat(dir, temp, 0);
	}
	if (fd >= 0)
		(void)close(fd);
	if (dir >= 0)
		(void)close(dir);
	return e;
}

/* ---- armed ---- */

static enum err undo_name(char ret[static NAME_MAX + 1], const char *service)
{
	return (size_t)snprintf(ret, NAME_MAX + 1, ".%s%s", service, undo_end) > NAME_MAX ? ERR_TOOBIG : ERR_NONE;
}

enum err pam_undo_arm(const char *folder, const char *service, int64_t ms, struct errmsg *m)
{
	char name[NAME_MAX + 1], text[512];
	struct pam_undo u = {.deadline_ms = undo_clock_ms() + ms};
	enum err e = undo_name(name, service);
	undo_boot(u.boot);
	login_now(&u.by);
	int n = snprintf(text, sizeof text,
			 "kosmo-undo 1 %" PRId64 " %s %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
			 "\n# kosmoctl pam confirm %s removes this; until then the old file comes back.\n",
			 u.deadline_ms, u.boot[0] ? u.boot : "-", u.by.audit, u.by.sid, u.by.tty, u.by.ticks, service);
	return e ? e : pam_undo_store(folder, name, service, text, (size_t)n, 0600, m);
}

enum err pam_undo_read(const char *folder, const char *service, struct pam_undo *ret, struct errmsg *m)
{
	char name[NAME_MAX + 1], *text = NULL;
	struct pam_undo u;
	enum err e = undo_name(name, service);
	if (!e)
		e = pam_undo_load(folder, name, &text, NULL, m);
	if (!e && sscanf(text, "kosmo-undo 1 %" SCNd64 " %39s %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 "\n",
			 &u.deadline_ms, u.boot, &u.by.audit, &u.by.sid, &u.by.tty, &u.by.ticks) != 6)
		/* Written by nobody we know: armed all the same, and due. */
		u = (struct pam_undo){.deadline_ms = 0};
	if (!e)
		*ret = u;
	free(text);
	return e;
}

bool pam_undo_due(const struct pam_undo *u)
{
	char boot[40];
	undo_boot(boot);
	/* Nobody confirmed it before the machine went down: perhaps because nobody could. */
	return undo_clock_ms() >= u->deadline_ms || strcmp(boot[0] ? boot : "-", u->boot) != 0;
}

/* `confirm` and the end of the time meet here. The file is root's alone: nobody else can hold its lock. */
static int undo_lock(const char *folder, const char *service)
{
	char path[PATH_MAX];
	if ((size_t)snprintf(path, sizeof path, "%s/.%s%s", folder, service, undo_end) >= sizeof path)
		return -1;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	while (fd >= 0 && flock(fd, LOCK_EX) < 0 && errno == EINTR)
		;
	return fd;
}

static enum err undo_unlink(const char *folder, const char *service, struct errmsg *m)
{
	char path[PATH_MAX];
	if ((size_t)snprintf(path, sizeof path, "%s/.%s%s", folder, service, undo_end) >= sizeof path)
		return ERR_TOOBIG;
	if (unlink(path) < 0)
		return err_set(m, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "%s: %s", path, strerror(errno));
	return ERR_NONE;
}

enum err pam_undo_disarm(const char *folder, const char *service, struct errmsg *m)
{
	int lock = undo_lock(folder, service);
	enum err e = undo_unlink(folder, service, m);
	if (lock >= 0)
		(void)close(lock);
	return e;
}

/* Somebody removed the old file, or the machine went down just when it had been put back. */
static enum err undo_without(const char *folder, const char *service, struct errmsg *m)
{
	AUTO_BUF text = BUF_INIT;
	struct pam_edit edit = {.folder = folder, .service = service};
	char undone[NAME_MAX + 1], *now = NULL;
	mode_t mode = 0;
	enum err e = pam_undo_load(folder, service, &now, &mode, m);
	edit.text = now;
	if (!e)
		e = pam_edit_disable(&edit, &text, m);
	(void)snprintf(undone, sizeof undone, "%.200s.undone-kosmo", service);
	if (!e && now)
		(void)pam_undo_store(folder, undone, service, now, strlen(now), 0600, NULL);
	if (!e)
		e = pam_undo_store(folder, service, service, (const char *)text.data, text.len, mode, m);
	free(now);
	return e == ERR_NOTFOUND ? ERR_NONE : e;
}

static enum err undo_bring(const char *folder, const char *service, struct errmsg *m)
{
	char before[NAME_MAX + 1], undone[NAME_MAX + 1], *old = NULL, *now = NULL;
	mode_t unused;
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)snprintf(before, sizeof before, "%.200s.before-kosmo", service);
	(void)snprintf(undone, sizeof undone, "%.200s.undone-kosmo", service);
	enum err e = pam_undo_load(folder, before, &old, &unused, m);
	if (e == ERR_NOTFOUND) {
		e = undo_without(folder, service, m);
		goto out;
	}
	/* What was there is kept aside if that can be done: on a full disk only the rename can. */
	if (!e && pam_undo_load(folder, service, &now, &unused, NULL) == ERR_NONE && old && now &&
	    strcmp(now, old) != 0)
		(void)pam_undo_store(folder, undone, before, now, strlen(now), 0600, NULL);
	if (!e && (renameat(dir, before, dir, service) < 0 || fsync(dir) < 0))
		e = err_set(m, ERR_IO, "%s/%s: %s", folder, service, strerror(errno));
out:
	free(old);
	free(now);
	if (dir >= 0)
		(void)close(dir);
	return e;
}

enum err pam_undo_back(const char *folder, const char *service, bool only_due, struct errmsg *m)
{
	struct pam_undo u;
	int lock = undo_lock(folder, service);
	enum err e = pam_undo_read(folder, service, &u, m);
	if (!e && only_due && !pam_undo_due(&u))
		e = ERR_BUSY;
	if (!e)
		e = undo_bring(folder, service, m);
	if (!e)
		e = undo_unlink(folder, service, m);
	if (lock >= 0)
		(void)close(lock);
	return e;
}

/* ---- waiting ---- */

static void undo_sleep(const char *folder, const char *service, int64_t ms,
		       void (*done)(void *arg, const char *service), void *arg)
{
	const int64_t end = undo_clock_ms() + ms;
	struct pam_undo waits;
	struct errmsg m = {""};
	int null = open("/dev/null", O_RDWR);
	if (setsid() < 0 || chdir("/") < 0 || null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		return;
	(void)close_range(3, ~0U, 0);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	/* In steps of a second: confirmed, or undone by somebody else, it has nothing to wait for. */
	for (int64_t now = undo_clock_ms(); now < end; now = undo_clock_ms()) {
		const int64_t next = end - now > 1000 ? now + 1000 : end;
		const struct timespec t = {next / 1000, next % 1000 * 1000000};
		(void)clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &t, NULL);
		if (next < end && pam_undo_read(folder, service, &waits, NULL) == ERR_NOTFOUND)
			return;
	}
	if (pam_undo_back(folder, service, true, &m) == ERR_NONE)
		done(arg, service);
}

enum err pam_undo_wait(const char *folder, const char *service, int64_t ms,
		       void (*done)(void *arg, const char *service), void *arg, struct errmsg *m)
{
	int status;
	(void)fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		/* Twice, so that it is nobody's child and nobody waits for it. */
		pid_t second = fork();
		if (second == 0)
			undo_sleep(folder, service, ms, done, arg);
		_exit(second < 0);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status))
		return err_set(m, ERR_IO, "the way back cannot be armed: %s", strerror(errno));
	return ERR_NONE;
}

void pam_undo_each(const char *folder, void (*fn)(void *arg, const char *service), void *arg)
{
	const size_t end = sizeof undo_end - 1;
	DIR *dir = opendir(folder);
	const struct dirent *f;
	while (dir && (f = readdir(dir))) {
		char service[NAME_MAX + 1];
		size_t n = strlen(f->d_name);
		if (n <= end + 1 || f->d_name[0] != '.' || strcmp(f->d_name + n - end, undo_end) != 0)
			continue;
		(void)snprintf(service, sizeof service, "%.*s", (int)(n - end - 1), f->d_name + 1);
		fn(arg, service);
	}
	if (dir)
		(void)closedir(dir);
}
