/* What every daemon does: sockets from the service manager or its own, readiness, becoming a user, signals. */
#ifndef KOSMO_DAEMON_H
#define KOSMO_DAEMON_H

#include "common/err.h"
#include <stdbool.h>
#include <sys/types.h>

/* The command line of a daemon: -c FILE into *ret_conf, -h, -V, and --debug where ret_debug is not NULL. -1: go on;
 * else the exit status, and usage or version were said. */
int daemon_options(int argc, char **argv, const char *name, const char *usage, const char **ret_conf, bool *ret_debug);
/* The descriptor that the service manager passed under this name (LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES of
 * sd_listen_fds(3)), made CLOEXEC and non-blocking; -1 if none. */
int daemon_passed_fd(const char *name);
/* A listening Unix stream socket at path with this mode, CLOEXEC and non-blocking. A stale socket file is replaced; one
 * that somebody listens on is ERR_EXISTS; a file of another kind is ERR_INVALID and left alone. */
enum err daemon_listen_unix(const char *path, mode_t mode, int *ret_fd, struct errmsg *m);
/* sd_notify(3): "READY=1" and the like; nothing without NOTIFY_SOCKET. */
void daemon_notify(const char *state);
/* If euid is 0 and the folder belongs to somebody else, becomes its owner (groups, gid, uid; verified). As another user
 * than root and the owner: ERR_DENIED. Not dumpable after a change. */
enum err daemon_become_owner(const char *dir, struct errmsg *m);
/* RLIMIT_CORE 0, PR_SET_DUMPABLE 0 (not under ASan), umask 077, SIGPIPE and SIGXFSZ ignored: these
 * come back as errors. */
void daemon_harden(void);

/* syslog(3) that never waits: what the journal cannot take at once is counted, and said with the first line that it
 * takes again. priority as there; without a facility the one given here. on_stderr: each line there too. */
void daemon_log_open(const char *name, int facility, bool on_stderr);
void daemon_log(int priority, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
