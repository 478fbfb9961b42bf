/* Threads that compute hashes and nothing else, behind all other threads at the processor (setpriority(2); where that
 * is not allowed, beside them). They hold none of the locks that others wait for: a thread that seldom runs would have
 * those who need to answer at once wait for its next turn. */
#ifndef KOSMO_HASHER_H
#define KOSMO_HASHER_H

#include "common/err.h"

struct hashers;

enum err hashers_start(const char *name, unsigned threads, struct hashers **ret);
/* f(arg) in one of them; returns when it is done. First come, first served. */
void hashers_run(struct hashers *h, void (*f)(void *arg), void *arg);
/* Once nobody runs anything any more. NULL is fine. */
void hashers_stop(struct hashers *h);

#endif
