/* Without a service manager: a keeper and a mailer beside us where none listens; if one dies, all stop. */
#ifndef KOSMO_ENROLL_SUPERVISE_H
#define KOSMO_ENROLL_SUPERVISE_H

#include "common/conf.h"
#include <stdbool.h>
#include <sys/types.h>

#define SUPERVISE_MAX 2

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
/* Reaps. true: one of ours has died; m says which and how. */
bool supervise_died(struct supervise *s, struct errmsg *m);
/* SIGTERM, after 5 s SIGKILL. */
void supervise_stop(struct supervise *s);

#endif
