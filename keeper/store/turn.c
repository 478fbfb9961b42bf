#include "config.h"

#include "keeper/store/turn.h"
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct waiter {
	pthread_cond_t cond;
	bool mine;
	struct waiter *next;
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

static bool waiter_init(struct waiter *w)
{
	pthread_condattr_t attr;
	bool done;

	if (pthread_condattr_init(&attr) != 0)
		return false;
	done = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 && pthread_cond_init(&w->cond, &attr) == 0;
	(void)pthread_condattr_destroy(&attr);
	return done;
}

enum err turn_take(int64_t deadline_ms)
{
	struct timespec until = {.tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};
	struct waiter w = {.mine = false};
	enum err e = ERR_NONE;

	(void)pthread_mutex_lock(&lock);
	if (!taken) {
		taken = true;
		goto out;
	}
	if (!waiter_init(&w)) {
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
	return e;
}

void turn_give(void)
{
	struct waiter *w;

	(void)pthread_mutex_lock(&lock);
	w = first;
	if (w != NULL) { /* handed over: taken stays, nobody can slip in between */
		first = w->next;
		w->mine = true;
		(void)pthread_cond_signal(&w->cond);
	} else {
		taken = false;
	}
	(void)pthread_mutex_unlock(&lock);
}
