/* The ways to log in that a person registers in the browser: one row each, with its words. Who is offered which one is
 * require_offers' (the terminal asks that too). */
#ifndef KOSMO_METHOD_H
#define KOSMO_METHOD_H

#include "keeper/call.h"

struct method {
	enum factor_kind kind; /* FACTOR_NONE ends the table */
	const char *id;	       /* in forms and audit rows: "app" */
	const char *path;      /* the page that registers it */
	/* [tx] What that page needs (a key, a mailed code): done where a form leads there. */
	enum err (*begin)(struct call *c, const struct person *p);
	const char *title, *text;	  /* where one chooses */
	const char *lead, *then, *button; /* at the wizard's end: what is still to do, what it is good for, doing it */
	const char *gone;		  /* what its removal means */
};

extern const struct method methods[]; /* the recommended one first */

/* The row of this kind; the first one for a kind that has none. */
const struct method *method_of(enum factor_kind kind);
/* Row i of methods, where one chooses (partial "methods"); its own id, as a flag, is its picture. */
void method_view(struct call *c, size_t i, const struct method *m);

#endif
