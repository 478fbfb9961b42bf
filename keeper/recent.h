/* What the owner of an account is shown of its last logins: written in the attempt's own transaction. */
#ifndef KOSMO_RECENT_H
#define KOSMO_RECENT_H

#include "keeper/attempt.h"

/* All [tx]. */
/* The attempt is a login; f: by what. */
enum err recent_in(const struct keeper *k, struct store *st, const struct attempt *a, const struct factor *f,
		   int64_t now);
/* Its code was looked at and was not right, as canonical text. As much is written where nobody's first step was right
 * (counts: somebody's was). */
enum err recent_wrong(const struct keeper *k, struct store *st, const struct attempt *a, bool counts,
		      const char *canonical, int64_t now);
/* One in the browser that no attempt stands for: the end of the wizard, or of a forgotten password. name: of the
 * authenticator, "" if unknown. */
enum err recent_web(struct store *st, const struct id *person, const struct origin *o, const char *agent,
		    enum factor_kind kind, const char *name, bool password, int64_t now);

#endif
