#include "config.h"

#include "common/secret.h"
#include "keeper/store/inside.h"

/* The columns of SQL_MAIL_NEXT and SQL_MAIL_GET. */
enum {
	OUTBOX_ID,
	OUTBOX_PERSON,
	OUTBOX_STATE,
	OUTBOX_CREATED,
	OUTBOX_NEXT_TRY,
	OUTBOX_EXPIRES,
	OUTBOX_SENT,
	OUTBOX_TRIES,
	OUTBOX_REASON,
	OUTBOX_BODY,
	OUTBOX_URGENT
};

void mail_clear(struct mail *m)
{
	buf_free(&m->message);
	secret_wipe(m, sizeof(*m));
}

static struct seal_where where(const struct mail *m, const char *column)
{
	return (struct seal_where){.table = "outbox", .column = column, .row = m->id, .owner = m->person};
}

/* Servers like to quote the address in their reasons. Appends nothing for "". */
static enum err seal_reason(struct store *st, const struct mail *m, struct buf *ret)
{
	struct seal_where w = where(m, "reason");

	return m->reason[0] != '\0' ? seal_box(st->seal, &w, m->reason, strlen(m->reason), ret) : ERR_NONE;
}

enum err store_mail_put(struct store *st, const struct mail *m)
{
	AUTO_BUF reason = BUF_INIT;
	struct seal_where w = where(m, "body");
	enum err e;

	if (!st->writing || id_zero(&m->id) || m->state != MAIL_WAITING)
		return ERR_INTERNAL;
	buf_wipe(&st->plain);
	part_put(&st->plain, m->recipient, strlen(m->recipient));
	buf_add(&st->plain, m->message.data, m->message.len);
	if (st->plain.failed)
		return ERR_NOMEM;
	buf_wipe(&st->box);
	e = seal_box(st->seal, &w, st->plain.data, st->plain.len, &st->box);
	buf_wipe(&st->plain);
	if (e == ERR_NONE)
		e = seal_reason(st, m, &reason);
	if (e != ERR_NONE)
		return e;
	return store_write(st, SQL_MAIL_PUT,
			   ARGS(V_ID(&m->id), V_ID0(&m->person), V_INT(m->state), V_INT(m->created), V_INT(m->next_try),
				V_INT(m->expires), V_INT(m->sent), V_INT(m->tries),
				reason.len > 0 ? V_BUF(&reason) : V_NULL, V_BUF(&st->box), V_INT(m->urgent)),
			   NULL);
}

static enum err unseal_reason(struct store *st, struct mail *m, struct db_value box)
{
	struct seal_where w = where(m, "reason");
	enum err e;

	if (box.type == DB_NULL)
		return ERR_NONE;
	buf_wipe(&st->plain);
	e = seal_unbox(st->seal, &w, box.p, box.n, &st->plain);
	if (e != ERR_NONE)
		return e;
	if (st->plain.len >= sizeof(m->reason) || buf_str(&st->plain) == NULL)
		return ERR_CORRUPT;
	memcpy(m->reason, buf_str(&st->plain), st->plain.len + 1);
	return ERR_NONE;
}

static enum err unseal_body(struct store *st, struct mail *m, struct db_value box)
{
	struct seal_where w = where(m, "body");
	const uint8_t *at, *end;
	enum err e;

	buf_wipe(&st->plain);
	e = seal_unbox(st->seal, &w, box.p, box.n, &st->plain);
	if (e != ERR_NONE)
		return e;
	at = st->plain.data;
	end = at + st->plain.len;
	e = part_text(&at, end, m->recipient, sizeof(m->recipient));
	if (e != ERR_NONE)
		return e;
	buf_add(&m->message, at, (size_t)(end - at));
	buf_wipe(&st->plain);
	return m->message.failed ? ERR_NOMEM : ERR_NONE;
}

static enum err load(struct query *q, bool body, struct mail *ret)
{
	struct mail m = {.tries = 0};
	bool named;
	enum err e;

	query_id(q, OUTBOX_ID, &m.id);
	named = q->e == ERR_NONE;
	query_id0(q, OUTBOX_PERSON, &m.person);
	m.state = (enum mail_state)query_range(q, OUTBOX_STATE, MAIL_WAITING, MAIL_EXPIRED);
	m.created = query_int(q, OUTBOX_CREATED);
	m.next_try = query_int(q, OUTBOX_NEXT_TRY);
	m.expires = query_int(q, OUTBOX_EXPIRES);
	m.sent = query_int(q, OUTBOX_SENT);
	m.urgent = query_range(q, OUTBOX_URGENT, 0, 1) == 1;
	m.tries = (int)query_range(q, OUTBOX_TRIES, 0, INT32_MAX);
	e = q->e == ERR_NONE ? unseal_reason(q->st, &m, query_blob(q, OUTBOX_REASON)) : q->e;
	if (e == ERR_NONE && body)
		e = unseal_body(q->st, &m, query_blob(q, OUTBOX_BODY));
	if (e == ERR_NONE) {
		*ret = m;
		return e;
	}
	if (e == ERR_CORRUPT && named)
		ret->id = m.id;
	mail_clear(&m);
	return e;
}

