/* Approvals in the store: one at a time, decided once, and what is written by hand opens nothing. */
#include "config.h"

#include "store.h"

#include <pthread.h>

static const char token[] = "abcd-efgh-jkmn-pqrs", code[] = "012345";

static struct approval approval_make(const struct person *p)
{
	struct approval a;

	memset(&a, 0, sizeof a);
	OK(id_new(&a.id));
	if (p)
		a.person = p->id;
	a.created = NOW;
	a.expires = NOW + 100;
	memset(a.nonce, 5, sizeof a.nonce);
	snprintf(a.user, sizeof a.user, "%s", p ? p->login : "xxxx");
	snprintf(a.host, sizeof a.host, "host.example.jp");
	snprintf(a.service, sizeof a.service, "sshd");
	snprintf(a.from, sizeof a.from, "192.0.2.1");
	return a;
}

static void put(struct fixture *f, const struct approval *a, const char *text, const struct id *whose)
{
	OK(store_begin(f->st));
	OK(store_approval_put(f->st, a, text, whose));
	OK(store_commit(f->st));
}

static enum err approve(struct fixture *f, const struct approval *a)
{
	OK(store_begin(f->st));
	enum err e = store_approval_approve(f->st, a, code, NOW);
	OK(store_commit(f->st));
	return e;
}

static enum err deny(struct fixture *f, const struct approval *a)
{
	OK(store_begin(f->st));
	enum err e = store_approval_deny(f->st, &a->id, NOW);
	OK(store_commit(f->st));
	return e;
}

static enum err try(struct fixture *f, const struct approval *a, const char *text, int64_t now)
{
	OK(store_begin(f->st));
	enum err e = store_approval_try(f->st, &a->id, &a->person, text, now);
	OK(store_commit(f->st));
	return e;
}

static void asked_approved_used(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "hanako");
	struct approval a = approval_make(&p), got;
	bool is = true;

	assert_int_equal(store_approval_put(f->st, &a, token, &p.id), ERR_INTERNAL);
	put(f, &a, token, &p.id);
	OK(store_approval_find(f->st, token, NOW + 99, &got));
	assert_memory_equal(got.nonce, a.nonce, sizeof a.nonce);
	assert_string_equal(got.user, "hanako");
	assert_string_equal(got.host, a.host);
	assert_string_equal(got.service, a.service);
	assert_string_equal(got.from, a.from);
	assert_int_equal(got.state, APPROVAL_WAITING);
	assert_int_equal(store_approval_find(f->st, "abcd-efgh-jkmn-pqrt", NOW, &got), ERR_NOTFOUND);
	assert_int_equal(store_approval_find(f->st, token, NOW + 100, &got), ERR_NOTFOUND);
	OK(store_approval_code_is(f->st, &a, code, &is));
	assert_false(is);

	assert_int_equal(try(f, &a, code, NOW), ERR_NOTFOUND);
	OK(approve(f, &a));
	assert_int_equal(approve(f, &a), ERR_EXISTS);
	OK(store_approval_find(f->st, token, NOW, &got));
	assert_int_equal(got.state, APPROVAL_APPROVED);
	OK(store_approval_code_is(f->st, &got, code, &is));
	assert_true(is);
	OK(store_approval_code_is(f->st, &got, "012346", &is));
	assert_false(is);
	OK(try(f, &a, code, NOW));
	assert_int_equal(try(f, &a, code, NOW), ERR_NOTFOUND);
	assert_int_equal(deny(f, &a), ERR_EXISTS);
}

static void three_tries(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "hanako");
	struct approval a = approval_make(&p);

	put(f, &a, token, &p.id);
	OK(approve(f, &a));
	assert_int_equal(try(f, &a, "", NOW), ERR_DENIED);
	assert_int_equal(try(f, &a, "999999", NOW), ERR_DENIED);
	assert_int_equal(try(f, &a, "999998", NOW), ERR_DENIED);
	assert_int_equal(try(f, &a, code, NOW), ERR_NOTFOUND);
}

