/* The one place where a verdict becomes a PAM code. */
#ifndef KOSMO_PAM_VERDICT_H
#define KOSMO_PAM_VERDICT_H

#include "common/verdict.h"
#include <stdbool.h>

enum phase {
	PHASE_AUTH,
	PHASE_ACCOUNT,
	PHASE_CHECK,  /* chauthtok's first call, PAM_PRELIM_CHECK */
	PHASE_CHANGE, /* chauthtok's second, PAM_UPDATE_AUTHTOK */
	PHASE__MAX
};

/* PAM_SUCCESS for VERDICT_ALLOW alone. VERDICT_IGNORE is PAM_IGNORE but in auth, where it is only if `skip` says that
 * something else has checked a first factor: before a pam_permit an IGNORE is a login without a password. All else is
 * an error code; in auth and account it is PAM_AUTHINFO_UNAVAIL where the keeper could not decide. */
int verdict_pam_code(enum phase phase, enum verdict v, bool skip);

#endif
