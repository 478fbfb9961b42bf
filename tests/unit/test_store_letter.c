/* Letters in the store: sealed, one a person, gone with what ends the password. */
#include "config.h"

#include "store.h"

static const char first[] = "abcd-efgh-jkmn-pqrs", second[] = "2345-6789-abcd-efgh";

static struct person add(struct fixture *f, const char *login)
{
	struct person p = person_make(login);
	p.password[0] = '\0';
	OK(store_begin(f->st));
	OK(store_person_add(f->st, &p));
	OK(store_commit(f->st));
	return p;
}

static void put(struct fixture *f, const struct person *p, const char *text)
{
	OK(store_begin(f->st));
	OK(store_letter_put(f->st, &p->id, text, NOW + 100));
	OK(store_commit(f->st));
}

static size_t waiting(struct fixture *f)
{
	struct store_letter l[8];
	size_t n = 0;
	OK(store_letter_page(f->st, "", l, 8, &n));
	return n;
}

static void put_page_taken(void **state)
{
	struct fixture *f = *state;
	struct person b = add(f, "bunta"), a = add(f, "akiko");
	struct store_letter l[2], old;
	size_t n = 0;
	put(f, &b, first);
	put(f, &a, first);
	OK(store_letter_page(f->st, "", l, 1, &n));
	assert_int_equal(n, 1);
	assert_string_equal(l[0].login, "akiko");
	assert_string_equal(l[0].text, first);
	assert_int_equal(l[0].expires, NOW + 100);
	assert_int_equal(raw(f, "UPDATE letter SET id = id"), 2);
	assert_int_equal(raw(f, "UPDATE letter SET id = id WHERE instr(sealed, CAST('abcd-' AS BLOB)) > 0"), 0);
	OK(store_letter_page(f->st, "akiko", l, 2, &n));
	assert_int_equal(n, 1);
	assert_memory_equal(&l[0].person, &b.id, sizeof b.id);
	/* printed, and meanwhile there is a new one: that one stays */
	old = l[0];
	put(f, &b, second);
	OK(store_begin(f->st));
	OK(store_letter_taken(f->st, &old));
	OK(store_commit(f->st));
	OK(store_letter_of(f->st, &b.id, &l[0]));
	assert_string_equal(l[0].text, second);
	OK(store_begin(f->st));
	OK(store_letter_taken(f->st, &l[0]));
	OK(store_commit(f->st));
	assert_int_equal(store_letter_of(f->st, &b.id, &l[0]), ERR_NOTFOUND);
	assert_int_equal(waiting(f), 1);
}

static void gone_with_its_password(void **state)
{
	struct fixture *f = *state;
	struct person a = add(f, "akiko"), b = add(f, "bunta"), c = add(f, "chika"), d = add(f, "daigo");
	put(f, &a, first);
	put(f, &b, first);
	put(f, &c, first);
	put(f, &d, first);
	OK(store_begin(f->st));
	a.terms = 3; /* a step of the wizard ends nothing */
	OK(store_person_save(f->st, &a));
	person_set_password(&b, "$y$x", NOW);
	OK(store_person_save(f->st, &b));
	OK(store_person_delete(f->st, &c.id));
	OK(store_letter_void(f->st, &d.id));
	OK(store_letter_void(f->st, &d.id));
	OK(store_commit(f->st));
	assert_int_equal(waiting(f), 1);
	OK(store_sweep(f->st, NOW + 99, 100, NULL));
	assert_int_equal(waiting(f), 1);
	OK(store_sweep(f->st, NOW + 100, 100, NULL));
	assert_int_equal(waiting(f), 0);
}

static void not_before_it_is_published(void **state)
{
	struct fixture *f = *state;
	struct person p = person_make("akiko");
	struct id batch;
	bool left;
	int64_t n;
	p.password[0] = '\0';
	OK(store_begin(f->st));
	OK(store_batch_new(f->st, &batch));
	p.batch = batch;
	OK(store_person_add(f->st, &p));
	OK(store_letter_put(f->st, &p.id, first, NOW + 100));
	OK(store_commit(f->st));
	assert_int_equal(waiting(f), 0);
	assert_int_equal(raw(f, "UPDATE letter SET expires = expires"), 1);
	OK(store_batch_drop(f->st, 10, &left, &n));
	assert_int_equal(raw(f, "UPDATE letter SET expires = expires"), 0);
}

/* Who can only write rows moves no letter, and makes none last. */
static void written_by_hand(void **state)
{
	static const char *const how[] = {"UPDATE letter SET expires = expires + 1",
					  "UPDATE letter SET sealed = substr(sealed, 1, 20)",
					  "UPDATE letter SET id = zeroblob(16)",
					  "UPDATE letter SET person = (SELECT id FROM person WHERE login = 'bunta')"};
	struct fixture *f = *state;
	struct person a = add(f, "akiko"), b = add(f, "bunta");
	for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
		struct store_letter l[2];
		struct store_check c;
		size_t n = 7;
		raw(f, "DELETE FROM letter");
		put(f, &a, first);
		OK(store_check(f->st, NULL, NULL, &c));
		assert_int_equal(c.letters, 1);
		assert_int_equal(c.bad, 0);
		raw(f, how[i]);
		assert_int_equal(store_letter_page(f->st, "", l, 2, &n), ERR_CORRUPT);
		assert_int_equal(n, 7);
		OK(store_check(f->st, NULL, NULL, &c));
		assert_int_equal(c.bad, 1);
	}
	raw(f, "DELETE FROM letter; INSERT INTO letter VALUES (zeroblob(16), zeroblob(16), 'x', 9)");
	struct store_check c;
	OK(store_check(f->st, NULL, NULL, &c));
	assert_int_equal(c.orphans, 1);
	(void)b;
}

static void older_schema(void **state)
{
	struct fixture *f = *state;
	struct person a = add(f, "akiko");
	struct store_letter l;
	struct errmsg m = {""};
	struct store_check c;
	raw(f, "DROP TABLE letter; UPDATE schema_version SET version = 4");
	store_close(f->st);
	f->st = NULL;
	OK(store_open(f->path, f->seal, &f->st, &m));
	assert_false(store_has_letters(f->st));
	OK(store_begin(f->st));
	assert_int_equal(store_letter_put(f->st, &a.id, first, NOW + 1), ERR_DENIED);
	store_rollback(f->st);
	assert_int_equal(store_letter_of(f->st, &a.id, &l), ERR_NOTFOUND);
	assert_int_equal(waiting(f), 0);
	OK(store_begin(f->st));
	person_set_password(&a, "$y$x", NOW);
	OK(store_person_save(f->st, &a));
	OK(store_person_delete(f->st, &a.id));
	OK(store_commit(f->st));
	OK(store_sweep(f->st, NOW, 10, NULL));
	OK(store_check(f->st, NULL, NULL, &c));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {TEST(put_page_taken), TEST(gone_with_its_password),
						  TEST(not_before_it_is_published), TEST(written_by_hand),
						  TEST(older_schema)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
