/* Whose turn it is to write: threads of this process queue here, first come first served, instead of sleeping in the
 * database's back-off, where the last one to come may be the first to get the lock.
 *
 * Who is done while somebody waits who writes into the same database does not commit: the open transaction goes on to
 * that one, who adds a part of its own, and so on; the last one commits for all, with one wait for the disk. Until then
 * nobody is told, nothing can be seen from outside, and if it fails none of it is done. */
#ifndef KOSMO_STORE_TURN_H
#define KOSMO_STORE_TURN_H

#include "common/err.h"
#include <stdbool.h>
#include <stdint.h>

#define TURN_PARTS 16 /* of one transaction */

struct turn_part;
struct store;

/* A write transaction that several may share. Its leader began it, on its own connection. */
struct turn {
	struct store *leader;
	const char *db; /* what it writes into; NULL: shared with nobody */
	int parts;
	struct turn_part *waiting; /* they are done, and wait for the commit */
};

/* *ret: own, to be begun; or one that is open already, to add a part to. deadline: clock_mono_ms, ERR_BUSY when it
 * passes. */
enum err turn_take(struct turn *own, int64_t deadline_ms, struct turn **ret);
/* The caller's part is done. false: nobody is there to go on, the caller must commit or roll back the whole and then
 * turn_end. true: somebody went on; with ret, it is over, and *ret is its result. */
bool turn_pass(struct turn *t, enum err *ret);
bool turn_waited_for(void); /* somebody is in the queue */
/* Everybody who waits for t is told, and the next one has the turn. t is its leader's again. */
void turn_end(struct turn *t, enum err result);

#endif
