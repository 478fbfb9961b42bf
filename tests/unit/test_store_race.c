/* Threads and processes that want the same thing at the same instant: exactly one gets it. */
#include "config.h"

#include "store.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS	500
#define RUNNERS 3 /* two threads of this process, and another process */

/* In memory that the processes share. */
struct race {
	pthread_barrier_t start, end;
	struct id authenticator, person;
	struct code code;
	int round;
	enum err result[RUNNERS];
};

static const char code_text[] = "recovery";

typedef enum err attempt(struct store *st, struct race *r);

static enum err try_totp(struct store *st, struct race *r)
{
	return store_totp_consume(st, &r->authenticator, (uint64_t)r->round, NOW);
}

static enum err try_code(struct store *st, struct race *r)
{
	return store_code_try(st, &r->person, CODE_GUARD, "123456", NOW);
}

static enum err try_recovery(struct store *st, struct race *r)
{
	return store_recovery_consume(st, &r->person, code_text, NOW);
}

/* A ceremony's challenge. */
static enum err try_spend(struct store *st, struct race *r)
{
	uint8_t digest[DIGEST_LEN] = {(uint8_t)r->round, (uint8_t)(r->round >> 8)};

	return store_spend(st, digest, NOW + 100);
}

static attempt *const attempts[] = {try_totp, try_code, try_recovery, try_spend};

struct runner {
	struct race *race;
	const struct fixture *f;
	int number;
	const char *why; /* what failed */
};

static enum err one(struct store *st, struct race *r, attempt *try)
{
	enum err e = store_begin(st), done;

	if (e != ERR_NONE)
		return e;
	e = try(st, r);
	done = store_commit(st);
	return done != ERR_NONE ? done : e;
}

static void *run(void *arg)
{
	struct runner *me = arg;
	struct store *st = NULL;
	enum err opened = store_open(me->f->path, me->f->seal, &st, NULL);

	for (size_t kind = 0; kind < COUNT(attempts); kind++)
		for (int i = 0; i < ROUNDS; i++) {
			pthread_barrier_wait(&me->race->start);
			me->race->result[me->number] = opened == ERR_NONE ? one(st, me->race, attempts[kind]) : opened;
			pthread_barrier_wait(&me->race->end);
		}
	store_close(st);
	return NULL;
}

static struct race *race_make(void)
{
	struct race *r = mmap(NULL, sizeof *r, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_barrierattr_t attr;

	assert_ptr_not_equal(r, MAP_FAILED);
	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&r->start, &attr, RUNNERS + 1);
	pthread_barrier_init(&r->end, &attr, RUNNERS + 1);
	pthread_barrierattr_destroy(&attr);
	return r;
}

static void prepare(struct fixture *f, struct race *r, size_t kind)
{
	static const char *const codes[] = {"other", code_text, "another"};

	OK(store_begin(f->st));
	if (kind == 1) {
		OK(id_new(&r->code.id));
		OK(store_code_put(f->st, &r->code, "123456", NULL));
	} else if (kind == 2) {
		OK(store_recovery_replace(f->st, &r->person, codes, COUNT(codes)));
	}
	OK(store_commit(f->st));
}

static void one_wins(void **state)
{
	struct fixture *f = *state;
	struct race *r = race_make();
	struct runner runner[RUNNERS];
	pthread_t thread[RUNNERS - 1];
	struct person p = person_add(f, "a");
	pid_t child;
	int status = -1;

	r->authenticator = authenticator_add(f, &p).id;
	r->person = p.id;
	r->code = (struct code){.person = p.id, .purpose = CODE_GUARD, .created = NOW, .expires = NOW + 600};
	store_close(f->st); /* a connection must not be carried across fork */
	f->st = NULL;
	for (int i = 0; i < RUNNERS; i++)
		runner[i] = (struct runner){.race = r, .f = f, .number = i};
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		run(&runner[RUNNERS - 1]);
		_exit(0);
	}
	OK(store_open(f->path, f->seal, &f->st, NULL));
	for (int i = 0; i < RUNNERS - 1; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, run, &runner[i]), 0);
	for (size_t kind = 0; kind < COUNT(attempts); kind++)
		for (r->round = 0; r->round < ROUNDS; r->round++) {
			int won = 0, lost = 0;

			prepare(f, r, kind);
			pthread_barrier_wait(&r->start);
			pthread_barrier_wait(&r->end);
			for (int i = 0; i < RUNNERS; i++) {
				enum err e = r->result[i];

				won += e == ERR_NONE;
				lost += e == (enum err[]){ERR_EXISTS, ERR_NOTFOUND, ERR_DENIED, ERR_EXISTS}[kind];
			}
			if (won != 1 || lost != RUNNERS - 1)
				fail_msg("kind %zu, round %d: %d won, %d lost", kind, r->round, won, lost);
		}
	for (int i = 0; i < RUNNERS - 1; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	munmap(r, sizeof *r);
}

