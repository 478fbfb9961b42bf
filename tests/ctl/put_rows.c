/* put_rows CONF visitors ADDRESS N | mail REASON: rows for the tests of `kosmoctl doctor`, that else need a crowd and a
 * bad relay. */
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
	fprintf(stderr, "put_rows: %s: %s %s\n", what, err_text(e), msg.text);
	exit(1);
}

static void visitors(struct store *st, const char *address, long n)
{
	for (long i = 0; i < n; i++) {
		struct audit a = {
		    .time = clock_now(), .event = "login.allow", .door = "web", .address = address, .detail = ""};
		must(id_new(&a.person), "id");
		must(store_audit(st, &a), "audit");
	}
}

static void mail(struct store *st, const char *reason)
{
	struct mail m = {.state = MAIL_WAITING, .created = clock_now(), .expires = clock_now() + 3600};
	must(id_new(&m.id), "id");
	snprintf(m.recipient, sizeof m.recipient, "hanako@example.jp");
	buf_adds(&m.message, "Subject: x\r\n\r\nx\r\n");
	must(store_mail_put(st, &m), "put");
	m.state = MAIL_REFUSED;
	snprintf(m.reason, sizeof m.reason, "%s", reason);
	must(store_mail_settle(st, &m), "settle");
	mail_clear(&m);
}

int main(int argc, char **argv)
{
	struct conf *conf = NULL;
	struct seal *seal = NULL;
	struct store *store = NULL;
	char path[PATH_MAX];
	if (argc < 4) {
		fputs("usage: put_rows CONF visitors ADDRESS N | mail REASON\n", stderr);
		return 2;
	}
	must(conf_load(argv[1], &conf, &msg), "conf");
	snprintf(path, sizeof path, "%s/key", conf->state_dir);
	must(seal_load(path, &seal, &msg), "key");
	snprintf(path, sizeof path, "%s/kosmo.db", conf->state_dir);
	must(store_open(path, seal, &store, &msg), "store");
	must(store_begin(store), "begin");
	if (strcmp(argv[2], "visitors") == 0 && argc == 5)
		visitors(store, argv[3], strtol(argv[4], NULL, 10));
	else if (strcmp(argv[2], "mail") == 0)
		mail(store, argv[3]);
	must(store_commit(store), "commit");
	store_close(store);
	seal_free(seal);
	conf_free(conf);
	return 0;
}
