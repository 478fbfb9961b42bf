/* LD_PRELOAD: fails the CHAOS_NTH allocation that pam_kosmo.so itself asks for, and says on stderr that it did. */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);

static int chaos_now(const void *caller)
{
	static int inside, count;
	Dl_info info;
	int due = 0;
	if (inside)
		return 0;
	inside = 1;
	const char *nth = getenv("CHAOS_NTH");
	if (nth != NULL && dladdr(caller, &info) != 0 && strstr(info.dli_fname, "/pam_kosmo.so") != NULL)
		due = ++count == strtol(nth, NULL, 10);
	inside = 0;
	if (due) {
		(void)!write(STDERR_FILENO, "chaos\n", 6);
		errno = ENOMEM;
	}
	return due;
}

#define EXPORT __attribute__((visibility("default")))

EXPORT void *malloc(size_t n)
{
	return chaos_now(__builtin_return_address(0)) ? NULL : __libc_malloc(n);
}

EXPORT void *calloc(size_t n, size_t size)
{
	return chaos_now(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

EXPORT void *realloc(void *p, size_t n)
{
	return chaos_now(__builtin_return_address(0)) ? NULL : __libc_realloc(p, n);
}
