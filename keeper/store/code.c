#include "config.h"

#include "common/secret.h"
#include "keeper/store/inside.h"

/* The columns of SQL_CODE_LIVE and SQL_CODE_BY_LINK. */
enum {
	CODE_ID,
	CODE_PERSON,
	CODE_PURPOSE,
	CODE_DIGEST,
	CODE_LINK,
	CODE_BINDING,
	CODE_SEALED,
	CODE_PAIR,
	CODE_CREATED,
	CODE_EXPIRES,
	CODE_TRIED,
	CODE_MAIL
};

static enum err code_digest(struct store *st, const struct id *person, enum code_purpose p, const struct id *id,
			    const char *text, uint8_t ret[static DIGEST_LEN])
{
	static const char *const purpose[] = {[CODE_VERIFY_EMAIL] = "verify-email",
					      [CODE_GUARD] = "guard",
					      [CODE_LOGIN] = "login",
					      [CODE_RESET] = "reset",
					      [CODE_NEW_EMAIL] = "new",
					      [CODE_FREEZE] = "freeze",
					      [CODE_ADMIN] = "admin"};
	struct seal_part part[] = {
	    {purpose[p], strlen(purpose[p])}, {id->b, ID_LEN}, {person->b, ID_LEN}, {text, strlen(text)}};

	return seal_mac(st->seal, SEAL_CODE, part, sizeof(part) / sizeof(part[0]), ret);
}

static enum err link_digest(struct store *st, const char *text, uint8_t ret[static DIGEST_LEN])
{
	static const char purpose[] = "code";
	struct seal_part part[] = {{purpose, strlen(purpose)}, {text, strlen(text)}};

	return seal_mac(st->seal, SEAL_LINK, part, sizeof(part) / sizeof(part[0]), ret);
}

static bool purpose_known(enum code_purpose p)
{
	return p >= CODE_VERIFY_EMAIL && p <= CODE_ADMIN;
}

/* The address is sealed to what the code is for, how long it lives, which link opens it and in which browser. */
static void code_extra(const struct code *c, struct db_value link, struct buf *ret)
{
	buf_add_u16(ret, (uint16_t)c->purpose);
	buf_add_u16(ret, (uint16_t)c->pair);
	buf_add_u64(ret, (uint64_t)c->created);
	buf_add_u64(ret, (uint64_t)c->expires);
	buf_add(ret, link.p, link.n);
	if (c->bound)
		buf_add(ret, c->binding, sizeof(c->binding));
}

static struct seal_where code_where(const struct code *c, const struct buf *extra)
{
	return (struct seal_where){.table = "code",
				   .column = "sealed",
				   .row = c->id,
				   .owner = c->person,
				   .extra = extra->data,
				   .extra_len = extra->len};
}

static struct db_value bound_to(const uint8_t *binding)
{
	return binding != NULL ? V_BLOB(binding, DIGEST_LEN) : V_NULL;
}

/* What a new one takes the place of. */
static enum err make_room(struct store *st, const struct code *c)
{
	enum err e;

	if (c->purpose == CODE_FREEZE)
		return ERR_NONE;
	if (!c->bound)
		return store_code_drop(st, &c->person, c->purpose);
	e = store_write(st, SQL_CODE_CLEAR_BOUND, ARGS(V_ID(&c->person), V_INT(c->purpose), bound_to(c->binding)),
			NULL);
	return e != ERR_NONE ? e
			     : store_write(st, SQL_CODE_OLDEST,
					   ARGS(V_ID(&c->person), V_INT(c->purpose), V_INT(CODES_BOUND_MAX - 1)), NULL);
}

enum err store_code_put(struct store *st, const struct code *c, const char *code, const char *link)
{
	AUTO_BUF extra = BUF_INIT;
	uint8_t digest[DIGEST_LEN], link_d[DIGEST_LEN];
	struct db_value link_v = V_NULL;
	struct seal_where w;
	enum err e;

	if (!st->writing || !purpose_known(c->purpose) || id_zero(&c->id) || id_zero(&c->person))
		return ERR_INTERNAL;
	e = code_digest(st, &c->person, c->purpose, &c->id, code, digest);
	if (e == ERR_NONE && link != NULL) {
		e = link_digest(st, link, link_d);
		link_v = V_BLOB(link_d, sizeof(link_d));
	}
	if (e != ERR_NONE)
		return e;
	code_extra(c, link_v, &extra);
	if (extra.failed)
		return ERR_NOMEM;
	w = code_where(c, &extra);
	buf_wipe(&st->box);
	e = seal_box(st->seal, &w, c->address, strlen(c->address), &st->box);
	if (e == ERR_NONE)
		e = make_room(st, c);
	if (e == ERR_NONE)
		e = store_write(st, SQL_CODE_ADD,
				ARGS(V_ID(&c->id), V_ID(&c->person), V_INT(c->purpose), V_BLOB(digest, sizeof(digest)),
				     link_v, bound_to(c->bound ? c->binding : NULL), V_BUF(&st->box), V_INT(c->pair),
				     V_INT(c->created), V_INT(c->expires), V_INT(c->tries), V_ID0(&c->mail)),
				NULL);
	return e;
}

static enum err load(struct query *q, struct code *ret)
{
	AUTO_BUF extra = BUF_INIT;
	struct code c = {.pair = 0};
	struct seal_where w;
	struct db_value link = query_blob(q, CODE_LINK), box = query_blob(q, CODE_SEALED);
	enum err e;

