/* Reading /etc/pam.d as Linux-PAM does (pam.d(5)): a service's lines in order, with @include, include and substack put
 * in their places. And what such a stack answers when its modules answer so and so. Nothing is loaded, nothing is run.
 */
#ifndef KOSMO_CTL_PAMCONF_H
#define KOSMO_CTL_PAMCONF_H

#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>

#define PAMCONF_NESTED 16 /* substacks (PAM_SUBSTACK_MAX_LEVEL) and includes within each other */

enum pamconf_type { PAMCONF_AUTH, PAMCONF_ACCOUNT, PAMCONF_PASSWORD, PAMCONF_SESSION, PAMCONF_TYPES };
extern const char *const pamconf_type_name[PAMCONF_TYPES];

struct pamconf_line {
	char *file; /* its own name, without the folder */
	unsigned line;
	unsigned top; /* the line of the service's own file by which it came in */
	enum pamconf_type type;
	bool missing_ok; /* "-auth" */
	char *control;	 /* as written */
	char *module;
	char **arg;
	size_t n_arg;
	unsigned depth; /* of substacks */
	bool substack;	/* no module: a substack of file `module` begins behind this line */
};

struct pamconf {
	struct pamconf_line *line;
	size_t n, cap;
};

/* Reads FOLDER/SERVICE. ERR_NOTFOUND, ERR_INVALID (m says file, line and what libpam would refuse), ERR_IO, ERR_NOMEM.
 * pamconf_free in every case. */
enum err pamconf_read(const char *folder, const char *service, struct pamconf *ret, struct errmsg *m);
void pamconf_free(struct pamconf *p);

/* One line of a file, for those who write: its type and, of an include, the other file. */
struct pamconf_words {
	char *word[64];
	size_t n;
	char *space; /* what the words point into */
};
/* Splits at white space; [brackets] hold a word together; a comment ends it. False when out of memory. */
bool pamconf_split(const char *text, size_t n, struct pamconf_words *ret);
void pamconf_words_free(struct pamconf_words *w);

bool pamconf_is_kosmo(const struct pamconf_line *l);
/* The value of NAME= among a line's arguments; NULL if there is none. */
const char *pamconf_arg(const struct pamconf_line *l, const char *name);

/* What modules do, as far as it matters here. */
enum pamconf_role {
	PAMCONF_KOSMO,
	PAMCONF_CHECKS,	 /* asks for a secret: pam_unix, and whatever is not known */
	PAMCONF_PERMITS, /* pam_permit */
	PAMCONF_DENIES,	 /* pam_deny */
	PAMCONF_GATE,	 /* who and when: pam_wheel, pam_nologin, pam_rootok */
	PAMCONF_NEUTRAL	 /* changes nothing: pam_env, pam_faildelay */
};
enum pamconf_role pamconf_role(const struct pamconf_line *l);

/* The answer of a line's module: a PAM code. */
typedef int (*pamconf_answer)(const struct pamconf_line *l, const void *arg);
/* What libpam returns for this type (pam_authenticate, pam_acct_mgmt), by the rules of its dispatcher. */
int pamconf_run(const struct pamconf *p, enum pamconf_type type, pamconf_answer answer, const void *arg);
/* A PAM code's name, "PAM_AUTH_ERR". */
const char *pamconf_code(int code);
/* Is what the control makes of this code "done" or a jump: does success end or shorten the stack? */
bool pamconf_shortcut(const struct pamconf_line *l, int code);
/* Does its control count lines, for any code? */
bool pamconf_jumps(const struct pamconf_line *l);

#endif
