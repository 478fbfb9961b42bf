#include "config.h"

#include "common/clock.h"
#include "common/secret.h"
#include "enroll/mailer_hand.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PACKET_MAX (128 * 1024) /* a wire message and then some */

/* ---- the mailer's side ---- */

enum err hand_send(int hand, const char *from, const char *to, const uint8_t *message, size_t len, int *ret)
{
	struct iovec parts[] = {{(char *)(uintptr_t)from, strlen(from) + 1},
				{(char *)(uintptr_t)to, strlen(to) + 1},
				{(uint8_t *)(uintptr_t)message, len}};
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.room = {0}};
	struct msghdr h = {
	    .msg_iov = parts, .msg_iovlen = 3, .msg_control = &control, .msg_controllen = sizeof(control)};
	int pair[2];

	if (parts[0].iov_len + parts[1].iov_len + len > PACKET_MAX)
		return ERR_TOOBIG;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return ERR_IO;
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.head), &pair[1], sizeof(int));
	ssize_t n;
	while ((n = sendmsg(hand, &h, MSG_NOSIGNAL)) < 0 && errno == EINTR)
		;
	int saved = errno;
	(void)close(pair[1]);
	if (n < 0) {
		(void)close(pair[0]);
		errno = saved;
		return ERR_IO;
	}
	*ret = pair[0];
	return ERR_NONE;
}

/* ---- the hand's side: from here on in processes of its own ---- */

struct packet {
	char data[PACKET_MAX];
	size_t len, message; /* where the message begins */
	int result;
};

/* Descriptor and signals as a program expects them; nothing of ours is left to it. */
static _Noreturn void hand_exec(const char *program, const struct packet *p, int mail, int said)
{
	const char *const argv[] = {program, "-i", "-f", p->data, "--", p->data + strlen(p->data) + 1, NULL};
	char *const env[] = {NULL};
	sigset_t none;

	(void)setpgid(0, 0);
	if (dup2(mail, 0) < 0 || dup2(said, 1) < 0 || dup2(said, 2) < 0 || close_range(3, ~0U, 0) != 0 ||
	    chdir("/") != 0)
		_exit(127);
	for (int i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)umask(022);
	/* execve takes what it does not change without const (POSIX says so) */
	(void)execve(program, (char *const *)(uintptr_t)argv, env);
	(void)dprintf(2, "%s: %s\n", program, strerror(errno));
	_exit(127);
}

static int message_file(const struct packet *p)
{
	int fd = memfd_create("mail", MFD_CLOEXEC);
	size_t at = p->message;

	while (fd >= 0 && at < p->len) {
		ssize_t n = write(fd, p->data + at, p->len - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	if (fd >= 0 && (at < p->len || lseek(fd, 0, SEEK_SET) != 0)) {
		(void)close(fd);
		fd = -1;
	}
	return fd;
}

/* What the program says; all of it is read, so that it never waits for us, the beginning is kept. */
static void hear(int said, struct hand_result *r)
{
	char more[4096];
	size_t n = strlen(r->words);
	ssize_t got;

	while ((got = read(said, more, sizeof(more))) > 0)
		for (ssize_t i = 0; i < got && n + 1 < sizeof(r->words); i++)
			r->words[n++] = more[i] ? more[i] : '?';
}

/* Until the program ends; it is killed when its time is over or the mailer wants no result any more. */
static bool await(pid_t pid, int result, int said, int children, struct hand_result *r)
{
	struct pollfd fds[] = {{.fd = children, .events = POLLIN}, {.fd = said, .events = POLLIN}, {.fd = result}};
	int64_t deadline = clock_mono_ms() + HAND_MS, now;
	struct signalfd_siginfo about;
	int status = 0;

	while ((now = clock_mono_ms()) < deadline && !fds[2].revents) {
		if (poll(fds, 3, (int)(deadline - now)) < 0 && errno != EINTR)
			break;
		if (fds[1].revents & POLLIN)
			hear(said, r);
		else if (fds[1].revents) /* the other end is closed */
			fds[1].fd = -1;
		if (fds[0].revents)
			(void)!read(children, &about, sizeof(about));
		if (fds[0].revents && waitpid(pid, &status, WNOHANG) == pid) {
			hear(said, r);
			r->exit = WIFEXITED(status) ? WEXITSTATUS(status) : HAND_KILLED;
			return true;
		}
	}
	(void)kill(-pid, SIGKILL);
	return false;
}

/* For one mail, in a process of its own. */
static _Noreturn void hand_watch(const char *program, struct packet *p)
{
	struct hand_result r = {.exit = HAND_KILLED};
	int said[2] = {-1, -1}, mail = message_file(p);
	sigset_t child;

	(void)signal(SIGCHLD, SIG_DFL);
	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &child, NULL);
	int children = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (mail < 0 || children < 0 || pipe2(said, O_CLOEXEC) != 0 || fcntl(said[0], F_SETFL, O_NONBLOCK) != 0)
		_exit(1);
	pid_t pid = fork();
	if (pid == 0)
		hand_exec(program, p, mail, said[1]);
	secret_wipe(p->data, p->len);
	(void)close(said[1]);
	if (pid < 0)
		_exit(1);
	(void)setpgid(pid, pid); /* as the child does: whoever comes first */
	if (!await(pid, p->result, said[0], children, &r))
		r.exit = HAND_LATE;
	(void)!send(p->result, &r, sizeof(r), MSG_NOSIGNAL);
	_exit(0);
}

/* False: the mailer is gone. */
static bool hand_receive(int mailer, struct packet *p)
{
	struct iovec part = {p->data, sizeof(p->data)};
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr h = {
	    .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	ssize_t n;

	while ((n = recvmsg(mailer, &h, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
		;
	if (n <= 0)
		return false;
	const struct cmsghdr *c = CMSG_FIRSTHDR(&h);
	p->result = -1;
	if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&p->result, CMSG_DATA(c), sizeof(int));
	p->len = (size_t)n;
	p->message = strnlen(p->data, p->len) + 1;
	if (p->message < p->len)
		p->message += strnlen(p->data + p->message, p->len - p->message) + 1;
	return p->result >= 0 && p->message < p->len && !(h.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
}

static _Noreturn void hand_run(int mailer, const char *program)
{
	static struct packet p;

	/* the mailer's stop signal may go to all of its group; mails under way get their moment */
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGCHLD, SIG_IGN);
	while (hand_receive(mailer, &p)) {
		pid_t pid = fork();
		if (pid == 0) {
			(void)close(mailer);
			hand_watch(program, &p);
		}
		(void)close(p.result);
		secret_wipe(p.data, p.len);
	}
	_exit(0);
}

enum err hand_start(const char *program, int *ret, struct errmsg *why)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return err_set(why, ERR_IO, "cannot make a pair of sockets: %s", strerror(errno));
	pid_t pid = fork();
	if (pid == 0) {
		/* nothing stays open but the three and the socket: not even the one that the service manager passed */
		if (dup2(pair[1], 3) != 3 || close_range(4, ~0U, 0) != 0 || fcntl(3, F_SETFD, FD_CLOEXEC) != 0)
			_exit(1);
		hand_run(3, program);
	}
	(void)close(pair[1]);
	if (pid < 0) {
		(void)close(pair[0]);
		return err_set(why, ERR_IO, "cannot start a process: %s", strerror(errno));
	}
	*ret = pair[0];
	return ERR_NONE;
}
