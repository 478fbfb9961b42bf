#include "config.h"

#include "keeper/store/turn.h"
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

/* Who waits for the turn. */
struct waiter {
	pthread_cond_t cond;
	bool mine;
	struct turn *own, *given; /* given: what it has to go on with */
	struct waiter *next;
};

/* Who waits for a commit. */
struct turn_part {
	pthread_cond_t cond;
	bool over;
	enum err result;
	struct turn_part *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool taken;
static struct waiter *first; /* as many as there are threads: walked to its end */

static void join(struct waiter *w)
{
	struct waiter **at = &first;

	while (*at != NULL)
		at = &(*at)->next;
	*at = w;
}

static void leave(const struct waiter *w)
{
	struct waiter **at = &first;

	while (*at != NULL && *at != w)
		at = &(*at)->next;
	if (*at != NULL)
		*at = w->next;
}

static bool cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	bool done;

	if (pthread_condattr_init(&attr) != 0)
		return false;
	done = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 && pthread_cond_init(cond, &attr) == 0;
	(void)pthread_condattr_destroy(&attr);
	return done;
}

enum err turn_take(struct turn *own, int64_t deadline_ms, struct turn **ret)
{
	struct timespec until = {.tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};
	struct waiter w = {.own = own, .given = own};
	enum err e = ERR_NONE;

	own->parts = 1;
	(void)pthread_mutex_lock(&lock);
	if (!taken) {
		taken = true;
		goto out;
	}
	if (!cond_init(&w.cond)) {
		e = ERR_NOMEM;
		goto out;
	}
	join(&w);
	while (!w.mine && pthread_cond_timedwait(&w.cond, &lock, &until) == 0)
		;
	if (!w.mine)
		e = ERR_BUSY;
	leave(&w); /* whoever gave it the turn has taken it out already */
	(void)pthread_cond_destroy(&w.cond);
out:
	(void)pthread_mutex_unlock(&lock);
	if (e == ERR_NONE)
		*ret = w.given;
	return e;
}

/* With the lock held: the first one in the queue has the turn, and goes on with `given` (NULL: its own). */
static void hand_over(struct turn *given)
{
	struct waiter *w = first;

	first = w->next;
	w->given = given != NULL ? given : w->own;
	w->mine = true;
	(void)pthread_cond_signal(&w->cond);
}

static bool may_go_on(const struct turn *t)
{
	return first != NULL && t->parts < TURN_PARTS && t->db != NULL && first->own->db != NULL &&
	       strcmp(t->db, first->own->db) == 0;
}

/* With the lock held. */
static void wait_among(struct turn *t, struct turn_part *p)
{
	p->next = t->waiting;
	t->waiting = p;
}

bool turn_pass(struct turn *t, enum err *ret)
{
	struct turn_part p = {.over = false};
	bool passed = false;

	(void)pthread_mutex_lock(&lock);
	if (!may_go_on(t) || (ret != NULL && !cond_init(&p.cond)))
		goto out;
	passed = true;
	t->parts++;
	if (ret != NULL)
		wait_among(t, &p);
	hand_over(t);
	if (ret == NULL)
		goto out;
	while (!p.over)
		(void)pthread_cond_wait(&p.cond, &lock);
	(void)pthread_cond_destroy(&p.cond);
	*ret = p.result;
out:
	(void)pthread_mutex_unlock(&lock);
	return passed;
}

bool turn_waited_for(void)
{
	bool some;

	(void)pthread_mutex_lock(&lock);
	some = first != NULL;
	(void)pthread_mutex_unlock(&lock);
	return some;
}

void turn_end(struct turn *t, enum err result)
{
	(void)pthread_mutex_lock(&lock);
	for (struct turn_part *p = t->waiting; p != NULL; p = p->next) {
		p->result = result;
		p->over = true;
		(void)pthread_cond_signal(&p->cond);
	}
	t->waiting = NULL;
	if (first != NULL) /* handed over: taken stays, nobody can slip in between */
		hand_over(NULL);
	else
		taken = false;
	(void)pthread_mutex_unlock(&lock);
}
