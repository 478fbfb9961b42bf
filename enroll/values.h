/* What a template may show: named texts, lists flattened as LIST.N.NAME with N from 0 without gaps. */
#ifndef KOSMO_ENROLL_VALUES_H
#define KOSMO_ENROLL_VALUES_H

#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>

struct value {
	const char *name, *text;
	char *owned; /* the name, where it was composed */
	size_t order;
};

struct values {
	struct value *v;
	size_t n, cap;
	bool failed; /* an add ran out of memory or was not valid UTF-8; check once */
	bool sorted;
};

#define VALUES_INIT                                                                                                    \
	{                                                                                                              \
		0                                                                                                      \
	}

/* Neither name nor text is copied: they must outlive vs. NULL text adds nothing. Of two with one name the first wins.
 */
void values_add(struct values *vs, const char *name, const char *text);
/* Adds LIST.N.NAME; the composed name is owned. */
void values_add_item(struct values *vs, const char *list, size_t i, const char *name, const char *text);
/* After the last add, before the first get. ERR_NOMEM or ERR_INVALID if an add failed. */
enum err values_seal(struct values *vs);
/* NULL if there is none. name has n bytes. */
const char *values_get(const struct values *vs, const char *name, size_t n);
/* Is there any value whose name begins with these n bytes? */
bool values_any(const struct values *vs, const char *prefix, size_t n);
void values_free(struct values *vs);

#endif
