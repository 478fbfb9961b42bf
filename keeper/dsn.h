/* Reading a delivery report that a mail server sent back to mail.from: RFC 3464 in RFC 6522's multipart/report (or in
 * multipart/mixed, as OpenSMTPD has it). Strict, bounded, without a recursion; it needs neither key nor store.
 *
 * What it says is believed by one thing alone: the Message-ID of the returned mail, which is the id of its row in the
 * outbox: 48 bits of time and 80 that nobody can guess. Only who was sent that mail, or carried it, knows it. A report
 * that one of them forged makes the page of that one person say that the mail came back: no code ends by it, no mail is
 * kept from being sent, nobody gets in. */
#ifndef KOSMO_DSN_H
#define KOSMO_DSN_H

#include "common/err.h"
#include "keeper/seal.h"

#define DSN_MAX	       (256 * 1024) /* bytes of a report: what a relay adds to a mail of ours is far less */
#define DSN_REASON_MAX 200

enum dsn_action {
	DSN_FAILED = 1, /* given up */
	DSN_DELAYED,
	DSN_OTHER /* delivered, relayed, expanded: nothing to tell */
};

struct dsn {
	struct id mail;	  /* of the Message-ID: the row */
	char domain[256]; /* behind its @, lower case */
	enum dsn_action action;
	char reason[DSN_REASON_MAX + 1]; /* "5.1.1 the server's words": printable ASCII, what has an @ is "(address)" */
};

/* p, n: the mail as it came, perhaps with mbox's "From " line. ERR_NOTFOUND: not a report about a mail of ours, m says
 * in what it differs; ERR_TOOBIG: over DSN_MAX. */
enum err dsn_parse(const void *p, size_t n, struct dsn *ret, struct errmsg *m);

#endif
