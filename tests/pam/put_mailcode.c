/* put_mailcode CONF [=]LOGIN...: these people's addresses are confirmed, and (unless after a =) codes by mail
 * registered as a way of theirs, for tests (people do both in the browser). */
#include "config.h"

#include "common/clock.h"
#include "common/conf.h"
#include "keeper/store/store.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct errmsg msg;

static void must(enum err e, const char *what)
{
	if (e == ERR_NONE)
		return;
	fprintf(stderr, "put_mailcode: %s: %s %s\n", what, err_text(e), msg.text);
	exit(1);
}

static void put(struct store *st, const char *login)
{
	struct person p;
	struct authenticator a = {.kind = FACTOR_MAILCODE, .confirmed = true, .name = "mail", .last_step = -1};
	bool address_only = *login == '=';
	login += address_only;
	must(store_begin(st), "begin");
	must(store_person_by_login(st, login, &p), login);
	p.email_verified = true;
	must(store_person_save(st, &p), login);
	must(id_new(&a.id), "id");
	a.person = p.id;
	a.created = clock_now();
	if (!address_only)
		must(store_authenticator_add(st, &a), login);
	must(store_commit(st), "commit");
	person_wipe(&p);
}

int main(int argc, char **argv)
{
	struct conf *conf = NULL;
	struct seal *seal = NULL;
	struct store *store = NULL;
	char path[PATH_MAX];
	if (argc < 3) {
		fputs("usage: put_mailcode CONF [=]LOGIN...\n", stderr);
		return 2;
	}
	must(conf_load(argv[1], &conf, &msg), "conf");
	snprintf(path, sizeof(path), "%s/key", conf->state_dir);
	must(seal_load(path, &seal, &msg), "key");
	snprintf(path, sizeof(path), "%s/kosmo.db", conf->state_dir);
	must(store_open(path, seal, &store, &msg), "store");
	for (int i = 2; i < argc; i++)
		put(store, argv[i]);
	store_close(store);
	seal_free(seal);
	conf_free(conf);
	return 0;
}
