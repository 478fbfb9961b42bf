/* What the admin's configuration and the service's options allow. */
#ifndef KOSMO_POLICY_H
#define KOSMO_POLICY_H

#include "common/conf.h"
#include "common/err.h"
#include "common/wire.h"
#include "keeper/mailcode.h"
#include "keeper/qr_text.h"

/* What the terminal door does about the password. */
enum policy_password {
	POLICY_ASK = 1,	 /* ask for it (default) */
	POLICY_SKIP = 2, /* second factor only: pam_unix or sshd's key came first in the stack */
	POLICY_KEY = 3	 /* skip it if sshd verified a public key and the configuration names the service, else ask */
};

/* What a passkey approves at the terminal, in the browser. */
enum policy_passkey {
	POLICY_PASSKEY_FORBIDDEN = 1,
	POLICY_PASSKEY_ALLOWED = 2, /* after the password */
	POLICY_PASSKEY_ALONE = 3    /* in place of the password and the code, too */
};

struct policy_pam {
	enum policy_password password;
	bool mailcode_given; /* mailcode=; else the configuration's mailcode.pam counts */
	enum mailcode_policy mailcode;
	enum policy_passkey passkey; /* passkey=; 0: the configuration's passkey.pam counts (policy_passkey) */
	enum qr_form qr;
	bool prompt_by_method; /* whose only way is a mailed code gets it without asking */
};

/* Reads opt.0, opt.1, ... of a begin message. ERR_INVALID with a sentence for any option that is unknown, repeated or
 * bad. */
enum err policy_pam_options(const struct wire_msg *m, struct policy_pam *ret, struct errmsg *why);
/* passkey=, or what the configuration says. */
enum policy_passkey policy_passkey(const struct conf *c, const struct policy_pam *p);
/* Must this person's own password be changed: the admin said so, or it is older than password.max_days? */
bool policy_password_due(const struct conf *c, const struct person *p, int64_t now);
/* When a session ends even if it is used; the configuration may have been changed since it began. */
int64_t policy_session_ends(const struct conf *c, const struct session *s);
/* Is service one of the words of list (separated by spaces)? */
bool policy_names(const char *list, const char *service);

#endif
