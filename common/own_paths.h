/* Which paths of the origin are kosmo-enrolld's own (enroll/routes.c): all others may be a portal's. */
#ifndef KOSMO_OWN_PATHS_H
#define KOSMO_OWN_PATHS_H

#include <stdbool.h>

/* path: begins with '/', with or without a query. By its first segment alone; "/" itself is either's. */
bool own_path(const char *path);

#endif