	query_id(q, CODE_ID, &c.id);
	query_id(q, CODE_PERSON, &c.person);
	c.purpose = (enum code_purpose)query_range(q, CODE_PURPOSE, CODE_VERIFY_EMAIL, CODE_ADMIN);
	c.pair = (int)query_range(q, CODE_PAIR, 0, 99);
	c.created = query_int(q, CODE_CREATED);
	c.expires = query_int(q, CODE_EXPIRES);
	c.tries = (int)query_range(q, CODE_TRIED, 0, INT32_MAX);
	query_id0(q, CODE_MAIL, &c.mail);
	c.bound = query_blob(q, CODE_BINDING).type == DB_BLOB;
	if (c.bound)
		query_bytes(q, CODE_BINDING, c.binding, sizeof(c.binding));
	if (q->e != ERR_NONE)
		return q->e;
	code_extra(&c, link, &extra);
	if (extra.failed)
		return ERR_NOMEM;
	w = code_where(&c, &extra);
	buf_wipe(&q->st->plain);
	e = seal_unbox(q->st->seal, &w, box.p, box.n, &q->st->plain);
	if (e != ERR_NONE)
		return e;
	if (q->st->plain.len >= sizeof(c.address) || buf_str(&q->st->plain) == NULL)
		return ERR_CORRUPT;
	memcpy(c.address, buf_str(&q->st->plain), q->st->plain.len + 1);
	*ret = c;
	return ERR_NONE;
}

enum err code_opens(struct store *st, const uint8_t *key)
{
	struct code c;
	struct query q;
	enum err e = query_first(&q, st, SQL_CODE_ROW, ARGS(V_BLOB(key, ID_LEN)));

	if (e == ERR_NONE)
		e = load(&q, &c);
	query_close(&q);
	secret_wipe(&c, sizeof(c));
	return e;
}

/* The row that q, which the caller closes, stands on then. */
static enum err find(struct query *q, struct store *st, const struct id *person, enum code_purpose p,
		     const uint8_t *binding, int64_t now)
{
	return query_first(q, st, SQL_CODE_LIVE,
			   ARGS(V_ID(person), V_INT(p), V_INT(now), V_INT(binding != NULL), bound_to(binding)));
}

enum err store_code_live_in(struct store *st, const struct id *person, enum code_purpose p, const uint8_t *binding,
			    int64_t now, struct code *ret)
{
	struct query q;
	enum err e = find(&q, st, person, p, binding, now);

	if (e == ERR_NONE)
		e = load(&q, ret);
	query_close(&q);
	return e;
}

enum err store_code_live(struct store *st, const struct id *person, enum code_purpose p, int64_t now, struct code *ret)
{
	return store_code_live_in(st, person, p, NULL, now, ret);
}

enum err store_code_by_link(struct store *st, const char *link, int64_t now, struct code *ret)
{
	uint8_t d[DIGEST_LEN];
	struct query q = {.st = st};
	enum err e = link_digest(st, link, d);

	if (e == ERR_NONE)
		e = query_first(&q, st, SQL_CODE_BY_LINK, ARGS(V_BLOB(d, sizeof(d)), V_INT(now)));
	if (e == ERR_NONE)
		e = load(&q, ret);
	query_close(&q);
	return e;
}

/* Why a try counted nothing. */
static enum err refusal(struct store *st, const struct id *person, enum code_purpose p, const uint8_t *binding,
			int64_t now)
{
	struct query q;
	enum err e = find(&q, st, person, p, binding, now);

	query_close(&q);
	return e == ERR_NONE ? ERR_TOOBIG : e;
}

enum err store_code_try_in(struct store *st, const struct id *person, enum code_purpose p, const uint8_t *binding,
			   const char *canonical, int64_t now)
{
	uint8_t stored[DIGEST_LEN], d[DIGEST_LEN];
	struct id id;
	struct query q;
	enum err e;

	if (!purpose_known(p))
		return ERR_INTERNAL;
	e = store_write_first(
	    &q, st, SQL_CODE_TRY,
	    ARGS(V_ID(person), V_INT(p), V_INT(now), V_INT(CODE_TRIES), V_INT(binding != NULL), bound_to(binding)));
	if (e == ERR_NONE) {
		query_id(&q, 0, &id);
		query_bytes(&q, 1, stored, sizeof(stored));
		e = q.e;
	}
	query_close(&q);
	if (e == ERR_NOTFOUND)
		return refusal(st, person, p, binding, now);
	if (e == ERR_NONE)
		e = code_digest(st, person, p, &id, canonical, d);
	/* of one that only its link opens the digest is that of "" */
	if (e == ERR_NONE && (canonical[0] == '\0' || !secret_equal(d, sizeof(d), stored, sizeof(stored))))
		e = ERR_DENIED;
	return e == ERR_NONE ? store_code_consume(st, &id, now) : e;
}

enum err store_code_try(struct store *st, const struct id *person, enum code_purpose p, const char *canonical,
			int64_t now)
{
	return store_code_try_in(st, person, p, NULL, canonical, now);
}

enum err store_code_consume(struct store *st, const struct id *id, int64_t now)
{
	struct query q;
	enum err e = store_write_first(&q, st, SQL_CODE_CONSUME, ARGS(V_ID(id), V_INT(now)));

	query_close(&q);
	return e;
}

enum err store_code_miss(struct store *st, const struct id *id)
{
	return store_write_one(st, SQL_CODE_MISS, ARGS(V_ID(id)));
}

enum err store_code_void(struct store *st, const struct id *person)
{
	return store_write(st, SQL_CODE_DELETE_ALL, ARGS(V_ID(person)), NULL);
}

enum err store_code_drop(struct store *st, const struct id *person, enum code_purpose p)
{
	return store_write(st, SQL_CODE_CLEAR, ARGS(V_ID(person), V_INT(p)), NULL);
}
