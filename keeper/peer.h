/* Who is at the other end of a Unix socket. */
#ifndef KOSMO_PEER_H
#define KOSMO_PEER_H

#include "common/err.h"
#include <stdbool.h>
#include <sys/types.h>

struct peer {
	uid_t uid;
	bool trusted; /* root, or the keeper's own user: may ask for anyone. Of others only the uid is believed. */
};

/* SO_PEERCRED of a connected socket. */
enum err peer_of(int fd, struct peer *ret);
/* Is this login the account of the peer's uid? */
bool peer_owns_login(const struct peer *p, const char *login);

#endif
