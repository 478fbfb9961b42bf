#include "config.h"

#include "common/paths.h"
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The folder of this program; libtool's .libs counts as the folder above it. */
static bool program_folder(char dir[static PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", dir, PATH_MAX - 1);
	char *slash;

	if (n <= 0 || n >= PATH_MAX - 1)
		return false;
	dir[n] = '\0';
	slash = strrchr(dir, '/');
	if (!slash)
		return false;
	*slash = '\0';
	slash = strrchr(dir, '/');
	if (slash && strcmp(slash, "/.libs") == 0)
		*slash = '\0';
	return true;
}

void paths_find(const char *build_rel, const char *installed, char *ret, size_t cap)
{
	char dir[PATH_MAX], built[PATH_MAX];
	const char *found = installed;
	int n;

	if (program_folder(dir)) {
		n = snprintf(built, sizeof built, "%s/../%s", dir, build_rel);
		if (n > 0 && (size_t)n < sizeof built && (size_t)n < cap && access(built, F_OK) == 0)
			found = built;
	}
	snprintf(ret, cap, "%s", found);
}
