/* The module's own arguments. Everything else goes to the keeper, which refuses what it does not know. */
#ifndef KOSMO_PAM_ARGS_H
#define KOSMO_PAM_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define ARGS_SOCKET	 "/run/kosmo/auth.sock"
#define ARGS_UID_MIN	 1000
#define ARGS_OPTIONS_MAX 32

/* Points into argv and lives as long as it does. */
struct args {
	const char *conf;   /* conf=: absolute path of the keeper's configuration, or NULL */
	const char *socket; /* socket=: absolute path */
	const char *fido2;  /* fido2=: absolute path of kosmo-fido2 */
	const char *also;   /* also=: logins below uid_min that are asked all the same, separated by commas, or NULL */
	uid_t uid_min;	    /* uid_min= */
	bool caller;	    /* person=caller: ask the owner of the real uid instead of PAM_USER */
	bool skip;	    /* password=skip is among the keeper's options */
	size_t n;
	const char *option[ARGS_OPTIONS_MAX]; /* the keeper's, verbatim */
};

/* NULL, or the first argument that is bad: an unusable value, a repeated name, one too many. Then *ret is undefined. */
const char *args_parse(int argc, const char *const *argv, struct args *ret);
/* Whether the module leaves this account alone: below uid_min and not among also=. */
bool args_exempt(const struct args *a, const char *login, uid_t uid);

#endif
