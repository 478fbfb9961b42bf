/* What attempt.c and attempt_passkey.c share. */
#ifndef KOSMO_ATTEMPT_PARTS_H
#define KOSMO_ATTEMPT_PARTS_H

#include "keeper/attempt.h"

/* [tx] One row of this attempt; known: of a->person, else of nobody. */
enum err attempt_audit(struct store *st, const struct attempt *a, bool known, int64_t now, const char *event,
		       const char *detail);
/* [tx] What a right factor brings with it. */
enum err attempt_all_right(struct keeper *k, struct store *st, struct attempt *a, const struct person *p,
			   const struct factor *f, int64_t now);
/* Of an error that kept anything from being decided. */
enum verdict attempt_verdict(enum err e);

#endif