/* The chain is one, whoever writes: threads that queue and a process that does not. */
static void *append(void *arg)
{
	struct runner *me = arg;
	struct store *st = NULL;
	struct audit a = {.time = NOW, .event = "login.deny", .door = "web", .address = "", .detail = "x"};

	if (store_open(me->f->path, me->f->seal, &st, NULL) != ERR_NONE)
		me->why = "open";
	for (int i = 0; me->why == NULL && i < 200; i++)
		if (store_begin(st) != ERR_NONE || store_audit(st, &a) != ERR_NONE || store_commit(st) != ERR_NONE)
			me->why = "append";
	store_close(st);
	return NULL;
}

/* All of them at once; fails the test if one failed. */
static void threads(struct fixture *f, void *(*function)(void *), size_t n)
{
	struct runner runner[8];
	pthread_t thread[COUNT(runner)];

	assert_true(n <= COUNT(runner));
	for (size_t i = 0; i < n; i++) {
		runner[i] = (struct runner){.f = f};
		assert_int_equal(pthread_create(&thread[i], NULL, function, &runner[i]), 0);
	}
	for (size_t i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	for (size_t i = 0; i < n; i++)
		if (runner[i].why != NULL)
			fail_msg("thread %zu: %s", i, runner[i].why);
}

static void one_chain(void **state)
{
	struct fixture *f = *state;
	struct runner runner = {.f = f};
	struct audit row;
	struct audit_check c;
	size_t n;
	pid_t child;
	int status = -1;

	store_close(f->st);
	f->st = NULL;
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		append(&runner);
		_exit(runner.why == NULL ? 0 : 1);
	}
	threads(f, append, 4);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	OK(store_open(f->path, f->seal, &f->st, NULL));
	OK(store_audit_check(f->st, NULL, 0, true, &c));
	assert_int_equal(c.fault, AUDIT_FAULT_NONE);
	assert_int_equal(c.rows, 200 * 5);
	OK(store_audit_page(f->st, NULL, 0, &row, 1, &n));
	assert_int_equal(row.seq, 200 * 5);
}

/* Nobody sees a person and the authenticators of two different moments. */
static void *toggle(void *arg)
{
	struct runner *me = arg;
	struct store *st = NULL;
	struct person p;
	const char *why = NULL;

	if (store_open(me->f->path, me->f->seal, &st, NULL) != ERR_NONE)
		why = "open";
	for (int i = 0; why == NULL && i < 300; i++) {
		struct authenticator a = {.kind = FACTOR_TOTP, .confirmed = true, .last_step = -1};

		if (store_person_by_login(st, "a", &p) != ERR_NONE || id_new(&a.id) != ERR_NONE)
			why = "load";
		a.person = p.id;
		if (why == NULL && (store_begin(st) != ERR_NONE || store_authenticator_add(st, &a) != ERR_NONE ||
				    store_commit(st) != ERR_NONE))
			why = "add";
		if (why == NULL &&
		    (store_begin(st) != ERR_NONE || store_authenticator_remove(st, &p.id, &a.id) != ERR_NONE ||
		     store_commit(st) != ERR_NONE))
			why = "remove";
	}
	store_close(st);
	me->why = why;
	return NULL;
}

static void one_moment(void **state)
{
	struct fixture *f = *state;

	(void)person_add(f, "a");
	threads(f, toggle, 2);
}

/* One that waits too long in this process's queue gives up, and leaves the queue whole. */
static void *wait_in_vain(void *arg)
{
	struct runner *me = arg;
	struct store *st = NULL;

	if (store_open(me->f->path, me->f->seal, &st, NULL) != ERR_NONE)
		me->why = "open";
	else if (store_begin(st) != ERR_BUSY)
		me->why = "the turn came";
	else if (store_commit(st) != ERR_INTERNAL)
		me->why = "committed without a transaction";
	store_close(st);
	return NULL;
}

static void queue(void **state)
{
	struct fixture *f = *state;

	OK(store_begin(f->st));
	threads(f, wait_in_vain, 3);
	store_rollback(f->st);
	threads(f, append, 3);
}

static void ids_in_order(void **state)
{
	struct id a, b;

	(void)state;
	OK(id_new(&a));
	usleep(2000);
	OK(id_new(&b));
	assert_true(memcmp(a.b, b.b, ID_LEN) < 0);
	assert_memory_not_equal(a.b + 6, b.b + 6, ID_LEN - 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(one_wins), TEST(one_chain), TEST(one_moment), TEST(queue), cmocka_unit_test(ids_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