enum err store_mail_next(struct store *st, int64_t now, struct mail *ret)
{
	enum err e = ERR_NOTFOUND;

	for (int urgent = 1; e == ERR_NOTFOUND && urgent >= 0; urgent--) {
		struct query q;

		e = query_first(&q, st, SQL_MAIL_NEXT, ARGS(V_INT(urgent), V_INT(now)));
		if (e == ERR_NONE)
			e = load(&q, true, ret);
		query_close(&q);
	}
	return e;
}

enum err mail_opens(struct store *st, const uint8_t *key)
{
	struct mail m;
	struct query q;
	enum err e = query_first(&q, st, SQL_MAIL_GET, ARGS(V_BLOB(key, ID_LEN)));

	if (e == ERR_NONE)
		e = load(&q, query_blob(&q, OUTBOX_BODY).type != DB_NULL, &m);
	query_close(&q);
	if (e == ERR_NONE)
		mail_clear(&m);
	return e;
}

enum err store_mail_status(struct store *st, const struct id *id, struct mail *ret)
{
	struct query q;
	enum err e = query_first(&q, st, SQL_MAIL_GET, ARGS(V_ID(id)));

	if (e == ERR_NONE)
		e = load(&q, false, ret);
	query_close(&q);
	return e;
}

enum err store_mail_settle(struct store *st, const struct mail *m)
{
	AUTO_BUF reason = BUF_INIT;
	enum err e = seal_reason(st, m, &reason);

	if (e != ERR_NONE)
		return e;
	return store_write_one(st, SQL_MAIL_SETTLE,
			       ARGS(V_INT(m->state), V_INT(m->next_try), V_INT(m->sent), V_INT(m->tries),
				    reason.len > 0 ? V_BUF(&reason) : V_NULL, V_ID(&m->id)));
}

enum err store_mail_claim(struct store *st, const struct mail *m, int tries, int64_t next_try)
{
	return store_write_one(st, SQL_MAIL_CLAIM,
			       ARGS(V_INT(m->tries), V_INT(m->next_try), V_ID(&m->id), V_INT(tries), V_INT(next_try)));
}

enum err store_mail_next_time(struct store *st, bool urgent, int64_t *ret)
{
	struct query q;
	enum err e = query_first(&q, st, SQL_MAIL_NEXT_TIME, ARGS(V_INT(urgent)));

	if (e == ERR_NONE) {
		int64_t t = query_int(&q, 0);

		e = q.e;
		if (e == ERR_NONE)
			*ret = t;
	}
	query_close(&q);
	return e;
}

enum err store_mail_page(struct store *st, const struct id *after, struct mail *ret, size_t max, size_t *ret_n)
{
	struct query q;
	enum db_step step = DB_DONE;
	size_t n = 0;
	enum err e = query_open(&q, st, SQL_MAIL_LIST, ARGS(V_ID(after), V_INT(max)));

	while (e == ERR_NONE && n < max && (step = query_step(&q)) == DB_ROW) {
		struct mail m = {.state = 0};

		e = load(&q, query_blob(&q, OUTBOX_BODY).type != DB_NULL, &m);
		buf_free(&m.message);
		if (e == ERR_CORRUPT && !id_zero(&m.id))
			e = ERR_NONE;
		if (e == ERR_NONE)
			ret[n++] = m;
	}
	if (e == ERR_NONE && step == DB_ERROR)
		e = q.e;
	query_close(&q);
	if (e == ERR_NONE)
		*ret_n = n;
	return e;
}

enum err store_mail_retry(struct store *st, int64_t now, int64_t near, int64_t *ret_n)
{
	return store_write(st, SQL_MAIL_RETRY, ARGS(V_INT(now), V_INT(now + near)), ret_n);
}

enum err store_mail_report(struct store *st, const struct mail *m)
{
	AUTO_BUF reason = BUF_INIT;
	enum err e = m->state == MAIL_SENT || m->state == MAIL_REFUSED ? seal_reason(st, m, &reason) : ERR_INTERNAL;

	if (e != ERR_NONE)
		return e;
	return store_write_one(st, SQL_MAIL_REPORT,
			       ARGS(V_INT(m->state), reason.len > 0 ? V_BUF(&reason) : V_NULL, V_ID(&m->id)));
}

static enum err count(struct store *st, enum mail_state state, int64_t *ret)
{
	struct query q;
	enum err e = query_first(&q, st, SQL_MAIL_COUNT, ARGS(V_INT(state)));

	if (e == ERR_NONE) {
		int64_t n = query_int(&q, 0);

		e = q.e;
		if (e == ERR_NONE)
			*ret = n;
	}
	query_close(&q);
	return e;
}

enum err store_mail_summary(struct store *st, int64_t *ret_waiting, int64_t *ret_refused, struct mail *ret)
{
	struct query q;
	enum err e = count(st, MAIL_WAITING, ret_waiting);

	if (e == ERR_NONE)
		e = count(st, MAIL_REFUSED, ret_refused);
	if (e != ERR_NONE)
		return e;
	e = query_first(&q, st, SQL_MAIL_COMPLAINT, NULL, 0);
	if (e == ERR_NONE)
		e = load(&q, false, ret);
	query_close(&q);
	return e;
}
