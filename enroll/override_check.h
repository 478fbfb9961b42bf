/* What a page of the site's own may not do. For override.c only. */
#ifndef KOSMO_ENROLL_OVERRIDE_CHECK_H
#define KOSMO_ENROLL_OVERRIDE_CHECK_H

#include "common/buf.h"
#include "enroll/fault.h"
#include "enroll/template.h"

#define OVERRIDE_NAME 64

struct overrides {
	struct override {
		char name[OVERRIDE_NAME], path[4096 + 300];
		struct buf src;
		bool bad;
	} * o;
	size_t n;
	struct templates *built; /* the set without any of them */
};

/* Looks through those that are not bad, in the set ts that has them all; true: some have turned bad, so that ts must be
 * made anew without them. */
bool override_check(struct overrides *os, const struct templates *ts, const struct faults *fs);

#endif
