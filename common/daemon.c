#include "config.h"

#include "common/daemon.h"
#include "common/sanitized.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PASSED_FIRST 3 /* SD_LISTEN_FDS_START */

static bool env_number(const char *name, long *ret)
{
	const char *s = getenv(name);
	char *end;
	long v;

	if (!s || *s < '0' || *s > '9')
		return false;
	errno = 0;
	v = strtol(s, &end, 10);
	if (errno || *end)
		return false;
	*ret = v;
	return true;
}

static bool fd_prepare(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

int daemon_passed_fd(const char *name)
{
	const char *names = getenv("LISTEN_FDNAMES");
	size_t n = strlen(name);
	long pid, count;

	if (!names || !env_number("LISTEN_PID", &pid) || pid != getpid() || !env_number("LISTEN_FDS", &count))
		return -1;
	for (long i = 0; i < count && i < INT_MAX - PASSED_FIRST; i++) {
		size_t len = strcspn(names, ":");
		int fd = PASSED_FIRST + (int)i;

		if (len == n && memcmp(names, name, n) == 0)
			return fd_prepare(fd) ? fd : -1;
		if (names[len] == '\0')
			return -1;
		names += len + 1;
	}
	return -1;
}

/* Two programs that start at once must not take each other's fresh socket for a stale one. Anyone who may read the
 * folder can hold this lock, so it is not waited for longer than a second. */
static int folder_lock(const char *path)
{
	char copy[PATH_MAX];
	int fd;

	if (snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy)
		return -1;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; fd >= 0 && i < 100 && flock(fd, LOCK_EX | LOCK_NB) < 0; i++)
		nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
	return fd;
}

/* Makes path free: nothing there, or a socket that nobody listens on. */
static enum err path_clear(const char *path, const struct sockaddr_un *sa, struct errmsg *m)
{
	struct stat st;
	int fd, r, error;

	if (lstat(path, &st) < 0) {
		if (errno == ENOENT)
			return ERR_NONE;
		return err_set(m, ERR_IO, "%s: %s", path, strerror(errno));
	}
	if (!S_ISSOCK(st.st_mode))
		return err_set(m, ERR_INVALID, "%s is there and is not a socket; move it away", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(m, ERR_IO, "socket: %s", strerror(errno));
	r = connect(fd, (const struct sockaddr *)sa, sizeof *sa);
	error = errno;
	close(fd);
	if (r == 0 || error == EAGAIN) /* EAGAIN: somebody's queue is full */
		return err_set(m, ERR_EXISTS, "%s: another program listens there; stop it first", path);
	if (error != ECONNREFUSED) {
		errno = error;
		return err_set(m, ERR_IO, "%s: %s", path, strerror(error));
	}
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set(m, ERR_IO, "%s: %s", path, strerror(errno));
	return ERR_NONE;
}

static enum err listen_at(const char *path, const struct sockaddr_un *sa, mode_t mode, int *ret_fd, struct errmsg *m)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int saved;

	if (fd < 0)
		return err_set(m, ERR_IO, "socket: %s", strerror(errno));
	/* fchmod before bind: never open wider than mode; chmod after it: what the umask took away. */
	if (fchmod(fd, mode) == 0 && bind(fd, (const struct sockaddr *)sa, sizeof *sa) == 0 && chmod(path, mode) == 0 &&
	    listen(fd, SOMAXCONN) == 0) {
		*ret_fd = fd;
		return ERR_NONE;
	}
	saved = errno;
	close(fd);
	errno = saved;
	return err_set(m, errno == EADDRINUSE ? ERR_EXISTS : ERR_IO,
		       "%s: %s: run_dir must be a folder in which uid %u may write", path, strerror(errno),
		       (unsigned)geteuid());
}

enum err daemon_listen_unix(const char *path, mode_t mode, int *ret_fd, struct errmsg *m)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	size_t n = strlen(path);
	int lock, saved;
	enum err e;

	if (n == 0 || n >= sizeof sa.sun_path)
		return err_set(m, ERR_INVALID, "%s: a socket's path has 1 to %zu bytes; choose a shorter one", path,
			       sizeof sa.sun_path - 1);
	memcpy(sa.sun_path, path, n + 1);
	lock = folder_lock(path);
	e = path_clear(path, &sa, m);
	if (e == ERR_NONE)
		e = listen_at(path, &sa, mode, ret_fd, m);
	saved = errno;
	if (lock >= 0)
		close(lock);
	errno = saved;
	return e;
}

void daemon_notify(const char *state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	size_t n = path ? strlen(path) : 0;
	int fd;

	if (n < 2 || n >= sizeof sa.sun_path || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(sa.sun_path, path, n);
	if (path[0] == '@') /* an abstract name */
		sa.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* Nobody to tell when this fails: the service manager's own timeout says it. */
	(void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&sa,
		      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
	close(fd);
}

/* The owner's groups as the user database has them; a uid without a name has only the folder's group. */
static bool take_groups(uid_t uid, gid_t folder_gid, gid_t *ret_gid)
{
	char space[16 * 1024];
	struct passwd pw, *found = NULL;

	if (getpwuid_r(uid, &pw, space, sizeof space, &found) == 0 && found) {
		*ret_gid = pw.pw_gid;
		return initgroups(pw.pw_name, pw.pw_gid) == 0;
	}
	*ret_gid = folder_gid;
	return setgroups(1, &folder_gid) == 0;
}

static bool become(uid_t uid, gid_t folder_gid)
{
	uid_t r, e, s;
	gid_t gid, rg, eg, sg;

	if (!take_groups(uid, folder_gid, &gid) || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return false;
	if (getresuid(&r, &e, &s) < 0 || getresgid(&rg, &eg, &sg) < 0)
		return false;
	if (r != uid || e != uid || s != uid || rg != gid || eg != gid || sg != gid || setuid(0) == 0) {
		errno = EPERM;
		return false;
	}
	return true;
}

static void not_dumpable(void)
{
	if (!SANITIZED)
		prctl(PR_SET_DUMPABLE, 0L);
}

enum err daemon_become_owner(const char *dir, struct errmsg *m)
{
	struct stat st;
	uid_t me = geteuid();

	if (stat(dir, &st) < 0)
		return err_set(m, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "%s: %s", dir, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return err_set(m, ERR_INVALID, "%s is not a folder", dir);
	if (me != 0 && me != st.st_uid)
		return err_set(m, ERR_DENIED, "%s belongs to uid %u: run this as root or as that user", dir,
			       (unsigned)st.st_uid);
	if (me == st.st_uid)
		return ERR_NONE;
	if (!become(st.st_uid, st.st_gid))
		return err_set(m, ERR_IO, "cannot become uid %u, the owner of %s: %s", (unsigned)st.st_uid, dir,
			       strerror(errno));
	not_dumpable(); /* a change of ids sets it to what fs.suid_dumpable says */
	return ERR_NONE;
}

void daemon_harden(void)
{
	const struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	not_dumpable();
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}
