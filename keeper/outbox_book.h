/* The outbox's dealings with the store: mails are claimed and what became of them is written, many in one transaction.
 * A claimed mail belongs to this keeper while its row says so: for OUTBOX_LEASE seconds, extended while it is in hand;
 * after a crash it is due again when they are over. */
#ifndef KOSMO_OUTBOX_BOOK_H
#define KOSMO_OUTBOX_BOOK_H

#include "keeper/outbox_lane.h"
#include "keeper/store/store.h"

#define OUTBOX_LEASE 15 /* seconds */
#define OUTBOX_BULK  24 /* claimed mails that nobody waits for */
#define OUTBOX_READY 32 /* all claimed mails that are not on their way yet */

struct outbox_book {
	struct lane lanes[CONF_CONNECTIONS_MAX];
	size_t n_lanes;
	struct mail ready[OUTBOX_READY]; /* claimed: to be sent */
	size_t n_ready;
	struct mail done[OUTBOX_READY + CONF_CONNECTIONS_MAX]; /* what became of them: to be written */
	size_t n_done;
};

/* m, with what became of it, is moved among those that are done; the log hears of a failure. */
void book_done(struct outbox_book *b, struct mail *m, const struct sending *s);
size_t book_bulk(const struct outbox_book *b); /* of those that are ready */
/* One transaction: what is done, longer leases, and (claim) new mails. Nothing has changed when it fails: a mail that
 * was sent must not be sent again because the disk was full just then. */
enum err book_write(struct outbox_book *b, struct store *st, bool claim);
/* Gives back what was claimed and not sent. */
void book_release(struct outbox_book *b, struct store *st);
/* When the earliest lease is to be extended; INT64_MAX: nothing is in hand. */
int64_t book_lease(const struct outbox_book *b);
void book_clear(struct outbox_book *b);

#endif
