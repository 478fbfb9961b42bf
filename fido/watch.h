/* What ends a wait for a key: a deadline, Ctrl-C, or the module, which hung up or said something out of turn. */
#ifndef KOSMO_FIDO_WATCH_H
#define KOSMO_FIDO_WATCH_H

#include "fido/status.h"
#include <stdbool.h>
#include <stdint.h>

struct watch {
	int talk;	     /* the module's socket */
	int64_t deadline;    /* clock_mono_ms */
	bool stopped;	     /* then it stays so, and every wait ends at once: */
	enum key_status why; /* KEY_TIMEOUT, KEY_CANCELLED, KEY_ERROR */
};

/* SIGINT, SIGTERM and SIGHUP only end waits from here on. */
void watch_signals(void);
/* Waits until fd can be read (true), or until a clock_mono_ms time; true too if it is broken, which read will say. */
bool watch_wait(struct watch *w, int fd, int64_t until);

#endif
