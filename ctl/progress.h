/* A progress bar on stderr, on a terminal only. */
#ifndef KOSMO_CTL_PROGRESS_H
#define KOSMO_CTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool on;
	const char *what;
	int64_t total, next_ms;
};

void progress_begin(struct progress *p, const char *what, int64_t total);
void progress_at(struct progress *p, int64_t done); /* draws at most ten times a second */
void progress_clear(struct progress *p);	    /* makes room for a message; the bar comes back by itself */
void progress_end(struct progress *p);

#endif
