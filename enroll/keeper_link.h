/* The way to the keeper: one long-lived connection to web.sock, many requests in flight, matched by id. */
#ifndef KOSMO_ENROLL_KEEPER_LINK_H
#define KOSMO_ENROLL_KEEPER_LINK_H

#include "common/buf.h"
#include "common/err.h"
#include <stdbool.h>

#define LINK_FLIGHTS   1024	  /* requests in flight at most */
#define LINK_QUEUE_MAX (4u << 20) /* bytes waiting for a keeper that does not read */
#define LINK_WAIT_MS   10000	  /* an answer takes at most this long */
#define LINK_SILENT_MS 2500	  /* a keeper that has said nothing for so long to anybody is not waited for */

enum link_result {
	LINK_ANSWERED,
	LINK_ABSENT, /* nobody listens */
	LINK_BROKEN, /* the connection ended before the answer: it may or may not have been done */
	LINK_LATE,   /* no answer within LINK_WAIT_MS, or LINK_SILENT_MS of a keeper that is stuck */
	LINK_FULL    /* too much in flight */
};

struct link;

/* Called exactly once a request, from any thread, perhaps before link_submit returns; must not block. answer (only for
 * LINK_ANSWERED) is the message behind its length prefix, unparsed; it may be moved away by leaving BUF_INIT in its
 * place. */
typedef void link_done(void *arg, enum link_result result, struct buf *answer);

/* Connects now if somebody listens, and again whenever the connection is lost. path is copied. */
enum err link_start(const char *path, link_done *done, struct link **ret, struct errmsg *m);
/* Sends a frame of wire_end, whose id is set here. frame stays the caller's. */
void link_submit(struct link *l, struct buf *frame, void *arg);
bool link_up(struct link *l);
/* All in flight end as LINK_ABSENT, and so does whatever is submitted from now on. Then link_free, once nobody submits.
 */
void link_stop(struct link *l);
void link_free(struct link *l);

#endif
