/* A bounded pool of worker threads, each with a store handle of its own, opened when first needed; where
 * that failed, by the next job again (keeper/health.h). */
#ifndef KOSMO_POOL_H
#define KOSMO_POOL_H

#include "keeper/keeper.h"

struct pool;

/* What a job is given. st is NULL if the store could not be opened: the job must then answer "unavailable". */
typedef void (*pool_job)(struct keeper *k, struct store *st, void *arg);

enum err pool_start(struct keeper *k, const char *name, unsigned threads, unsigned queue, struct pool **ret);
/* first: before all that are not, in a queue of their own length. ERR_BUSY when the queue is full: the job was not
 * taken.
 */
enum err pool_submit(struct pool *p, pool_job job, void *arg, bool first);
/* Finishes what is queued, ends the threads. */
void pool_stop(struct pool *p);

#endif
