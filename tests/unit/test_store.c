/* People, authenticators, batches, and the file itself. */
#include "config.h"

#include "store.h"

#include "keeper/store/db.h"
#include "keeper/store/sql.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the texts ---- */

static void parameters_in_order(void **state)
{
	(void)state;
	for (int i = 0; i < SQL__MAX; i++) {
		int seen = 0;

		assert_non_null(sql_text[i]);
		assert_null(strchr(sql_text[i], '?'));
		assert_null(strstr(sql_text[i], "OR REPLACE"));
		for (const char *p = sql_text[i]; (p = strchr(p, '$')) != NULL; p++) {
			int n = (int)strtol(p + 1, NULL, 10);

			if (n > seen + 1)
				fail_msg("$%d before $%d: %s", n, seen + 1, sql_text[i]);
			seen = n > seen ? n : seen;
		}
	}
}

static void texts_prepare(void **state)
{
	struct fixture *f = *state;
	struct db *db = NULL;
	struct db_stmt *s = NULL;

	OK(db_sqlite.open(f->path, false, &db, NULL));
	for (int i = 0; i < SQL__MAX; i++) {
		if (db_sqlite.prepare(db, sql_text[i], &s) != ERR_NONE)
			fail_msg("%s", sql_text[i]);
		db_sqlite.finish(s);
	}
	db_sqlite.close(db);
}

/* ---- the file ---- */

static void modes(void **state)
{
	struct fixture *f = *state;
	static const char *const tail[] = {"", "-wal", "-shm"};
	struct stat sb;
	char path[PATH_MAX + 8];

	(void)person_add(f, "a");
	for (size_t i = 0; i < COUNT(tail); i++) {
		snprintf(path, sizeof path, "%s%s", f->path, tail[i]);
		assert_int_equal(stat(path, &sb), 0);
		assert_int_equal(sb.st_mode & 07777, 0600);
	}
	assert_int_equal(chmod(f->path, 0640), 0);
	struct store *st = NULL;
	struct errmsg m = {""};
	assert_int_equal(store_open(f->path, f->seal, &st, &m), ERR_DENIED);
	assert_null(st);
	assert_non_null(strstr(m.text, "chmod"));
}

static void create_twice(void **state)
{
	struct fixture *f = *state;
	struct errmsg m = {""};
	struct stat sb;

	assert_int_equal(store_create(f->path, f->seal, &m), ERR_EXISTS);
	assert_int_not_equal(stat(unit_path(f->folder, "kosmo.db.new"), &sb), 0);
	assert_int_equal(store_create(unit_path(f->folder, "none/kosmo.db"), f->seal, &m), ERR_NOTFOUND);
}

