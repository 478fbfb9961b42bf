#include "config.h"

#include "common/secret.h"
#include "keeper/store/inside.h"

/* The columns of SQL_SESSION_GET and SQL_SESSION_LIST. */
enum {
	SESSION_KEY, /* the person, or the digest: what the statement does not ask for */
	SESSION_LEVEL,
	SESSION_CREATED,
	SESSION_SEEN,
	SESSION_EXPIRES,
	SESSION_STEPPED_UP,
	SESSION_KEPT,
	SESSION_SEALED
};

#define EXTRA_MAX (DIGEST_LEN + 1 + 3 * 8 + 1)

void session_clear(struct session *s)
{
	buf_free(&s->scratch);
	secret_wipe(s, sizeof(*s));
}

static uint8_t *put_u64(uint8_t *p, int64_t v)
{
	for (int i = 7; i >= 0; i--)
		*p++ = (uint8_t)((uint64_t)v >> (8 * i));
	return p;
}

/* All that the session is worth is under the tag: nobody who only writes rows can raise a level or lengthen a life. */
static struct seal_where where(const struct session *s, uint8_t extra[static EXTRA_MAX])
{
	struct seal_where w = {.table = "session", .column = "sealed", .owner = s->person, .extra = extra};
	uint8_t *p = extra;

	memcpy(w.row.b, s->digest, ID_LEN);
	memcpy(p, s->digest, DIGEST_LEN);
	p += DIGEST_LEN;
	*p++ = (uint8_t)s->level;
	p = put_u64(p, s->created);
	p = put_u64(p, s->expires);
	p = put_u64(p, s->stepped_up);
	if (s->kept) /* those of before schema 3 go on */
		*p++ = 1;
	w.extra_len = (size_t)(p - extra);
	return w;
}

/* One byte in front of the scratch, which begins with a letter: how the session was proven. */
#define PROVEN_MAX (2 * FACTOR_PASSKEY + 1)

static void put_proven(struct buf *b, const struct session *s)
{
	uint8_t proven = (uint8_t)(2 * s->factor + s->password);

	if (proven)
		buf_add(b, &proven, 1);
}

static const uint8_t *take_proven(const uint8_t *at, const uint8_t *end, struct session *s)
{
	if (at == end || *at == 0 || *at > PROVEN_MAX)
		return at;
	s->factor = (enum factor_kind)(*at / 2);
	s->password = *at % 2;
	return at + 1;
}

/* Into st->box. */
static enum err seal(struct store *st, const struct session *s)
{
	uint8_t extra[EXTRA_MAX];
	struct seal_where w = where(s, extra);

	buf_wipe(&st->plain);
	part_put(&st->plain, s->agent, strlen(s->agent));
	part_put(&st->plain, s->address, strlen(s->address));
	put_proven(&st->plain, s);
	buf_add(&st->plain, s->scratch.data, s->scratch.len);
	if (st->plain.failed)
		return ERR_NOMEM;
	buf_wipe(&st->box);
	return seal_box(st->seal, &w, st->plain.data, st->plain.len, &st->box);
}

static enum err unseal(struct store *st, struct session *s, struct db_value box)
{
	uint8_t extra[EXTRA_MAX];
	struct seal_where w = where(s, extra);
	const uint8_t *at, *end;
	enum err e;

	buf_wipe(&st->plain);
	e = seal_unbox(st->seal, &w, box.p, box.n, &st->plain);
	if (e != ERR_NONE)
		return e;
	at = st->plain.data;
	end = at + st->plain.len;
	e = part_text(&at, end, s->agent, sizeof(s->agent));
	if (e == ERR_NONE)
		e = part_text(&at, end, s->address, sizeof(s->address));
	if (e != ERR_NONE)
		return e;
	at = take_proven(at, end, s);
	buf_add(&s->scratch, at, (size_t)(end - at));
	buf_wipe(&st->plain);
	return s->scratch.failed ? ERR_NOMEM : ERR_NONE;
}

enum err store_session_add(struct store *st, const struct session *s)
{
	enum err e = seal(st, s);

	if (e == ERR_NONE)
		e = store_write(st, SQL_SESSION_ADD,
				ARGS(V_BLOB(s->digest, DIGEST_LEN), V_ID(&s->person), V_INT(s->level),
				     V_INT(s->created), V_INT(s->seen), V_INT(s->expires), V_INT(s->stepped_up),
				     V_INT(s->kept), V_BUF(&st->box)),
				NULL);
	if (e == ERR_NONE)
		e = store_write(
		    st, SQL_SESSION_OLDEST,
		    ARGS(V_ID(&s->person), V_INT(s->level), V_BLOB(s->digest, DIGEST_LEN), V_INT(SESSIONS_MAX - 1)),
		    NULL);
	return e;
}

