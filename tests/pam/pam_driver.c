/* pam_driver: a PAM application with a scripted person, for tests. It runs the phases of a service from a folder of its
 * own (pam_start_confdir), prints what it is asked and told and what each phase returned, and then compares itself with
 * what it was before: a module may leave nothing behind.
 *
 *   pam_driver -d CONFDIR -s SERVICE -u USER [-p PHASES] [-r RHOST] [-t TTY] [-e NAME=VALUE] [-n CYCLES] [-b N] [-q]
 * REPLY...
 *
 * PHASES: letters, a auth, c account, s setcred, o open and x close session; preset "a". -q: PAM_SILENT. -b N: before
 * reply N, print "ready" and wait for a byte on stdin. A REPLY is text:WORD, hex:BYTES, size:N (N letters), null (a
 * response without text), none (no response at all) or fail (PAM_CONV_ERR). Lines on stdout: "ask 0 Password: ",
 * "tell TEXT", "error TEXT", "auth 7 Authentication failure", "changed WHAT". Exit: 0 the last phase was PAM_SUCCESS,
 * 1 it was not, 2 usage or libpam, 3 something was changed. */
#include "config.h"

#include <dirent.h>
#include <grp.h>
#include <locale.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

extern char **environ;

struct script {
	char **reply;
	int n, next, barrier;
};

struct state {
	char fds[4096], env[65536], cwd[4096], locale[256];
	sigset_t mask;
	void (*handler[65])(int);
	int handler_flags[65];
	mode_t umask;
	uid_t uid[3];
	gid_t gid[3], groups[64];
	int n_groups, dumpable, pdeathsig, threads;
	struct rlimit limit[RLIM_NLIMITS];
};

static void die(const char *why)
{
	fprintf(stderr, "pam_driver: %s\n", why);
	exit(2);
}

static void add(char *to, size_t cap, const char *s)
{
	size_t n = strlen(to), more = strlen(s);
	if (more >= cap - n)
		die("state too large");
	memcpy(to + n, s, more + 1);
}

/* Entry names of a /proc folder, in the order in which the kernel gives them (ascending for fd); n counts them. */
static int names(const char *path, char *to, size_t cap)
{
	DIR *d = opendir(path);
	if (d == NULL)
		die(path);
	int n = 0;
	for (struct dirent *e; (e = readdir(d)) != NULL; n++) {
		if (to == NULL)
			continue;
		char link[512], target[1024];
		snprintf(link, sizeof(link), "%s/%s", path, e->d_name);
		ssize_t len = readlink(link, target, sizeof(target) - 1);
		target[len < 0 ? 0 : len] = '\0';
		if (strstr(target, "/fd") != NULL && strncmp(target, "/proc", 5) == 0)
			continue; /* the folder that is being read */
		add(to, cap, e->d_name);
		add(to, cap, "=");
		add(to, cap, target);
		add(to, cap, "\n");
	}
	closedir(d);
	return n;
}

static struct state *state_take(void)
{
	struct state *s = calloc(1, sizeof(*s));
	if (s == NULL)
		die("out of memory");
	names("/proc/self/fd", s->fds, sizeof(s->fds));
	s->threads = names("/proc/self/task", NULL, 0);
	for (char **e = environ; *e != NULL; e++) {
		add(s->env, sizeof(s->env), *e);
		add(s->env, sizeof(s->env), "\n");
	}
	if (getcwd(s->cwd, sizeof(s->cwd)) == NULL)
		die("getcwd");
	add(s->locale, sizeof(s->locale), setlocale(LC_ALL, NULL));
	sigprocmask(SIG_SETMASK, NULL, &s->mask);
	for (int i = 1; i < 65; i++) {
		struct sigaction sa = {0};
		if (sigaction(i, NULL, &sa) != 0)
			continue;
		s->handler[i] = sa.sa_handler;
		s->handler_flags[i] = sa.sa_flags;
	}
	s->umask = umask(0);
	umask(s->umask);
	if (getresuid(&s->uid[0], &s->uid[1], &s->uid[2]) != 0 || getresgid(&s->gid[0], &s->gid[1], &s->gid[2]) != 0)
		die("ids");
	s->n_groups = getgroups(64, s->groups);
	s->dumpable = prctl(PR_GET_DUMPABLE);
	prctl(PR_GET_PDEATHSIG, &s->pdeathsig);
	for (int i = 0; i < RLIM_NLIMITS; i++)
		getrlimit(i, &s->limit[i]);
	return s;
}

