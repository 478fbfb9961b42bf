/* Recent logins in the store: few of each kind, found by a key, and what is written by hand shows. */
#include "config.h"

#include "store.h"

static struct store_login login_make(const struct id *person, enum login_what what, int64_t time)
{
	struct store_login l = {.person = *person, .what = what, .time = time, .kind = FACTOR_TOTP, .password = true};

	snprintf(l.name, sizeof l.name, "phone");
	snprintf(l.place, sizeof l.place, "web");
	snprintf(l.address, sizeof l.address, "192.0.2.1");
	snprintf(l.agent, sizeof l.agent, "Mozilla/5.0");
	memset(l.device.b, 7, ID_LEN);
	return l;
}

static void add(struct fixture *f, const struct store_login *l)
{
	OK(store_begin(f->st));
	OK(store_login_add(f->st, l));
	OK(store_commit(f->st));
}

static size_t got(struct fixture *f, const struct id *person, enum login_what what, struct store_login *ret)
{
	size_t n = 99;

	OK(store_logins(f->st, person, what, ret, LOGINS_KEPT, &n));
	return n;
}

static void there_and_back(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "hanako"), q = person_add(f, "taro");
	struct store_login l = login_make(&p.id, LOGIN_IN, NOW), r[LOGINS_KEPT];

	assert_int_equal(store_login_add(f->st, &l), ERR_INTERNAL); /* outside of a transaction */
	assert_true(store_logins_kept(f->st));
	assert_int_equal(got(f, &p.id, LOGIN_IN, r), 0);
	add(f, &l);
	assert_int_equal(got(f, &q.id, LOGIN_IN, r), 0);
	assert_int_equal(got(f, &p.id, LOGIN_IN, r), 1);
	l.id = r[0].id;
	assert_memory_equal(&r[0], &l, sizeof l);
	l = (struct store_login){
	    .person = p.id, .what = LOGIN_WRONG, .time = NOW + 1, .place = "pam:sshd", .host = "gate"};
	add(f, &l);
	assert_int_equal(got(f, &p.id, LOGIN_WRONG, r), 1);
	l.id = r[0].id;
	assert_memory_equal(&r[0], &l, sizeof l);
}

/* Each thousandth of a second has ids of its own: the newest ones stay, and no kind pushes another out. */
static void few(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "hanako");
	struct store_login r[LOGINS_KEPT];

	for (int64_t i = 0; i < 3 * LOGINS_KEPT; i++) {
		clock_fix(NOW + i);
		struct store_login l = login_make(&p.id, i % 3 ? LOGIN_WRONG : LOGIN_IN, NOW + i);
		add(f, &l);
	}
	assert_int_equal(got(f, &p.id, LOGIN_IN, r), LOGINS_KEPT);
	assert_int_equal(r[0].time, NOW + 3 * (LOGINS_KEPT - 1));
	assert_int_equal(r[LOGINS_KEPT - 1].time, NOW);
	assert_int_equal(got(f, &p.id, LOGIN_WRONG, r), LOGINS_KEPT);
	assert_int_equal(r[0].time, NOW + 3 * LOGINS_KEPT - 1);
	assert_int_equal(r[LOGINS_KEPT - 1].time, NOW + 3 * LOGINS_KEPT / 2 + 1);
}

static void found_by_the_key(void **state)
{
	struct fixture *f = *state;
	sqlite3 *sq = NULL;
	sqlite3_stmt *s = NULL;

	assert_int_equal(sqlite3_open_v2(f->path, &sq, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(sq,
					    "EXPLAIN QUERY PLAN SELECT id, sealed FROM login WHERE person = $1 AND "
					    "kind = $2 ORDER BY id DESC LIMIT $3",
					    -1, &s, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(s, 3),
			    "SEARCH login USING PRIMARY KEY (person=? AND kind=?)");
	assert_int_equal(sqlite3_step(s), SQLITE_DONE); /* nothing is sorted */
	sqlite3_finalize(s);
	assert_int_equal(sqlite3_close(sq), SQLITE_OK);
}

static void forged(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "hanako"), q = person_add(f, "taro");
	struct store_login l = login_make(&p.id, LOGIN_WRONG, NOW), r[LOGINS_KEPT];
	struct store_check c;
	size_t n = 99;

	add(f, &l);
	l.what = LOGIN_NOBODY;
	l.person = (struct id){{0}};
	add(f, &l);
	OK(store_check(f->st, NULL, NULL, &c));
	assert_int_equal(c.logins, 2);
	assert_int_equal(c.bad + c.orphans, 0);
	/* a wrong one made a right one, and given to somebody else */
	assert_int_equal(raw(f, "UPDATE login SET kind = 1 WHERE kind = 3"), 1);
	assert_int_equal(store_logins(f->st, &p.id, LOGIN_IN, r, LOGINS_KEPT, &n), ERR_CORRUPT);
	assert_int_equal(n, 99);
	OK(store_check(f->st, NULL, NULL, &c));
	assert_int_equal(c.bad, 1);
	assert_int_equal(
	    raw(f, "UPDATE login SET kind = 3, person = (SELECT id FROM person WHERE login = 'taro') WHERE kind = 1"),
	    1);
	assert_int_equal(store_logins(f->st, &q.id, LOGIN_WRONG, r, LOGINS_KEPT, &n), ERR_CORRUPT);
	OK(store_begin(f->st));
	OK(store_person_delete(f->st, &q.id));
	OK(store_commit(f->st));
	assert_int_equal(raw(f, "DELETE FROM login"), 1); /* nobody's alone was left */
}

/* A store that has not been upgraded yet: everything goes on without them. */
static void before_the_upgrade(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "hanako");
	struct store_login l = login_make(&p.id, LOGIN_IN, NOW), r[LOGINS_KEPT];
	struct errmsg m = {""};
	struct store_check c;

	store_close(f->st);
	f->st = NULL;
	raw(f, "DROP TABLE login; UPDATE schema_version SET version = 4");
	OK(store_open(f->path, f->seal, &f->st, &m));
	assert_false(store_logins_kept(f->st));
	add(f, &l);
	assert_int_equal(got(f, &p.id, LOGIN_IN, r), 0);
	OK(store_check(f->st, NULL, NULL, &c));
	OK(store_begin(f->st));
	OK(store_person_delete(f->st, &p.id));
	OK(store_commit(f->st));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(there_and_back), TEST(few), TEST(found_by_the_key), TEST(forged), TEST(before_the_upgrade),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
