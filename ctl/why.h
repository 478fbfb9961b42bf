/* Why somebody cannot get in: the first thing that stands against it, in a word and in a sentence. */
#ifndef KOSMO_CTL_WHY_H
#define KOSMO_CTL_WHY_H

#include "ctl/ctl.h"

struct why {
	const char *word; /* "disabled", "lane_closed", ...; "" if nothing does */
	char text[320];
};

enum err why_person(struct ctl *c, const struct person *p, int64_t now, struct why *ret);

#endif
