/* pam_chaos: each call that the module makes fails in turn, in each way that chaos_kinds names: at its first
 * occurrence, at its second, until a transaction passes without a failure; then all from the first on, then any, by
 * chance.
 *
 *   pam_chaos -d CONFDIR -s SERVICE -u USER -w right|wrong [-r RUNS] [-S SEED] [-c | -p] [-o] [-k TTY] REPLY...
 *
 * -w: whether the replies are right ones: undisturbed, the transaction must end with PAM_SUCCESS, or must not.
 * Disturbed, it may fail; with wrong ones it never succeeds. -r: so many runs by chance. -c, -p: the account or the
 * password phase instead of auth. -k: there, and not from a remote host. -o: all of one kind fail from their first
 * occurrence on, persistently; slow, because the keeper is waited for. After each run the process is what it was
 * (guest.h), and no run takes more than 3.5 s. The last line is "N runs, N disturbed, N let in". Exit: 0 all was well,
 * 1 it was not, 2 usage. */
#include "config.h"

#include "chaos.h"
#include "guest.h"

#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LONGEST 3.5

static struct {
	const char *confdir, *service, *user, *tty;
	bool right, onwards;
	int (*phase)(pam_handle_t *pamh, int flags);
	long random;
	unsigned long long seed;
	char **reply;
	int n_replies, next;
	long runs, disturbed, let_in, bad;
} job = {.phase = pam_authenticate};

static int converse(int n, const struct pam_message **msg, struct pam_response **ret, void *data)
{
	(void)n, (void)data;
	if (msg[0]->msg_style != PAM_PROMPT_ECHO_OFF)
		return PAM_SUCCESS;
	if (job.next == job.n_replies || (*ret = calloc(1, sizeof(**ret))) == NULL)
		return PAM_CONV_ERR;
	(*ret)->resp = strdup(job.reply[job.next++]);
	return PAM_SUCCESS;
}

static double now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void wrong(const char *what)
{
	printf("wrong: %s: %s %ld%s how %d seed %llu\n", what,
	       chaos.nth > 0 ? chaos_kinds[chaos.call].name : "by chance", chaos.nth, chaos.onwards ? " and on" : "",
	       chaos.how, job.seed);
	fflush(stdout);
	job.bad++;
}

/* One transaction under the plan in `chaos`; whether anything failed in it. */
static bool run(void)
{
	const struct pam_conv conv = {converse, NULL};
	pam_handle_t *pamh = NULL;
	job.next = 0;
	chaos.failed = 0;
	memset(chaos.seen, 0, sizeof(chaos.seen));
	if (pam_start_confdir(job.service, job.user, &conv, job.confdir, &pamh) != PAM_SUCCESS) {
		fputs("pam_chaos: pam_start_confdir\n", stderr);
		exit(2);
	}
	pam_set_item(pamh, job.tty != NULL ? PAM_TTY : PAM_RHOST, job.tty != NULL ? job.tty : "192.0.2.7");
	char *before = guest_take();
	double started = now();
	chaos.armed = true;
	int r = job.phase(pamh, 0);
	chaos.armed = false;
	double took = now() - started;
	char *after = guest_take();
	pam_end(pamh, r);
	if (guest_compare(before, after, "by a failure") > 0)
		wrong("it left something");
	free(before);
	free(after);
	if (took > LONGEST)
		wrong("too long");
	if (r == PAM_SUCCESS && !job.right)
		wrong("let in");
	if (r != PAM_SUCCESS && job.right && chaos.failed == 0)
		wrong("refused without a reason");
	job.runs++;
	job.disturbed += chaos.failed > 0;
	job.let_in += r == PAM_SUCCESS;
	return chaos.failed > 0;
}

static void each_in_turn(enum chaos_call call, int how)
{
	chaos = (struct chaos){.call = call, .nth = 1, .how = how};
	while (run() && chaos.nth < 10000)
		chaos.nth++;
	if (chaos.nth == 10000)
		wrong("no end of it");
	if (chaos.nth == 1)
		return;
	for (long last = chaos.nth; call == CHAOS_MALLOC && last > 1; last--) { /* out of memory from there on */
		chaos = (struct chaos){.call = call, .nth = last, .how = how, .onwards = true};
		run();
	}
	/* Those that move on all the same when each call is so; the others would be waited for. */
	if (how == CHAOS_SHORT || (how == CHAOS_NOTHING && call == CHAOS_RECV) ||
	    (how != CHAOS_NOTHING && call < CHAOS_CONNECT)) {
		chaos = (struct chaos){.call = call, .nth = 1, .how = how, .onwards = true};
		run();
	}
}

static void all_kinds(void)
{
	for (enum chaos_call call = 0; call < CHAOS__MAX; call++) {
		long before = job.disturbed;
		for (const int *how = chaos_kinds[call].how; *how != 0; how++) {
			if (!job.onwards) {
				each_in_turn(call, *how);
				continue;
			}
			chaos = (struct chaos){.call = call, .nth = 1, .how = *how, .onwards = true};
			run();
		}
		printf("%s: %ld disturbed\n", chaos_kinds[call].name, job.disturbed - before);
		fflush(stdout);
	}
}

static void by_chance(void)
{
	for (long i = 0; i < job.random; i++) {
		/* From nearly each call to one in a transaction; a seed of 0 would stay 0. */
		unsigned long long seed = ++job.seed;
		chaos = (struct chaos){.one_in = 2U << seed % 7, .seed = (seed + 1) * 0x9e3779b97f4a7c15};
		run();
	}
}

int main(int argc, char **argv)
{
	for (int o; (o = getopt(argc, argv, "d:s:u:w:r:S:k:cpo")) != -1;) {
		switch (o) {
		case 'd':
			job.confdir = optarg;
			break;
		case 's':
			job.service = optarg;
			break;
		case 'u':
			job.user = optarg;
			break;
		case 'w':
			job.right = strcmp(optarg, "right") == 0;
			break;
		case 'r':
			job.random = strtol(optarg, NULL, 10);
			break;
		case 'S':
			job.seed = strtoull(optarg, NULL, 10);
			break;
		case 'c':
			job.phase = pam_acct_mgmt;
			break;
		case 'p':
			job.phase = pam_chauthtok;
			break;
		case 'k':
			job.tty = optarg;
			break;
		case 'o':
			job.onwards = true;
			break;
		default:
			return 2;
		}
	}
	job.reply = argv + optind;
	job.n_replies = argc - optind;
	if (job.confdir == NULL || job.service == NULL || job.user == NULL)
		return 2;
	openlog("pam_chaos", LOG_NDELAY, LOG_AUTHPRIV);
	run();
	all_kinds();
	by_chance();
	printf("%ld runs, %ld disturbed, %ld let in\n", job.runs, job.disturbed, job.let_in);
	return job.bad > 0;
}