static void not_ours(void **state)
{
	struct fixture *f = *state;
	struct store *st = NULL;
	struct errmsg m = {""};
	char path[PATH_MAX], bytes[8192];
	FILE *file;
	size_t n;

	snprintf(path, sizeof path, "%s/other", (const char *)f->folder);
	assert_int_equal(store_open(path, f->seal, &st, &m), ERR_NOTFOUND);
	unit_write(path, "", 0);
	chmod(path, 0600);
	assert_int_equal(store_open(path, f->seal, &st, &m), ERR_CORRUPT);
	memset(bytes, 'x', sizeof bytes);
	unit_write(path, bytes, sizeof bytes);
	assert_int_equal(store_open(path, f->seal, &st, &m), ERR_CORRUPT);

	/* Another program's database. */
	unlink(path);
	struct fixture other = *f;
	snprintf(other.path, sizeof other.path, "%s", path);
	sqlite3 *sq;
	assert_int_equal(sqlite3_open(path, &sq), SQLITE_OK);
	assert_int_equal(sqlite3_exec(sq, "CREATE TABLE schema_version (version, key_check)", NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(sq);
	chmod(path, 0600);
	assert_int_equal(store_open(path, f->seal, &st, &m), ERR_CORRUPT);

	/* Ours, cut. */
	store_close(f->st);
	f->st = NULL;
	file = fopen(f->path, "r");
	assert_non_null(file);
	n = fread(bytes, 1, sizeof bytes, file);
	fclose(file);
	unit_write(path, bytes, n);
	chmod(path, 0600);
	assert_int_equal(store_open(path, f->seal, &st, &m), ERR_CORRUPT);
	unit_write(path, bytes, 50);
	assert_int_equal(store_open(path, f->seal, &st, &m), ERR_CORRUPT);

	/* A link to the real one; a link in the folder's path is fine. */
	unlink(path);
	assert_int_equal(symlink(f->path, path), 0);
	assert_int_equal(store_open(path, f->seal, &st, &m), ERR_DENIED);
	unlink(path);
	assert_int_equal(symlink(f->folder, path), 0);
	snprintf(bytes, sizeof bytes, "%s/kosmo.db", path);
	OK(store_open(bytes, f->seal, &f->st, &m));
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(store_open(path, f->seal, &st, &m), ERR_DENIED);
	assert_null(st);
}

static void schemas(void **state)
{
	struct fixture *f = *state;
	struct store *st = NULL;
	struct errmsg m = {""};

	raw(f, "UPDATE schema_version SET version = 6");
	OK(store_open(f->path, f->seal, &st, &m));
	store_close(st);
	st = NULL;
	assert_int_equal(STORE_SCHEMA, 5); /* a new schema: the numbers here go up with it */
	raw(f, "UPDATE schema_version SET version = 7");
	assert_int_equal(store_open(f->path, f->seal, &st, &m), ERR_DENIED);
	assert_non_null(strstr(m.text, "kosmoctl store upgrade"));
	raw(f, "UPDATE schema_version SET version = 1");
	assert_int_equal(store_open(f->path, f->seal, &st, &m), ERR_DENIED);
	assert_non_null(strstr(m.text, "kosmoctl store upgrade"));
	raw(f, "UPDATE schema_version SET version = -1");
	assert_int_equal(store_open(f->path, f->seal, &st, &m), ERR_DENIED);
	assert_non_null(strstr(m.text, "kosmoctl store upgrade"));
	raw(f, "UPDATE schema_version SET version = 'x'");
	assert_int_equal(store_open(f->path, f->seal, &st, &m), ERR_CORRUPT);
	raw(f, "DELETE FROM schema_version");
	assert_int_equal(store_open(f->path, f->seal, &st, &m), ERR_CORRUPT);
}

static void other_key(void **state)
{
	struct fixture *f = *state;
	struct store *st = NULL;
	struct seal *seal = NULL;
	struct errmsg m = {""};
	const char *key = unit_path(f->folder, "key2");

	OK(seal_key_create(key, &m));
	OK(seal_load(key, &seal, &m));
	assert_int_equal(store_open(f->path, seal, &st, &m), ERR_CORRUPT);
	assert_non_null(strstr(m.text, "key"));
	seal_free(seal);
}

/* ---- people ---- */

static void assert_same(const struct person *a, const struct person *b)
{
	assert_memory_equal(&a->id, &b->id, sizeof a->id);
	assert_string_equal(a->login, b->login);
	assert_int_equal(a->role, b->role);
	assert_int_equal(a->disabled, b->disabled);
	assert_int_equal(a->expires, b->expires);
	assert_string_equal(a->locale, b->locale);
	assert_string_equal(a->name, b->name);
	assert_memory_equal(&a->birth, &b->birth, sizeof a->birth);
	assert_string_equal(a->email, b->email);
	assert_int_equal(a->email_verified, b->email_verified);
	assert_string_equal(a->password, b->password);
	assert_int_equal(a->has_initial, b->has_initial);
	assert_memory_equal(a->initial, b->initial, sizeof a->initial);
	assert_int_equal(a->initial_from, b->initial_from);
	assert_int_equal(a->initial_used, b->initial_used);
	assert_int_equal(a->birth_confirmed, b->birth_confirmed);
	assert_int_equal(a->password_set, b->password_set);
	assert_int_equal(a->password_expired, b->password_expired);
	assert_int_equal(a->terms, b->terms);
	assert_int_equal(a->method, b->method);
	assert_int_equal(a->created, b->created);
	assert_int_equal(a->last_login, b->last_login);
	assert_memory_equal(&a->batch, &b->batch, sizeof a->batch);
}

static void people(void **state)
{
	struct fixture *f = *state;
	struct person p = person_make("yamada"), q;
	int64_t n = -1;

	assert_int_equal(store_person_add(f->st, &p), ERR_INTERNAL); /* no transaction */
	OK(store_begin(f->st));
	assert_int_equal(store_begin(f->st), ERR_INTERNAL);
	OK(store_person_add(f->st, &p));
	assert_int_equal(store_person_add(f->st, &p), ERR_EXISTS);
	q = person_make("yamada");
	assert_int_equal(store_person_add(f->st, &q), ERR_EXISTS);
	OK(store_commit(f->st));

	OK(store_person_by_login(f->st, "yamada", &q));
	assert_same(&p, &q);
	assert_int_equal(store_person_by_login(f->st, "Yamada", &q), ERR_NOTFOUND);
	assert_int_equal(store_person_by_login(f->st, "yamada' OR 1=1 --", &q), ERR_NOTFOUND);
	memset(&q, 0, sizeof q);
	OK(store_person_by_id(f->st, &p.id, &q));
	assert_same(&p, &q);

	p.role = ROLE_STAFF;
	p.disabled = p.email_verified = p.initial_used = p.birth_confirmed = p.password_expired = true;
	p.password_set = NOW - 5;
	p.expires = NOW + 100;
	p.terms = 7;
	p.method = FACTOR_TOTP;
	p.birth = (struct date){0, 0, 0};
	p.email[0] = p.name[0] = '\0';
	p.has_initial = false;
	memset(p.initial, 0, sizeof p.initial);
	p.last_login = NOW;
	snprintf(p.password, sizeof p.password, "$y$j9T$whatever");
	assert_int_equal(store_person_save(f->st, &p), ERR_INTERNAL);
	OK(store_begin(f->st));
	OK(store_person_save(f->st, &p));
	OK(store_person_seen(f->st, &p.id, NOW + 9));
	OK(store_commit(f->st));
	p.last_login = NOW + 9;
	OK(store_person_by_id(f->st, &p.id, &q));
	assert_same(&p, &q);

	OK(store_begin(f->st));
	p.name[0] = 'x';
	OK(store_person_save(f->st, &p));
	store_rollback(f->st);
	store_rollback(f->st);
	assert_int_equal(store_commit(f->st), ERR_INTERNAL);
	OK(store_person_by_id(f->st, &p.id, &q));
	assert_string_equal(q.name, "");

	OK(store_person_count(f->st, &n));
	assert_int_equal(n, 1);
	OK(store_begin(f->st));
	OK(store_person_delete(f->st, &p.id));
	assert_int_equal(store_person_delete(f->st, &p.id), ERR_NOTFOUND);
	assert_int_equal(store_person_save(f->st, &p), ERR_NOTFOUND);
	OK(store_commit(f->st));
	assert_int_equal(store_person_by_id(f->st, &p.id, &q), ERR_NOTFOUND);
	OK(store_person_count(f->st, &n));
	assert_int_equal(n, 0);
}

static void longest(void **state)
{
	struct fixture *f = *state;
	struct person p = person_make("x"), q;

	memset(p.login, 'l', LOGIN_MAX);
	memset(p.name, 'n', NAME_MAX_BYTES);
	memset(p.email, 'e', EMAIL_MAX);
	memset(p.password, 'p', PASSWORD_HASH_MAX - 1);
	memset(p.locale, 'x', sizeof p.locale - 1);
	p.birth = (struct date){9999, 12, 31};
	OK(store_begin(f->st));
	OK(store_person_add(f->st, &p));
	OK(store_commit(f->st));
	OK(store_person_by_login(f->st, p.login, &q));
	assert_same(&p, &q);
}

static void save_to_a_taken_login(void **state)
{
	struct fixture *f = *state;
	struct person a = person_add(f, "a"), b = person_add(f, "b"), q;

	(void)b;
	OK(store_begin(f->st));
	a.login[0] = 'b';
	assert_int_equal(store_person_save(f->st, &a), ERR_EXISTS);
	assert_int_equal(store_commit(f->st), ERR_EXISTS); /* never half of it */
	OK(store_person_by_login(f->st, "a", &q));
	OK(store_begin(f->st)); /* and the next one is not hurt */
	OK(store_person_seen(f->st, &q.id, NOW));
	OK(store_commit(f->st));
}

static void pages(void **state)
{
	struct fixture *f = *state;
	struct person p[4], page[3];
	size_t n = 9;

	for (int i = 0; i < 4; i++) {
		char login[2] = {(char)('d' - i), '\0'};

		p[i] = person_add(f, login);
	}
	OK(store_person_page(f->st, "", page, 3, &n));
	assert_int_equal(n, 3);
	assert_string_equal(page[0].login, "a");
	assert_string_equal(page[2].login, "c");
	assert_same(&page[2], &p[1]);
	OK(store_person_page(f->st, "c", page, 3, &n));
	assert_int_equal(n, 1);
	OK(store_person_page(f->st, "d", page, 3, &n));
	assert_int_equal(n, 0);
}

static void by_email(void **state)
{
	struct fixture *f = *state;
	struct person a = person_make("a"), b = person_make("b"), c = person_add(f, "c");
	struct id found[4];
	size_t n = 9;

	snprintf(a.email, sizeof a.email, "family@example.jp");
	snprintf(b.email, sizeof b.email, "Family@example.jp");
	OK(store_begin(f->st));
	OK(store_person_add(f->st, &a));
	OK(store_person_add(f->st, &b));
	OK(store_commit(f->st));
	OK(store_person_by_email(f->st, "FAMILY@example.jp", found, 4, &n));
	assert_int_equal(n, 2);
	OK(store_person_by_email(f->st, "family@example.jp", found, 1, &n));
	assert_int_equal(n, 1);
	OK(store_person_by_email(f->st, c.email, found, 4, &n));
	assert_int_equal(n, 1);
	assert_memory_equal(&found[0], &c.id, ID_LEN);
	OK(store_person_by_email(f->st, "nobody@example.jp", found, 4, &n));
	assert_int_equal(n, 0);
	OK(store_person_by_email(f->st, "", found, 4, &n));
	assert_int_equal(n, 0);
	/* Nothing personal stands in the file. */
	assert_int_equal(raw(f, "UPDATE person SET locale = locale WHERE instr(profile, 'example') > 0"), 0);
}

/* ---- authenticators ---- */

static void authenticators(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "a"), q;
	struct authenticator a = authenticator_make(&p), got[AUTHENTICATORS_MAX + 1];
	size_t n = 9;

	a.confirmed = false;
	assert_int_equal(store_authenticator_add(f->st, &a), ERR_INTERNAL);
	OK(store_begin(f->st));
	OK(store_authenticator_add(f->st, &a));
	OK(store_commit(f->st));
	OK(store_authenticators(f->st, &p.id, got, AUTHENTICATORS_MAX, &n));
	assert_int_equal(n, 1);
	assert_memory_equal(&got[0].id, &a.id, ID_LEN);
	assert_memory_equal(&got[0].person, &p.id, ID_LEN);
	assert_false(got[0].confirmed);
	assert_int_equal(got[0].kind, FACTOR_TOTP);
	assert_int_equal(got[0].secret_len, 20);
	assert_memory_equal(got[0].secret, a.secret, 20);
	assert_int_equal(got[0].last_step, -1);
	assert_int_equal(got[0].period, 30);

	OK(store_begin(f->st));
	OK(store_authenticator_confirm(f->st, &p.id, &a.id, "new phone"));
	OK(store_commit(f->st));
	OK(store_authenticators(f->st, &p.id, got, AUTHENTICATORS_MAX, &n));
	assert_true(got[0].confirmed);
	assert_string_equal(got[0].name, "new phone");
	assert_memory_equal(got[0].secret, a.secret, 20);

	OK(store_begin(f->st));
	OK(store_authenticator_rename(f->st, &p.id, &a.id, "old phone"));
	assert_int_equal(store_authenticator_rename(f->st, &a.id, &p.id, "x"), ERR_NOTFOUND);
	OK(store_commit(f->st));
	OK(store_person_by_id(f->st, &p.id, &q));
	OK(store_authenticators(f->st, &p.id, got, AUTHENTICATORS_MAX, &n));
	assert_string_equal(got[0].name, "old phone");

	OK(store_begin(f->st));
	for (int i = 1; i < AUTHENTICATORS_MAX; i++) {
		struct authenticator b = authenticator_make(&p);

		OK(store_authenticator_add(f->st, &b));
	}
	struct authenticator b = authenticator_make(&p);
	assert_int_equal(store_authenticator_add(f->st, &b), ERR_TOOBIG);
	OK(store_commit(f->st));
	OK(store_authenticators(f->st, &p.id, got, COUNT(got), &n));
	assert_int_equal(n, AUTHENTICATORS_MAX);
	OK(store_person_by_id(f->st, &p.id, &q));

	OK(store_begin(f->st));
	OK(store_authenticator_remove(f->st, &p.id, &a.id));
	assert_int_equal(store_authenticator_remove(f->st, &p.id, &a.id), ERR_NOTFOUND);
	OK(store_person_delete(f->st, &p.id));
	OK(store_commit(f->st));
	assert_int_equal(raw(f, "DELETE FROM authenticator"), 0);
}

static void totp(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "a");
	struct authenticator a = authenticator_add(f, &p), got[1];
	struct id none = {{1}};
	size_t n;

	assert_int_equal(store_totp_consume(f->st, &a.id, 5, NOW), ERR_INTERNAL);
	OK(store_begin(f->st));
	OK(store_totp_consume(f->st, &a.id, 0, NOW));
	assert_int_equal(store_totp_consume(f->st, &a.id, 0, NOW), ERR_EXISTS);
	OK(store_totp_consume(f->st, &a.id, 100, NOW + 3));
	assert_int_equal(store_totp_consume(f->st, &a.id, 100, NOW), ERR_EXISTS);
	assert_int_equal(store_totp_consume(f->st, &a.id, 99, NOW), ERR_EXISTS);
	assert_int_equal(store_totp_consume(f->st, &none, 101, NOW), ERR_EXISTS);
	OK(store_commit(f->st));
	OK(store_authenticators(f->st, &p.id, got, 1, &n));
	assert_int_equal(got[0].last_step, 100);
	assert_int_equal(got[0].last_used, NOW + 3);
}

