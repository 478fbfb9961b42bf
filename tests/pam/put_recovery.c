/* put_recovery CONF LOGIN CODE...: gives a person these recovery codes, for tests (people get theirs in the browser).
 */
#include "config.h"

#include "common/text.h"
#include "tests/pam/put.h"

int main(int argc, char **argv)
{
	struct person person;
	struct buf code[10] = {BUF_INIT};
	const char *text[10];
	if (argc < 4 || argc > 13) {
		fputs("usage: put_recovery CONF LOGIN CODE...\n", stderr);
		return 2;
	}
	struct put in = put_open(argv[1]);
	for (int i = 3; i < argc; i++) {
		must(text_code(argv[i], strlen(argv[i]), &code[i - 3]), "code");
		text[i - 3] = buf_str(&code[i - 3]);
	}
	must(store_begin(in.st), "begin");
	must(store_person_by_login(in.st, argv[2], &person), "person");
	must(store_recovery_replace(in.st, &person.id, text, (size_t)argc - 3), "codes");
	must(store_commit(in.st), "commit");
	person_wipe(&person);
	put_close(&in);
	for (int i = 0; i < 10; i++)
		buf_free(&code[i]);
	return 0;
}
