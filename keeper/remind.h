/* Mails that remind people of the day by which their enrolment must be finished (keeper/enrol.h). For a thread that
 * serves nobody, a little at a time: one walk over everybody a day, in Japan's working hours.
 *
 * They go to addresses that are verified, and to those that the organisation itself gave: who has not begun has no
 * other. What somebody typed and did not confirm is in nobody's row yet. Since an address that was given may be
 * somebody else's by now, the mail says a name only where the address is verified, and nothing that opens anything.
 *
 * Each person is told once for each mark of enrol.remind and deadline, whatever stops a keeper and however many there
 * are: what was told is written, conditionally, in the transaction that queues the mail. A day on which no keeper ran
 * is made up for on the next: what counts is the last mark that was passed. A mark that was passed before the letter
 * was there is left out. */
#ifndef KOSMO_REMIND_H
#define KOSMO_REMIND_H

#include "keeper/keeper.h"

struct remind {
	int64_t day;	 /* of the walk, counted in Japan; 0: there was none */
	struct id after; /* whom it has come to */
	bool walking;
};

/* The next step of today's walk: at most about REMIND_MS of looking and one transaction of REMIND_MAILS. *ret_mailed:
 * mails were queued. After an error the same step can be tried again. r->walking: there is more to do today. */
#define REMIND_MS    20
#define REMIND_MAILS 20
enum err remind_step(struct remind *r, struct keeper *k, struct store *st, int64_t now, bool *ret_mailed);

#endif