/* ---- rows that somebody else wrote ---- */

static void refused(struct fixture *f, const char *login, const struct id *id)
{
	struct person q;
	struct authenticator a[4];
	struct id found[4];
	char email[EMAIL_MAX + 1];
	size_t n;

	assert_int_equal(store_person_by_login(f->st, login, &q), ERR_CORRUPT);
	assert_int_equal(store_person_by_id(f->st, id, &q), ERR_CORRUPT);
	assert_int_equal(store_authenticators(f->st, id, a, 4, &n), ERR_CORRUPT);
	snprintf(email, sizeof email, "%s@example.jp", login);
	(void)store_person_by_email(f->st, email, found, 4, &n);
	/* And no write of ours makes it right again. */
	OK(store_begin(f->st));
	struct authenticator b;
	memset(&b, 0, sizeof b);
	OK(id_new(&b.id));
	b.person = *id;
	b.kind = FACTOR_TOTP;
	assert_int_equal(store_authenticator_add(f->st, &b), ERR_CORRUPT);
	q = person_make(login);
	q.id = *id;
	assert_int_equal(store_person_save(f->st, &q), ERR_CORRUPT);
	store_rollback(f->st);
	assert_int_equal(store_person_by_id(f->st, id, &q), ERR_CORRUPT);
}

