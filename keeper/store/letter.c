#include "config.h"

#include "common/secret.h"
#include "keeper/store/inside.h"

/* The columns of SQL_LETTER_PAGE and SQL_LETTER_ROW. */
enum { LETTER_LOGIN, LETTER_PERSON, LETTER_ID, LETTER_SEALED, LETTER_EXPIRES };

bool store_has_letters(const struct store *st)
{
	return st->schema >= SCHEMA_LETTERS;
}

void store_letters_wipe(struct store_letter *l, size_t n)
{
	secret_wipe(l, n * sizeof(*l));
}

/* Nobody who writes rows makes an old letter live longer, or another person's. */
static struct seal_where where(const struct id *person, const struct id *id, int64_t expires, struct buf *extra)
{
	buf_add_u64(extra, (uint64_t)expires);
	return (struct seal_where){.table = "letter",
				   .column = "sealed",
				   .row = *id,
				   .owner = *person,
				   .extra = extra->data,
				   .extra_len = extra->len};
}

enum err letter_remove(struct store *st, const struct id *person)
{
	return st->schema < SCHEMA_LETTERS ? ERR_NONE : store_write(st, SQL_LETTER_REMOVE, ARGS(V_ID(person)), NULL);
}

enum err store_letter_void(struct store *st, const struct id *person)
{
	return letter_remove(st, person);
}

enum err store_letter_put(struct store *st, const struct id *person, const char *text, int64_t expires)
{
	AUTO_BUF extra = BUF_INIT;
	AUTO_BUF box = BUF_INIT;
	size_t n = strlen(text);
	struct id id;
	enum err e;

	if (!st->writing || n == 0 || n > LETTER_TEXT_MAX || expires <= 0)
		return ERR_INTERNAL;
	if (st->schema < SCHEMA_LETTERS)
		return ERR_DENIED;
	e = id_new(&id);
	if (e != ERR_NONE)
		return e;
	struct seal_where w = where(person, &id, expires, &extra);
	if (extra.failed)
		return ERR_NOMEM;
	e = seal_box(st->seal, &w, text, n, &box);
	return e == ERR_NONE
		   ? store_write_one(st, SQL_LETTER_PUT, ARGS(V_ID(person), V_ID(&id), V_BUF(&box), V_INT(expires)))
		   : e;
}

/* The row that q stands on. */
static enum err load(struct query *q, struct store_letter *ret)
{
	AUTO_BUF extra = BUF_INIT;
	struct store *st = q->st;
	struct store_letter l;
	struct db_value box;
	enum err e;

	memset(&l, 0, sizeof(l));
	query_text(q, LETTER_LOGIN, l.login, sizeof(l.login));
	query_id(q, LETTER_PERSON, &l.person);
	query_id(q, LETTER_ID, &l.id);
	l.expires = query_int(q, LETTER_EXPIRES);
	box = query_blob(q, LETTER_SEALED);
	if (q->e != ERR_NONE)
		return q->e;
	struct seal_where w = where(&l.person, &l.id, l.expires, &extra);
	buf_wipe(&st->plain);
	e = extra.failed ? ERR_NOMEM : seal_unbox(st->seal, &w, box.p, box.n, &st->plain);
	if (e == ERR_NONE && (st->plain.len == 0 || st->plain.len > LETTER_TEXT_MAX))
		e = ERR_CORRUPT;
	if (e == ERR_NONE) {
		memcpy(l.text, st->plain.data, st->plain.len);
		*ret = l;
	}
	buf_wipe(&st->plain);
	store_letters_wipe(&l, 1);
	return e;
}

enum err store_letter_page(struct store *st, const char *after, struct store_letter *ret, size_t max, size_t *ret_n)
{
	struct query q = {.st = st};
	enum db_step step = DB_DONE;
	size_t n = 0;
	enum err e;

	if (st->schema < SCHEMA_LETTERS) {
		*ret_n = 0;
		return ERR_NONE;
	}
	e = query_open(&q, st, SQL_LETTER_PAGE, ARGS(V_TEXT(after), V_INT(max)));
	while (e == ERR_NONE && n < max && (step = query_step(&q)) == DB_ROW) {
		e = load(&q, &ret[n]);
		n += e == ERR_NONE;
	}
	if (e == ERR_NONE && step == DB_ERROR)
		e = q.e;
	query_close(&q);
	if (e == ERR_NONE)
		*ret_n = n;
	else
		store_letters_wipe(ret, n);
	return e;
}

enum err store_letter_count(struct store *st, int64_t *ret)
{
	struct query q = {.st = st};
	int64_t n = 0;
	enum err e = st->schema < SCHEMA_LETTERS ? ERR_NOTFOUND : query_first(&q, st, SQL_LETTER_COUNT, NULL, 0);

	if (e == ERR_NONE) {
		n = query_int(&q, 0);
		e = q.e;
	}
	query_close(&q);
	if (e == ERR_NONE || e == ERR_NOTFOUND)
		*ret = n;
	return e == ERR_NOTFOUND ? ERR_NONE : e;
}

enum err store_letter_of(struct store *st, const struct id *person, struct store_letter *ret)
{
	struct query q = {.st = st};
	enum err e =
	    st->schema < SCHEMA_LETTERS ? ERR_NOTFOUND : query_first(&q, st, SQL_LETTER_ROW, ARGS(V_ID(person)));

	if (e == ERR_NONE)
		e = load(&q, ret);
	query_close(&q);
	return e;
}

enum err letter_opens(struct store *st, const uint8_t *key)
{
	struct store_letter l;
	struct id person;
	enum err e;

	memcpy(person.b, key, ID_LEN);
	e = store_letter_of(st, &person, &l);
	store_letters_wipe(&l, 1);
	return e;
}

enum err store_letter_taken(struct store *st, const struct store_letter *l)
{
	int64_t gone = 0; /* none: replaced or void meanwhile */

	return store_write(st, SQL_LETTER_TAKEN, ARGS(V_ID(&l->person), V_ID(&l->id)), &gone);
}
