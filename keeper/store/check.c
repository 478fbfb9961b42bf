#include "config.h"

#include "common/secret.h"
#include "keeper/store/inside.h"
#include <stdio.h>

#define KEYS_PAGE 200
#define KEY_MAX	  DIGEST_LEN
#define NAME_MAX  (2 * KEY_MAX + 1)

struct key {
	uint8_t b[KEY_MAX];
	size_t n;
	char name[NAME_MAX];
};

static const struct kind {
	const char *what;
	enum sql keys;
	size_t len;
	enum err (*opens)(struct store *st, const uint8_t *key);
	size_t count;	/* where it is counted */
	int64_t schema; /* the first one that has them */
} kinds[] = {
    {"person", SQL_PERSON_KEYS, ID_LEN, person_opens, offsetof(struct store_check, people), 0},
    {"code", SQL_CODE_KEYS, ID_LEN, code_opens, offsetof(struct store_check, codes), 0},
    {"session", SQL_SESSION_KEYS, DIGEST_LEN, session_opens, offsetof(struct store_check, sessions), 0},
    {"mail", SQL_MAIL_KEYS, ID_LEN, mail_opens, offsetof(struct store_check, mails), 0},
    {"approval", SQL_APPROVAL_KEYS, ID_LEN, approval_opens, offsetof(struct store_check, approvals), SCHEMA_PASSKEYS},
    {"letter", SQL_LETTER_KEYS, ID_LEN, letter_opens, offsetof(struct store_check, letters), SCHEMA_LETTERS},
    {"logins", SQL_LOGIN_KEYS, ID_LEN, logins_open, offsetof(struct store_check, logins), SCHEMA_LOGINS},
    {"deadline", SQL_DEADLINE_KEYS, ID_LEN, deadline_opens, offsetof(struct store_check, deadlines), SCHEMA_DEADLINES},
};

/* A login as it is, if nothing in it could upset a terminal; else hexadecimal digits. */
static void name(struct db_value v, char ret[static NAME_MAX])
{
	const uint8_t *p = v.p;
	size_t n = v.n < NAME_MAX - 1 ? v.n : NAME_MAX - 1;
	bool plain = v.type == DB_TEXT && v.n > 0;

	for (size_t i = 0; plain && i < n; i++)
		plain = p[i] > ' ' && p[i] < 0x7f;
	if (plain)
		memcpy(ret, p, n);
	else
		for (n = 0; n / 2 < v.n && n + 2 < NAME_MAX; n += 2)
			(void)snprintf(ret + n, 3, "%02x", p[n / 2]);
	ret[n] = '\0';
}

static enum err page(struct store *st, const struct kind *k, const struct key *after, struct key *ret, size_t *ret_n)
{
	struct query q;
	enum db_step step = DB_DONE;
	size_t n = 0;
	enum err e = query_open(&q, st, k->keys, ARGS(V_BLOB(after->b, after->n), V_INT(KEYS_PAGE)));

	while (e == ERR_NONE && n < KEYS_PAGE && (step = query_step(&q)) == DB_ROW) {
		struct db_value v = query_blob(&q, 0);

		if (v.type == DB_NULL || v.n > KEY_MAX)
			e = ERR_CORRUPT; /* no key of ours: and no walk gets past it */
		else
			memcpy(ret[n].b, v.p, v.n);
		ret[n].n = v.n;
		name(st->drv->column(q.s, 1), ret[n++].name);
	}
	if (e == ERR_NONE && step == DB_ERROR)
		e = q.e;
	query_close(&q);
	if (e == ERR_NONE)
		*ret_n = n;
	return e;
}

static enum err check_kind(struct store *st, const struct kind *k, store_check_bad bad, void *arg,
			   struct store_check *r)
{
	struct key keys[KEYS_PAGE], after = {.n = 0};
	int64_t *count = (int64_t *)(void *)((char *)r + k->count);
	size_t n = KEYS_PAGE;
	enum err e = ERR_NONE;

	while (e == ERR_NONE && n == KEYS_PAGE) {
		e = page(st, k, &after, keys, &n);
		for (size_t i = 0; e == ERR_NONE && i < n; i++) {
			e = keys[i].n == k->len ? k->opens(st, keys[i].b) : ERR_CORRUPT;
			*count += e != ERR_NOTFOUND;
			if (e == ERR_CORRUPT) {
				r->bad++;
				if (bad != NULL)
					bad(arg, k->what, keys[i].name);
			}
			if (e == ERR_CORRUPT || e == ERR_NOTFOUND)
				e = ERR_NONE;
		}
		if (e == ERR_NONE && n > 0)
			after = keys[n - 1];
	}
	return e;
}

enum err check_people(struct store *st, int64_t *ret_people, int64_t *ret_bad)
{
	struct store_check r = {.people = 0};
	enum err e = check_kind(st, &kinds[0], NULL, NULL, &r);

	if (e == ERR_NONE) {
		*ret_people = r.people;
		*ret_bad = r.bad;
	}
	return e;
}

static enum err count_of(struct store *st, enum sql which, int64_t *n)
{
	struct query q;
	enum err e = query_first(&q, st, which, NULL, 0);

	if (e == ERR_NONE) {
		*n += query_int(&q, 0);
		e = q.e;
	}
	query_close(&q);
	return e;
}

static enum err count_orphans(struct store *st, int64_t *ret)
{
	enum err e = count_of(st, SQL_ORPHANS, ret);

	if (e == ERR_NONE && st->schema >= SCHEMA_PASSKEYS)
		e = count_of(st, SQL_ORPHANS_PASSKEYS, ret);
	if (e == ERR_NONE && st->schema >= SCHEMA_LETTERS)
		e = count_of(st, SQL_ORPHANS_LETTERS, ret);
	if (e == ERR_NONE && st->schema >= SCHEMA_LOGINS)
		e = count_of(st, SQL_ORPHANS_LOGINS, ret);
	return e == ERR_NONE && st->schema >= SCHEMA_DEADLINES ? count_of(st, SQL_ORPHANS_DEADLINES, ret) : e;
}

enum err store_check(struct store *st, store_check_bad bad, void *arg, struct store_check *ret)
{
	struct store_check r = {.people = 0};
	enum err e = st->drv->check(st->db, &r.damage);

	if (e == ERR_CORRUPT) { /* what can still be read is looked at */
		e = ERR_NONE;
		if (r.damage.text[0] == '\0')
			(void)err_set(&r.damage, e, "the file is damaged");
	}
	for (size_t i = 0; e == ERR_NONE && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (st->schema >= kinds[i].schema)
			e = check_kind(st, &kinds[i], bad, arg, &r);
	if (e == ERR_NONE)
		e = count_orphans(st, &r.orphans);
	if (e == ERR_NONE)
		e = store_audit_check(st, NULL, 0, true, &r.audit);
	if (e == ERR_NONE)
		*ret = r;
	return e;
}