static void tampering(void **state)
{
	static const struct {
		const char *what, *sql;
	} each[] = {
	    {"role", "UPDATE person SET role = 2 WHERE login = 'a'"},
	    {"disabled", "UPDATE person SET disabled = 1 WHERE login = 'a'"},
	    {"expires", "UPDATE person SET expires = 5 WHERE login = 'a'"},
	    {"password",
	     "UPDATE person SET password = (SELECT password FROM person WHERE login = 'b') WHERE login = 'a'"},
	    {"initial", "UPDATE person SET initial = (SELECT initial FROM person WHERE login = 'b') WHERE login = 'a'"},
	    {"no initial", "UPDATE person SET initial = NULL WHERE login = 'a'"},
	    {"initial's time", "UPDATE person SET initial_from = initial_from + 1 WHERE login = 'a'"},
	    {"verified", "UPDATE person SET email_verified = 1 WHERE login = 'a'"},
	    {"address", "UPDATE person SET address = (SELECT address FROM person WHERE login = 'b') WHERE login = 'a'"},
	    {"profile", "UPDATE person SET profile = (SELECT profile FROM person WHERE login = 'b') WHERE login = 'a'"},
	    {"password expired no more", "UPDATE person SET password_expired = 0 WHERE login = 'a'"},
	    {"password younger", "UPDATE person SET password_set = password_set + 1 WHERE login = 'a'"},
	    {"password's age unknown", "UPDATE person SET password_set = 0 WHERE login = 'a'"},
	    {"terms", "UPDATE person SET terms = 9 WHERE login = 'a'"},
	    {"mac", "UPDATE person SET mac = (SELECT mac FROM person WHERE login = 'b') WHERE login = 'a'"},
	    {"mac cut", "UPDATE person SET mac = x'' WHERE login = 'a'"},
	    {"mac a number", "UPDATE person SET mac = 1 WHERE login = 'a'"},
	    {"logins",
	     "UPDATE person SET login = 'c' WHERE login = 'a'; UPDATE person SET login = 'a' WHERE login = 'b'; "
	     "UPDATE person SET login = 'b' WHERE login = 'c'"},
	    {"authenticator gone",
	     "DELETE FROM authenticator WHERE person = (SELECT id FROM person WHERE login = 'a')"},
	    {"authenticator moved", "UPDATE authenticator SET person = (SELECT id FROM person WHERE login = 'a') "
				    "WHERE person = (SELECT id FROM person WHERE login = 'b')"},
	    {"authenticator copied",
	     "INSERT INTO authenticator SELECT (SELECT id FROM person WHERE login = 'a'), randomblob(16), kind, "
	     "confirmed, "
	     "algorithm, digits, period, secret, name, last_step, created, last_used FROM authenticator "
	     "WHERE person = (SELECT id FROM person WHERE login = 'b')"},
	    {"secrets",
	     "UPDATE authenticator SET secret = (SELECT secret FROM authenticator WHERE person = "
	     "(SELECT id FROM person WHERE login = 'b')) WHERE person = (SELECT id FROM person WHERE login = 'a')"},
	    {"confirmed", "UPDATE authenticator SET confirmed = 1 - confirmed"},
	    {"algorithm", "UPDATE authenticator SET algorithm = 2"},
	    {"digits", "UPDATE authenticator SET digits = 8"},
	    {"period", "UPDATE authenticator SET period = 120"},
	    {"kind", "UPDATE authenticator SET kind = 4"},
	    {"a text for a blob", "UPDATE authenticator SET secret = 'x'"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(each); i++) {
		struct person a, b, q;

		OK(store_begin(f->st));
		a = person_make("a");
		b = person_make("b");
		snprintf(a.password, sizeof a.password, "$y$a");
		snprintf(b.password, sizeof b.password, "$y$b");
		a.password_set = 1;
		a.password_expired = true;
		OK(store_person_add(f->st, &a));
		OK(store_person_add(f->st, &b));
		OK(store_commit(f->st));
		(void)authenticator_add(f, &a);
		(void)authenticator_add(f, &b);
		OK(store_person_by_login(f->st, "a", &q));
		assert_true(raw(f, each[i].sql) > 0);
		refused(f, "a", strcmp(each[i].what, "logins") == 0 ? &b.id : &a.id);
		raw(f, "DELETE FROM person; DELETE FROM authenticator");
	}
}

/* What the MAC does not hold together, the sealing does. */
static void names_swapped(void **state)
{
	struct fixture *f = *state;
	struct person a = person_add(f, "a"), b = person_add(f, "b");
	struct authenticator got[1];
	size_t n;

	(void)authenticator_add(f, &a);
	(void)authenticator_add(f, &b);
	raw(f, "UPDATE authenticator SET name = (SELECT name FROM authenticator WHERE person = "
	       "(SELECT id FROM person WHERE login = 'b'))");
	assert_int_equal(store_authenticators(f->st, &a.id, got, 1, &n), ERR_CORRUPT);
}

/* ---- batches ---- */

static void batches(void **state)
{
	struct fixture *f = *state;
	struct person p[5], q, all = person_add(f, "z");
	struct authenticator a;
	struct id batch, ids[2];
	size_t n = 9;
	int64_t count = 9, dropped = 9;
	bool left = true;

	(void)all;
	OK(store_begin(f->st));
	OK(store_batch_new(f->st, &batch));
	for (int i = 0; i < 5; i++) {
		char login[2] = {(char)('a' + i), '\0'};

		p[i] = person_make(login);
		p[i].batch = batch;
		OK(store_person_add(f->st, &p[i]));
	}
	a = authenticator_make(&p[0]);
	OK(store_authenticator_add(f->st, &a));
	OK(store_commit(f->st));

	assert_int_equal(store_person_by_login(f->st, "a", &q), ERR_NOTFOUND);
	assert_int_equal(store_person_by_id(f->st, &p[0].id, &q), ERR_NOTFOUND);
	OK(store_person_by_email(f->st, p[0].email, ids, 2, &n));
	assert_int_equal(n, 0);
	OK(store_person_page(f->st, "", &q, 1, &n));
	assert_int_equal(n, 1);
	assert_string_equal(q.login, "z");
	OK(store_person_count(f->st, &count));
	assert_int_equal(count, 1);

	OK(store_begin(f->st));
	OK(store_batch_publish(f->st, &batch, NOW + 50));
	assert_int_equal(store_batch_publish(f->st, &batch, NOW + 51), ERR_NOTFOUND);
	OK(store_commit(f->st));
	OK(store_person_by_login(f->st, "a", &q));
	assert_int_equal(q.initial_from, NOW + 50);
	OK(store_person_count(f->st, &count));
	assert_int_equal(count, 6);

	/* A new initial password has a time of its own. */
	OK(store_begin(f->st));
	q.initial_from = NOW + 99;
	OK(store_person_save(f->st, &q));
	OK(store_commit(f->st));
	OK(store_person_by_login(f->st, "a", &q));
	assert_int_equal(q.initial_from, NOW + 99);

	OK(store_batch_drop(f->st, 2, &left, &dropped)); /* published ones stay */
	assert_false(left);
	assert_int_equal(dropped, 0);

	OK(store_begin(f->st));
	OK(store_batch_new(f->st, &batch));
	for (int i = 0; i < 3; i++) {
		char login[2] = {(char)('p' + i), '\0'};

		q = person_make(login);
		q.batch = batch;
		OK(store_person_add(f->st, &q));
		a = authenticator_make(&q);
		OK(store_authenticator_add(f->st, &a));
	}
	OK(store_commit(f->st));
	OK(store_batch_drop(f->st, 2, &left, &dropped));
	assert_true(left);
	assert_int_equal(dropped, 2);
	OK(store_batch_drop(f->st, 2, &left, &dropped));
	assert_false(left);
	assert_int_equal(dropped, 1);
	assert_int_equal(raw(f, "DELETE FROM authenticator"), 1);
	assert_int_equal(raw(f, "DELETE FROM person"), 6);
	assert_int_equal(raw(f, "DELETE FROM batch"), 1);
}

/* ---- locks ---- */

static void busy(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "a"), q;
	int go[2], done[2];
	char c = 0;
	int64_t before;
	pid_t child;

	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(done), 0);
	store_close(f->st); /* a connection must not be carried across fork */
	f->st = NULL;
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct store *st = NULL;

		if (store_open(f->path, f->seal, &st, NULL) != ERR_NONE || store_begin(st) != ERR_NONE ||
		    write(go[1], "x", 1) != 1 || read(done[0], &c, 1) != 1)
			_exit(1);
		store_close(st); /* rolls back */
		_exit(0);
	}
	assert_int_equal(read(go[0], &c, 1), 1);
	OK(store_open(f->path, f->seal, &f->st, NULL));
	OK(store_person_by_login(f->st, "a", &q)); /* readers don't wait */
	before = clock_mono_ms();
	assert_int_equal(store_begin(f->st), ERR_BUSY);
	assert_in_range(clock_mono_ms() - before, STORE_BUSY_MS - 50, STORE_BUSY_MS * 10);
	assert_int_equal(store_totp_consume(f->st, &p.id, 1, NOW), ERR_INTERNAL);
	assert_int_equal(write(done[1], "x", 1), 1);
	assert_int_equal(waitpid(child, NULL, 0), child);
	OK(store_begin(f->st));
	OK(store_commit(f->st));
}

