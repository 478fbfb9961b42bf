/* The browser door's side of the keeper: an action comes in, a view goes out. Checks session, CSRF token and Origin
 * itself and leads to the first unmet step. */
#ifndef KOSMO_DOOR_WEB_H
#define KOSMO_DOOR_WEB_H

#include "keeper/server.h"

bool door_web_hashes(const struct request *r); /* will this action compute a hash? */
/* Of one that does: is it somebody's who is logged in, or a login from a device or an address that the person named is
 * known by? Everything is checked again when it is run. */
bool door_web_known(struct keeper *k, struct store *st, struct request *r);
void door_web_run(struct keeper *k, struct store *st, struct request *r);
void door_web_busy(struct keeper *k, struct request *r);

#endif
