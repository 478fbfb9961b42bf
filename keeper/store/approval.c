#include "config.h"

#include "common/secret.h"
#include "keeper/store/inside.h"

/* The columns of SQL_APPROVAL_FIND and SQL_APPROVAL_ROW. */
enum {
	APPROVAL_ID,
	APPROVAL_PERSON,
	APPROVAL_PLACE,
	APPROVAL_SEALED,
	APPROVAL_CREATED,
	APPROVAL_EXPIRES,
	APPROVAL_STATE,
	APPROVAL_CODE
};

#define FORM 1 /* of the sealed column */

/* What a row is found by: "token" for the address of its page; "place" for whom it is about and from where. */
static enum err digest_of(struct store *st, const char *what, const struct id *whose, const char *text,
			  uint8_t ret[static DIGEST_LEN])
{
	struct seal_part part[] = {{"approval", 8},
				   {what, strlen(what)},
				   {whose != NULL ? whose->b : NULL, whose != NULL ? ID_LEN : 0},
				   {text, strlen(text)}};

	return seal_mac(st->seal, SEAL_LINK, part, sizeof(part) / sizeof(part[0]), ret);
}

static enum err code_digest(struct store *st, const struct id *id, const struct id *person, const char *text,
			    uint8_t ret[static DIGEST_LEN])
{
	struct seal_part part[] = {{"approval", 8}, {id->b, ID_LEN}, {person->b, ID_LEN}, {text, strlen(text)}};

	return seal_mac(st->seal, SEAL_CODE, part, sizeof(part) / sizeof(part[0]), ret);
}

/* ---- what does not change, as bytes ---- */

static void extra_put(const struct approval *a, const uint8_t place[static DIGEST_LEN], struct buf *ret)
{
	buf_add_u64(ret, (uint64_t)a->created);
	buf_add_u64(ret, (uint64_t)a->expires);
	buf_add(ret, place, DIGEST_LEN);
}

static struct seal_where where(const struct approval *a, const struct buf *extra)
{
	return (struct seal_where){.table = "approval",
				   .column = "sealed",
				   .row = a->id,
				   .owner = a->person,
				   .extra = extra->data,
				   .extra_len = extra->len};
}

static void sealed_put(const struct approval *a, struct buf *ret)
{
	buf_addc(ret, FORM);
	buf_add(ret, a->nonce, sizeof(a->nonce));
	part_put(ret, a->user, strlen(a->user));
	part_put(ret, a->host, strlen(a->host));
	part_put(ret, a->service, strlen(a->service));
	part_put(ret, a->from, strlen(a->from));
}

static enum err sealed_get(const struct buf *b, struct approval *ret)
{
	const uint8_t *p = b->data, *end = b->data + b->len;
	enum err e;

	if (b->len < 1 + sizeof(ret->nonce) || p[0] != FORM)
		return ERR_CORRUPT;
	memcpy(ret->nonce, p + 1, sizeof(ret->nonce));
	p += 1 + sizeof(ret->nonce);
	e = part_text(&p, end, ret->user, sizeof(ret->user));
	if (e == ERR_NONE)
		e = part_text(&p, end, ret->host, sizeof(ret->host));
	if (e == ERR_NONE)
		e = part_text(&p, end, ret->service, sizeof(ret->service));
	if (e == ERR_NONE)
		e = part_text(&p, end, ret->from, sizeof(ret->from));
	return e == ERR_NONE && p != end ? ERR_CORRUPT : e;
}

/* ---- asking ---- */

enum err store_approval_put(struct store *st, const struct approval *a, const char *token, const struct id *whose)
{
	uint8_t digest[DIGEST_LEN], place[DIGEST_LEN];
	AUTO_BUF extra = BUF_INIT;
	AUTO_BUF plain = BUF_INIT;
	struct seal_where w;
	enum err e;

	if (!st->writing || id_zero(&a->id) || id_zero(whose))
		return ERR_INTERNAL;
	if (st->schema < SCHEMA_PASSKEYS)
		return ERR_DENIED;
	e = digest_of(st, "token", NULL, token, digest);
	if (e == ERR_NONE)
		e = digest_of(st, "place", whose, a->from, place);
	if (e != ERR_NONE)
		return e;
	extra_put(a, place, &extra);
	sealed_put(a, &plain);
	if (extra.failed || plain.failed)
		return ERR_NOMEM;
	w = where(a, &extra);
	buf_wipe(&st->box);
	e = seal_box(st->seal, &w, plain.data, plain.len, &st->box);
	if (e == ERR_NONE)
		e = store_write(st, SQL_APPROVAL_CLEAR, ARGS(V_BLOB(place, sizeof(place))), NULL);
	if (e == ERR_NONE)
		e = store_write(st, SQL_APPROVAL_ADD,
				ARGS(V_ID(&a->id), V_BLOB(digest, sizeof(digest)), V_ID0(&a->person),
				     V_BLOB(place, sizeof(place)), V_BUF(&st->box), V_INT(a->created),
				     V_INT(a->expires)),
				NULL);
	return e;
}

/* ---- reading ---- */

