/* What `config check` and `doctor` both look at. */
#ifndef KOSMO_CTL_CONFIG_CHECK_H
#define KOSMO_CTL_CONFIG_CHECK_H

#include "common/err.h"
#include <stdbool.h>

/* Can the mailer, and no stranger, read its password file? It runs as the owner of state_dir or, where that is kosmo,
 * as kosmo-mail. */
bool config_password(const char *path, const char *state_dir, struct errmsg *why);

#endif
