/* Logins of system accounts (uid below 1000): a member called root must never become root by a slip of a pen. */
#ifndef KOSMO_CTL_SYSLOGIN_H
#define KOSMO_CTL_SYSLOGIN_H

#include "common/err.h"
#include "ctl/args.h"
#include <stdbool.h>
#include <stddef.h>

struct syslogin {
	char **name; /* sorted */
	size_t n, cap;
	const struct args *args; /* those that --allow-system-login names pass */
};

/* Lists them once: a million lookups through NSS would take longer than the import. */
enum err syslogin_load(struct syslogin *s, const struct args *args);
void syslogin_free(struct syslogin *s);
/* exact: asks NSS for this name too, for accounts of directories that are not enumerated. */
bool syslogin_taken(const struct syslogin *s, const char *login, bool exact);

#endif
