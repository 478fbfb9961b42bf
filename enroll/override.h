/* Pages of the site's own: site_dir/templates/NAME.html stand in for the built-in ones of that name, or are parts that
 * those contain. Each is held against the page whose place it takes: what it shows must exist, its forms must keep
 * their fields, and nothing in it may be what the Content-Security-Policy stops. One that is at fault is left out, with
 * a sentence for each fault, and the built-in page is shown. */
#ifndef KOSMO_ENROLL_OVERRIDE_H
#define KOSMO_ENROLL_OVERRIDE_H

#include "enroll/fault.h"
#include "enroll/template.h"

/* More templates that are nobody's to replace. */
typedef enum err overrides_generated(void *arg, struct templates *ts);

/* The whole set: built in, the site's own, generated; checked. Fails only where the built-in ones do, or for memory. */
enum err overrides_templates(const char *site_dir, overrides_generated *generated, void *arg, const struct faults *fs,
			     struct templates **ret, struct errmsg *m);
/* The built-in template of a name, with the line that says which it was, as a file to begin from. false: no such. */
bool overrides_show(const char *name, struct buf *ret);
/* Their names, one a line. */
void overrides_names(struct buf *ret);

#endif
