#include "config.h"

#include "common/own_paths.h"
#include <stddef.h>
#include <string.h>

static const char *const segments[] = {
    "login",  "logout",	 "lost",	"forgot",     "first",	     "mail",	"approve", "APPROVE",
    "app",    "passkey", "sheet",	"mailcode",   "recovery",    "account", "auth",	   "language",
    "static", "healthz", "favicon.ico", "robots.txt", ".well-known", "terms",
};

bool own_path(const char *path)
{
	size_t n = strcspn(path + 1, "/?");

	for (size_t i = 0; i < sizeof segments / sizeof *segments; i++)
		if (strlen(segments[i]) == n && memcmp(segments[i], path + 1, n) == 0)
			return true;
	return false;
}
