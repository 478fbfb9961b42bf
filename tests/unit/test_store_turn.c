/* Transactions of threads that meet are committed together: each part counts or is undone alone, all see the commit's
 * outcome, and nobody outside sees anything before it. */
#include "config.h"

#include "store.h"

#include "keeper/store/inside.h"
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define CROWD  6
#define ROUNDS 200

/* Where the other thread is to be before this one goes on. */
struct step {
	pthread_mutex_t lock;
	pthread_cond_t more;
	int at;
};

static void step_to(struct step *s, int at)
{
	pthread_mutex_lock(&s->lock);
	s->at = at;
	pthread_cond_broadcast(&s->more);
	pthread_mutex_unlock(&s->lock);
}

static void step_wait(struct step *s, int at)
{
	pthread_mutex_lock(&s->lock);
	while (s->at < at)
		pthread_cond_wait(&s->more, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

static enum err row(struct store *st, unsigned n)
{
	const struct audit a = {.time = NOW + n, .event = "test", .door = "ctl", .address = "", .detail = ""};

	return store_audit(st, &a);
}

static int64_t rows(const struct fixture *f)
{
	sqlite3 *sq = NULL;
	sqlite3_stmt *s = NULL;
	int64_t n;

	assert_int_equal(sqlite3_open_v2(f->path, &sq, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(sq, "SELECT count(*) FROM audit", -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	sqlite3_close(sq);
	return n;
}

/* ---- two that meet ---- */

enum second { COMMITS, ROLLS_BACK, FAILS, LOSES_ALL, MOVED_AWAY };

struct meeting {
	struct fixture *f;
	enum second second;
	struct step step; /* 1: the first one has the turn */
	enum err first_result, second_result;
	bool joined, saw;
};

static void *first_thread(void *arg)
{
	struct meeting *m = arg;
	struct store *st = NULL;

	m->first_result = store_open(m->f->path, m->f->seal, &st, NULL);
	if (m->first_result == ERR_NONE)
		m->first_result = store_begin(st);
	if (m->first_result == ERR_NONE)
		m->first_result = row(st, 1);
	step_to(&m->step, 1);
	while (!turn_waited_for())
		usleep(100);
	if (m->first_result == ERR_NONE)
		m->first_result = store_commit(st);
	store_close(st);
	return NULL;
}

static void moved(const struct fixture *f, bool back)
{
	char other[PATH_MAX];

	snprintf(other, sizeof other, "%.4000s.moved", f->path);
	assert_int_equal(rename(back ? other : f->path, back ? f->path : other), 0);
}

static void second_does(struct meeting *m, struct store *st)
{
	struct audit_head head;
	struct query q;

	m->joined = st->at != st;
	m->saw = store_audit_head(st, &head) == ERR_NONE && head.seq == 1;
	m->second_result = row(st, 2);
	switch (m->second) {
	case COMMITS:
		break;
	case ROLLS_BACK:
		store_rollback(st);
		return;
	case FAILS: /* a statement that the database refuses */
		(void)query_first(&q, st, SQL_SESSION_ADD,
				  ARGS(V_NULL, V_NULL, V_NULL, V_NULL, V_NULL, V_NULL, V_NULL, V_NULL, V_NULL));
		query_close(&q);
		assert_int_not_equal(row(st, 3), ERR_NONE); /* an error is final */
		break;
	case LOSES_ALL: /* as a full disk or no memory would have it: the database has undone the whole */
		st->drv->rollback(st->at->db);
		break;
	case MOVED_AWAY:
		moved(m->f, false);
		break;
	}
	m->second_result = store_commit(st);
	if (m->second == MOVED_AWAY)
		moved(m->f, true);
}

static void meet(struct fixture *f, enum second second, struct meeting *m)
{
	pthread_t first;

	*m = (struct meeting){.f = f, .second = second};
	pthread_mutex_init(&m->step.lock, NULL);
	pthread_cond_init(&m->step.more, NULL);
	assert_int_equal(pthread_create(&first, NULL, first_thread, m), 0);
	step_wait(&m->step, 1);
	m->second_result = store_begin(f->st);
	OK(m->second_result);
	assert_int_equal(rows(f), 0); /* nothing is seen from outside */
	second_does(m, f->st);
	assert_int_equal(pthread_join(first, NULL), 0);
	assert_true(m->joined);
	assert_true(m->saw);
	pthread_mutex_destroy(&m->step.lock);
	pthread_cond_destroy(&m->step.more);
	/* and the turn is free again */
	OK(store_begin(f->st));
	store_rollback(f->st);
}

static void both(void **state)
{
	struct fixture *f = *state;
	struct meeting m;

	meet(f, COMMITS, &m);
	OK(m.first_result);
	OK(m.second_result);
	assert_int_equal(rows(f), 2);
}

static void the_second_is_undone_alone(void **state)
{
	struct fixture *f = *state;
	struct meeting m;

	meet(f, ROLLS_BACK, &m);
	OK(m.first_result);
	assert_int_equal(rows(f), 1);
}

static void the_second_fails_alone(void **state)
{
	struct fixture *f = *state;
	struct meeting m;

	meet(f, FAILS, &m);
	OK(m.first_result);
	assert_int_not_equal(m.second_result, ERR_NONE);
	assert_int_equal(rows(f), 1);
}

static void nobody_is_told_of_what_was_lost(void **state)
{
	struct fixture *f = *state;
	struct meeting m;

	meet(f, LOSES_ALL, &m);
	assert_int_equal(m.first_result, ERR_IO);
	assert_int_equal(m.second_result, ERR_IO);
	assert_int_equal(rows(f), 0);
}

static void a_commit_that_fails_fails_for_all(void **state)
{
	struct fixture *f = *state;
	struct meeting m;

	meet(f, MOVED_AWAY, &m);
	assert_int_equal(m.first_result, ERR_IO);
	assert_int_equal(m.second_result, ERR_IO);
	assert_int_equal(rows(f), 0);
}

/* ---- a crowd, some of which changes its mind ---- */

struct crowd {
	struct fixture *f;
	atomic_uint committed, failed, joined;
};

static void *crowd_thread(void *arg)
{
	struct crowd *c = arg;
	struct store *st = NULL;

	if (store_open(c->f->path, c->f->seal, &st, NULL) != ERR_NONE) {
		c->failed++;
		return NULL;
	}
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (store_begin(st) != ERR_NONE || row(st, i) != ERR_NONE) {
			c->failed++;
		} else {
			c->joined += st->at != st;
			if (i % 3 == 2)
				store_rollback(st);
			else if (store_commit(st) == ERR_NONE)
				c->committed++;
			else
				c->failed++;
		}
		store_rollback(st);
	}
	store_close(st);
	return NULL;
}

static void a_crowd(void **state)
{
	struct crowd c = {.f = *state};
	pthread_t t[CROWD];
	struct audit_check r;

	for (int i = 0; i < CROWD; i++)
		assert_int_equal(pthread_create(&t[i], NULL, crowd_thread, &c), 0);
	for (int i = 0; i < CROWD; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	assert_int_equal(c.failed, 0);
	assert_int_equal(c.committed, CROWD * (ROUNDS - ROUNDS / 3));
	assert_int_equal(rows(c.f), c.committed);
	assert_in_range(c.joined, 1, CROWD * ROUNDS);
	OK(store_audit_check(c.f->st, NULL, 0, true, &r)); /* the chain is one */
	assert_int_equal(r.fault, AUDIT_FAULT_NONE);
	assert_int_equal(r.rows, c.committed);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    TEST(both),
	    TEST(the_second_is_undone_alone),
	    TEST(the_second_fails_alone),
	    TEST(nobody_is_told_of_what_was_lost),
	    TEST(a_commit_that_fails_fails_for_all),
	    TEST(a_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
