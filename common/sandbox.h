/* A daemon gives up what it does not need, for good: capabilities, new privileges, files (Landlock), system calls
 * (seccomp). Under systemd this stands beside what the unit takes away; without it, and where one user owns everything
 * (kosmoctl init --dir), it is the only wall between the programs. */
#ifndef KOSMO_SANDBOX_H
#define KOSMO_SANDBOX_H

#include "common/conf.h"
#include "common/err.h"

/* kosmo-fido2 and kosmo-letters have no configuration: they take their part of sandbox_parts.h. */
enum sandbox_program { SANDBOX_KEEPER, SANDBOX_ENROLLD, SANDBOX_MAILER, SANDBOX_FIDO2, SANDBOX_LETTERS };

struct sandbox_lacks {
	char text[160];
};

/* Once the sockets listen and the user is the last one, before any thread; what mail.maildir and state_dir name is
 * there. What this kernel cannot do is left out and named in ret_lacks ("" if nothing is), for the log; whatever else
 * fails is an error: the program shall not serve then. From here on: no new program, no child, no other process's
 * memory, no signal to another process, no socket but AF_UNIX (the mailer's relay aside), no file outside sandbox.c's
 * table. */
enum err sandbox_enter(enum sandbox_program program, const struct conf *conf, struct sandbox_lacks *ret_lacks,
		       struct errmsg *m);

#endif
