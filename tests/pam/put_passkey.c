/* put_passkey CONF LOGIN CREDENTIAL KEY [COUNTER]: this person has this passkey, for tests (people register it in the
 * browser). CREDENTIAL (its id) and KEY (COSE, ES256) in hexadecimal. */
#include "config.h"

#include "common/clock.h"
#include "tests/pam/put.h"

static size_t unhex(const char *hex, uint8_t *ret, size_t cap)
{
	size_t n = strlen(hex) / 2;
	must(n > 0 && n <= cap ? ERR_NONE : ERR_TOOBIG, hex);
	for (size_t i = 0; i < n; i++) {
		const char byte[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
		ret[i] = (uint8_t)strtoul(byte, NULL, 16);
	}
	return n;
}

static void put(struct store *st, char **argv)
{
	struct person p;
	struct store_passkey k = {.as = {.kind = FACTOR_PASSKEY, .confirmed = true, .name = "key", .last_step = -1}};
	struct passkey *c = &k.credential;
	c->id_len = unhex(argv[3], c->id, sizeof(c->id));
	c->key_len = unhex(argv[4], c->key, sizeof(c->key));
	c->alg = PASSKEY_ES256;
	c->sign_count = argv[5] != NULL ? (uint32_t)strtoul(argv[5], NULL, 10) : 0;
	c->uv_initialized = true;
	must(store_begin(st), "begin");
	must(store_person_by_login(st, argv[2], &p), argv[2]);
	must(id_new(&k.as.id), "id");
	k.as.person = p.id;
	k.as.created = clock_now();
	must(store_passkey_add(st, &k), argv[2]);
	must(store_commit(st), "commit");
	person_wipe(&p);
}

int main(int argc, char **argv)
{
	if (argc != 5 && argc != 6) {
		fputs("usage: put_passkey CONF LOGIN CREDENTIAL KEY [COUNTER]\n", stderr);
		return 2;
	}
	struct put in = put_open(argv[1]);
	put(in.st, argv);
	put_close(&in);
	return 0;
}
