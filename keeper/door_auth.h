/* The terminal door's side of the keeper: begin -> ask, answer, ... -> verdict over an attempt (doc: pam_kosmo(8)). */
#ifndef KOSMO_DOOR_AUTH_H
#define KOSMO_DOOR_AUTH_H

#include "keeper/server.h"

enum auth_work {
	AUTH_NOW,  /* needs neither store nor anything that may block: run in the reading thread */
	AUTH_FAST, /* store */
	AUTH_HASH  /* store and a hash */
};

/* Which kind of work the request is, before it is run. */
enum auth_work door_auth_work(struct request *r);
/* Of AUTH_HASH: does it come from where this person is known? */
bool door_auth_known(struct keeper *k, struct store *st, struct request *r);
/* Answers the request. st is NULL for AUTH_NOW, or if the store cannot be opened: then the verdict is "unavailable". */
void door_auth_run(struct keeper *k, struct store *st, struct request *r);
/* The queue is full: refuse. */
void door_auth_busy(struct keeper *k, struct request *r);

#endif
