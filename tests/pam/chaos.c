#include "config.h"

#undef _FORTIFY_SOURCE /* its inline functions have the names of ours */

#include "chaos.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <security/pam_modules.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* The fortified names are what the module is compiled to; no header declares them. */
extern void *__libc_malloc(size_t n);
extern int __vsnprintf_chk(char *s, size_t n, int flag, size_t cap, const char *fmt, va_list ap);
extern int __snprintf_chk(char *s, size_t n, int flag, size_t cap, const char *fmt, ...);

const struct chaos_kind chaos_kinds[CHAOS__MAX] = {
    [CHAOS_MALLOC] = {"malloc", {ENOMEM}},
    [CHAOS_SOCKET] = {"socket", {EMFILE, ENFILE, ENOMEM, EACCES, EINTR}},
    [CHAOS_SETSOCKOPT] = {"setsockopt", {EINVAL, ENOMEM, EDOM}},
    [CHAOS_CONNECT] = {"connect", {EINTR, EAGAIN, ECONNREFUSED, ENOENT, EACCES, EPERM, EPROTOTYPE}},
    [CHAOS_SEND] = {"send", {EINTR, EAGAIN, EPIPE, ECONNRESET, ENOBUFS, ENOMEM, CHAOS_SHORT, CHAOS_NOTHING}},
    [CHAOS_RECV] = {"recv", {EINTR, EAGAIN, ECONNRESET, ENOMEM, ENOTCONN, CHAOS_SHORT, CHAOS_NOTHING}},
    [CHAOS_POLL] = {"poll", {EINTR, ENOMEM, EINVAL, CHAOS_NOTHING}},
    [CHAOS_CLOSE] = {"close", {EINTR, EIO}},
    [CHAOS_FCNTL] = {"fcntl", {EMFILE, EINVAL, EINTR}},
    [CHAOS_CLOCK] = {"clock_gettime", {EINVAL, EPERM}},
    [CHAOS_GETPWNAM] = {"getpwnam_r", {ERANGE, EIO, EINTR, ENOMEM, EMFILE, ENOENT}},
    [CHAOS_GETPWUID] = {"getpwuid_r", {ERANGE, EIO, EINTR, ENOMEM, EMFILE, ENOENT}},
    [CHAOS_FORMAT] = {"snprintf", {ENOMEM, EOVERFLOW}},
    [CHAOS_OPEN] = {"open", {ENOENT, EACCES, EMFILE, EINTR}},
    [CHAOS_READ] = {"read", {EINTR, EIO, CHAOS_SHORT, CHAOS_NOTHING}},
    [CHAOS_STAT] = {"stat", {ENOENT, EACCES, ENOMEM}},
    [CHAOS_SOCKETPAIR] = {"socketpair", {EMFILE, ENFILE, ENOMEM}},
    [CHAOS_SIGMASK] = {"pthread_sigmask", {EINVAL}},
    [CHAOS_SYSCALL] = {"syscall", {EAGAIN, ENOMEM, ENOSYS, EPERM}}, /* clone, pidfd_open, and what the child does */
    [CHAOS_WAITPID] = {"waitpid", {EINTR}},
    [CHAOS_PAM_ITEM] = {"pam_get_item", {PAM_SYSTEM_ERR, PAM_BAD_ITEM}},
    [CHAOS_PAM_USER] = {"pam_get_user", {PAM_SYSTEM_ERR, PAM_CONV_ERR, PAM_CONV_AGAIN, PAM_BUF_ERR}},
    [CHAOS_PAM_ENV] = {"pam_getenv", {ENOMEM}},
    [CHAOS_PAM_SET_DATA] = {"pam_set_data", {PAM_SYSTEM_ERR, PAM_BUF_ERR}},
    [CHAOS_PAM_GET_DATA] = {"pam_get_data", {PAM_SYSTEM_ERR, PAM_NO_MODULE_DATA}},
};

struct chaos chaos;

static bool chaos_is_ours(const void *caller)
{
	Dl_info info;
	return dladdr(caller, &info) != 0 &&
	       (strstr(info.dli_fname, "/pam_kosmo.so") != NULL || strstr(info.dli_fname, "/libpam.so") != NULL);
}

