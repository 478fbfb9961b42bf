/* The forms of a page: where each leads and which fields it has. What a page in place of ours must keep. */
#ifndef KOSMO_ENROLL_FORMS_H
#define KOSMO_ENROLL_FORMS_H

#include "common/err.h"
#include "enroll/fault.h"
#include "enroll/template.h"

struct forms {
	struct form_field {
		char *action, *name; /* action "": of a part that stands in another template's form */
	} * f;
	size_t n, cap;
	bool failed; /* out of memory; check once */
};

/* All fields of a template with what it contains, whatever the values. */
struct forms forms_of(const struct templates *ts, const char *name);
void forms_free(struct forms *fs);
/* Says each form and field of `built` that `own` lacks, and each form of `own` that leads nowhere or has no csrf. path:
 * the file's. The number of sentences. */
size_t forms_compare(const char *path, const struct forms *built, const struct forms *own, const struct faults *fs);

#endif
