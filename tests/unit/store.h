/* A store of its own for each test, and a second, raw hand on its file. */
#ifndef KOSMO_UNIT_STORE_H
#define KOSMO_UNIT_STORE_H

#include "unit.h"

#include "common/clock.h"
#include "keeper/store/store.h"
#include <sqlite3.h>

#define NOW 1700000000

struct fixture {
	void *folder;
	char path[PATH_MAX];
	struct seal *seal;
	struct store *st;
};

#define OK(call) assert_int_equal((call), ERR_NONE)

static inline int fixture_make(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char key[PATH_MAX];
	struct errmsg m = {""};

	if (f == NULL || unit_folder(&f->folder) != 0)
		return -1;
	snprintf(key, sizeof key, "%s/key", (const char *)f->folder);
	snprintf(f->path, sizeof f->path, "%s/kosmo.db", (const char *)f->folder);
	if (seal_key_create(key, &m) != ERR_NONE || seal_load(key, &f->seal, &m) != ERR_NONE ||
	    store_create(f->path, f->seal, &m) != ERR_NONE || store_open(f->path, f->seal, &f->st, &m) != ERR_NONE) {
		fprintf(stderr, "%s\n", m.text);
		return -1;
	}
	clock_fix(NOW);
	*state = f;
	return 0;
}

static inline int fixture_drop(void **state)
{
	struct fixture *f = *state;

	clock_fix(-1);
	store_close(f->st);
	seal_free(f->seal);
	unit_folder_gone(&f->folder);
	free(f);
	return 0;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_make, fixture_drop)

/* As somebody who can only write rows would do it. Returns the number of rows changed. */
static inline int raw(const struct fixture *f, const char *sql)
{
	sqlite3 *sq = NULL;
	char *why = NULL;
	int n;

	assert_int_equal(sqlite3_open_v2(f->path, &sq, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	sqlite3_busy_timeout(sq, 1000);
	if (sqlite3_exec(sq, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
	n = sqlite3_total_changes(sq);
	assert_int_equal(sqlite3_close(sq), SQLITE_OK);
	return n;
}

static inline struct person person_make(const char *login)
{
	struct person p;

	memset(&p, 0, sizeof p);
	OK(id_new(&p.id));
	snprintf(p.login, sizeof p.login, "%s", login);
	snprintf(p.name, sizeof p.name, "\xe5\xb1\xb1\xe7\x94\xb0 %s", login);
	snprintf(p.email, sizeof p.email, "%s@example.jp", login);
	snprintf(p.locale, sizeof p.locale, "ja");
	p.role = ROLE_MEMBER;
	p.birth = (struct date){1980, 1, 31};
	p.has_initial = true;
	memset(p.initial, login[0], sizeof p.initial);
	p.initial_from = NOW - 5;
	p.created = NOW;
	return p;
}

static inline struct person person_add(struct fixture *f, const char *login)
{
	struct person p = person_make(login);

	OK(store_begin(f->st));
	OK(store_person_add(f->st, &p));
	OK(store_commit(f->st));
	return p;
}

static inline struct authenticator authenticator_make(const struct person *p)
{
	struct authenticator a;

	memset(&a, 0, sizeof a);
	OK(id_new(&a.id));
	a.person = p->id;
	a.kind = FACTOR_TOTP;
	a.confirmed = true;
	snprintf(a.name, sizeof a.name, "phone");
	a.algorithm = 1;
	a.digits = 6;
	a.period = 30;
	memset(a.secret, 0x5a, 20);
	a.secret_len = 20;
	a.last_step = -1;
	a.created = NOW;
	return a;
}

static inline struct authenticator authenticator_add(struct fixture *f, const struct person *p)
{
	struct authenticator a = authenticator_make(p);

	OK(store_begin(f->st));
	OK(store_authenticator_add(f->st, &a));
	OK(store_commit(f->st));
	return a;
}

#endif
