/* The one place where time comes in. */
#ifndef KOSMO_CLOCK_H
#define KOSMO_CLOCK_H

#include <stdint.h>

int64_t clock_now(void);     /* seconds since the epoch, UTC */
int64_t clock_now_ms(void);  /* milliseconds since the epoch */
int64_t clock_mono_ms(void); /* monotonic milliseconds, for deadlines; 0 if there are none */
/* Unit tests stand here: a fixed time in seconds, or -1 for the real clock again. Not reachable from outside. */
void clock_fix(int64_t now);

#endif
