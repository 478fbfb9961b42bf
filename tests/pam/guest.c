#include "config.h"

#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void guest_die(const char *what)
{
	perror(what);
	exit(2);
}

static void guest_fds(FILE *out)
{
	DIR *d = opendir("/proc/self/fd");
	if (d == NULL)
		guest_die("/proc/self/fd");
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		char link[300], target[1024] = "";
		int fd = (int)strtol(e->d_name, NULL, 10);
		if (e->d_name[0] == '.' || fd == dirfd(d))
			continue;
		snprintf(link, sizeof(link), "/proc/self/fd/%s", e->d_name);
		ssize_t n = readlink(link, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = '\0';
		fprintf(out, "fd %d %s %#x %#x\n", fd, target, fcntl(fd, F_GETFD), fcntl(fd, F_GETFL));
	}
	closedir(d);
}

/* Umask, ids (real, effective, saved, fs), groups, threads, signals pending, blocked, ignored, caught, capabilities. */
static void guest_status(FILE *out)
{
	static const char *const known[] = {"Umask",   "TracerPid", "Uid",     "Gid",	     "Groups",
					    "Threads", "SigPnd",    "ShdPnd",  "SigBlk",     "SigIgn",
					    "SigCgt",  "CapInh",    "CapPrm",  "CapEff",     "CapBnd",
					    "CapAmb",  "VmLck",	    "Seccomp", "NoNewPrivs", "Cpus_allowed"};
	char line[8192];
	struct itimerval storm;
	getitimer(ITIMER_REAL, &storm);
	FILE *f = fopen("/proc/thread-self/status", "re");
	if (f == NULL)
		guest_die("/proc/thread-self/status");
	while (fgets(line, sizeof(line), f) != NULL) {
		unsigned long long pending;
		/* An alarm that the host itself set may be due just now. */
		if (storm.it_interval.tv_usec > 0 && sscanf(line, "ShdPnd: %llx", &pending) == 1)
			snprintf(line, sizeof(line), "ShdPnd: %llx\n", pending & ~(1ULL << (SIGALRM - 1)));
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (strcspn(line, ":") == strlen(known[i]) && strncmp(line, known[i], strlen(known[i])) == 0)
				fputs(line, out);
	}
	fclose(f);
}

static void guest_signals(FILE *out)
{
	stack_t alt;
	for (int i = 1; i < NSIG; i++) {
		struct sigaction sa;
		if (sigaction(i, NULL, &sa) != 0)
			continue;
		fprintf(out, "signal %d %p %#x", i, *(void **)&sa.sa_handler, (unsigned)sa.sa_flags);
		for (int k = 1; k < NSIG; k++)
			if (sigismember(&sa.sa_mask, k) == 1)
				fprintf(out, " %d", k);
		fputc('\n', out);
	}
	if (sigaltstack(NULL, &alt) == 0)
		fprintf(out, "signal stack %p %zu %d\n", alt.ss_sp, alt.ss_size, alt.ss_flags);
}

static void guest_prctl(FILE *out)
{
	static const struct {
		const char *name;
		int get;
	} known[] = {{"dumpable", PR_GET_DUMPABLE},	   {"keepcaps", PR_GET_KEEPCAPS},
		     {"securebits", PR_GET_SECUREBITS},	   {"no_new_privs", PR_GET_NO_NEW_PRIVS},
		     {"timer slack", PR_GET_TIMERSLACK},   {"timing", PR_GET_TIMING},
		     {"no huge pages", PR_GET_THP_DISABLE}};
	int death = 0, reaper = 0;
	char name[17] = "";
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		fprintf(out, "%s %d\n", known[i].name, prctl(known[i].get, 0, 0, 0, 0));
	prctl(PR_GET_PDEATHSIG, &death);
	prctl(PR_GET_CHILD_SUBREAPER, &reaper);
	prctl(PR_GET_NAME, name);
	fprintf(out, "pdeathsig %d\nsubreaper %d\nname %s\n", death, reaper, name);
}

