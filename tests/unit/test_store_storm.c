/* Threads write at once while memory, the disk and the statements fail at random, each as SQLite itself meets it: what
 * was said to be done is there, nothing else is, and the audit's chain is one. */
#include "config.h"

#include "store.h"

#include "keeper/store/inside.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define CROWD  8
#define ROUNDS 150

/* ---- what fails ---- */

enum fault { NOTHING, MEMORY, DISK_FULL, DISK_BROKEN, FAULTS };

static _Thread_local struct {
	enum fault kind;
	unsigned dice, one_in;
} bad;

static unsigned roll(void)
{
	bad.dice = bad.dice * 1664525 + 1013904223;
	return bad.dice >> 8;
}

static bool now(bool memory)
{
	return bad.kind != NOTHING && (bad.kind == MEMORY) == memory && roll() % bad.one_in == 0;
}

static sqlite3_mem_methods real_memory;

static void *bad_malloc(int n)
{
	return now(true) ? NULL : real_memory.xMalloc(n);
}

static void *bad_realloc(void *p, int n)
{
	return now(true) ? NULL : real_memory.xRealloc(p, n);
}

static ssize_t (*real_write)(int fd, const void *p, size_t n, off_t at);

static ssize_t bad_write(int fd, const void *p, size_t n, off_t at)
{
	if (now(false))
		return errno = bad.kind == DISK_FULL ? ENOSPC : EIO, -1;
	return real_write(fd, p, n, at);
}

static int install(void **state)
{
	static const char *const names[] = {"pwrite64", "pwrite"};
	sqlite3_mem_methods ours;
	sqlite3_vfs *vfs;

	(void)state;
	if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory) != SQLITE_OK)
		return -1;
	ours = real_memory;
	ours.xMalloc = bad_malloc;
	ours.xRealloc = bad_realloc;
	/* no lookaside: each small allocation is one that can fail */
	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &ours) != SQLITE_OK ||
	    sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) != SQLITE_OK ||
	    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) != SQLITE_OK || sqlite3_initialize() != SQLITE_OK)
		return -1;
	vfs = sqlite3_vfs_find(NULL);
	for (size_t i = 0; i < sizeof names / sizeof *names && real_write == NULL; i++) {
		sqlite3_syscall_ptr there = vfs->xGetSystemCall(vfs, names[i]);
		memcpy(&real_write, &there, sizeof there);
		if (real_write != NULL)
			(void)vfs->xSetSystemCall(vfs, names[i], (sqlite3_syscall_ptr)bad_write);
	}
	return real_write != NULL ? 0 : -1;
}

/* ---- the crowd ---- */

struct crowd {
	struct fixture *f;
	atomic_uint done, failed, left, joined, lied;
	atomic_uchar told[CROWD * ROUNDS]; /* 1: it was said to be done */
};

struct one {
	struct crowd *c;
	unsigned who;
};

static enum err row(struct store *st, int64_t n)
{
	const struct audit a = {.time = n, .event = "test", .door = "ctl", .address = "192.0.2.1", .detail = "storm"};

	return store_audit(st, &a);
}

static enum err part(struct crowd *c, struct store *st, int64_t n)
{
	enum err e = store_begin(st);

	if (e != ERR_NONE)
		return e;
	c->joined += st->at != st;
	e = row(st, n);
	if (e == ERR_NONE && roll() % 8 == 0) { /* a statement that the database refuses */
		struct query q;

		(void)query_first(&q, st, SQL_SESSION_ADD,
				  ARGS(V_NULL, V_NULL, V_NULL, V_NULL, V_NULL, V_NULL, V_NULL, V_NULL, V_NULL));
		query_close(&q);
	}
	if (e == ERR_NONE && roll() % 8 != 0)
		e = store_commit(st);
	else
		e = e == ERR_NONE ? ERR_DENIED : e;
	store_rollback(st);
	return e;
}

static void *thread(void *arg)
{
	const struct one *o = arg;
	struct crowd *c = o->c;
	struct store *st = NULL;
	struct errmsg m;

	bad.dice = o->who + 1;
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned n = o->who * ROUNDS + i;
		bool worked;
		enum err e;

		if (st == NULL && store_open(c->f->path, c->f->seal, &st, NULL) != ERR_NONE) {
			c->lied++;
			break;
		}
		bad.kind = roll() % 3 == 0 ? (enum fault)(roll() % FAULTS) : NOTHING;
		bad.one_in = bad.kind == MEMORY ? 1 + roll() % 60 : 1 + roll() % 8;
		e = part(c, st, n);
		bad.kind = NOTHING;
		c->told[n] = e == ERR_NONE;
		*(e == ERR_NONE ? &c->done : e == ERR_DENIED ? &c->left : &c->failed) += 1;
		/* nothing is damaged: whoever hears so restores a backup */
		c->lied += e == ERR_CORRUPT || store_health(st, &worked, &m) == ERR_CORRUPT;
		if (roll() % 32 == 0) {
			store_close(st);
			st = NULL;
		}
	}
	store_close(st);
	return NULL;
}

static void a_storm(void **state)
{
	struct crowd *c = calloc(1, sizeof *c);
	struct one o[CROWD];
	pthread_t t[CROWD];
	struct audit_check r;
	sqlite3 *sq = NULL;
	sqlite3_stmt *s = NULL;
	unsigned found = 0;

	assert_non_null(c);
	c->f = *state;
	for (unsigned i = 0; i < CROWD; i++) {
		o[i] = (struct one){.c = c, .who = i};
		assert_int_equal(pthread_create(&t[i], NULL, thread, &o[i]), 0);
	}
	for (int i = 0; i < CROWD; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	assert_int_equal(c->lied, 0);
	assert_in_range(c->joined, 1, CROWD * ROUNDS);
	assert_in_range(c->failed, 1, CROWD * ROUNDS);
	assert_in_range(c->done, 1, CROWD * ROUNDS);
	assert_int_equal(sqlite3_open_v2(c->f->path, &sq, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(sq, "SELECT time FROM audit", -1, &s, NULL), SQLITE_OK);
	for (; sqlite3_step(s) == SQLITE_ROW; found++) {
		assert_in_range(sqlite3_column_int64(s, 0), 0, CROWD * ROUNDS - 1);
		assert_int_equal(c->told[sqlite3_column_int64(s, 0)], 1);
	}
	assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
	sqlite3_close(sq);
	assert_int_equal(found, c->done);
	OK(store_audit_check(c->f->st, NULL, 0, true, &r)); /* the chain is one */
	assert_int_equal(r.fault, AUDIT_FAULT_NONE);
	assert_int_equal(r.rows, c->done);
	free(c);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {TEST(a_storm)};

	return cmocka_run_group_tests(tests, install, NULL);
}
