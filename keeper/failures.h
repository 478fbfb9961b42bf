/* Unexpected failures on their way into the audit log. The page that shows one's number does not wait for the store,
 * which may be what failed: they are kept here, few, and written when a thread has the store in its hands. */
#ifndef KOSMO_FAILURES_H
#define KOSMO_FAILURES_H

#include "common/failure.h"
#include "keeper/keeper.h"

#define FAILURES_KEPT 64  /* the newest; the journal has them all */
#define FAILURES_HOUR 200 /* audit entries an hour: a fault in every request must not fill the log */

struct failure {
	char id[FAILURE_LEN + 1];
	int64_t time;
	struct id person; /* zero: nobody is known */
	char address[48]; /* "" if none */
	char what[160];	  /* our own words */
};

struct failures;

struct failures *failures_new(void); /* NULL: out of memory */
void failures_free(struct failures *f);
/* Keeps it. Without a place for them (k->failures NULL) nothing is kept. */
void failures_add(const struct keeper *k, const struct failure *f);
/* Writes what waits, in one transaction; what cannot be written stays. Nothing is done if nothing waits. */
void failures_write(const struct keeper *k, struct store *st, int64_t now);
/* What kosmo-enrolld tells with a request, lines "ID TIME ACTION WORD": each is kept if all of it is of ours and no
 * older than a day. known: is this the name of an action? */
void failures_told(const struct keeper *k, const char *lines, int64_t now, bool (*known)(const char *action));

#endif
