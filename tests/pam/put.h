/* An instance's store, opened by a test's own hand: what put_*.c share. Whatever fails ends the program with a
 * sentence. */
#ifndef KOSMO_PAM_PUT_H
#define KOSMO_PAM_PUT_H

#include "common/conf.h"
#include "keeper/store/store.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct errmsg msg;

struct put {
	struct conf *conf;
	struct seal *seal;
	struct store *st;
};

static inline void must(enum err e, const char *what)
{
	if (e == ERR_NONE)
		return;
	fprintf(stderr, "%s: %s: %s %s\n", program_invocation_short_name, what, err_text(e), msg.text);
	exit(1);
}

static inline struct put put_open(const char *conf)
{
	struct put p = {NULL, NULL, NULL};
	char path[PATH_MAX];

	must(conf_load(conf, &p.conf, &msg), "conf");
	snprintf(path, sizeof path, "%s/key", p.conf->state_dir);
	must(seal_load(path, &p.seal, &msg), "key");
	snprintf(path, sizeof path, "%s/kosmo.db", p.conf->state_dir);
	must(store_open(path, p.seal, &p.st, &msg), "store");
	return p;
}

static inline void put_close(struct put *p)
{
	store_close(p->st);
	seal_free(p->seal);
	conf_free(p->conf);
}

#endif
