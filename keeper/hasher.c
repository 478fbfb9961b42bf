#include "config.h"

#include "keeper/hasher.h"
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define BEHIND 10 /* a tenth of the weight of a thread that is not */

/* On the stack of whoever waits for it. */
struct hash_job {
	void (*f)(void *arg);
	void *arg;
	sem_t done;
	struct hash_job *next;
};

struct hashers {
	char name[16];
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct hash_job *first, **last;
	bool stopping;
	unsigned threads;
	pthread_t thread[];
};

static struct hash_job *take(struct hashers *h)
{
	pthread_mutex_lock(&h->lock);
	while (!h->first && !h->stopping)
		pthread_cond_wait(&h->more, &h->lock);
	struct hash_job *j = h->first;
	if (j) {
		h->first = j->next;
		if (!h->first)
			h->last = &h->first;
	}
	pthread_mutex_unlock(&h->lock);
	return j;
}

static void *work(void *arg)
{
	struct hashers *h = arg;
	struct hash_job *j;
	pthread_setname_np(pthread_self(), h->name);
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), BEHIND);
	while ((j = take(h))) {
		j->f(j->arg);
		sem_post(&j->done);
	}
	return NULL;
}

enum err hashers_start(const char *name, unsigned threads, struct hashers **ret)
{
	struct hashers *h = calloc(1, sizeof *h + threads * sizeof *h->thread);
	if (!h)
		return ERR_NOMEM;
	snprintf(h->name, sizeof h->name, "%s", name);
	h->last = &h->first;
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->more, NULL);
	for (; h->threads < threads; h->threads++)
		if (pthread_create(&h->thread[h->threads], NULL, work, h)) {
			hashers_stop(h);
			return ERR_INTERNAL;
		}
	*ret = h;
	return ERR_NONE;
}

void hashers_run(struct hashers *h, void (*f)(void *arg), void *arg)
{
	struct hash_job j = {.f = f, .arg = arg};
	sem_init(&j.done, 0, 0);
	pthread_mutex_lock(&h->lock);
	*h->last = &j;
	/* It is off the list before this function returns: done says so. */
	/* cppcheck-suppress autoVariables */
	h->last = &j.next;
	pthread_cond_signal(&h->more);
	pthread_mutex_unlock(&h->lock);
	while (sem_wait(&j.done) && errno == EINTR)
		;
	sem_destroy(&j.done);
}

void hashers_stop(struct hashers *h)
{
	if (!h)
		return;
	pthread_mutex_lock(&h->lock);
	h->stopping = true;
	pthread_cond_broadcast(&h->more);
	pthread_mutex_unlock(&h->lock);
	for (unsigned i = 0; i < h->threads; i++)
		pthread_join(h->thread[i], NULL);
	pthread_cond_destroy(&h->more);
	pthread_mutex_destroy(&h->lock);
	free(h);
}
