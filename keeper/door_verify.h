/* A portal's question, which kosmo-enrolld sends on for each of its requests (GET /auth/verify): who is logged in with
 * this session, and is that enough for the place they want? It only reads, in a lane of its own, and knows no more than
 * the store does at that moment: whoever was logged out, disabled or removed is out at the next request. */
#ifndef KOSMO_DOOR_VERIFY_H
#define KOSMO_DOOR_VERIFY_H

#include "keeper/server.h"

struct verify_seen;

bool door_verify_asks(const struct request *r);
/* Answers. *ret_seen (else untouched): that the session is in use is to be written by door_verify_seen, elsewhere. */
void door_verify_run(struct keeper *k, struct store *st, struct request *r, struct verify_seen **ret_seen);
/* Writes it and frees seen; with st NULL only that. */
void door_verify_seen(struct keeper *k, struct store *st, struct verify_seen *seen);
void door_verify_busy(struct request *r);

#endif
