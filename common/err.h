/* What can go wrong, in one enum for all library code. Library code returns it and never logs; the program logs once.
 */
#ifndef KOSMO_ERR_H
#define KOSMO_ERR_H

enum err {
	ERR_NONE = 0,
	ERR_NOMEM,    /* out of memory */
	ERR_INVALID,  /* the caller's or a person's input is bad */
	ERR_NOTFOUND, /* no such row, file or key */
	ERR_EXISTS,   /* already there */
	ERR_BUSY,     /* locked or queue full: try again later */
	ERR_IO,	      /* a system call failed: errno is kept */
	ERR_CORRUPT,  /* stored bytes fail a MAC, a tag or a format check */
	ERR_DENIED,   /* not allowed */
	ERR_TOOBIG,   /* over a stated limit */
	ERR_TIMEOUT,  /* the deadline passed */
	ERR_INTERNAL, /* a library failed where it must not */
	ERR__MAX
};

/* A sentence for a person: what is wrong and what to do. Functions that take one fill it only on failure. */
struct errmsg {
	char text[512];
};

/* A short English phrase for the code; never NULL. */
const char *err_text(enum err e);

/* Formats into m (NULL is allowed and ignored) and returns e, so that a failure is one line. */
enum err err_set(struct errmsg *m, enum err e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
