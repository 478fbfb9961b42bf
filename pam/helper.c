#include "config.h"

#include "pam/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELPER_LEAVE_MS	 500
#define HELPER_EINTR_MAX 10000 /* signals that a host handles meanwhile */

/* System calls without libc's care: what it would do (run handlers of others, change the ids of threads that are not
 * there) is wrong in a process that is only about to become another program. */
#if defined(SYS_setresuid32)
#define HELPER_SETRESUID SYS_setresuid32
#define HELPER_SETRESGID SYS_setresgid32
#define HELPER_SETGROUPS SYS_setgroups32
#else
#define HELPER_SETRESUID SYS_setresuid
#define HELPER_SETRESGID SYS_setresgid
#define HELPER_SETGROUPS SYS_setgroups
#endif

/* With signal 0 the parent hears nothing of the child's end and its wait(2), but ours with __WALL, does not see it. An
 * exec would make that SIGCHLD again: so the first child, the warden, runs no program, but has the helper as its own
 * child. */
static pid_t helper_fork(long signal_at_end)
{
#if defined(__s390__)
	return (pid_t)syscall(SYS_clone, 0L, signal_at_end, 0L, 0L, 0L);
#else
	return (pid_t)syscall(SYS_clone, signal_at_end, 0L, 0L, 0L, 0L);
#endif
}

/* Ends with whoever started us, even if that is already gone. */
static bool helper_tied(pid_t parent)
{
	return syscall(SYS_prctl, (long)PR_SET_PDEATHSIG, (long)SIGKILL, 0L, 0L, 0L) == 0 &&
	       (pid_t)syscall(SYS_getppid) == parent;
}

static bool helper_root(void)
{
	return syscall(HELPER_SETGROUPS, 0L, NULL) == 0 && syscall(HELPER_SETRESGID, 0L, 0L, 0L) == 0 &&
	       syscall(HELPER_SETRESUID, 0L, 0L, 0L) == 0;
}

static _Noreturn void helper_exit(long status)
{
	for (;;)
		syscall(SYS_exit_group, status);
}

/* Standard input is the socket, output and error are /dev/null; the host may have had none of them. */
static bool helper_streams(long fd)
{
	if (syscall(SYS_dup3, fd, 0L, 0L) != 0)
		return false;
	long null = syscall(SYS_openat, (long)AT_FDCWD, "/dev/null", (long)O_WRONLY, 0L);
	return null > 0 && (null == 1 || syscall(SYS_dup3, null, 1L, 0L) == 1) &&
	       (null == 2 || syscall(SYS_dup3, null, 2L, 0L) == 2) &&
	       syscall(SYS_close_range, 3L, (long)UINT32_MAX, 0L) == 0;
}

static _Noreturn void helper_exec(const char *path, int fd, pid_t parent, const sigset_t *none)
{
	static char name[] = "kosmo-fido2";
	static char *const argv[] = {name, NULL}, *const env[] = {NULL};

	if (helper_tied(parent) && helper_streams(fd) && syscall(SYS_chdir, "/") == 0 &&
	    pthread_sigmask(SIG_SETMASK, none, NULL) == 0)
		syscall(SYS_execve, path, argv, env);
	helper_exit(127);
}

/* A copy of the host, in which nothing of the host's runs: all signals are blocked. */
static _Noreturn void helper_warden(const char *path, int fd, pid_t host)
{
	pid_t me = (pid_t)syscall(SYS_getpid), pid;
	sigset_t none;

	sigemptyset(&none);
	if ((geteuid() == 0 && !helper_root()) || !helper_tied(host))
		helper_exit(127);
	pid = helper_fork(SIGCHLD);
	if (pid == 0)
		helper_exec(path, fd, me, &none);
	syscall(SYS_close_range, 0L, (long)UINT32_MAX, 0L);
	if (pid > 0)
		syscall(SYS_wait4, (long)pid, NULL, 0L, NULL);
	helper_exit(0);
}

bool helper_there(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111) != 0;
}

/* Above the standard streams, which a host may have closed. */
static bool helper_above(int *fd)
{
	if (*fd > STDERR_FILENO)
		return true;
	int moved = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	close(*fd);
	*fd = moved;
	return moved >= 0;
}

static pid_t helper_run(const char *path, int fd)
{
	sigset_t all, before;
	pid_t host = (pid_t)syscall(SYS_getpid), pid = -1;

	sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
		return -1;
	pid = helper_fork(0);
	if (pid == 0)
		helper_warden(path, fd, host);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid;
}

enum err helper_start(const char *path, struct helper *ret)
{
	int fd[2] = {-1, -1};
	pid_t pid = -1;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
		return ERR_IO;
	if (helper_above(&fd[0]) && helper_above(&fd[1]))
		pid = helper_run(path, fd[1]);
	if (fd[1] >= 0)
		close(fd[1]);
	if (pid > 0) {
		*ret = (struct helper){fd[0], pid};
		return ERR_NONE;
	}
	if (fd[0] >= 0)
		close(fd[0]);
	return ERR_IO;
}

/* True once the warden is gone, which it is when the helper is. */
static bool helper_reap(pid_t pid, int options)
{
	pid_t r = -1;

	for (int i = 0; i < HELPER_EINTR_MAX && r < 0; i++) {
		r = waitpid(pid, NULL, options | __WALL);
		if (r < 0 && errno != EINTR)
			return true; /* somebody else had it */
	}
	return r != 0;
}

void helper_end(struct helper *h)
{
	long gone = syscall(SYS_pidfd_open, (long)h->warden, 0L);
	struct pollfd p = {.fd = (int)gone, .events = POLLIN};

	close(h->fd);
	if (gone >= 0) {
		(void)poll(&p, 1, HELPER_LEAVE_MS);
		close((int)gone);
	}
	/* the helper dies with its warden */
	if (!helper_reap(h->warden, WNOHANG) && kill(h->warden, SIGKILL) == 0)
		helper_reap(h->warden, 0);
}
