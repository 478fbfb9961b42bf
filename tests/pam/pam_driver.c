/* pam_driver: a PAM application with a scripted person, for tests. It runs the phases of a service from a folder of its
 * own (pam_start_confdir), prints what it is asked and told and what each phase returned, and compares itself with what
 * it was before each phase: a module may leave nothing behind (guest.h).
 *
 *   pam_driver -d CONFDIR -s SERVICE -u USER [OPTION...] REPLY...
 *
 *   -p PHASES  letters, a auth, c account, s setcred, o open and x close session, p change the password, e if
 *              it has expired; preset "a"
 *   -r RHOST, -t TTY, -e NAME=VALUE (PAM's environment)
 *   -q         PAM_SILENT
 *   -b N       before reply N, print "ready" and wait for a byte on stdin
 *   -n CYCLES  so many times pam_start to pam_end; then only "SUCCESSES of CYCLES" is printed
 *   -j THREADS so many threads, each with its own cycles
 *   -m         after a warm-up, and again at the end: "heap N resident N", by how many bytes they grew
 *   -i SIGNAL  ignore it;  -S USEC  a SIGALRM (handled, without SA_RESTART) as often as that
 *   -f POINT   fork: "phase" after each phase, the child does the rest as well; "ask" at each prompt, the child exits
 * at once; "both" at the first prompt, both answer -N         no conversation function;  -T  texts cannot be shown
 * (PAM_CONV_ERR)
 *
 * A REPLY is text:WORD, hex:BYTES, size:N (N letters), late:MS:WORD, null (a response without text), none (no response
 * at all), fail (PAM_CONV_ERR), again (PAM_CONV_AGAIN) or abort (PAM_ABORT). Lines on stdout: "ask 0 Password: ", "tell
 * TEXT", "error TEXT", "auth 7 Authentication failure", "child EXIT", "changed WHEN: ...". Exit: 0 the last phase was
 * PAM_SUCCESS, 1 it was not, 2 usage or libpam, 3 something was changed or is left. */
#include "config.h"

#include "guest.h"

#include <pthread.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define WARM_UP 200

enum { OK, REFUSED, BROKEN, CHANGED }; /* exit statuses */

struct job {
	const char *confdir, *service, *user, *phases, *rhost, *tty, *fork, *env[8];
	int n_env, cycles, threads, barrier, storm, ignored;
	bool silent, memory, speechless, deaf, quiet;
	/* one run's */
	char **reply;
	int n_replies, next, ok, changed;
	bool is_child;
	pid_t child;
};

static void die(const char *why)
{
	fprintf(stderr, "pam_driver: %s\n", why);
	exit(BROKEN);
}

static void print_escaped(const struct job *j, const char *what, const char *text)
{
	if (j->quiet)
		return;
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

static char *reply_size(const char *number)
{
	size_t n = strtoul(number, NULL, 10);
	char *s = malloc(n + 1);
	if (s != NULL) {
		memset(s, 'x', n);
		s[n] = '\0';
	}
	return s;
}

static char *reply_word(const char *word)
{
	return strdup(word);
}

static char *reply_late(const char *spec)
{
	char *word;
	long ms = strtol(spec, &word, 10);
	const struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	nanosleep(&ts, NULL);
	return strdup(word + 1);
}

static char *reply_null(const char *nothing)
{
	(void)nothing;
	return NULL;
}

static const struct {
	const char *name;
	char *(*make)(const char *spec); /* NULL: no response */
	int code;
} replies[] = {
    {"text:", reply_word, PAM_SUCCESS}, {"hex:", reply_hex, PAM_SUCCESS},  {"size:", reply_size, PAM_SUCCESS},
    {"late:", reply_late, PAM_SUCCESS}, {"null", reply_null, PAM_SUCCESS}, {"none", NULL, PAM_SUCCESS},
    {"fail", NULL, PAM_CONV_ERR},	{"again", NULL, PAM_CONV_AGAIN},   {"abort", NULL, PAM_ABORT},
};

static int reply(const char *spec, struct pam_response **ret)
{
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		size_t n = strlen(replies[i].name);
		if (strncmp(spec, replies[i].name, n) != 0)
			continue;
		if (replies[i].make == NULL)
			return replies[i].code;
		if ((*ret = calloc(1, sizeof(**ret))) == NULL)
			return PAM_BUF_ERR;
		(*ret)->resp = replies[i].make(spec + n);
		return PAM_SUCCESS;
	}
	die("this reply is not understood");
	return PAM_ABORT;
}

