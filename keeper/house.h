/* What a keeper does between logins: sweeps what is past its time, prunes the audit log, notes the log's head outside
 * of the store, looks for another text of a mail, reminds people of a deadline, writes
 * failures that wait into the audit log. For a thread that serves nobody. */
#ifndef KOSMO_HOUSE_H
#define KOSMO_HOUSE_H

#include "keeper/remind.h"

struct house {
	int64_t swept, noted; /* when, in monotonic seconds; 0: never */
	int64_t seq;	      /* of the head that was noted last */
	struct remind remind;
	int64_t remind_at; /* not before, in monotonic seconds: after a failure */
};

/* What is due, in short transactions; stop is asked between them. Logs what fails. *ret_mailed: mails were queued.
 * True: there is more to do soon. */
bool house_keep(struct house *h, struct keeper *k, struct store *st, bool (*stop)(void *), void *arg, bool *ret_mailed);
/* The head of the audit log, if it is another one than the last noted: one line to the journal, which somebody who
 * changes the store cannot change too. */
void house_note(struct house *h, struct store *st);

/* Takes the site's own mail texts, if they changed; a file younger than settle seconds is left for the next time. Logs
 * what is at fault in them. */
void house_mails(const struct keeper *k, int64_t settle);

#endif
