/* put_mailcode CONF [=]LOGIN...: these people's addresses are confirmed, and (unless after a =) codes by mail
 * registered as a way of theirs, for tests (people do both in the browser). */
#include "config.h"

#include "common/clock.h"
#include "tests/pam/put.h"

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
	if (argc < 3) {
		fputs("usage: put_mailcode CONF [=]LOGIN...\n", stderr);
		return 2;
	}
	struct put in = put_open(argv[1]);
	for (int i = 2; i < argc; i++)
		put(in.st, argv[i]);
	put_close(&in);
	return 0;
}
