/* The site's own files, looked through with the eyes of the browser door. */
#ifndef KOSMO_CTL_SITE_H
#define KOSMO_CTL_SITE_H

#include "common/conf.h"
#include "keeper/store/store.h"
#include <stdbool.h>

/* A sentence about a file; warning: it counts all the same. */
typedef void site_say(void *arg, bool warning, const char *sentence);
/* Starts kosmo-site as the user that kosmo-enrolld runs as, where this process may (root); else as who it is. ERR_NONE:
 * it looked, and said what it found. */
enum err site_look(const struct conf *conf, site_say *say, void *arg, struct errmsg *m);

#define SITE_TERMS_CHANGED                                                                                             \
	"the words have changed since somebody agreed to them, and terms.version is the same: raise it, so that "      \
	"everyone is asked again, or bring the former words back"
/* Has somebody agreed to other words under the present terms.version? Looks through the newest entries of the audit log
 * alone; false too where nothing is known. */
bool site_terms_changed(struct store *st, const struct conf *conf);

#endif
