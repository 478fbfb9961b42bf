/* Where a login leads back to, as a proxy names it and as the browser's cookie says: a path of this origin and nothing
 * else, and the same after the way through a cookie. */
#include "config.h"

#include "common/own_paths.h"
#include "keeper/come_back.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

static void one_of_the_portal(const char *path)
{
	CHECK(path[0] == '/' && path[1] != '/' && path[1] != '\\' && strlen(path) <= TEXT_LOCAL_PATH);
	CHECK(!strpbrk(path, "\\#\r\n\t ") && !own_path(path));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char cookie[COME_BACK_MAX], path[COME_BACK_PATH];
	char *s = malloc(n + 1);
	CHECK(s);
	memcpy(s, data, n);
	s[n] = '\0';
	if (come_back_portal(s, cookie)) {
		one_of_the_portal(s);
		CHECK(come_back_path(cookie, path) && !strcmp(path, s));
	}
	if (come_back_path(s, path) && strncmp(path, "/approve/", 9) != 0)
		one_of_the_portal(path);
	free(s);
	return 0;
}