static void wait_for(pid_t child)
{
	int status = 0;
	while (waitpid(child, &status, 0) < 0 && kill(child, 0) == 0)
		;
	printf("child %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	fflush(stdout);
}

/* The child goes on like its parent, but looks at nothing of the process, and exits at the end of its cycle. */
static void split(struct job *j)
{
	if ((j->child = fork()) < 0)
		die("fork");
	j->is_child = j->child == 0;
	if (j->is_child)
		j->fork = NULL;
}

static int answer(struct job *j, struct pam_response **ret)
{
	if (j->next >= j->n_replies)
		return PAM_CONV_ERR;
	const char *spec = j->reply[j->next++];
	if (j->next == j->barrier) {
		puts("ready");
		fflush(stdout);
		getchar();
	}
	if (j->fork != NULL && strcmp(j->fork, "ask") == 0) {
		split(j);
		if (j->is_child)
			_exit(OK);
		wait_for(j->child);
		j->child = 0;
	} else if (j->fork != NULL && strcmp(j->fork, "both") == 0 && j->next == 1) {
		split(j);
	}
	return reply(spec, ret);
}

static int converse(int n, const struct pam_message **msg, struct pam_response **ret, void *data)
{
	struct job *j = data;
	*ret = NULL;
	if (n != 1)
		return PAM_CONV_ERR;
	switch (msg[0]->msg_style) {
	case PAM_PROMPT_ECHO_OFF:
		print_escaped(j, "ask 0", msg[0]->msg);
		return answer(j, ret);
	case PAM_PROMPT_ECHO_ON:
		print_escaped(j, "ask 1", msg[0]->msg);
		return answer(j, ret);
	case PAM_ERROR_MSG:
		print_escaped(j, "error", msg[0]->msg);
		break;
	default:
		print_escaped(j, "tell", msg[0]->msg);
		break;
	}
	if (j->deaf)
		return PAM_CONV_ERR;
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
    {"expired", pam_chauthtok, PAM_CHANGE_EXPIRED_AUTHTOK, 'e'},
};

static const struct phase *phase_by(char letter)
{
	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++)
		if (phases[i].letter == letter)
			return &phases[i];
	die("no such phase");
	return NULL;
}

static int job_phase(pam_handle_t *pamh, struct job *j, const struct phase *phase)
{
	char *before = j->quiet ? NULL : guest_take();
	int r = phase->run(pamh, phase->flags | (j->silent ? PAM_SILENT : 0));
	if (j->quiet)
		return r;
	printf("%s %d %s\n", phase->name, r, pam_strerror(pamh, r));
	fflush(stdout);
	if (j->child > 0) {
		wait_for(j->child);
		j->child = 0;
	}
	if (!j->is_child) {
		char *after = guest_take();
		j->changed += guest_compare(before, after, phase->name);
		free(after);
	}
	free(before);
	return r;
}

static int job_cycle(struct job *j)
{
	const struct pam_conv conv = {j->speechless ? NULL : converse, j};
	pam_handle_t *pamh = NULL;
	j->next = 0;
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
	for (const char *p = j->phases; *p != '\0'; p++) {
		r = job_phase(pamh, j, phase_by(*p));
		if (j->fork != NULL && strcmp(j->fork, "phase") == 0 && p[1] != '\0') {
			split(j);
			if (!j->is_child)
				wait_for(j->child);
			j->child = 0;
		}
	}
	pam_end(pamh, r | (j->is_child ? PAM_DATA_SILENT : 0));
	if (j->is_child)
		_exit(r == PAM_SUCCESS ? OK : REFUSED);
	return r;
}

static void *job_run(void *arg)
{
	struct job *j = arg;
	long heap = 0, resident = 0, heap_after, resident_after;
	for (int i = 0; i < j->cycles; i++) {
		if (j->memory && i == WARM_UP)
			guest_memory(&heap, &resident);
		j->ok += job_cycle(j) == PAM_SUCCESS;
	}
	if (j->memory) {
		guest_memory(&heap_after, &resident_after);
		printf("heap %ld resident %ld\n", heap_after - heap, resident_after - resident);
	}
	return NULL;
}

