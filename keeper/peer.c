#include "config.h"

#include "keeper/peer.h"
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum err peer_of(int fd, struct peer *ret)
{
	struct ucred c;
	socklen_t n = sizeof c;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &n) || n != sizeof c)
		return ERR_IO;
	ret->uid = c.uid;
	ret->trusted = c.uid == 0 || c.uid == geteuid();
	return ERR_NONE;
}

bool peer_owns_login(const struct peer *p, const char *login)
{
	struct passwd pw, *found = NULL;
	char *b = malloc(16384);
	if (!b)
		return false;
	bool owns = !getpwuid_r(p->uid, &pw, b, 16384, &found) && found && !strcmp(found->pw_name, login);
	free(b);
	return owns;
}
