/* put_back CONF DAYS LOGIN...: these people's letters are so many days older, for tests. */
#include "config.h"

#include "tests/pam/put.h"
#include <stdlib.h>

int main(int argc, char **argv)
{
	struct person person;
	if (argc < 4) {
		fputs("usage: put_back CONF DAYS LOGIN...\n", stderr);
		return 2;
	}
	const long days = strtol(argv[2], NULL, 10);
	struct put in = put_open(argv[1]);
	must(store_begin(in.st), "begin");
	for (int i = 3; i < argc; i++) {
		must(store_person_by_login(in.st, argv[i], &person), argv[i]);
		person.initial_from -= (int64_t)days * 86400;
		must(store_person_save(in.st, &person), argv[i]);
	}
	must(store_commit(in.st), "commit");
	person_wipe(&person);
	put_close(&in);
	return 0;
}
