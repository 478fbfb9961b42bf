/* The libc and libpam calls that pam_kosmo.so makes, and those that libpam makes for it, fail as told. chaos.c defines
 * them in the program itself, in front of the libraries'; whoever else calls them gets the real ones. */
#ifndef KOSMO_TESTS_CHAOS_H
#define KOSMO_TESTS_CHAOS_H

#include <stdbool.h>
#include <stddef.h>

/* How a call fails: an errno, or one of these. */
#define CHAOS_SHORT   -1 /* one byte is transferred */
#define CHAOS_NOTHING -2 /* 0: end of file, no event */
#define CHAOS_MAX     9

enum chaos_call {
	CHAOS_MALLOC,
	CHAOS_SOCKET,
	CHAOS_SETSOCKOPT,
	CHAOS_CONNECT,
	CHAOS_SEND,
	CHAOS_RECV,
	CHAOS_POLL,
	CHAOS_CLOSE,
	CHAOS_FCNTL,
	CHAOS_CLOCK,
	CHAOS_GETPWNAM,
	CHAOS_GETPWUID,
	CHAOS_FORMAT,
	CHAOS_OPEN,
	CHAOS_READ,
	CHAOS_STAT,
	CHAOS_SOCKETPAIR,
	CHAOS_SIGMASK,
	CHAOS_SYSCALL,
	CHAOS_WAITPID,
	CHAOS_PAM_ITEM,
	CHAOS_PAM_USER,
	CHAOS_PAM_ENV,
	CHAOS_PAM_SET_DATA,
	CHAOS_PAM_GET_DATA,
	CHAOS__MAX
};

extern const struct chaos_kind {
	const char *name;
	int how[CHAOS_MAX]; /* up to the first 0 */
} chaos_kinds[CHAOS__MAX];

/* What is to fail; filled by the program between two transactions. */
extern struct chaos {
	bool armed; /* calls are counted, and fail, only while set */
	enum chaos_call call;
	long nth;     /* this occurrence of it, from 1; 0: none */
	bool onwards; /* and all that follow */
	int how;
	unsigned one_in; /* instead: any call, any how, once in so many */
	unsigned long long seed;
	/* Counted. */
	long failed, seen[CHAOS__MAX];
} chaos;

#endif
