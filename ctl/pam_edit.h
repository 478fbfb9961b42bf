/* The texts of /etc/pam.d/SERVICE: with pam_kosmo's lines and without. What is written stands between two marks, so
 * that it can be taken out again to the byte. */
#ifndef KOSMO_CTL_PAM_EDIT_H
#define KOSMO_CTL_PAM_EDIT_H

#include "common/buf.h"
#include "common/err.h"
#include <stdbool.h>

enum pam_edit_with {
	PAM_EDIT_PASSWORD, /* password and code */
	PAM_EDIT_KEY,	   /* a code after the key that sshd checked */
	PAM_EDIT_CALLER,   /* su: to root with the caller's own */
	PAM_EDIT_WITH
};
extern const char *const pam_edit_with[PAM_EDIT_WITH]; /* "password+code", ... */

struct pam_edit {
	const char *folder, *service;
	const char *text; /* the file as it is */
	enum pam_edit_with with;
	const char *module; /* as it is to be written */
	const char *args;   /* " conf=... socket=...", or "" */
	const char *group;  /* whose members become root, for PAM_EDIT_CALLER */
};

/* ERR_EXISTS: pam_kosmo is in it already. ERR_INVALID: where the lines would have to go cannot be told safely. m says
 * it. */
enum err pam_edit_enable(const struct pam_edit *e, struct buf *ret, struct errmsg *m);
/* Takes every line of pam_kosmo out, and what was written around it. ERR_NOTFOUND: there is none. ERR_INVALID: the rest
 * would be something else than it was, or no longer ask for anything. */
enum err pam_edit_disable(const struct pam_edit *e, struct buf *ret, struct errmsg *m);
/* Prints the lines that one text has more than the other, with + or -. */
void pam_edit_show(const char *before, const char *after);

#endif
