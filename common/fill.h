/* Texts with {names} in them. */
#ifndef KOSMO_FILL_H
#define KOSMO_FILL_H

#include "common/buf.h"

struct fill {
	const char *name, *value; /* a NULL name ends the list */
};

/* Appends text with each {name} replaced; an unknown {name} stays as it is. */
void fill(struct buf *b, const char *text, const struct fill *values);

#endif
