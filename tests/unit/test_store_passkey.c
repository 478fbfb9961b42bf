/* Passkeys in the store: the two rows are one, nobody else gets the same credential, and what is written by hand shows.
 */
#include "config.h"

#include "store.h"

#define OTHER_KEY 0x77

static struct store_passkey passkey_make(const struct person *p, uint8_t id)
{
	struct store_passkey k;

	memset(&k, 0, sizeof k);
	k.as = authenticator_make(p);
	k.as.kind = FACTOR_PASSKEY;
	k.as.algorithm = k.as.digits = k.as.period = 0;
	k.as.secret_len = 0;
	k.credential.id_len = 40;
	memset(k.credential.id, id, k.credential.id_len);
	k.credential.key_len = 77;
	memset(k.credential.key, OTHER_KEY, k.credential.key_len);
	k.credential.alg = PASSKEY_ES256;
	k.credential.sign_count = 7;
	k.credential.eligible = k.credential.uv_initialized = true;
	memset(k.credential.aaguid, 3, sizeof k.credential.aaguid);
	memset(k.user, 9, sizeof k.user);
	k.transports = 0x21;
	return k;
}

static enum err add(struct fixture *f, const struct store_passkey *k)
{
	OK(store_begin(f->st));
	enum err e = store_passkey_add(f->st, k);
	if (e == ERR_NONE)
		e = store_commit(f->st);
	store_rollback(f->st);
	return e;
}

static size_t count(struct fixture *f, const struct person *p, struct store_passkey *ret)
{
	size_t n = 99;

	OK(store_passkeys(f->st, &p->id, ret, AUTHENTICATORS_MAX, &n));
	return n;
}

static void there_and_back(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "hanako");
	struct store_passkey k = passkey_make(&p, 1), got[AUTHENTICATORS_MAX], found;
	struct authenticator au[AUTHENTICATORS_MAX];
	size_t n = 0;

	(void)authenticator_add(f, &p);
	OK(add(f, &k));
	assert_int_equal(count(f, &p, got), 1);
	assert_memory_equal(&got[0].credential, &k.credential, sizeof k.credential);
	assert_memory_equal(got[0].user, k.user, sizeof k.user);
	assert_int_equal(got[0].transports, k.transports);
	assert_string_equal(got[0].as.name, "phone");
	OK(store_passkey_find(f->st, k.credential.id, k.credential.id_len, &found));
	assert_memory_equal(found.as.id.b, k.as.id.b, ID_LEN);
	assert_memory_equal(found.as.person.b, p.id.b, ID_LEN);
	assert_int_equal(store_passkey_find(f->st, k.credential.id, k.credential.id_len - 1, &found), ERR_NOTFOUND);

	OK(store_authenticators(f->st, &p.id, au, AUTHENTICATORS_MAX, &n));
	assert_int_equal(n, 2);
	n = au[0].kind == FACTOR_PASSKEY ? 0 : 1;
	assert_true(au[n].confirmed && au[n].kind == FACTOR_PASSKEY);
}

static void registered_to_nobody_else(void **state)
{
	struct fixture *f = *state;
	struct person a = person_add(f, "hanako"), b = person_add(f, "taro");
	struct store_passkey ka = passkey_make(&a, 1), kb = passkey_make(&b, 1), got[AUTHENTICATORS_MAX];

	OK(add(f, &ka));
	assert_int_equal(add(f, &kb), ERR_EXISTS);
	OK(id_new(&ka.as.id));
	assert_int_equal(add(f, &ka), ERR_EXISTS);
	assert_int_equal(count(f, &b, got), 0);
	assert_int_equal(count(f, &a, got), 1);
}

static void used(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "hanako");
	struct store_passkey k = passkey_make(&p, 1), got[AUTHENTICATORS_MAX];
	const struct passkey_used u = {.sign_count = 8, .backed_up = true, .user_verified = true};

	OK(add(f, &k));
	OK(store_begin(f->st));
	OK(store_passkey_used(f->st, &k, &u, NOW + 5));
	/* as it was read before: somebody came in between */
	assert_int_equal(store_passkey_used(f->st, &k, &u, NOW + 6), ERR_EXISTS);
	OK(store_commit(f->st));
	assert_int_equal(count(f, &p, got), 1);
	assert_int_equal(got[0].credential.sign_count, 8);
	assert_true(got[0].credential.backed_up);
	assert_int_equal(got[0].as.last_used, NOW + 5);
}

static void gone_with_its_row(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "hanako"), q = person_add(f, "taro");
	struct store_passkey k = passkey_make(&p, 1), k2 = passkey_make(&q, 2), got[AUTHENTICATORS_MAX], found;
	struct store_check c;

	OK(add(f, &k));
	OK(add(f, &k2));
	OK(store_begin(f->st));
	OK(store_authenticator_remove(f->st, &p.id, &k.as.id));
	OK(store_commit(f->st));
	assert_int_equal(count(f, &p, got), 0);
	assert_int_equal(store_passkey_find(f->st, k.credential.id, k.credential.id_len, &found), ERR_NOTFOUND);
	OK(add(f, &k));
	OK(store_begin(f->st));
	OK(store_person_delete(f->st, &q.id));
	OK(store_commit(f->st));
	assert_int_equal(store_passkey_find(f->st, k2.credential.id, k2.credential.id_len, &found), ERR_NOTFOUND);
	memset(&c, 0, sizeof c);
	OK(store_check(f->st, NULL, NULL, &c));
	assert_int_equal(c.orphans, 0);
	assert_int_equal(c.bad, 0);
}

