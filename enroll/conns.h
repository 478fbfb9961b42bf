/* Who is connected, how many from one address, and until when each connection may take: libmicrohttpd's own timeout
 * counts idle time only, so that a client which drips bytes would stay for ever. */
#ifndef KOSMO_ENROLL_CONNS_H
#define KOSMO_ENROLL_CONNS_H

#include "common/err.h"
#include "enroll/proxies.h"
#include <stdbool.h>

#define CONNS_MAX	  1000
#define CONNS_ADDRESS_MAX 32	/* connections of an address (IPv6: of a /64), or requests in flight behind a proxy */
#define CONNS_REQUEST_MS  10000 /* from a request's first byte to its last */
#define CONNS_ANSWER_MS	  10000 /* to take an answer */
#define CONNS_IDLE_MS	  15000 /* between two requests */

struct conns;
struct conn; /* one connection */

enum err conns_start(struct conns **ret, struct errmsg *m);
void conns_free(struct conns *cs); /* once no connection is left */

/* May one more come from here? */
bool conns_room(struct conns *cs, const struct address *a);
/* a NULL: not counted (a Unix socket, a trusted proxy). The first request's time starts with its first byte. NULL: out
 * of memory. */
struct conn *conns_add(struct conns *cs, int fd, const struct address *a);
/* Before the descriptor is closed. NULL is fine. */
void conns_remove(struct conns *cs, struct conn *c);

void conns_request(struct conns *cs, struct conn *c); /* its request line is here */
void conns_working(struct conns *cs, struct conn *c); /* wholly read: no deadline of ours */
void conns_answer(struct conns *cs, struct conn *c);  /* the answer is being sent */
void conns_idle(struct conns *cs, struct conn *c);    /* sent */

/* Requests in flight of a client behind a proxy; false: too many, then conns_leave must not be called. */
bool conns_enter(struct conns *cs, const struct address *a);
void conns_leave(struct conns *cs, const struct address *a);

#endif
