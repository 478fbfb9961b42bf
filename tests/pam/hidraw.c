/* In front of libc in kosmo-fido2: the sockets in $KOSMO_TOKENS are its /dev/hidrawN (ctap_token.py is behind them). */
#include "config.h"

#undef _FORTIFY_SOURCE /* its inline functions have the names of ours */

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/hidraw.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define EXPORT		__attribute__((visibility("default")))
#define REAL(name)	((__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name))
#define HIDRAW_KEYBOARD "hidraw9" /* a file of that name is one */

/* Usage page, usage and collection of a FIDO key, and of a keyboard. */
static const unsigned char key[] = {0x06, 0xd0, 0xf1, 0x09, 0x01, 0xa1, 0x01, 0xc0};
static const unsigned char keyboard[] = {0x05, 0x01, 0x09, 0x06, 0xa1, 0x01, 0xc0};

/* By then the program may ask nothing about a socket any more. */
static bool is_key[1024];

EXPORT DIR *opendir(const char *path)
{
	const char *tokens = getenv("KOSMO_TOKENS");
	return REAL(opendir)(tokens && strcmp(path, "/dev") == 0 ? tokens : path);
}

EXPORT int openat(int folder, const char *name, int flags, ...)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd;
	if (strncmp(name, "hidraw", 6) != 0 || strcmp(name, HIDRAW_KEYBOARD) == 0)
		return REAL(openat)(folder, name, flags);
	snprintf(to.sun_path, sizeof to.sun_path, "%s/%s", getenv("KOSMO_TOKENS"), name);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
		close(fd);
		return -1;
	}
	if (fd >= 0)
		is_key[fd] = true;
	return fd;
}

EXPORT int fstat(int fd, struct stat *st)
{
	int r = REAL(fstat)(fd, st);
	st->st_mode = (st->st_mode & 07777) | S_IFCHR;
	return r;
}

EXPORT int ioctl(int fd, unsigned long what, ...)
{
	const unsigned char *d = is_key[fd] ? key : keyboard;
	size_t n = is_key[fd] ? sizeof key : sizeof keyboard;
	va_list ap;
	va_start(ap, what);
	void *arg = va_arg(ap, void *);
	va_end(ap);
	if (what == HIDIOCGRDESCSIZE)
		*(int *)arg = (int)n;
	else if (what == HIDIOCGRDESC)
		memcpy(((struct hidraw_report_descriptor *)arg)->value, d, n);
	else
		return REAL(ioctl)(fd, what, arg);
	return 0;
}
