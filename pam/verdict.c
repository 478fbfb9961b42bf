#include "config.h"

#include "pam/verdict.h"

#include <security/_pam_types.h>

int verdict_pam_code(enum phase phase, enum verdict v, bool skip)
{
	const bool account = phase == PHASE_ACCOUNT;
	switch (v) {
	case VERDICT_ALLOW:
		return PAM_SUCCESS;
	case VERDICT_IGNORE:
		return account || skip ? PAM_IGNORE : PAM_AUTH_ERR;
	case VERDICT_EXPIRED:
		return account ? PAM_ACCT_EXPIRED : PAM_AUTH_ERR;
	case VERDICT_INTERNAL:
	case VERDICT_UNAVAILABLE:
		return PAM_AUTHINFO_UNAVAIL;
	case VERDICT_DENY:
	case VERDICT_THROTTLED:
	case VERDICT_LOCKED:
	case VERDICT_DISABLED:
	case VERDICT_UNFINISHED:
		break;
	}
	return account ? PAM_PERM_DENIED : PAM_AUTH_ERR;
}
