/* The last logins of everybody, for themselves to look at: a few rows a person, whatever the audit holds. */
#include "config.h"

#include "common/secret.h"
#include "keeper/store/inside.h"
#include <inttypes.h>
#include <stdio.h>

enum { LOGIN_ID, LOGIN_SEALED };

#define FORM "1" /* of the sealed column */

void store_login_wipe(struct store_login *l, size_t n)
{
	secret_wipe(l, n * sizeof(*l));
}

static struct seal_where where(const struct store_login *l, const uint8_t *what)
{
	return (struct seal_where){
	    .table = "login", .column = "sealed", .row = l->id, .owner = l->person, .extra = what, .extra_len = 1};
}

/* Into st->box. */
static enum err seal(struct store *st, const struct store_login *l)
{
	const uint8_t what = (uint8_t)l->what;
	const struct seal_where w = where(l, &what);
	const char *const texts[] = {l->name, l->place, l->host, l->address, l->agent};
	char head[48];

	(void)snprintf(head, sizeof(head), FORM " %" PRId64 " %d %d", l->time, (int)l->kind, (int)l->password);
	buf_wipe(&st->plain);
	part_put(&st->plain, head, strlen(head));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		part_put(&st->plain, texts[i], strlen(texts[i]));
	buf_add(&st->plain, l->device.b, ID_LEN);
	if (st->plain.failed)
		return ERR_NOMEM;
	buf_wipe(&st->box);
	return seal_box(st->seal, &w, st->plain.data, st->plain.len, &st->box);
}

enum err store_login_add(struct store *st, const struct store_login *l)
{
	struct store_login row = *l;
	enum err e;

	if (!st->writing)
		return ERR_INTERNAL;
	if (st->schema < SCHEMA_LOGINS)
		return ERR_NONE;
	e = id_new(&row.id);
	if (e == ERR_NONE)
		e = seal(st, &row);
	if (e == ERR_NONE)
		e = store_write(st, SQL_LOGIN_ADD,
				ARGS(V_ID(&row.person), V_INT(row.what), V_ID(&row.id), V_BUF(&st->box)), NULL);
	if (e == ERR_NONE)
		e = store_write(st, SQL_LOGIN_OLDEST, ARGS(V_ID(&row.person), V_INT(row.what), V_INT(LOGINS_KEPT)),
				NULL);
	store_login_wipe(&row, 1);
	return e;
}

static enum err parse(struct store *st, struct store_login *l)
{
	const uint8_t *at = st->plain.data, *end = at + st->plain.len;
	struct {
		char *to;
		size_t cap;
	} const texts[] = {{l->name, sizeof(l->name)},
			   {l->place, sizeof(l->place)},
			   {l->host, sizeof(l->host)},
			   {l->address, sizeof(l->address)},
			   {l->agent, sizeof(l->agent)}};
	char head[48];
	int kind = 0, password = 0;
	enum err e = part_text(&at, end, head, sizeof(head));

	if (e == ERR_NONE && sscanf(head, FORM " %" SCNd64 " %d %d", &l->time, &kind, &password) != 3)
		e = ERR_CORRUPT;
	l->kind = (enum factor_kind)kind;
	l->password = password == 1;
	for (size_t i = 0; e == ERR_NONE && i < sizeof(texts) / sizeof(texts[0]); i++)
		e = part_text(&at, end, texts[i].to, texts[i].cap);
	if (e == ERR_NONE && (end - at != ID_LEN || kind < FACTOR_NONE || kind > FACTOR_PASSKEY))
		e = ERR_CORRUPT;
	if (e == ERR_NONE)
		memcpy(l->device.b, at, ID_LEN);
	return e;
}

static enum err load(struct query *q, const struct id *person, enum login_what what, struct store_login *ret)
{
	const uint8_t extra = (uint8_t)what;
	struct store_login l = {.person = *person, .what = what};
	struct db_value box = query_blob(q, LOGIN_SEALED);
	enum err e;

	query_id(q, LOGIN_ID, &l.id);
	if (q->e != ERR_NONE)
		return q->e;
	const struct seal_where w = where(&l, &extra);
	buf_wipe(&q->st->plain);
	e = seal_unbox(q->st->seal, &w, box.p, box.n, &q->st->plain);
	if (e == ERR_NONE)
		e = parse(q->st, &l);
	buf_wipe(&q->st->plain);
	if (e == ERR_NONE)
		*ret = l;
	store_login_wipe(&l, 1);
	return e;
}

enum err store_logins(struct store *st, const struct id *person, enum login_what what, struct store_login *ret,
		      size_t max, size_t *ret_n)
{
	struct query q;
	enum db_step step = DB_DONE;
	size_t n = 0;
	enum err e;

	if (st->schema < SCHEMA_LOGINS) {
		*ret_n = 0;
		return ERR_NONE;
	}
	e = query_open(&q, st, SQL_LOGINS, ARGS(V_ID(person), V_INT(what), V_INT(max)));
	while (e == ERR_NONE && n < max && (step = query_step(&q)) == DB_ROW) {
		e = load(&q, person, what, &ret[n]);
		n += e == ERR_NONE;
	}
	if (e == ERR_NONE && step == DB_ERROR)
		e = q.e;
	query_close(&q);
	if (e == ERR_NONE)
		*ret_n = n;
	else
		store_login_wipe(ret, n);
	return e;
}

bool store_logins_kept(const struct store *st)
{
	return st->schema >= SCHEMA_LOGINS;
}

enum err logins_remove_all(struct store *st, const struct id *person)
{
	return st->schema < SCHEMA_LOGINS ? ERR_NONE : store_write(st, SQL_LOGIN_DELETE_ALL, ARGS(V_ID(person)), NULL);
}

enum err logins_open(struct store *st, const uint8_t *key)
{
	struct store_login l[LOGINS_KEPT];
	struct id person;
	bool there = false;
	enum err e = ERR_NONE;

	memcpy(person.b, key, ID_LEN);
	for (int what = LOGIN_NOBODY; e == ERR_NONE && what <= LOGIN_WRONG; what++) {
		size_t n = 0;

		e = store_logins(st, &person, (enum login_what)what, l, LOGINS_KEPT, &n);
		store_login_wipe(l, n);
		there = there || n > 0;
	}
	return e == ERR_NONE && !there ? ERR_NOTFOUND : e;
}
