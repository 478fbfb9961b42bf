#include "config.h"

#include "ctl/args.h"
#include "ctl/login.h"
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOGIN_DEEP 64 /* ancestors */

struct login_process {
	char name[32];
	int64_t parent, session, tty, start;
};

static bool login_read(const char *path, char *ret, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, ret, cap - 1);
	(void)close(fd);
	if (n <= 0)
		return false;
	ret[n] = '\0';
	return true;
}

/* proc(5): "PID (NAME) STATE PPID PGRP SESSION TTY ... STARTTIME"; the name may hold anything. */
static bool login_process(int64_t pid, struct login_process *ret)
{
	char path[64], text[1024];
	long long parent, session, tty;
	unsigned long long start;
	(void)snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
	if (!login_read(path, text, sizeof text))
		return false;
	char *from = strchr(text, '('), *to = strrchr(text, ')');
	if (!from || !to || to < from)
		return false;
	(void)snprintf(ret->name, sizeof ret->name, "%.*s", (int)(to - from - 1), from + 1);
	if (sscanf(to + 1, " %*c %lld %*d %lld %lld %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		   &parent, &session, &tty, &start) != 4)
		return false;
	ret->parent = parent;
	ret->session = session;
	ret->tty = tty;
	ret->start = (int64_t)start;
	return true;
}

void login_now(struct login *ret)
{
	struct login_process p = {.parent = 0};
	struct timespec t = {0, 0};
	char text[32];
	int64_t audit;
	*ret = (struct login){.audit = -1};
	if (login_read("/proc/self/sessionid", text, sizeof text)) {
		text[strcspn(text, "\n")] = '\0';
		if (args_number(text, 0, UINT32_MAX - 1, &audit))
			ret->audit = audit;
	}
	if (login_process(getpid(), &p)) {
		ret->sid = p.session;
		ret->tty = p.tty;
	}
	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	long hz = sysconf(_SC_CLK_TCK);
	ret->ticks = (int64_t)t.tv_sec * hz + (int64_t)t.tv_nsec * hz / 1000000000;
}

/* The program by which each service is passed: one that began since then must be above us. */
static const struct {
	const char *service, *program;
	bool within; /* it begins within a login, and is no login of its own */
} login_doors[] = {
    {"sshd", "sshd", false}, {"login", "login", false}, {"su", "su", true},
    {"su-l", "su", true},    {"sudo", "sudo", true},	{"sudo-i", "sudo", true},
};

static bool login_door(const char *program, int64_t since)
{
	struct login_process p;
	int64_t pid = getpid();
	for (int i = 0; i < LOGIN_DEEP && pid > 0 && login_process(pid, &p); i++, pid = p.parent)
		/* sshd's later versions: sshd-session */
		if (p.start >= since && strncmp(p.name, program, strlen(program)) == 0 &&
		    (p.name[strlen(program)] == '\0' || p.name[strlen(program)] == '-'))
			return true;
	return false;
}

const char *login_same(const struct login *then, const char *service)
{
	struct login now;
	size_t i = 0;
	login_now(&now);
	while (i < sizeof login_doors / sizeof *login_doors && strcmp(login_doors[i].service, service) != 0)
		i++;
	bool door = i < sizeof login_doors / sizeof *login_doors;
	/* A session of 0 began outside this PID namespace: two of them cannot be told apart. */
	if ((then->tty && now.tty == then->tty) || now.sid == then->sid)
		return "this is the terminal in which it was enabled";
	if (!(door && login_doors[i].within) && now.audit >= 0 && now.audit == then->audit)
		return "this terminal belongs to the login in which it was enabled";
	if (door && !login_door(login_doors[i].program, then->ticks))
		return "this terminal was not reached through that service since it was enabled";
	return NULL;
}
