/* put_recovery CONF LOGIN CODE...: gives a person these recovery codes, for tests (people get theirs in the browser).
 */
#include "config.h"

#include "common/conf.h"
#include "common/text.h"
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
	fprintf(stderr, "put_recovery: %s: %s %s\n", what, err_text(e), msg.text);
	exit(1);
}

int main(int argc, char **argv)
{
	struct conf *conf = NULL;
	struct seal *seal = NULL;
	struct store *store = NULL;
	struct person person;
	struct buf code[10] = {BUF_INIT};
	const char *text[10];
	char path[PATH_MAX];
	if (argc < 4 || argc > 13) {
		fputs("usage: put_recovery CONF LOGIN CODE...\n", stderr);
		return 2;
	}
	must(conf_load(argv[1], &conf, &msg), "conf");
	snprintf(path, sizeof(path), "%s/key", conf->state_dir);
	must(seal_load(path, &seal, &msg), "key");
	snprintf(path, sizeof(path), "%s/kosmo.db", conf->state_dir);
	must(store_open(path, seal, &store, &msg), "store");
	for (int i = 3; i < argc; i++) {
		must(text_code(argv[i], strlen(argv[i]), &code[i - 3]), "code");
		text[i - 3] = buf_str(&code[i - 3]);
	}
	must(store_begin(store), "begin");
	must(store_person_by_login(store, argv[2], &person), "person");
	must(store_recovery_replace(store, &person.id, text, (size_t)argc - 3), "codes");
	must(store_commit(store), "commit");
	person_wipe(&person);
	store_close(store);
	seal_free(seal);
	conf_free(conf);
	for (int i = 0; i < 10; i++)
		buf_free(&code[i]);
	return 0;
}
