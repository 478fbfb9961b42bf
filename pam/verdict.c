#include "config.h"

#include "pam/verdict.h"

#include <security/_pam_types.h>
#include <stddef.h>

/* clang-format off */
static const struct {
	enum verdict verdict;
	int code[PHASE__MAX]; /* auth, account, check, change */
} verdict_codes[] = {
	/* the first row is also what is not in the table */
	{VERDICT_INTERNAL, {PAM_AUTHINFO_UNAVAIL, PAM_AUTHINFO_UNAVAIL, PAM_TRY_AGAIN, PAM_AUTHTOK_ERR}},
	{VERDICT_UNAVAILABLE, {PAM_AUTHINFO_UNAVAIL, PAM_AUTHINFO_UNAVAIL, PAM_TRY_AGAIN, PAM_AUTHTOK_ERR}},
	{VERDICT_DENY, {PAM_AUTH_ERR, PAM_PERM_DENIED, PAM_PERM_DENIED, PAM_AUTHTOK_RECOVERY_ERR}},
	{VERDICT_THROTTLED, {PAM_AUTH_ERR, PAM_PERM_DENIED, PAM_PERM_DENIED, PAM_AUTHTOK_RECOVERY_ERR}},
	{VERDICT_LOCKED, {PAM_AUTH_ERR, PAM_PERM_DENIED, PAM_PERM_DENIED, PAM_AUTHTOK_RECOVERY_ERR}},
	{VERDICT_UNCHANGED, {PAM_AUTH_ERR, PAM_PERM_DENIED, PAM_PERM_DENIED, PAM_AUTHTOK_ERR}},
	{VERDICT_DISABLED, {PAM_AUTH_ERR, PAM_PERM_DENIED, PAM_PERM_DENIED, PAM_PERM_DENIED}},
	{VERDICT_UNFINISHED, {PAM_AUTH_ERR, PAM_PERM_DENIED, PAM_PERM_DENIED, PAM_PERM_DENIED}},
	{VERDICT_EXPIRED, {PAM_AUTH_ERR, PAM_ACCT_EXPIRED, PAM_PERM_DENIED, PAM_PERM_DENIED}},
	{VERDICT_CHANGE, {PAM_AUTH_ERR, PAM_NEW_AUTHTOK_REQD, PAM_PERM_DENIED, PAM_PERM_DENIED}},
	{VERDICT_IGNORE, {PAM_AUTH_ERR, PAM_IGNORE, PAM_IGNORE, PAM_IGNORE}},
	{VERDICT_ALLOW, {PAM_SUCCESS, PAM_SUCCESS, PAM_SUCCESS, PAM_SUCCESS}},
};
/* clang-format on */

int verdict_pam_code(enum phase phase, enum verdict v, bool skip)
{
	size_t i = sizeof(verdict_codes) / sizeof(verdict_codes[0]) - 1;
	if (v == VERDICT_IGNORE && phase == PHASE_AUTH && skip)
		return PAM_IGNORE;
	while (i > 0 && verdict_codes[i].verdict != v)
		i--;
	return verdict_codes[i].code[phase];
}