/* Whoever can only write rows moves no passkey, and puts no key of their own in one's place. */
static void forged(void **state)
{
	static const char *const how[] = {
	    "UPDATE passkey SET sealed = (SELECT sealed FROM passkey WHERE rowid = 2)",
	    "UPDATE passkey SET person = (SELECT id FROM person WHERE login = 'taro')",
	    "UPDATE authenticator SET person = (SELECT id FROM person WHERE login = 'taro')",
	    "DELETE FROM passkey",
	    "UPDATE authenticator SET secret = zeroblob(61)",
	};
	struct fixture *f = *state;
	struct person p = person_add(f, "hanako"), q = person_add(f, "taro");
	struct store_passkey got[AUTHENTICATORS_MAX], k = passkey_make(&p, 1), k2 = passkey_make(&q, 2);
	size_t n = 0;

	OK(add(f, &k));
	OK(add(f, &k2));
	raw(f, "CREATE TABLE kept AS SELECT * FROM passkey; CREATE TABLE kept_as AS SELECT * FROM authenticator");
	for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
		raw(f, how[i]);
		assert_int_equal(store_passkeys(f->st, &p.id, got, AUTHENTICATORS_MAX, &n), ERR_CORRUPT);
		raw(f, "DELETE FROM passkey; DELETE FROM authenticator; INSERT INTO passkey SELECT * FROM kept; "
		       "INSERT INTO authenticator SELECT * FROM kept_as");
		assert_int_equal(count(f, &p, got), 1);
	}
	/* one found under a name that is another's is not it */
	raw(f,
	    "UPDATE passkey SET credential = CASE WHEN rowid = 1 THEN x'00' ELSE (SELECT credential FROM passkey WHERE "
	    "rowid = 1) END WHERE rowid = 1");
	assert_int_equal(store_passkey_find(f->st, k.credential.id, k.credential.id_len, &got[0]), ERR_NOTFOUND);
}

static void spent_once(void **state)
{
	struct fixture *f = *state;
	uint8_t d[DIGEST_LEN] = {1};
	bool more = true;

	assert_int_equal(store_spend(f->st, d, NOW + 10), ERR_INTERNAL);
	OK(store_begin(f->st));
	OK(store_spend(f->st, d, NOW + 10));
	assert_int_equal(store_spend(f->st, d, NOW + 10), ERR_EXISTS);
	OK(store_commit(f->st));
	OK(store_sweep(f->st, NOW + 9, 100, &more));
	OK(store_begin(f->st));
	assert_int_equal(store_spend(f->st, d, NOW + 10), ERR_EXISTS);
	store_rollback(f->st);
	OK(store_sweep(f->st, NOW + 10, 100, &more));
	OK(store_begin(f->st));
	OK(store_spend(f->st, d, NOW + 10));
	OK(store_commit(f->st));
}

/* A store that has not been upgraded yet: everybody else goes on, passkeys are not to be had. */
static void before_the_upgrade(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "hanako");
	struct store_passkey k = passkey_make(&p, 1), got[AUTHENTICATORS_MAX];
	struct errmsg m = {""};
	struct store_check c;
	uint8_t d[DIGEST_LEN] = {1};
	bool more;

	store_close(f->st);
	f->st = NULL;
	raw(f, "DROP TABLE passkey; DROP TABLE spent; DROP TABLE approval; UPDATE schema_version SET version = 3");
	OK(store_open(f->path, f->seal, &f->st, &m));
	assert_int_equal(add(f, &k), ERR_DENIED);
	assert_int_equal(count(f, &p, got), 0);
	assert_int_equal(store_passkey_find(f->st, k.credential.id, k.credential.id_len, &got[0]), ERR_NOTFOUND);
	OK(store_begin(f->st));
	assert_int_equal(store_spend(f->st, d, NOW), ERR_DENIED);
	OK(store_authenticator_add(f->st, &(struct authenticator){.id = k.as.id,
								  .person = p.id,
								  .kind = FACTOR_TOTP,
								  .confirmed = true,
								  .algorithm = 1,
								  .digits = 6,
								  .period = 30,
								  .secret_len = 20}));
	OK(store_authenticator_remove(f->st, &p.id, &k.as.id));
	OK(store_commit(f->st));
	OK(store_sweep(f->st, NOW, 10, &more));
	memset(&c, 0, sizeof c);
	OK(store_check(f->st, NULL, NULL, &c));
	OK(store_begin(f->st));
	OK(store_person_delete(f->st, &p.id));
	OK(store_commit(f->st));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(there_and_back), TEST(registered_to_nobody_else), TEST(used), TEST(gone_with_its_row), TEST(forged),
	    TEST(spent_once),	  TEST(before_the_upgrade),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