static uint64_t chaos_random(void)
{
	chaos.seed ^= chaos.seed << 13;
	chaos.seed ^= chaos.seed >> 7;
	chaos.seed ^= chaos.seed << 17;
	return chaos.seed;
}

/* How this call is to fail; 0: not. */
static int chaos_how(enum chaos_call call, const void *caller)
{
	static bool inside;
	int how = 0;
	if (!chaos.armed || inside)
		return 0;
	inside = true;
	if (chaos_is_ours(caller)) {
		long n = ++chaos.seen[call];
		if (chaos.nth > 0 && call == chaos.call && (n == chaos.nth || (chaos.onwards && n > chaos.nth)))
			how = chaos.how;
		if (chaos.one_in > 0 && chaos_random() % chaos.one_in == 0) {
			const int *all = chaos_kinds[call].how;
			unsigned k = 0;
			while (k < CHAOS_MAX && all[k] != 0)
				k++;
			how = all[chaos_random() % k];
		}
		chaos.failed += how != 0;
	}
	inside = false;
	if (how > 0)
		errno = how;
	return how;
}

#define HOW(call) chaos_how(call, __builtin_return_address(0))

static void *chaos_real(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

/* Calls the function that stands behind ours; looked up each time, for all of this is a test's. */
#define REAL(name, ...) ((__typeof__(&name))(uintptr_t)chaos_real(#name))(__VA_ARGS__)

EXPORT void *malloc(size_t n)
{
	return HOW(CHAOS_MALLOC) != 0 ? NULL : __libc_malloc(n);
}

EXPORT int socket(int domain, int type, int protocol)
{
	return HOW(CHAOS_SOCKET) != 0 ? -1 : REAL(socket, domain, type, protocol);
}

EXPORT int setsockopt(int fd, int level, int name, const void *value, socklen_t n)
{
	return HOW(CHAOS_SETSOCKOPT) != 0 ? -1 : REAL(setsockopt, fd, level, name, value, n);
}

EXPORT int connect(int fd, const struct sockaddr *to, socklen_t n)
{
	return HOW(CHAOS_CONNECT) != 0 ? -1 : REAL(connect, fd, to, n);
}

EXPORT ssize_t send(int fd, const void *p, size_t n, int flags)
{
	int how = HOW(CHAOS_SEND);
	if (how > 0 || how == CHAOS_NOTHING)
		return how > 0 ? -1 : 0;
	return REAL(send, fd, p, how == CHAOS_SHORT && n > 1 ? 1 : n, flags);
}

EXPORT ssize_t recv(int fd, void *p, size_t n, int flags)
{
	int how = HOW(CHAOS_RECV);
	if (how > 0 || how == CHAOS_NOTHING)
		return how > 0 ? -1 : 0;
	return REAL(recv, fd, p, how == CHAOS_SHORT && n > 1 ? 1 : n, flags);
}

EXPORT int poll(struct pollfd *p, nfds_t n, int ms)
{
	int how = HOW(CHAOS_POLL);
	return how > 0 ? -1 : how == CHAOS_NOTHING ? 0 : REAL(poll, p, n, ms);
}

/* Linux has closed it, whatever it says. */
EXPORT int close(int fd)
{
	int how = HOW(CHAOS_CLOSE), r = REAL(close, fd);
	if (how > 0)
		errno = how;
	return how != 0 ? -1 : r;
}

EXPORT int fcntl(int fd, int what, ...)
{
	va_list ap;
	va_start(ap, what);
	void *arg = va_arg(ap, void *);
	va_end(ap);
	return HOW(CHAOS_FCNTL) != 0 ? -1 : REAL(fcntl, fd, what, arg);
}

EXPORT int clock_gettime(clockid_t id, struct timespec *ret)
{
	return HOW(CHAOS_CLOCK) != 0 ? -1 : REAL(clock_gettime, id, ret);
}

EXPORT int getpwnam_r(const char *name, struct passwd *pw, char *buf, size_t n, struct passwd **ret)
{
	int how = HOW(CHAOS_GETPWNAM);
	*ret = NULL;
	return how != 0 ? how : REAL(getpwnam_r, name, pw, buf, n, ret);
}

EXPORT int getpwuid_r(uid_t uid, struct passwd *pw, char *buf, size_t n, struct passwd **ret)
{
	int how = HOW(CHAOS_GETPWUID);
	*ret = NULL;
	return how != 0 ? how : REAL(getpwuid_r, uid, pw, buf, n, ret);
}

EXPORT int __vsnprintf_chk(char *s, size_t n, int flag, size_t cap, const char *fmt, va_list ap)
{
	return HOW(CHAOS_FORMAT) != 0 ? -1 : REAL(__vsnprintf_chk, s, n, flag, cap, fmt, ap);
}

EXPORT int __snprintf_chk(char *s, size_t n, int flag, size_t cap, const char *fmt, ...)
{
	if (HOW(CHAOS_FORMAT) != 0)
		return -1;
	va_list ap;
	va_start(ap, fmt);
	int r = REAL(__vsnprintf_chk, s, n, flag, cap, fmt, ap);
	va_end(ap);
	return r;
}

EXPORT int open(const char *path, int flags, ...)
{
	va_list ap;
	va_start(ap, flags);
	int mode = (flags & O_CREAT) != 0 ? va_arg(ap, int) : 0;
	va_end(ap);
	return HOW(CHAOS_OPEN) != 0 ? -1 : REAL(open, path, flags, mode);
}

EXPORT ssize_t read(int fd, void *p, size_t n)
{
	int how = HOW(CHAOS_READ);
	if (how > 0 || how == CHAOS_NOTHING)
		return how > 0 ? -1 : 0;
	return REAL(read, fd, p, how == CHAOS_SHORT && n > 1 ? 1 : n);
}

EXPORT int stat(const char *path, struct stat *ret)
{
	return HOW(CHAOS_STAT) != 0 ? -1 : REAL(stat, path, ret);
}

EXPORT int socketpair(int domain, int type, int protocol, int ret[2])
{
	return HOW(CHAOS_SOCKETPAIR) != 0 ? -1 : REAL(socketpair, domain, type, protocol, ret);
}

/* It blocks everything before the helper is started, and gives back what was: only the first can fail. */
EXPORT int pthread_sigmask(int what, const sigset_t *set, sigset_t *old)
{
	int how = old != NULL ? HOW(CHAOS_SIGMASK) : 0;
	return how != 0 ? how : REAL(pthread_sigmask, what, set, old);
}

EXPORT long syscall(long number, ...)
{
	long a[6];
	va_list ap;
	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	return HOW(CHAOS_SYSCALL) != 0 ? -1 : REAL(syscall, number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

EXPORT pid_t waitpid(pid_t pid, int *status, int options)
{
	return HOW(CHAOS_WAITPID) != 0 ? -1 : REAL(waitpid, pid, status, options);
}

EXPORT int pam_get_item(const pam_handle_t *pamh, int item, const void **ret)
{
	int how = HOW(CHAOS_PAM_ITEM);
	return how != 0 ? how : REAL(pam_get_item, pamh, item, ret);
}

EXPORT int pam_get_user(pam_handle_t *pamh, const char **ret, const char *prompt)
{
	int how = HOW(CHAOS_PAM_USER);
	return how != 0 ? how : REAL(pam_get_user, pamh, ret, prompt);
}

EXPORT const char *pam_getenv(pam_handle_t *pamh, const char *name)
{
	return HOW(CHAOS_PAM_ENV) != 0 ? NULL : REAL(pam_getenv, pamh, name);
}

EXPORT int pam_set_data(pam_handle_t *pamh, const char *name, void *data, void (*cleanup)(pam_handle_t *, void *, int))
{
	int how = HOW(CHAOS_PAM_SET_DATA);
	return how != 0 ? how : REAL(pam_set_data, pamh, name, data, cleanup);
}

EXPORT int pam_get_data(const pam_handle_t *pamh, const char *name, const void **ret)
{
	int how = HOW(CHAOS_PAM_GET_DATA);
	return how != 0 ? how : REAL(pam_get_data, pamh, name, ret);
}