static void denied_or_over(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "hanako");
	struct approval a = approval_make(&p);

	put(f, &a, token, &p.id);
	OK(deny(f, &a));
	assert_int_equal(approve(f, &a), ERR_EXISTS);
	put(f, &a, token, &p.id);
	OK(approve(f, &a));
	OK(deny(f, &a)); /* after all */
	assert_int_equal(try(f, &a, code, NOW), ERR_NOTFOUND);
	put(f, &a, token, &p.id);
	OK(approve(f, &a));
	assert_int_equal(try(f, &a, code, NOW + 100), ERR_NOTFOUND);
	OK(try(f, &a, code, NOW + 99));
}

static void one_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "hanako"), q = person_add(f, "taro");
	struct approval a = approval_make(&p), b = approval_make(&p), c = approval_make(&p), d = approval_make(&q), got;

	put(f, &a, token, &p.id);
	put(f, &b, "second", &p.id);
	assert_int_equal(store_approval_find(f->st, token, NOW, &got), ERR_NOTFOUND);
	OK(store_approval_find(f->st, "second", NOW, &got));
	snprintf(c.from, sizeof c.from, "192.0.2.2");
	put(f, &c, "elsewhere", &p.id);
	put(f, &d, "other", &q.id);
	OK(store_approval_find(f->st, "second", NOW, &got));
	OK(store_approval_find(f->st, "elsewhere", NOW, &got));
	OK(store_approval_find(f->st, "other", NOW, &got));
	OK(approve(f, &b));
	/* another one's terminal, and another person */
	OK(approve(f, &c));
	OK(store_begin(f->st));
	assert_int_equal(store_approval_try(f->st, &b.id, &q.id, code, NOW), ERR_DENIED);
	OK(store_commit(f->st));
	OK(try(f, &b, code, NOW));
	OK(try(f, &c, code, NOW));
}

static void nobodys(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "hanako");
	struct approval a = approval_make(NULL), b = approval_make(&p), got;
	struct id bucket = {{7}};
	struct store_check c;
	int64_t before = store_writes(f->st), decoy;
	bool more;

	put(f, &a, token, &bucket);
	decoy = store_writes(f->st) - before;
	put(f, &b, "real", &p.id);
	assert_int_equal(store_writes(f->st) - before, 2 * decoy);
	assert_int_equal(store_approval_find(f->st, token, NOW, &got), ERR_NOTFOUND);
	memset(&c, 0, sizeof c);
	OK(store_check(f->st, NULL, NULL, &c));
	assert_int_equal(c.approvals, 2);
	assert_int_equal(c.orphans, 0);
	assert_int_equal(c.bad, 0);
	OK(store_begin(f->st));
	OK(store_person_delete(f->st, &p.id));
	OK(store_commit(f->st));
	assert_int_equal(raw(f, "UPDATE approval SET tries = 1"), 1);
	OK(store_sweep(f->st, NOW + 99, 100, &more));
	assert_int_equal(raw(f, "UPDATE approval SET tries = 2"), 1);
	OK(store_sweep(f->st, NOW + 100, 100, &more));
	assert_int_equal(raw(f, "UPDATE approval SET tries = 3"), 0);
}

