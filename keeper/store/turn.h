/* Whose turn it is to write: threads of this process queue here, first come first served, instead of sleeping in the
 * database's back-off, where the last one to come may be the first to get the lock. */
#ifndef KOSMO_STORE_TURN_H
#define KOSMO_STORE_TURN_H

#include "common/err.h"
#include <stdint.h>

enum err turn_take(int64_t deadline_ms); /* clock_mono_ms; ERR_BUSY when it passes */
void turn_give(void);

#endif
