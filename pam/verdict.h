/* The one place where a verdict becomes a PAM code. */
#ifndef KOSMO_PAM_VERDICT_H
#define KOSMO_PAM_VERDICT_H

#include "common/verdict.h"
#include <stdbool.h>

enum phase { PHASE_AUTH, PHASE_ACCOUNT };

/* PAM_SUCCESS for VERDICT_ALLOW alone. VERDICT_IGNORE is PAM_IGNORE in the account phase and, in auth, where `skip`
 * says that something else has checked a first factor: before a pam_permit an IGNORE is a login without a password. All
 * else is an error code: in auth PAM_AUTH_ERR, or PAM_AUTHINFO_UNAVAIL where the keeper could not decide. */
int verdict_pam_code(enum phase phase, enum verdict v, bool skip);

#endif
