#include "config.h"

#include "keeper/health.h"
#include "keeper/pool.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define TURN 4

struct job {
	pool_job run;
	void *arg;
};

struct ring {
	struct job *job;
	unsigned head, count;
};

struct pool {
	struct keeper *k;
	char name[16];
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct ring first, later;
	unsigned cap, threads, turns; /* cap: of each ring */
	bool stopping;
	pthread_t thread[];
};

static bool take(struct pool *p, struct job *ret)
{
	pthread_mutex_lock(&p->lock);
	while (!p->first.count && !p->later.count && !p->stopping)
		pthread_cond_wait(&p->more, &p->lock);
	/* each fourth is one of the others: whoever floods as somebody known does not stop them either */
	bool turn = p->later.count && (!p->first.count || ++p->turns % TURN == 0);
	struct ring *r = turn ? &p->later : &p->first;
	bool some = r->count > 0;
	if (some) {
		*ret = r->job[r->head];
		r->head = (r->head + 1) % p->cap;
		r->count--;
	}
	pthread_mutex_unlock(&p->lock);
	return some;
}

static void *work(void *arg)
{
	struct pool *p = arg;
	struct store *st = NULL;
	struct job j;
	pthread_setname_np(pthread_self(), p->name);
	while (take(p, &j)) {
		health_before(p->k, &st);
		j.run(p->k, st, j.arg);
		health_after(p->k, &st);
	}
	store_close(st);
	return NULL;
}

enum err pool_start(struct keeper *k, const char *name, unsigned threads, unsigned queue, struct pool **ret)
{
	struct pool *p = calloc(1, sizeof *p + threads * sizeof *p->thread);
	if (!p)
		return ERR_NOMEM;
	p->k = k;
	p->cap = queue;
	snprintf(p->name, sizeof p->name, "%s", name);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->more, NULL);
	p->first.job = calloc(queue, sizeof *p->first.job);
	p->later.job = calloc(queue, sizeof *p->later.job);
	if (!p->first.job || !p->later.job) {
		pool_stop(p);
		return ERR_NOMEM;
	}
	for (; p->threads < threads; p->threads++)
		if (pthread_create(&p->thread[p->threads], NULL, work, p)) {
			pool_stop(p);
			return ERR_INTERNAL;
		}
	*ret = p;
	return ERR_NONE;
}

enum err pool_submit(struct pool *p, pool_job job, void *arg, bool first)
{
	struct ring *r = first ? &p->first : &p->later;
	pthread_mutex_lock(&p->lock);
	bool room = r->count < p->cap && !p->stopping;
	if (room) {
		r->job[(r->head + r->count++) % p->cap] = (struct job){job, arg};
		pthread_cond_signal(&p->more);
	}
	pthread_mutex_unlock(&p->lock);
	return room ? ERR_NONE : ERR_BUSY;
}

void pool_stop(struct pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	pthread_cond_broadcast(&p->more);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->threads; i++)
		pthread_join(p->thread[i], NULL);
	pthread_cond_destroy(&p->more);
	pthread_mutex_destroy(&p->lock);
	free(p->first.job);
	free(p->later.job);
	free(p);
}