/* The row that q stands on; digest and person are set where the statement asked for them. */
static enum err read_row(struct query *q, struct session *s)
{
	s->level = (enum session_level)query_range(q, SESSION_LEVEL, SESSION_HALF, SESSION_RESET_READY);
	s->created = query_int(q, SESSION_CREATED);
	s->seen = query_int(q, SESSION_SEEN);
	s->expires = query_int(q, SESSION_EXPIRES);
	s->stepped_up = query_int(q, SESSION_STEPPED_UP);
	s->kept = query_range(q, SESSION_KEPT, 0, 1) == 1;
	return q->e == ERR_NONE ? unseal(q->st, s, query_blob(q, SESSION_SEALED)) : q->e;
}

enum err store_session_get(struct store *st, const uint8_t digest[static DIGEST_LEN], int64_t now, int64_t idle,
			   struct session *ret)
{
	struct session s = {.level = SESSION_HALF};
	struct query q;
	enum err e =
	    query_first(&q, st, SQL_SESSION_GET, ARGS(V_BLOB(digest, DIGEST_LEN), V_INT(now), V_INT(now - idle)));

	if (e == ERR_NONE) {
		memcpy(s.digest, digest, DIGEST_LEN);
		query_id(&q, SESSION_KEY, &s.person);
		e = read_row(&q, &s);
	}
	query_close(&q);
	if (e == ERR_NONE)
		*ret = s; /* scratch goes along */
	else
		session_clear(&s);
	return e;
}

void sessions_clear(struct session *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		session_clear(&s[i]);
}

enum err store_session_list(struct store *st, const struct id *person, int64_t now, int64_t idle, struct session *ret,
			    size_t max, size_t *ret_n)
{
	struct query q;
	enum db_step step = DB_DONE;
	size_t n = 0;
	enum err e =
	    query_open(&q, st, SQL_SESSION_LIST, ARGS(V_ID(person), V_INT(now), V_INT(now - idle), V_INT(max)));

	while (e == ERR_NONE && n < max && (step = query_step(&q)) == DB_ROW) {
		ret[n] = (struct session){.person = *person};
		query_bytes(&q, SESSION_KEY, ret[n].digest, DIGEST_LEN);
		e = read_row(&q, &ret[n++]);
	}
	if (e == ERR_NONE && step == DB_ERROR)
		e = q.e;
	query_close(&q);
	if (e == ERR_NONE)
		*ret_n = n;
	else
		sessions_clear(ret, n);
	return e;
}

enum err session_opens(struct store *st, const uint8_t *key)
{
	struct session s;
	enum err e = store_session_get(st, key, 0, 1, &s); /* in the year 1970 all of them live */

	if (e == ERR_NONE)
		session_clear(&s);
	return e;
}

enum err store_session_save(struct store *st, const struct session *s)
{
	enum err e = seal(st, s);

	if (e != ERR_NONE)
		return e;
	return store_write_one(st, SQL_SESSION_SAVE,
			       ARGS(V_INT(s->level), V_INT(s->created), V_INT(s->seen), V_INT(s->expires),
				    V_INT(s->stepped_up), V_INT(s->kept), V_BUF(&st->box),
				    V_BLOB(s->digest, DIGEST_LEN), V_ID(&s->person)));
}

enum err store_session_seen(struct store *st, const uint8_t digest[static DIGEST_LEN], int64_t now)
{
	return store_write_one(st, SQL_SESSION_SEEN, ARGS(V_INT(now), V_BLOB(digest, DIGEST_LEN)));
}

enum err store_session_end(struct store *st, const uint8_t digest[static DIGEST_LEN])
{
	return store_write(st, SQL_SESSION_END, ARGS(V_BLOB(digest, DIGEST_LEN)), NULL);
}

enum err store_session_end_half(struct store *st, const struct id *person)
{
	return store_write(st, SQL_SESSION_END_LEVEL, ARGS(V_ID(person), V_INT(SESSION_HALF)), NULL);
}

enum err store_session_end_all(struct store *st, const struct id *person, const uint8_t *except)
{
	struct db_value stays = except != NULL ? V_BLOB(except, DIGEST_LEN) : V_BLOB(NULL, 0); /* empty: nobody's */

	return store_write(st, SQL_SESSION_END_ALL, ARGS(V_ID(person), stays), NULL);
}