#define SAME(what, a, b, member)                                                                                       \
	do {                                                                                                           \
		if (memcmp(&(a)->member, &(b)->member, sizeof((a)->member)) != 0) {                                    \
			printf("changed %s\n", what);                                                                  \
			changed++;                                                                                     \
		}                                                                                                      \
	} while (0)

static int state_compare(const struct state *a, const struct state *b)
{
	int changed = 0;
	SAME("fds", a, b, fds);
	SAME("threads", a, b, threads);
	SAME("environment", a, b, env);
	SAME("cwd", a, b, cwd);
	SAME("locale", a, b, locale);
	SAME("signal mask", a, b, mask);
	SAME("signal handlers", a, b, handler);
	SAME("signal flags", a, b, handler_flags);
	SAME("umask", a, b, umask);
	SAME("uids", a, b, uid);
	SAME("gids", a, b, gid);
	SAME("groups", a, b, groups);
	SAME("number of groups", a, b, n_groups);
	SAME("dumpable", a, b, dumpable);
	SAME("pdeathsig", a, b, pdeathsig);
	SAME("limits", a, b, limit);
	return changed;
}

static void print_escaped(const char *what, const char *text)
{
	printf("%s ", what);
	for (; *text != '\0'; text++) {
		if (*text == '\n')
			fputs("\\n", stdout);
		else
			putchar(*text);
	}
	putchar('\n');
	fflush(stdout);
}

static char *reply_hex(const char *hex)
{
	size_t n = strlen(hex) / 2;
	char *s = calloc(1, n + 1);
	for (size_t i = 0; s != NULL && i < n; i++) {
		const char byte[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
		s[i] = (char)strtoul(byte, NULL, 16);
	}
	return s;
}

static char *reply_text(const char *spec)
{
	if (strncmp(spec, "text:", 5) == 0)
		return strdup(spec + 5);
	if (strncmp(spec, "hex:", 4) == 0)
		return reply_hex(spec + 4);
	if (strncmp(spec, "size:", 5) == 0) {
		size_t n = strtoul(spec + 5, NULL, 10);
		char *s = malloc(n + 1);
		if (s != NULL) {
			memset(s, 'x', n);
			s[n] = '\0';
		}
		return s;
	}
	if (strcmp(spec, "null") == 0)
		return NULL;
	die("this reply is not understood");
	return NULL;
}

static int answer(struct script *s, struct pam_response **ret)
{
	if (s->next >= s->n)
		return PAM_CONV_ERR;
	const char *spec = s->reply[s->next++];
	if (s->next == s->barrier) {
		puts("ready");
		fflush(stdout);
		getchar();
	}
	if (strcmp(spec, "fail") == 0)
		return PAM_CONV_ERR;
	if (strcmp(spec, "none") == 0)
		return PAM_SUCCESS;
	if ((*ret = calloc(1, sizeof(**ret))) == NULL)
		return PAM_BUF_ERR;
	(*ret)->resp = reply_text(spec);
	return PAM_SUCCESS;
}

static int converse(int n, const struct pam_message **msg, struct pam_response **ret, void *data)
{
	*ret = NULL;
	if (n != 1)
		return PAM_CONV_ERR;
	switch (msg[0]->msg_style) {
	case PAM_PROMPT_ECHO_OFF:
		print_escaped("ask 0", msg[0]->msg);
		return answer(data, ret);
	case PAM_PROMPT_ECHO_ON:
		print_escaped("ask 1", msg[0]->msg);
		return answer(data, ret);
	case PAM_ERROR_MSG:
		print_escaped("error", msg[0]->msg);
		break;
	default:
		print_escaped("tell", msg[0]->msg);
		break;
	}
	/* Some applications answer a text too. */
	*ret = calloc(1, sizeof(**ret));
	return *ret == NULL ? PAM_BUF_ERR : PAM_SUCCESS;
}

static const struct phase {
	const char *name;
	int (*run)(pam_handle_t *pamh, int flags);
	int flags;
	char letter;
} phases[] = {
    {"auth", pam_authenticate, 0, 'a'},
    {"account", pam_acct_mgmt, 0, 'c'},
    {"setcred", pam_setcred, PAM_ESTABLISH_CRED, 's'},
    {"open", pam_open_session, 0, 'o'},
    {"close", pam_close_session, 0, 'x'},
    {"password", pam_chauthtok, 0, 'p'},
};

struct job {
	const char *confdir, *service, *user, *phases, *rhost, *tty, *env[8];
	int n_env, cycles, flags;
	struct script script;
};

static int job_phase(pam_handle_t *pamh, const struct job *j, char letter)
{
	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		if (phases[i].letter != letter)
			continue;
		int r = phases[i].run(pamh, j->flags | phases[i].flags);
		if (j->cycles == 1)
			printf("%s %d %s\n", phases[i].name, r, pam_strerror(pamh, r));
		return r;
	}
	die("no such phase");
	return PAM_ABORT;
}

