/* How fast and how small the store takes in people, and what a code-only login costs in it.
 *
 *   bench_store_import FOLDER [PEOPLE] [sorted|shuffled [busy]]
 *
 * Makes FOLDER/key and FOLDER/kosmo.db (neither may exist), adds PEOPLE in transactions of about 10 ms, publishes them,
 * with "busy" while another process logs in, then runs the store's part of a code-only login, beside a bare fsync for
 * comparison. */
#include "config.h"

#include "common/clock.h"
#include "common/secret.h"
#include "keeper/store/store.h"
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TRANSACTION_US 10000
#define LOGINS	       3000

static struct seal *the_seal;

static void check(enum err e, const char *what)
{
	if (e == ERR_NONE)
		return;
	fprintf(stderr, "bench_store_import: %s: %s\n", what, err_text(e));
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static long peak_kib(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return r.ru_maxrss;
}

/* A bijection of 0..2^20-1, so that shuffled logins need no memory. */
static unsigned shuffle(unsigned i)
{
	for (int r = 0; r < 3; r++) {
		i = (i * 0x9e375u + 0x7f4a7u) & 0xfffffu;
		i ^= i >> 10;
	}
	return i;
}

static void person(struct person *p, const struct id *batch, unsigned i, bool shuffled)
{
	unsigned n = shuffled ? shuffle(i & 0xfffffu) | (i & ~0xfffffu) : i;
	struct seal_part part[2];

	memset(p, 0, sizeof(*p));
	check(id_new(&p->id), "id");
	p->batch = *batch;
	p->role = ROLE_MEMBER;
	snprintf(p->login, sizeof(p->login), "k%08u", n);
	snprintf(p->name, sizeof(p->name), "\xe5\xb1\xb1\xe7\x94\xb0 \xe5\xa4\xaa\xe9\x83\x8e%u", n);
	snprintf(p->email, sizeof(p->email), "taro.yamada.%u@mail.example.jp", n);
	snprintf(p->locale, sizeof(p->locale), "ja");
	p->birth = (struct date){(int16_t)(1930 + n % 80), (int8_t)(1 + n % 12), (int8_t)(1 + n % 28)};
	p->has_initial = true;
	part[0] = (struct seal_part){p->id.b, ID_LEN};
	part[1] = (struct seal_part){p->login, strlen(p->login)};
	check(seal_mac(the_seal, SEAL_INITIAL, part, 2, p->initial), "mac");
	p->created = clock_now();
}

static void import(struct store *st, unsigned people, bool shuffled)
{
	struct person p;
	struct id batch;
	int64_t begun = now_ns(), longest = 0;
	unsigned transactions = 0;

	check(store_begin(st), "begin");
	check(store_batch_new(st, &batch), "batch");
	check(store_commit(st), "commit");
	store_bulk(st);
	for (unsigned i = 0; i < people;) {
		check(store_begin(st), "begin");
		int64_t from = now_ns(), took;

		do {
			person(&p, &batch, i, shuffled);
			check(store_person_add(st, &p), "add");
			took = now_ns() - from;
		} while (++i < people && took < TRANSACTION_US * 1000);
		check(store_commit(st), "commit");
		took = now_ns() - from;
		longest = took > longest ? took : longest;
		transactions++;
	}
	check(store_begin(st), "begin");
	check(store_batch_publish(st, &batch, clock_now()), "publish");
	check(store_commit(st), "commit");
	printf("import: %u people in %.1f s, %u transactions, the longest %.1f ms\n", people,
	       (double)(now_ns() - begun) / 1e9, transactions, (double)longest / 1e6);
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void report(const char *what, int64_t *ns, int n)
{
	qsort(ns, (size_t)n, sizeof(*ns), compare);
	printf("%-24s p50 %7.1f us, p99 %7.1f us\n", what, (double)ns[n / 2] / 1e3, (double)ns[n - n / 100 - 1] / 1e3);
}

static void bare_fsync(const char *folder)
{
	static int64_t ns[LOGINS];
	char path[4096], page[4096] = "";
	int fd;

	snprintf(path, sizeof(path), "%s/fsync", folder);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		check(ERR_IO, path);
	for (int i = 0; i < LOGINS; i++) {
		int64_t from = now_ns();

		for (int k = 0; k < 4; k++)
			if (pwrite(fd, page, sizeof(page), (i * 4 + k) * 4096L) != (ssize_t)sizeof(page))
				check(ERR_IO, path);
		if (fdatasync(fd) != 0)
			check(ERR_IO, path);
		ns[i] = now_ns() - from;
	}
	close(fd);
	unlink(path);
	report("4 pages and an fdatasync", ns, LOGINS);
}

struct times {
	int64_t all[LOGINS], reads[LOGINS], begins[LOGINS], writes[LOGINS], commits[LOGINS];
	int n;
};

static void enrol(struct store *st, const char *login)
{
	struct person p;
	struct authenticator a;

	check(store_begin(st), "begin");
	check(store_person_by_login(st, login, &p), login);
	memset(&a, 0, sizeof(a));
	check(id_new(&a.id), "id");
	a.person = p.id;
	a.kind = FACTOR_TOTP;
	a.confirmed = true;
	a.algorithm = 1;
	a.digits = 6;
	a.period = 30;
	a.secret_len = 20;
	a.last_step = -1;
	check(store_authenticator_add(st, &a), "authenticator");
	check(store_commit(st), "commit");
}

static void login(struct store *st, const char *name, struct times *t)
{
	static struct authenticator got[AUTHENTICATORS_MAX];
	struct audit row = {
	    .time = clock_now(), .event = "login.allow", .door = "pam:sshd", .address = "192.0.2.1", .detail = "totp"};
	struct person p;
	struct counter c;
	struct counter_key key = {.kind = 1};
	size_t n;
	int i = t->n++;
	int64_t at[5];

	at[0] = now_ns();
	check(store_person_by_login(st, name, &p), name);
	check(store_authenticators(st, &p.id, got, AUTHENTICATORS_MAX, &n), "authenticators");
	at[1] = now_ns();
	check(store_begin(st), "begin");
	at[2] = now_ns();
	check(store_counter_get(st, &key, &c), "counter");
	check(store_totp_consume(st, &got[0].id, (uint64_t)i, clock_now()), "consume");
	row.person = p.id;
	check(store_audit(st, &row), "audit");
	at[3] = now_ns();
	check(store_commit(st), "commit");
	at[4] = now_ns();
	t->all[i] = at[4] - at[0];
	t->reads[i] = at[1] - at[0];
	t->begins[i] = at[2] - at[1];
	t->writes[i] = at[3] - at[2];
	t->commits[i] = at[4] - at[3];
}

static void report_all(struct times *t)
{
	report("login: all", t->all, t->n);
	report("login: person, factors", t->reads, t->n);
	report("login: begin", t->begins, t->n);
	report("login: counter to audit", t->writes, t->n);
	report("login: commit", t->commits, t->n);
}

static void logins(struct store *st, bool shuffled)
{
	static struct times t;
	char name[32];

	for (unsigned i = 0; i < LOGINS; i++) {
		unsigned who = i % 300;

		snprintf(name, sizeof(name), "k%08u", shuffled ? shuffle(who) : who);
		if (i == who)
			enrol(st, name);
		login(st, name, &t);
	}
	report_all(&t);
}

/* One person who logs in again and again while the import goes on, from a process of her own. */
static pid_t beside(const char *path, int *ret_stop)
{
	static struct times t;
	struct person p;
	struct id none = {0};
	struct store *st;
	int fd[2];
	pid_t pid = -1;

	fflush(stdout);
	if (pipe2(fd, O_CLOEXEC) != 0 || (pid = fork()) < 0)
		check(ERR_IO, "fork");
	if (pid > 0) {
		close(fd[0]);
		*ret_stop = fd[1];
		return pid;
	}
	close(fd[1]);
	check(store_open(path, the_seal, &st, NULL), path);
	person(&p, &none, 99999999, false);
	check(store_begin(st), "begin");
	check(store_person_add(st, &p), "add");
	check(store_commit(st), "commit");
	enrol(st, p.login);
	while (t.n < LOGINS && poll(&(struct pollfd){.fd = fd[0], .events = POLLIN}, 1, 10) == 0)
		login(st, p.login, &t);
	printf("beside the import, %d times:\n", t.n);
	report_all(&t);
	store_close(st);
	exit(0);
}

int main(int argc, char **argv)
{
	unsigned people = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1000000;
	bool shuffled = argc > 3 && strcmp(argv[3], "shuffled") == 0;
	bool busy = argc > 4 && strcmp(argv[4], "busy") == 0;
	pid_t child = -1;
	int stop = -1;
	char path[4096];
	struct store *st;
	struct errmsg m = {""};
	struct stat sb;

	if (argc < 2 || people < 300) {
		fprintf(stderr, "usage: bench_store_import FOLDER [PEOPLE (300 or more)] [sorted|shuffled [busy]]\n");
		return 2;
	}
	snprintf(path, sizeof(path), "%s/key", argv[1]);
	if (seal_key_create(path, &m) != ERR_NONE || seal_load(path, &the_seal, &m) != ERR_NONE)
		goto fail;
	snprintf(path, sizeof(path), "%s/kosmo.db", argv[1]);
	if (store_create(path, the_seal, &m) != ERR_NONE)
		goto fail;
	if (busy)
		child = beside(path, &stop);
	if (store_open(path, the_seal, &st, &m) != ERR_NONE)
		goto fail;
	import(st, people, shuffled);
	store_close(st);
	if (busy) {
		close(stop);
		waitpid(child, NULL, 0);
	}
	if (stat(path, &sb) == 0)
		printf("%.0f bytes a person, peak %.1f MB\n", (double)sb.st_size / people, (double)peak_kib() / 1000);
	bare_fsync(argv[1]);
	if (store_open(path, the_seal, &st, &m) != ERR_NONE)
		goto fail;
	logins(st, shuffled);
	store_close(st);
	seal_free(the_seal);
	return 0;
fail:
	fprintf(stderr, "%s\n", m.text);
	return 1;
}