/* Whoever can only write rows approves nothing, and makes nobody see another one's request as theirs. */
static void forged(void **state)
{
	static const char *const how[] = {
	    "UPDATE approval SET person = (SELECT id FROM person WHERE login = 'taro')",
	    "UPDATE approval SET person = NULL",
	    "UPDATE approval SET expires = expires + 1",
	    "UPDATE approval SET created = created - 1",
	    "UPDATE approval SET sealed = (SELECT sealed FROM kept WHERE state = 3)",
	    "UPDATE approval SET place = x'00'",
	};
	struct fixture *f = *state;
	struct person p = person_add(f, "hanako"), q = person_add(f, "taro");
	struct approval a = approval_make(&p), b = approval_make(&q), got;

	put(f, &a, token, &p.id);
	put(f, &b, "other", &q.id);
	OK(approve(f, &b));
	raw(f, "CREATE TABLE kept AS SELECT * FROM approval; UPDATE kept SET state = 3 WHERE state = 2");
	for (size_t i = 0; i < COUNT(how); i++) {
		raw(f, "DELETE FROM approval WHERE state = 2");
		raw(f, how[i]);
		assert_int_equal(store_approval_find(f->st, token, NOW, &got), ERR_CORRUPT);
		raw(f, "DELETE FROM approval; INSERT INTO approval SELECT * FROM kept; "
		       "UPDATE approval SET state = 2 WHERE state = 3");
		OK(store_approval_find(f->st, token, NOW, &got));
	}
	/* another one's code, which is known, is not this one's */
	raw(f, "UPDATE approval SET state = 2, code = (SELECT code FROM kept WHERE code IS NOT NULL)");
	assert_int_equal(try(f, &a, code, NOW), ERR_DENIED);
	OK(try(f, &b, code, NOW));
}

struct runner {
	struct fixture *f;
	const struct approval *a;
	bool tries;
	enum err result;
};

static void *run(void *arg)
{
	struct runner *r = arg;
	struct store *st = NULL;

	r->result = store_open(r->f->path, r->f->seal, &st, NULL);
	if (r->result == ERR_NONE)
		r->result = store_begin(st);
	if (r->result == ERR_NONE)
		r->result = r->tries ? store_approval_try(st, &r->a->id, &r->a->person, code, NOW)
				     : store_approval_approve(st, r->a, code, NOW);
	if (store_commit(st) != ERR_NONE && r->result == ERR_NONE)
		r->result = ERR_IO;
	store_close(st);
	return NULL;
}

/* Two approvals at once, then two that type the code at once. */
static void one_wins(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "hanako");

	for (int round = 0; round < 40; round++) {
		struct approval a = approval_make(&p);
		put(f, &a, token, &p.id);
		for (int tries = 0; tries < 2; tries++) {
			struct runner r[4];
			pthread_t t[COUNT(r)];
			int won = 0, lost = 0;
			for (size_t i = 0; i < COUNT(r); i++) {
				r[i] = (struct runner){.f = f, .a = &a, .tries = tries};
				assert_int_equal(pthread_create(&t[i], NULL, run, &r[i]), 0);
			}
			for (size_t i = 0; i < COUNT(r); i++) {
				pthread_join(t[i], NULL);
				won += r[i].result == ERR_NONE;
				lost += r[i].result == (tries ? ERR_NOTFOUND : ERR_EXISTS);
			}
			assert_int_equal(won, 1);
			assert_int_equal(lost, COUNT(r) - 1);
		}
	}
}

/* A store that has not been upgraded yet. */
static void before_the_upgrade(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "hanako");
	struct approval a = approval_make(&p), got;
	struct errmsg m = {""};

	store_close(f->st);
	f->st = NULL;
	raw(f, "DROP TABLE passkey; DROP TABLE spent; DROP TABLE approval; UPDATE schema_version SET version = 3");
	OK(store_open(f->path, f->seal, &f->st, &m));
	OK(store_begin(f->st));
	assert_int_equal(store_approval_put(f->st, &a, token, &p.id), ERR_DENIED);
	assert_int_equal(store_approval_try(f->st, &a.id, &p.id, code, NOW), ERR_NOTFOUND);
	OK(store_person_delete(f->st, &p.id));
	OK(store_commit(f->st));
	assert_int_equal(store_approval_find(f->st, token, NOW, &got), ERR_NOTFOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(asked_approved_used),
	    TEST(three_tries),
	    TEST(denied_or_over),
	    TEST(one_at_a_time),
	    TEST(nobodys),
	    TEST(forged),
	    TEST(one_wins),
	    TEST(before_the_upgrade),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