/* Moved, removed, replaced or cut short under an open handle: it must be given up, nothing that is written then is
 * acknowledged, and no second one is opened beside it. Put back, all goes on. */
static void files_under_a_running_program(void **state)
{
	static const struct {
		const char *suffix;
		enum { AWAY, OTHER, SHORT } what;
		const char *says;
	} cases[] = {{"", AWAY, "moved or removed"},	 {"-wal", AWAY, "moved or removed"},
		     {"-shm", AWAY, "moved or removed"}, {"", OTHER, "another file"},
		     {"-wal", OTHER, "another file"},	 {"", SHORT, "VACUUM"}};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct person p = person_make(i % 2 ? "odd" : "even");
		struct store *second = NULL;
		struct errmsg m = {""};
		char name[PATH_MAX + 8], away[PATH_MAX + 16];
		struct stat sb;
		bool worked;
		FILE *other;

		snprintf(name, sizeof name, "%s%s", f->path, cases[i].suffix);
		snprintf(away, sizeof away, "%s.away", name);
		if (cases[i].what == SHORT) { /* grown before, so that it loses nothing */
			assert_int_equal(stat(name, &sb), 0);
			assert_int_equal(truncate(name, sb.st_size + 4096), 0);
		}
		OK(store_intact(f->st, &m));
		assert_int_equal(cases[i].what == SHORT ? truncate(name, sb.st_size) : rename(name, away), 0);
		if (cases[i].what == OTHER) {
			other = fopen(name, "w");
			assert_non_null(other);
			fclose(other);
			assert_int_equal(chmod(name, 0600), 0);
		}

		assert_int_not_equal(store_intact(f->st, &m), ERR_NONE);
		assert_non_null(strstr(m.text, cases[i].says));
		assert_int_not_equal(store_open(f->path, f->seal, &second, &m), ERR_NONE);
		assert_null(second);
		OK(store_begin(f->st));
		OK(store_person_add(f->st, &p));
		assert_int_equal(store_commit(f->st), ERR_IO);
		assert_int_equal(store_health(f->st, &worked, &m), ERR_IO);
		assert_non_null(strstr(m.text, cases[i].says));
		assert_false(worked);

		assert_int_equal(cases[i].what == SHORT ? truncate(name, sb.st_size + 4096) : rename(away, name), 0);
		OK(store_intact(f->st, &m));
		assert_int_equal(store_health(f->st, &worked, &m), ERR_NONE);
		OK(store_open(f->path, f->seal, &second, &m));
		store_close(second);
		OK(store_begin(f->st));
		OK(store_person_add(f->st, &p)); /* what was not acknowledged is not there either */
		OK(store_person_delete(f->st, &p.id));
		OK(store_commit(f->st));
		store_health(f->st, &worked, &m);
		assert_true(worked);
		person_wipe(&p);
	}
}