static int job_cycle(struct job *j)
{
	const struct pam_conv conv = {converse, &j->script};
	pam_handle_t *pamh = NULL;
	j->script.next = 0;
	int r = pam_start_confdir(j->service, j->user, &conv, j->confdir, &pamh);
	if (r != PAM_SUCCESS)
		die("pam_start_confdir failed");
	if (j->rhost != NULL)
		r = pam_set_item(pamh, PAM_RHOST, j->rhost);
	if (r == PAM_SUCCESS && j->tty != NULL)
		r = pam_set_item(pamh, PAM_TTY, j->tty);
	for (int i = 0; r == PAM_SUCCESS && i < j->n_env; i++)
		r = pam_putenv(pamh, j->env[i]);
	if (r != PAM_SUCCESS)
		die("pam_set_item failed");
	for (const char *p = j->phases; *p != '\0'; p++)
		r = job_phase(pamh, j, *p);
	pam_end(pamh, r);
	return r;
}

int main(int argc, char **argv)
{
	struct job j = {.phases = "a", .cycles = 1};
	for (int o; (o = getopt(argc, argv, "d:s:u:p:r:t:e:n:b:q")) != -1;) {
		switch (o) {
		case 'd':
			j.confdir = optarg;
			break;
		case 's':
			j.service = optarg;
			break;
		case 'u':
			j.user = optarg;
			break;
		case 'p':
			j.phases = optarg;
			break;
		case 'r':
			j.rhost = optarg;
			break;
		case 't':
			j.tty = optarg;
			break;
		case 'e':
			if (j.n_env == 8)
				die("too many -e");
			j.env[j.n_env++] = optarg;
			break;
		case 'n':
			j.cycles = (int)strtol(optarg, NULL, 10);
			break;
		case 'b':
			j.script.barrier = (int)strtol(optarg, NULL, 10);
			break;
		case 'q':
			j.flags = PAM_SILENT;
			break;
		default:
			return 2;
		}
	}
	if (j.confdir == NULL || j.service == NULL || j.user == NULL || j.cycles < 1)
		die("usage: pam_driver -d CONFDIR -s SERVICE -u USER [options] REPLY...");
	j.script.reply = argv + optind;
	j.script.n = argc - optind;
	openlog("pam_driver", LOG_NDELAY, LOG_AUTHPRIV); /* libc keeps that descriptor: it is not the module's */
	struct state *before = state_take();
	int r = PAM_ABORT, ok = 0;
	for (int i = 0; i < j.cycles; i++) {
		r = job_cycle(&j);
		ok += r == PAM_SUCCESS;
	}
	struct state *after = state_take();
	if (j.cycles > 1)
		printf("%d of %d\n", ok, j.cycles);
	int changed = state_compare(before, after);
	free(before);
	free(after);
	closelog();
	return changed > 0 ? 3 : r == PAM_SUCCESS ? 0 : 1;
}
