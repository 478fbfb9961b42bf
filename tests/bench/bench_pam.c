/* bench_pam: how long a PAM transaction with one code takes, from pam_start to pam_end, and what an fsync and a
 * yescrypt take beside it.
 *
 *   bench_pam pam CONFDIR SERVICE PEOPLE [AT-ONCE]
 *                                          each line of PEOPLE, "login base32-secret [password]", logs in once (auth
 * and setcred), so many at once (1) bench_pam fsync FOLDER N               N times 4 KiB written over and
 * fdatasync(2)ed bench_pam yescrypt N                   N times crypt(3) at cost 5
 *
 * Prints: name, count, p50, p99, mean in microseconds. */
#include "config.h"

#include "common/base64url.h"
#include "keeper/totp.h"

#include <crypt.h>
#include <fcntl.h>
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct times {
	double *us;
	size_t n, cap;
};

static void die(const char *why)
{
	fprintf(stderr, "bench_pam: %s\n", why);
	exit(1);
}

static double now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void times_add(struct times *t, double us)
{
	if (t->n == t->cap) {
		t->cap = t->cap == 0 ? 1024 : t->cap * 2;
		if ((t->us = realloc(t->us, t->cap * sizeof(*t->us))) == NULL)
			die("out of memory");
	}
	t->us[t->n++] = us;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void times_print(struct times *t, const char *name)
{
	double sum = 0;
	if (t->n == 0)
		die("nothing was measured");
	qsort(t->us, t->n, sizeof(*t->us), compare);
	for (size_t i = 0; i < t->n; i++)
		sum += t->us[i];
	printf("%s %zu %.1f %.1f %.1f\n", name, t->n, t->us[t->n / 2], t->us[t->n * 99 / 100], sum / (double)t->n);
	free(t->us);
}

/* What is typed: the password where there is one, then the code. */
struct replies {
	const char *text[2];
	int next;
};

static int converse(int n, const struct pam_message **msg, struct pam_response **ret, void *arg)
{
	struct replies *r = arg;
	if (n != 1 || (*ret = calloc(1, sizeof(**ret))) == NULL)
		return PAM_CONV_ERR;
	if (msg[0]->msg_style == PAM_PROMPT_ECHO_OFF || msg[0]->msg_style == PAM_PROMPT_ECHO_ON)
		(*ret)->resp = strdup(r->next < 2 ? r->text[r->next++] : "");
	return PAM_SUCCESS;
}

static void code_now(const char *secret, char code[static 9])
{
	AUTO_BUF key = BUF_INIT;
	if (base32_decode(&key, secret, strlen(secret)) != ERR_NONE)
		die("a secret is not base32");
	struct totp t = {.algorithm = TOTP_SHA1, .digits = 6, .period = 30, .secret = key.data, .secret_len = key.len};
	if (totp_code(&t, (uint64_t)time(NULL) / 30, code) != ERR_NONE)
		die("no code");
}

static double login(const char *confdir, const char *service, const char *user, struct replies *replies)
{
	const struct pam_conv conv = {converse, replies};
	pam_handle_t *pamh = NULL;
	double start = now_us();
	int r = pam_start_confdir(service, user, &conv, confdir, &pamh);
	if (r == PAM_SUCCESS)
		r = pam_authenticate(pamh, 0);
	if (r == PAM_SUCCESS)
		r = pam_setcred(pamh, PAM_ESTABLISH_CRED);
	pam_end(pamh, r);
	double took = now_us() - start;
	if (r != PAM_SUCCESS) {
		fprintf(stderr, "bench_pam: %s, %s: %s\n", service, user, pam_strerror(NULL, r));
		exit(1);
	}
	return took;
}

/* Every step-th line from the first-th on; each time goes to out. */
static void logins(const char *confdir, const char *service, const char *people, long first, long step, int out)
{
	char line[256], code[9];
	FILE *f = fopen(people, "r");
	if (f == NULL)
		die("cannot open the list of people");
	for (long i = 0; fgets(line, sizeof(line), f) != NULL; i++) {
		if (i % step != first)
			continue;
		line[strcspn(line, "\n")] = '\0';
		char *secret = strchr(line, ' ');
		if (secret == NULL)
			die("a line without a secret");
		*secret++ = '\0';
		char *password = strchr(secret, ' ');
		if (password != NULL)
			*password++ = '\0';
		code_now(secret, code);
		struct replies r = {.text = {password != NULL ? password : code, code}};
		double us = login(confdir, service, line, &r);
		if (write(out, &us, sizeof(us)) != (ssize_t)sizeof(us))
			die("cannot tell a time");
	}
	fclose(f);
}

static void bench_logins(const char *confdir, const char *service, const char *people, long at_once)
{
	struct times t = {0};
	int fd[2], status;
	double us;
	if (pipe(fd) != 0)
		die("no pipe");
	for (long i = 0; i < at_once; i++) {
		pid_t pid = fork();
		if (pid < 0)
			die("cannot fork");
		if (pid == 0) {
			close(fd[0]);
			logins(confdir, service, people, i, at_once, fd[1]);
			_exit(0);
		}
	}
	close(fd[1]);
	while (read(fd[0], &us, sizeof(us)) == (ssize_t)sizeof(us))
		times_add(&t, us);
	close(fd[0]);
	for (long i = 0; i < at_once; i++)
		if (wait(&status) < 0 || status != 0)
			die("a login failed");
	times_print(&t, service);
}

/* Over what is allocated already, as SQLite writes its log. */
static void bench_fsync(const char *folder, long n)
{
	struct times t = {0};
	static const char page[4096];
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		die("no file in that folder");
	for (int round = 0; round < 2; round++) {
		for (long i = 0; i < n; i++) {
			double start = now_us();
			if (pwrite(fd, page, sizeof(page), i * (off_t)sizeof(page)) != sizeof(page) ||
			    (round == 1 && fdatasync(fd) != 0))
				die("write or fdatasync failed");
			if (round == 1)
				times_add(&t, now_us() - start);
		}
		if (fsync(fd) != 0)
			die("fsync failed");
	}
	close(fd);
	times_print(&t, "fsync");
}

static void bench_yescrypt(long n)
{
	struct times t = {0};
	struct crypt_data *data = calloc(1, sizeof(*data));
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	if (data == NULL || crypt_gensalt_rn("$y$", 5, NULL, 0, setting, sizeof(setting)) == NULL)
		die("no yescrypt");
	while (n-- > 0) {
		double start = now_us();
		if (crypt_r("kiiro-no-zou-ga-tobu", setting, data) == NULL)
			die("crypt failed");
		times_add(&t, now_us() - start);
	}
	free(data);
	times_print(&t, "yescrypt");
}

int main(int argc, char **argv)
{
	if ((argc == 5 || argc == 6) && strcmp(argv[1], "pam") == 0)
		bench_logins(argv[2], argv[3], argv[4], argc == 6 ? strtol(argv[5], NULL, 10) : 1);
	else if (argc == 4 && strcmp(argv[1], "fsync") == 0)
		bench_fsync(argv[2], strtol(argv[3], NULL, 10));
	else if (argc == 3 && strcmp(argv[1], "yescrypt") == 0)
		bench_yescrypt(strtol(argv[2], NULL, 10));
	else
		die("usage: bench_pam pam CONFDIR SERVICE PEOPLE [AT-ONCE] | fsync FOLDER N | yescrypt N");
	return 0;
}
