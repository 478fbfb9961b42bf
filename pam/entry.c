/* The entry points. */
#include "config.h"

#include "common/buf.h"
#include "pam/args.h"
#include "pam/client.h"
#include "pam/verdict.h"

#include <errno.h>
#include <pwd.h>
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define ENTRY __attribute__((visibility("default")))

#define ENTRY_PASSWD_MAX ((size_t)1 << 20) /* bytes of one account's line */

enum entry_whose { ENTRY_KEEPERS, ENTRY_EXEMPT, ENTRY_NOBODY };

/* The account of that name, or with NULL of that uid; its texts are in mem. NULL if there is none, or none can be read.
 * Not pam_modutil_getpwnam: when memory is out, libpam tries INT_MAX times to keep its answer in the handle. */
static const struct passwd *entry_account(const char *name, uid_t uid, struct passwd *pw, struct buf *mem)
{
	for (size_t n = 1024; n <= ENTRY_PASSWD_MAX; n *= 2) {
		struct passwd *found = NULL;
		buf_free(mem);
		char *text = (char *)buf_room(mem, n);
		if (text == NULL)
			return NULL;
		int e = name != NULL ? getpwnam_r(name, pw, text, n, &found) : getpwuid_r(uid, pw, text, n, &found);
		if (e != ERANGE && e != EINTR)
			return e == 0 ? found : NULL;
	}
	return NULL;
}

/* Who is to be asked about; the name may be in mem. An account that passwd does not know is the keeper's like any
 * other: what a stranger sees must not depend on it. */
static enum entry_whose entry_person(pam_handle_t *pamh, const struct args *a, struct buf *mem, const char **ret,
				     bool *ret_own)
{
	struct passwd found;
	const struct passwd *pw;
	const char *name = NULL;
	if (a->caller) {
		pw = entry_account(NULL, getuid(), &found, mem);
		name = pw != NULL ? pw->pw_name : NULL;
	} else {
		bool known = pam_get_user(pamh, &name, NULL) == PAM_SUCCESS && name != NULL;
		pw = known ? entry_account(name, 0, &found, mem) : NULL;
	}
	if (name == NULL)
		return ENTRY_NOBODY;
	*ret = name;
	*ret_own = pw != NULL && pw->pw_uid != 0 && pw->pw_uid == getuid();
	return pw != NULL && args_exempt(a, name, pw->pw_uid) ? ENTRY_EXEMPT : ENTRY_KEEPERS;
}

/* Accounts below uid_min. In auth they are ignored only after another factor (password=skip), else refused with a code
 * of their own, by which a stack may go on to pam_unix: user_unknown=ignore. Never ignored for a caller: the real uid
 * of a daemon is root's, and person=caller put there by mistake would wave everybody through. */
static int entry_exempt(enum phase phase, const struct args *a)
{
	if (phase != PHASE_AUTH)
		return PAM_IGNORE;
	return a->skip && !a->caller ? PAM_IGNORE : PAM_USER_UNKNOWN;
}

/* Whoever mends a line with a mistake in it is root: not ours with the presets, nor by any argument there. */
static bool entry_root(pam_handle_t *pamh, int argc, const char **argv)
{
	AUTO_BUF mem = BUF_INIT;
	struct passwd found;
	const struct passwd *pw;
	const char *name = NULL;
	for (int i = 0; i < argc; i++)
		if (strncmp(argv[i], "person=", 7) == 0 || strncmp(argv[i], "also=", 5) == 0)
			return false;
	bool known = pam_get_user(pamh, &name, NULL) == PAM_SUCCESS && name != NULL;
	pw = known ? entry_account(name, 0, &found, &mem) : NULL;
	return pw != NULL && pw->pw_uid == 0;
}

static int entry_run(pam_handle_t *pamh, int flags, int argc, const char **argv, enum phase phase)
{
	AUTO_BUF mem = BUF_INIT;
	struct args args;
	const char *bad = args_parse(argc, argv, &args);
	if (bad != NULL) {
		pam_syslog(pamh, LOG_ERR, "refused: this argument is wrong, repeated or one too many: %s", bad);
		return entry_root(pamh, argc, argv) ? entry_exempt(phase, &(struct args){.skip = false})
						    : verdict_pam_code(phase, VERDICT_INTERNAL, false);
	}
	struct client_call call = {.pamh = pamh,
				   .args = &args,
				   .phase = phase,
				   .silent = (flags & PAM_SILENT) != 0,
				   .expired = (flags & PAM_CHANGE_EXPIRED_AUTHTOK) != 0 && phase >= PHASE_CHECK};
	switch (entry_person(pamh, &args, &mem, &call.person, &call.own)) {
	case ENTRY_EXEMPT:
		return entry_exempt(phase, &args);
	case ENTRY_NOBODY:
		pam_syslog(pamh, LOG_NOTICE, "refused: %s",
			   args.caller ? "the caller's uid has no name" : "no user name");
		return verdict_pam_code(phase, VERDICT_DENY, false);
	case ENTRY_KEEPERS:
		break;
	}
	const char *why = NULL;
	enum verdict v = client_run(&call, &why);
	if (why != NULL)
		pam_syslog(pamh, v == VERDICT_DENY ? LOG_NOTICE : LOG_ERR, "refused: %s (%s)", why, args.socket);
	return verdict_pam_code(phase, v, args.skip);
}

ENTRY int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	return entry_run(pamh, flags, argc, argv, PHASE_AUTH);
}

ENTRY int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	return entry_run(pamh, flags, argc, argv, PHASE_ACCOUNT);
}

/* libpam calls twice: to ask whether it can be done, then to do it. PAM_AUTHTOK and PAM_OLDAUTHTOK are neither read nor
 * set: what is typed goes to the keeper and nowhere else. */
ENTRY int pam_sm_chauthtok(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	return entry_run(pamh, flags, argc, argv, (flags & PAM_PRELIM_CHECK) != 0 ? PHASE_CHECK : PHASE_CHANGE);
}

/* Grants nothing. It runs in another process than auth, and sshd ends the login at any other answer. */
ENTRY int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)pamh, (void)flags, (void)argc, (void)argv;
	return PAM_SUCCESS;
}

ENTRY int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)pamh, (void)flags, (void)argc, (void)argv;
	return PAM_IGNORE;
}

ENTRY int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)pamh, (void)flags, (void)argc, (void)argv;
	return PAM_IGNORE;
}
