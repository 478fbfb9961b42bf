/* LD_PRELOAD for kosmoctl: Ctrl-Z right before and right behind each of SQLite's locking calls, at the Nth such moment
 * (KOSMO_HALT_AT=N): what a person meets once in a million times. */
#include "config.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>

__attribute__((visibility("default"))) int fcntl64(int fd, int what, ...)
{
	static int (*next)(int, int, ...);
	static long left = -1;
	va_list ap;
	void *arg;
	int r;

	if (next == NULL)
		next = (int (*)(int, int, ...))dlsym(RTLD_NEXT, "fcntl64");
	if (left < 0) {
		const char *s = getenv("KOSMO_HALT_AT");

		left = s != NULL ? strtol(s, NULL, 10) : 0;
	}
	va_start(ap, what);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (what == F_SETLK && left > 0 && --left == 0)
		(void)raise(SIGTSTP);
	r = next(fd, what, arg);
	if (what == F_SETLK && left > 0 && --left == 0)
		(void)raise(SIGTSTP);
	return r;
}