static enum err load(struct query *q, struct approval *ret)
{
	AUTO_BUF extra = BUF_INIT;
	struct approval a;
	struct seal_where w;
	uint8_t place[DIGEST_LEN];
	struct db_value box = query_blob(q, APPROVAL_SEALED);
	enum err e;

	memset(&a, 0, sizeof(a));
	query_id(q, APPROVAL_ID, &a.id);
	query_id0(q, APPROVAL_PERSON, &a.person);
	query_bytes(q, APPROVAL_PLACE, place, sizeof(place));
	a.created = query_int(q, APPROVAL_CREATED);
	a.expires = query_int(q, APPROVAL_EXPIRES);
	a.state = (enum approval_state)query_range(q, APPROVAL_STATE, APPROVAL_WAITING, APPROVAL_USED);
	a.has_code = query_blob(q, APPROVAL_CODE).type == DB_BLOB;
	if (a.has_code)
		query_bytes(q, APPROVAL_CODE, a.code, sizeof(a.code));
	if (q->e != ERR_NONE)
		return q->e;
	extra_put(&a, place, &extra);
	if (extra.failed)
		return ERR_NOMEM;
	w = where(&a, &extra);
	buf_wipe(&q->st->plain);
	e = seal_unbox(q->st->seal, &w, box.p, box.n, &q->st->plain);
	if (e == ERR_NONE)
		e = sealed_get(&q->st->plain, &a);
	if (e == ERR_NONE)
		*ret = a;
	secret_wipe(&a, sizeof(a));
	return e;
}

enum err approval_opens(struct store *st, const uint8_t *key)
{
	struct approval a;
	struct query q;
	enum err e = query_first(&q, st, SQL_APPROVAL_ROW, ARGS(V_BLOB(key, ID_LEN)));

	if (e == ERR_NONE)
		e = load(&q, &a);
	query_close(&q);
	secret_wipe(&a, sizeof(a));
	return e;
}

enum err store_approval_find(struct store *st, const char *token, int64_t now, struct approval *ret)
{
	uint8_t d[DIGEST_LEN];
	struct approval a;
	struct query q = {.st = st};
	enum err e = st->schema < SCHEMA_PASSKEYS ? ERR_NOTFOUND : digest_of(st, "token", NULL, token, d);

	if (e == ERR_NONE)
		e = query_first(&q, st, SQL_APPROVAL_FIND, ARGS(V_BLOB(d, sizeof(d)), V_INT(now)));
	if (e == ERR_NONE)
		e = load(&q, &a);
	query_close(&q);
	if (e == ERR_NONE && id_zero(&a.person))
		e = ERR_NOTFOUND;
	if (e == ERR_NONE)
		*ret = a;
	secret_wipe(&a, sizeof(a));
	return e;
}

enum err store_approval_code_is(struct store *st, const struct approval *a, const char *code, bool *ret)
{
	uint8_t d[DIGEST_LEN];
	enum err e = code_digest(st, &a->id, &a->person, code, d);

	if (e == ERR_NONE)
		*ret = a->state == APPROVAL_APPROVED && a->has_code && secret_equal(d, sizeof(d), a->code, DIGEST_LEN);
	return e;
}

/* ---- deciding: each is one conditional write ---- */

enum err store_approval_approve(struct store *st, const struct approval *a, const char *code, int64_t now)
{
	uint8_t d[DIGEST_LEN];
	enum err e = code_digest(st, &a->id, &a->person, code, d);

	if (e == ERR_NONE)
		e = store_write_one(st, SQL_APPROVAL_APPROVE, ARGS(V_BLOB(d, sizeof(d)), V_ID(&a->id), V_INT(now)));
	return e == ERR_NOTFOUND ? ERR_EXISTS : e;
}

enum err store_approval_deny(struct store *st, const struct id *id, int64_t now)
{
	enum err e = store_write_one(st, SQL_APPROVAL_DENY, ARGS(V_ID(id), V_INT(now)));

	return e == ERR_NOTFOUND ? ERR_EXISTS : e;
}

enum err store_approval_try(struct store *st, const struct id *id, const struct id *person, const char *code,
			    int64_t now)
{
	uint8_t d[DIGEST_LEN], stored[DIGEST_LEN];
	struct query q = {.st = st};
	enum err e = st->schema < SCHEMA_PASSKEYS ? ERR_NOTFOUND : code_digest(st, id, person, code, d);

	if (e == ERR_NONE)
		e = store_write_first(&q, st, SQL_APPROVAL_TRY, ARGS(V_ID(id), V_INT(APPROVAL_TRIES), V_INT(now)));
	if (e == ERR_NONE) {
		query_bytes(&q, 0, stored, sizeof(stored));
		e = q.e;
	}
	query_close(&q);
	if (e == ERR_NONE && (code[0] == '\0' || !secret_equal(d, sizeof(d), stored, sizeof(stored))))
		e = ERR_DENIED;
	return e == ERR_NONE ? store_write_one(st, SQL_APPROVAL_USE, ARGS(V_ID(id))) : e;
}

enum err approval_remove_all(struct store *st, const struct id *person)
{
	return st->schema < SCHEMA_PASSKEYS ? ERR_NONE
					    : store_write(st, SQL_APPROVAL_DELETE_ALL, ARGS(V_ID(person)), NULL);
}
