/* Judging one service's stack: shared by doctor and `pam enable`. */
#ifndef KOSMO_CTL_PAMCHECK_H
#define KOSMO_CTL_PAMCHECK_H

#include "common/conf.h"
#include "ctl/pamconf.h"
#include "ctl/sshdconf.h"
#include <limits.h>
#include <sys/types.h>

struct pamcheck {
	const char *root;
	const struct conf *conf; /* NULL: unknown */
	const char *service;
	const struct pamconf *stack;
	/* One finding; fail: a hole or a lock-out, else a warning. remedy: never empty. */
	void (*found)(void *arg, bool fail, const char *text, const char *remedy);
	void *arg;
	size_t n_fail;
};

#define PAMCHECK_SOCKET "/run/kosmo/auth.sock" /* the module's preset, pam_kosmo(8) */

/* All of it: arguments, module file, and what the stack answers when the module says so and so. */
void pamcheck_run(struct pamcheck *p);
/* Of sshd_config, for a service that sshd uses. */
void pamcheck_sshd(struct pamcheck *p, const struct sshdconf *s);

bool pamcheck_uses(const struct pamconf *p, enum pamconf_type type);
/* Is a code alone enough for the stack: password=skip, and nothing else checks anything? */
bool pamcheck_code_alone(const struct pamconf *p);
/* Where libpam looks for NAME (or ROOT and the absolute name). ret: PATH_MAX bytes. */
void pamcheck_module_path(const char *root, const char *module, char *ret);
/* NULL, or what is wrong with the file: missing, not root's, writable by others. owner: who else than root may own it.
 */
const char *pamcheck_file(const char *path, uid_t owner);

#endif
