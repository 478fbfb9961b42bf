/* The one table of paths: which actions there are, at which method and path, and which fields each takes. */
#ifndef KOSMO_ENROLL_ROUTES_H
#define KOSMO_ENROLL_ROUTES_H

#include <stdbool.h>

enum route_method { ROUTE_GET = 1, ROUTE_POST = 2 }; /* HEAD is a GET whose body is not sent */

enum route_kind {
	ROUTE_PAGE,	/* an action of the keeper, shown as a page */
	ROUTE_DONE,	/* an action of the keeper, shown as {"done":BOOL} */
	ROUTE_QR,	/* an action of the keeper, shown as a picture */
	ROUTE_VERIFY,	/* a question of the keeper's own, for a portal: answered by headers alone */
	ROUTE_LANGUAGE, /* the rest is enrolld's own */
	ROUTE_TERMS,
	ROUTE_STATIC,
	ROUTE_FAVICON,
	ROUTE_ROBOTS,
	ROUTE_ORIGINS,	 /* WebAuthn 5.11.1: related origins */
	ROUTE_ENDPOINTS, /* "A Well-Known URL for Relying Party Passkey Endpoints" */
	ROUTE_HEALTH
};

struct route {
	enum route_method method;
	enum route_kind kind;
	const char *path;   /* ending in '/' (and longer): a prefix, of which the rest is one more segment */
	const char *action; /* the keeper's name for it, or its name in the debug log */
	const char *fields; /* of form and query, separated by blanks; csrf is taken by every POST */
};

extern const struct route routes[]; /* ends with a NULL path */

/* The route of a path without its query. method 0: none of ours. *ret_rest: what follows a prefix, else "".
 * NULL: *ret_allow says which methods the path has (0: no such path). */
const struct route *routes_find(int method, const char *path, const char **ret_rest, int *ret_allow);
/* Where "back to this page" leads: the path if it can be read by GET, else "/". */
const char *routes_back(const char *path);

#endif
