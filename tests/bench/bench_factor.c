/* What bench_factor.py loads: people who have typed their password and owe the code, and yardsticks.
 *
 *   bench_factor put DB KEY FIRST PEOPLE app|mail   adds people with a half session each; a line for each: the
 * session's cookie, its form token, a code that is good for a minute at least bench_factor fsync FOLDER SECONDS appends
 * of 4 KB with fdatasync, a second bench_factor sqlite FOLDER SECONDS              bare write transactions (an update
 * and an insert, WAL, FULL), a second */
#include "config.h"

#include "common/base64url.h"
#include "common/clock.h"
#include "common/secret.h"
#include "keeper/store/store.h"
#include "keeper/totp.h"
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT_ONCE	  200 /* people a transaction */
#define HALF_LIFE 900

static void check(enum err e, const char *what)
{
	if (e == ERR_NONE)
		return;
	fprintf(stderr, "bench_factor: %s: %s\n", what, err_text(e));
	exit(1);
}

static void fail(const char *what)
{
	fprintf(stderr, "bench_factor: %s\n", what);
	exit(1);
}

static void text_of(const uint8_t bytes[static 32], char ret[static 44])
{
	AUTO_BUF b = BUF_INIT;

	base64url_encode(&b, bytes, 32);
	if (b.failed || b.len != 43)
		fail("out of memory");
	memcpy(ret, b.data, 44);
}

struct owed {
	char cookie[44], csrf[44], code[9];
};

static void session(struct store *st, const struct seal *seal, const struct id *person, int64_t now, struct owed *o)
{
	struct session s = {
	    .person = *person, .level = SESSION_HALF, .created = now, .seen = now, .expires = now + HALF_LIFE};
	uint8_t r[32];

	check(secret_random(r, sizeof(r)), "random");
	text_of(r, o->cookie);
	const struct seal_part part[] = {{o->cookie, 43}};
	check(seal_mac(seal, SEAL_CSRF, part, 1, r), "mac");
	text_of(r, o->csrf);
	check(seal_mac(seal, SEAL_SESSION, part, 1, s.digest), "mac");
	snprintf(s.agent, sizeof(s.agent), "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/120.0 Safari/537.36");
	snprintf(s.address, sizeof(s.address), "127.0.0.1");
	check(store_session_add(st, &s), "a session");
}

static void person(struct store *st, const struct seal *seal, unsigned i, bool mail, int64_t now, struct owed *o)
{
	struct person p = {
	    .role = ROLE_MEMBER, .created = now, .email_verified = true, .birth_confirmed = true, .terms = 1};
	struct authenticator a = {.confirmed = true, .last_step = -1, .created = now};

	check(id_new(&p.id), "id");
	snprintf(p.login, sizeof(p.login), "f%08u", i);
	snprintf(p.name, sizeof(p.name), "\xe5\xb1\xb1\xe7\x94\xb0 \xe8\x8a\xb1\xe5\xad\x90%u", i);
	snprintf(p.email, sizeof(p.email), "hanako.%u@example.jp", i);
	snprintf(p.locale, sizeof(p.locale), "ja");
	snprintf(p.password, sizeof(p.password), "$y$j9T$bench0123456789$PBUfDrOlXsFP3jlXEhpBzNpPhpYHVVbiPZ1QTbDUKlA");
	p.birth = (struct date){1980, 1, 1};
	check(store_person_add(st, &p), "a person");
	check(id_new(&a.id), "id");
	a.person = p.id;
	a.kind = mail ? FACTOR_MAILCODE : FACTOR_TOTP;
	snprintf(a.name, sizeof(a.name), "%s", mail ? "mail" : "phone");
	if (!mail) {
		a.algorithm = TOTP_SHA1;
		a.digits = 6;
		a.period = 30;
		a.secret_len = TOTP_SECRET_LEN;
		check(secret_random(a.secret, a.secret_len), "random");
		const struct totp t = {TOTP_SHA1, 6, 30, a.secret, a.secret_len};
		check(totp_code(&t, (uint64_t)now / 30 + 1, o->code), "code");
	}
	check(store_authenticator_add(st, &a), "an authenticator");
	if (mail) {
		struct code c = {.person = p.id, .purpose = CODE_LOGIN, .created = now, .expires = now + HALF_LIFE};
		unsigned n;

		check(id_new(&c.id), "id");
		check(secret_uniform(1000000, &n), "random");
		snprintf(o->code, sizeof(o->code), "%06u", n);
		snprintf(c.address, sizeof(c.address), "%s", p.email);
		check(store_code_put(st, &c, o->code, NULL), "a mailed code");
	}
	session(st, seal, &p.id, now, o);
}

