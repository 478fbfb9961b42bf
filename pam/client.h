/* The dialogue with the keeper over auth.sock: one connection a PAM phase (of chauthtok: a call).
 *
 *   begin ->   <- ask -> answer ...   <- tell ...   <- key -> key ...   <- verdict
 *
 * With the verdict of auth comes a ticket, which the next phases of the same handle send with their begin.
 * The keeper decides; here is only carried. Whatever goes wrong is VERDICT_INTERNAL or VERDICT_DENY. */
#ifndef KOSMO_PAM_CLIENT_H
#define KOSMO_PAM_CLIENT_H

#include "pam/args.h"
#include "pam/verdict.h"
#include <security/pam_modules.h>

#define CLIENT_WAIT_MS	    3000 /* in all, for each answer of the keeper, connecting included */
#define CLIENT_MESSAGES_MAX 64	 /* a keeper that says more than this is broken */

struct client_call {
	pam_handle_t *pamh;
	const struct args *args;
	const char *person; /* whom the keeper is asked for: PAM_USER or, with person=caller, the caller */
	bool own;	    /* the caller's own account, as in sudo, or in su to oneself; never root's */
	enum phase phase;
	bool silent;  /* PAM_SILENT: what the keeper tells is not shown */
	bool expired; /* PAM_CHANGE_EXPIRED_AUTHTOK: the password is to be changed only if it has expired */
};

/* *ret_why: NULL if the verdict is the keeper's, else a phrase for the log (static, never a secret). No descriptor is
 * open afterwards; SIGPIPE is never raised; the keeper's silence lasts at most CLIENT_WAIT_MS. */
enum verdict client_run(const struct client_call *call, const char **ret_why);

#endif
