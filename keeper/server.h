/* The sockets of both doors: one thread reads frames, pools do the work, answers go back from there. */
#ifndef KOSMO_SERVER_H
#define KOSMO_SERVER_H

#include "common/wire.h"
#include "keeper/keeper.h"
#include "keeper/peer.h"

struct server;
struct conn;

/* Serves both listening sockets until stop_fd becomes readable. */
enum err server_run(struct keeper *k, int auth_fd, int web_fd, int stop_fd, struct errmsg *m);

/* One request on its way. The worker answers with server_reply exactly once and touches neither the request's message
 * nor the connection's state after that: the next request may run already. */
struct request {
	struct conn *conn;
	struct buf frame; /* msg points into it */
	struct wire_msg msg;
};
/* Sends one or more frames (wire_end done). last: closes the connection once they are out. A broken one swallows them.
 */
void server_reply(struct request *r, const struct buf *frames, bool last);
void server_done(struct request *r);
const struct peer *server_peer(const struct request *r);
/* A place in the connection for its door's own state, freed with free_state. Requests of an auth connection run one at
 * a time, so it needs no lock. */
void **server_state(struct request *r, void (*free_state)(void *));

#endif