static void put(const char *db, const char *key, unsigned first, unsigned n, bool mail)
{
	struct errmsg m = {""};
	struct seal *seal;
	struct store *st;
	struct owed *o = calloc(n, sizeof(*o));
	int64_t now = clock_now();

	if (o == NULL)
		fail("out of memory");
	check(seal_load(key, &seal, &m), m.text);
	check(store_open(db, seal, &st, &m), m.text);
	store_bulk(st);
	for (unsigned i = 0; i < n;) {
		check(store_begin(st), "begin");
		for (unsigned j = 0; j < AT_ONCE && i < n; j++, i++)
			person(st, seal, first + i, mail, now, &o[i]);
		check(store_commit(st), "commit");
	}
	store_close(st);
	seal_free(seal);
	for (unsigned i = 0; i < n; i++)
		printf("%s %s %s\n", o[i].cookie, o[i].csrf, o[i].code);
	free(o);
}

static double since(int64_t begun_ms)
{
	return (double)(clock_mono_ms() - begun_ms) / 1000;
}

static void yard_fsync(const char *folder, double seconds)
{
	char path[4096], block[4096] = "";
	int64_t begun;
	unsigned n = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/yard-fsync", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		fail("cannot write");
	for (begun = clock_mono_ms(); since(begun) < seconds; n++)
		if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block) || fdatasync(fd) != 0)
			fail("cannot write");
	printf("%.1f\n", n / since(begun));
	close(fd);
	unlink(path);
}

static void sql(sqlite3 *db, const char *text)
{
	if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
		fail(sqlite3_errmsg(db));
}

static void yard_sqlite(const char *folder, double seconds)
{
	char path[4096];
	sqlite3 *db;
	sqlite3_stmt *s[4];
	static const char *const text[4] = {"BEGIN IMMEDIATE", "UPDATE t SET v = v + 1 WHERE k = 7",
					    "INSERT INTO l (v) VALUES (randomblob(200))", "COMMIT"};
	int64_t begun;
	unsigned n = 0;

	snprintf(path, sizeof(path), "%s/yard.db", folder);
	if (sqlite3_open(path, &db) != SQLITE_OK)
		fail("cannot open a database");
	sql(db,
	    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (k INTEGER PRIMARY KEY, v INTEGER);"
	    "CREATE TABLE l (seq INTEGER PRIMARY KEY, v BLOB); INSERT INTO t VALUES (7, 0)");
	for (int i = 0; i < 4; i++)
		if (sqlite3_prepare_v2(db, text[i], -1, &s[i], NULL) != SQLITE_OK)
			fail(sqlite3_errmsg(db));
	for (begun = clock_mono_ms(); since(begun) < seconds; n++)
		for (int i = 0; i < 4; i++)
			if (sqlite3_step(s[i]) != SQLITE_DONE || sqlite3_reset(s[i]) != SQLITE_OK)
				fail(sqlite3_errmsg(db));
	printf("%.1f\n", n / since(begun));
	for (int i = 0; i < 4; i++)
		sqlite3_finalize(s[i]);
	sqlite3_close(db);
}

int main(int argc, char **argv)
{
	if (argc == 7 && strcmp(argv[1], "put") == 0)
		put(argv[2], argv[3], (unsigned)strtoul(argv[4], NULL, 10), (unsigned)strtoul(argv[5], NULL, 10),
		    strcmp(argv[6], "mail") == 0);
	else if (argc == 4 && strcmp(argv[1], "fsync") == 0)
		yard_fsync(argv[2], strtod(argv[3], NULL));
	else if (argc == 4 && strcmp(argv[1], "sqlite") == 0)
		yard_sqlite(argv[2], strtod(argv[3], NULL));
	else
		fail("usage: put DB KEY FIRST PEOPLE app|mail, fsync FOLDER SECONDS, sqlite FOLDER SECONDS");
	return 0;
}
