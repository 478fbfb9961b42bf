/* A thread's store before and after each job: given up and opened anew where it must be, and what is wrong with it said
 * in the log: once, not once a request. */
#ifndef KOSMO_HEALTH_H
#define KOSMO_HEALTH_H

#include "common/err.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct keeper;
struct store;

struct health {
	pthread_mutex_t lock;
	struct errmsg said;	     /* the last complaint */
	int64_t said_ms, damaged_ms; /* clock_mono_ms; damaged_ms: when damage was last met, 0: never */
	bool ill;
};

/* *st is usable afterwards, or NULL: the job must then answer "unavailable". */
void health_before(struct keeper *k, struct store **st);
/* true: the database failed, and that was said. */
bool health_after(struct keeper *k, struct store **st);

#endif