/* Returns how many runs succeeded. */
static int job_threads(struct job *j)
{
	pthread_t thread[256];
	struct job *each = calloc((size_t)j->threads, sizeof(*each));
	int ok = 0;
	if (each == NULL || j->threads > 256)
		die("too many threads");
	for (int i = 0; i < j->threads; i++) {
		each[i] = *j;
		if (pthread_create(&thread[i], NULL, job_run, &each[i]) != 0)
			die("pthread_create");
	}
	for (int i = 0; i < j->threads; i++) {
		pthread_join(thread[i], NULL);
		ok += each[i].ok;
	}
	free(each);
	return ok;
}

static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
	(void)sig;
	alarms = alarms + 1;
}

static void *job_nothing(void *arg)
{
	return arg;
}

/* What libc itself does to a process the first time, it does before the first look. */
static void job_host(const struct job *j)
{
	pthread_t first;
	const struct sigaction handled = {.sa_handler = on_alarm}, ignored = {.sa_handler = SIG_IGN};
	const struct itimerval often = {{0, j->storm}, {0, j->storm}};
	if (j->ignored != 0 && sigaction(j->ignored, &ignored, NULL) != 0)
		die("no such signal");
	if (j->storm != 0 && (sigaction(SIGALRM, &handled, NULL) != 0 || setitimer(ITIMER_REAL, &often, NULL) != 0))
		die("no alarms");
	openlog("pam_driver", LOG_NDELAY, LOG_AUTHPRIV); /* it keeps a descriptor */
	if (j->threads > 1 && (pthread_create(&first, NULL, job_nothing, NULL) != 0 || pthread_join(first, NULL) != 0))
		die("pthread_create"); /* it handles a signal of its own */
}

static const struct option {
	char letter;
	enum { TEXT, NUMBER, FLAG } kind;
	size_t at;
} options[] = {
    {'d', TEXT, offsetof(struct job, confdir)},	   {'s', TEXT, offsetof(struct job, service)},
    {'u', TEXT, offsetof(struct job, user)},	   {'p', TEXT, offsetof(struct job, phases)},
    {'r', TEXT, offsetof(struct job, rhost)},	   {'t', TEXT, offsetof(struct job, tty)},
    {'f', TEXT, offsetof(struct job, fork)},	   {'n', NUMBER, offsetof(struct job, cycles)},
    {'j', NUMBER, offsetof(struct job, threads)},  {'b', NUMBER, offsetof(struct job, barrier)},
    {'S', NUMBER, offsetof(struct job, storm)},	   {'i', NUMBER, offsetof(struct job, ignored)},
    {'q', FLAG, offsetof(struct job, silent)},	   {'m', FLAG, offsetof(struct job, memory)},
    {'N', FLAG, offsetof(struct job, speechless)}, {'T', FLAG, offsetof(struct job, deaf)},
};

static void option(struct job *j, int letter, char *value)
{
	if (letter == 'e' && j->n_env < 8) {
		j->env[j->n_env++] = value;
		return;
	}
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (options[i].letter != letter)
			continue;
		void *to = (char *)j + options[i].at;
		if (options[i].kind == TEXT)
			*(const char **)to = value;
		else if (options[i].kind == NUMBER)
			*(int *)to = (int)strtol(value, NULL, 10);
		else
			*(bool *)to = true;
		return;
	}
	die("this option is not understood");
}

int main(int argc, char **argv)
{
	struct job j = {.phases = "a", .cycles = 1, .threads = 1};
	for (int o; (o = getopt(argc, argv, "d:s:u:p:r:t:e:n:j:b:S:i:f:qmNT")) != -1;)
		option(&j, o, optarg);
	if (j.confdir == NULL || j.service == NULL || j.user == NULL || j.cycles < 1 || j.threads < 1)
		die("usage: pam_driver -d CONFDIR -s SERVICE -u USER [options] REPLY...");
	j.reply = argv + optind;
	j.n_replies = argc - optind;
	j.quiet = j.cycles > 1 || j.threads > 1;
	job_host(&j);
	char *before = guest_take();
	if (j.threads > 1)
		j.ok = job_threads(&j);
	else
		job_run(&j);
	char *after = guest_take();
	j.changed += guest_compare(before, after, "at the end");
	if (guest_module_mapped()) {
		puts("changed at the end: the module is still mapped");
		j.changed++;
	}
	if (j.storm != 0 && alarms == 0)
		die("there was no storm");
	if (j.quiet)
		printf("%d of %d\n", j.ok, j.cycles * j.threads);
	free(before);
	free(after);
	closelog();
	return j.changed > 0 ? CHANGED : j.ok == j.cycles * j.threads ? OK : REFUSED;
}