static void guest_clocks_and_limits(FILE *out)
{
	static const int timers[] = {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF};
	for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++) {
		struct itimerval t;
		getitimer(timers[i], &t);
		fprintf(out, "timer %zu %ld.%06ld %s\n", i, (long)t.it_interval.tv_sec, (long)t.it_interval.tv_usec,
			t.it_value.tv_sec > 0 || t.it_value.tv_usec > 0 ? "running" : "stopped");
	}
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit r;
		getrlimit(i, &r);
		fprintf(out, "limit %d %llu %llu\n", i, (unsigned long long)r.rlim_cur, (unsigned long long)r.rlim_max);
	}
}

static void guest_files(FILE *out)
{
	static const char *const links[] = {"/proc/self/cwd", "/proc/self/root", "/proc/self/ns/mnt",
					    "/proc/self/ns/net"};
	static const char *const files[] = {"/proc/self/coredump_filter", "/proc/self/oom_score_adj",
					    "/proc/self/timers"};
	char text[4096];
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		ssize_t n = readlink(links[i], text, sizeof(text) - 1);
		fprintf(out, "%s %.*s\n", links[i], n < 0 ? 0 : (int)n, text);
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		FILE *f = fopen(files[i], "re");
		size_t n = f != NULL ? fread(text, 1, sizeof(text), f) : 0;
		if (f != NULL)
			fclose(f);
		for (size_t k = 0; k < n; k++)
			text[k] = text[k] == '\n' ? ' ' : text[k];
		fprintf(out, "%s %.*s\n", files[i], (int)n, text);
	}
}

static void guest_others(FILE *out)
{
	siginfo_t child;
	for (char **e = environ; *e != NULL; e++)
		fprintf(out, "environment %s\n", *e);
	fprintf(out, "locale %s %s\n", setlocale(LC_ALL, NULL),
		uselocale((locale_t)0) == LC_GLOBAL_LOCALE ? "of the process" : "of the thread");
	fprintf(out, "group %d session %d nice %d schedule %d personality %#x\n", (int)getpgrp(), (int)getsid(0),
		getpriority(PRIO_PROCESS, 0), sched_getscheduler(0), (unsigned)personality(0xffffffff));
	fprintf(out, "children %s\n",
		waitid(P_ALL, 0, &child, WEXITED | WSTOPPED | WCONTINUED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD
		    ? "none"
		    : "some");
}

char *guest_take(void)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);
	if (out == NULL)
		guest_die("open_memstream");
	guest_fds(out);
	guest_status(out);
	guest_signals(out);
	guest_prctl(out);
	guest_clocks_and_limits(out);
	guest_files(out);
	guest_others(out);
	if (fclose(out) != 0 || text == NULL)
		guest_die("open_memstream");
	return text;
}

/* Whether a line of text stands in another. */
static bool guest_has(const char *text, const char *line, size_t n)
{
	for (; *text != '\0'; text += strcspn(text, "\n") + 1)
		if (strcspn(text, "\n") == n && strncmp(text, line, n) == 0)
			return true;
	return false;
}

static int guest_missing(const char *from, const char *in, const char *when, const char *what)
{
	int n = 0;
	for (size_t len; *from != '\0'; from += len + 1) {
		len = strcspn(from, "\n");
		if (guest_has(in, from, len))
			continue;
		printf("changed %s: %s %.*s\n", when, what, (int)len, from);
		n++;
	}
	return n;
}

int guest_compare(const char *before, const char *after, const char *when)
{
	if (strcmp(before, after) == 0)
		return 0;
	int n = guest_missing(before, after, when, "was") + guest_missing(after, before, when, "is");
	if (n == 0)
		printf("changed %s: the order\n", when);
	fflush(stdout);
	return n == 0 ? 1 : n;
}

bool guest_module_mapped(void)
{
	char line[8192];
	bool found = false;
	FILE *f = fopen("/proc/self/maps", "re");
	if (f == NULL)
		guest_die("/proc/self/maps");
	while (fgets(line, sizeof(line), f) != NULL)
		found = found || strstr(line, "/pam_kosmo.so") != NULL;
	fclose(f);
	return found;
}

void guest_memory(long *ret_heap, long *ret_resident)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (f == NULL || fscanf(f, "%*d %ld", &pages) != 1)
		guest_die("/proc/self/statm");
	fclose(f);
	*ret_heap = (long)mallinfo2().uordblks;
	*ret_resident = pages * sysconf(_SC_PAGESIZE);
}
