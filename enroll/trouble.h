/* Failures of our own, with the number that the page shows. They are told to the keeper with the next request that it
 * answers, so that its audit log has them too. */
#ifndef KOSMO_ENROLL_TROUBLE_H
#define KOSMO_ENROLL_TROUBLE_H

#include "common/buf.h"
#include "common/failure.h"
#include <stdint.h>

#define TROUBLE_KEPT   64 /* the newest */
#define TROUBLE_MINUTE 60 /* numbers a minute: while nothing works, the log must not fill with the same */
#define TROUBLE_TOLD   16 /* with one request */

struct troubles;

struct troubles *troubles_new(void); /* NULL: out of memory */
void troubles_free(struct troubles *t);
/* Notes and logs one of this action. False: there were enough in this minute, and it has no number. */
bool trouble_note(struct troubles *t, enum failure_why why, const char *action, char ret[static FAILURE_LEN + 1]);
/* Appends the lines for the keeper (keeper/failures.h) of what it was not told yet. 0: there is nothing, or another
 * request has them; else trouble_settle must follow. */
uint64_t trouble_take(struct troubles *t, struct buf *ret);
/* told: the keeper answered that request. */
void trouble_settle(struct troubles *t, uint64_t taken, bool told);

#endif
