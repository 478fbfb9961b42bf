/* What kosmoctl mail test and doctor say alike. */
#ifndef KOSMO_CTL_MAILCMD_H
#define KOSMO_CTL_MAILCMD_H

#include "common/conf.h"

/* What an admin can do about a mail that was not taken, by the relay's words; false: nothing is known. */
bool mailcmd_remedy(const struct conf *conf, const char *reason, char *ret, size_t cap);

#endif