/* What failed is said once, in words, with what to do. */
static void health_of_a_locked_store(void **state)
{
	struct fixture *f = *state;
	struct errmsg m = {""};
	sqlite3 *sq = NULL;
	bool worked;

	assert_int_equal(sqlite3_open_v2(f->path, &sq, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(sq, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(store_begin(f->st), ERR_BUSY);
	assert_int_equal(store_health(f->st, &worked, &m), ERR_BUSY);
	assert_non_null(strstr(m.text, "fuser"));
	assert_int_equal(store_health(f->st, &worked, &m), ERR_NONE);
	assert_int_equal(sqlite3_close(sq), SQLITE_OK);
	OK(store_begin(f->st));
	OK(store_commit(f->st));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parameters_in_order),
	    TEST(files_under_a_running_program),
	    TEST(health_of_a_locked_store),
	    TEST(texts_prepare),
	    TEST(modes),
	    TEST(create_twice),
	    TEST(not_ours),
	    TEST(schemas),
	    TEST(other_key),
	    TEST(people),
	    TEST(longest),
	    TEST(save_to_a_taken_login),
	    TEST(pages),
	    TEST(by_email),
	    TEST(authenticators),
	    TEST(totp),
	    TEST(tampering),
	    TEST(names_swapped),
	    TEST(batches),
	    TEST(busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
