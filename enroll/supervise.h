/* Without a service manager: a keeper and a mailer where none listens, and the door itself beside them, so that whoever
 * parses what the network sends has no power over the others; if one dies, all stop. */
#ifndef KOSMO_ENROLL_SUPERVISE_H
#define KOSMO_ENROLL_SUPERVISE_H

#include "common/conf.h"
#include <stdbool.h>
#include <sys/types.h>

#define SUPERVISE_MAX 3

struct supervise {
	size_t n;
	struct supervised {
		const char *name;
		pid_t pid;
	} child[SUPERVISE_MAX];
};

/* Starts what nobody listens for, as the owner of state_dir, and waits until the keeper listens. Before any thread,
 * from the main thread (its end ends them), with SIGCHLD blocked. On failure nothing is left running. */
enum err supervise_start(const struct conf *conf, struct supervise *ret, struct errmsg *m);
/* A child that goes on in this program, as the owner of state_dir. *ret_child says in which of the two we are. */
enum err supervise_fork(const struct conf *conf, const char *name, struct supervise *s, bool *ret_child,
			struct errmsg *m);
/* Reaps. true: one of ours has died; m says which and how. */
bool supervise_died(struct supervise *s, struct errmsg *m);
/* One after the other, the youngest first: SIGTERM, after 5 s SIGKILL. */
void supervise_stop(struct supervise *s);

#endif
