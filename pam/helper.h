/* A program of its own, of which the host notices nothing: no signal, no child that its wait(2) could meet, no
 * descriptor but ours, no handler of its own that runs in ours. */
#ifndef KOSMO_PAM_HELPER_H
#define KOSMO_PAM_HELPER_H

#include "common/err.h"
#include <stdbool.h>
#include <sys/types.h>

struct helper {
	int fd; /* its standard input: a stream socket */
	pid_t warden;
};

/* Is there a program? */
bool helper_there(const char *path);
/* Runs it with an empty environment and no other descriptor, /dev/null as its output. Where the host is root in effect
 * it is root in every way (su's caller can neither stop nor trace it), else who the host is. That it could not be
 * executed shows as the end of file on the socket. helper_end must follow. */
enum err helper_start(const char *path, struct helper *ret);
/* Hangs up; who does not leave within a moment is killed. Nothing is left running. */
void helper_end(struct helper *h);

#endif
