#include "config.h"

#include "common/secret.h"
#include "keeper/store/inside.h"
#include <stdlib.h>

/* The columns of SQL_AUDIT_PAGE, SQL_AUDIT_PAGE_PERSON and SQL_AUDIT_WALK. */
enum { AUDIT_SEQ, AUDIT_TIME, AUDIT_PERSON, AUDIT_EVENT, AUDIT_DOOR, AUDIT_SEALED, AUDIT_MAC, AUDIT__COLUMNS };

#define AUDIT_WORD 64 /* event, door */
#define AUDIT_TEXT 2048
#define WALK_PAGE  2000

/* The strings of one row of the last page. */
struct audit_text {
	struct audit_text *next;
	char event[AUDIT_WORD], door[AUDIT_WORD], address[AUDIT_WORD];
	char detail[];
};

void store_audit_forget(struct store *st)
{
	while (st->texts != NULL) {
		struct audit_text *t = st->texts;

		st->texts = t->next;
		free(t);
	}
}

/* ---- the chain ---- */

/* MAC over the previous row's MAC and all columns of this one, as stored. */
static enum err chain(struct store *st, const uint8_t prev[static DIGEST_LEN], const struct db_value *v,
		      uint8_t ret[static DIGEST_LEN])
{
	struct seal_part part;

	buf_wipe(&st->mac);
	buf_add(&st->mac, prev, DIGEST_LEN);
	for (int i = 0; i < AUDIT_MAC; i++) {
		buf_addc(&st->mac, (char)v[i].type);
		if (v[i].type == DB_INT) {
			buf_add_u64(&st->mac, (uint64_t)v[i].i);
		} else {
			buf_add_u32(&st->mac, (uint32_t)v[i].n);
			buf_add(&st->mac, v[i].p, v[i].n);
		}
	}
	if (st->mac.failed)
		return ERR_NOMEM;
	part = (struct seal_part){st->mac.data, st->mac.len};
	return seal_mac(st->seal, SEAL_AUDIT, &part, 1, ret);
}

/* Zeroes before the first row. */
static enum err head(struct store *st, int64_t *ret_seq, uint8_t ret_mac[static DIGEST_LEN])
{
	struct query q;
	enum err e = query_first(&q, st, SQL_AUDIT_HEAD, NULL, 0);

	*ret_seq = 0;
	memset(ret_mac, 0, DIGEST_LEN);
	if (e == ERR_NONE) {
		*ret_seq = query_range(&q, 0, 1, INT64_MAX - 1);
		query_bytes(&q, 1, ret_mac, DIGEST_LEN);
		e = q.e;
	} else if (e == ERR_NOTFOUND) {
		e = ERR_NONE;
	}
	query_close(&q);
	return e;
}

static struct seal_where where(int64_t seq, const struct id *person)
{
	struct seal_where w = {.table = "audit", .column = "sealed", .owner = *person};

	for (int i = 0; i < 8; i++)
		w.row.b[ID_LEN - 1 - i] = (uint8_t)((uint64_t)seq >> (8 * i));
	return w;
}

/* Into st->box; empty if there is nothing to seal. */
static enum err seal(struct store *st, int64_t seq, const struct audit *a)
{
	struct seal_where w = where(seq, &a->person);

	buf_wipe(&st->box);
	if (a->address[0] == '\0' && a->detail[0] == '\0')
		return ERR_NONE;
	buf_wipe(&st->plain);
	part_put(&st->plain, a->address, strlen(a->address));
	part_put(&st->plain, a->detail, strlen(a->detail));
	if (st->plain.failed)
		return ERR_NOMEM;
	return seal_box(st->seal, &w, st->plain.data, st->plain.len, &st->box);
}

enum err store_audit(struct store *st, const struct audit *a)
{
	uint8_t prev[DIGEST_LEN], mac[DIGEST_LEN];
	struct db_value v[AUDIT__COLUMNS];
	int64_t seq = 0;
	enum err e;

	if (!st->writing || strlen(a->event) >= AUDIT_WORD || strlen(a->door) >= AUDIT_WORD ||
	    strlen(a->address) >= AUDIT_WORD || strlen(a->detail) >= AUDIT_TEXT)
		return ERR_INTERNAL;
	e = head(st, &seq, prev);
	seq++;
	if (e == ERR_NONE)
		e = seal(st, seq, a);
	if (e != ERR_NONE)
		return e;
	v[AUDIT_SEQ] = V_INT(seq);
	v[AUDIT_TIME] = V_INT(a->time);
	v[AUDIT_PERSON] = V_ID0(&a->person);
	v[AUDIT_EVENT] = V_TEXT(a->event);
	v[AUDIT_DOOR] = V_TEXT(a->door);
	v[AUDIT_SEALED] = st->box.len > 0 ? V_BUF(&st->box) : V_NULL;
	e = chain(st, prev, v, mac);
	if (e != ERR_NONE)
		return e;
	v[AUDIT_MAC] = V_BLOB(mac, sizeof(mac));
	return store_write(st, SQL_AUDIT_ADD, v, AUDIT__COLUMNS, NULL);
}

/* ---- reading ---- */

static enum err unseal(struct query *q, struct audit *a, char address[static AUDIT_WORD],
		       char detail[static AUDIT_TEXT])
{
	struct store *st = q->st;
	struct seal_where w = where(a->seq, &a->person);
	struct db_value box = query_blob(q, AUDIT_SEALED);
	const uint8_t *at, *end;
	enum err e;

	address[0] = detail[0] = '\0';
	if (q->e != ERR_NONE || box.type == DB_NULL)
		return q->e;
	buf_wipe(&st->plain);
	e = seal_unbox(st->seal, &w, box.p, box.n, &st->plain);
	if (e != ERR_NONE)
		return e;
	at = st->plain.data;
	end = at + st->plain.len;
	e = part_text(&at, end, address, AUDIT_WORD);
	return e == ERR_NONE ? part_text(&at, end, detail, AUDIT_TEXT) : e;
}

static enum err load(struct query *q, struct audit *ret)
{
	char detail[AUDIT_TEXT], address[AUDIT_WORD];
	struct audit a = {.seq = query_range(q, AUDIT_SEQ, 1, INT64_MAX), .time = query_int(q, AUDIT_TIME)};
	struct audit_text *t;
	size_t n;
	enum err e;

	query_id0(q, AUDIT_PERSON, &a.person);
	e = unseal(q, &a, address, detail);
	if (e != ERR_NONE)
		return e;
	n = strlen(detail) + 1;
	t = calloc(1, sizeof(*t) + n);
	if (t == NULL)
		return ERR_NOMEM;
	t->next = q->st->texts;
	q->st->texts = t;
	memcpy(t->detail, detail, n);
	memcpy(t->address, address, sizeof(t->address));
	query_text(q, AUDIT_EVENT, t->event, sizeof(t->event));
	query_text(q, AUDIT_DOOR, t->door, sizeof(t->door));
	a.event = t->event;
	a.door = t->door;
	a.address = t->address;
	a.detail = t->detail;
	if (q->e == ERR_NONE)
		*ret = a;
	return q->e;
}

enum err store_audit_page(struct store *st, const struct id *person, int64_t before, struct audit *ret, size_t max,
			  size_t *ret_n)
{
	int64_t seq = before > 0 ? before : INT64_MAX;
	struct query q;
	enum db_step step = DB_DONE;
	size_t n = 0;
	enum err e;

	store_audit_forget(st);
	if (person == NULL || id_zero(person))
		e = query_open(&q, st, SQL_AUDIT_PAGE, ARGS(V_INT(seq), V_INT(max)));
	else
		e = query_open(&q, st, SQL_AUDIT_PAGE_PERSON, ARGS(V_ID(person), V_INT(seq), V_INT(max)));
	while (e == ERR_NONE && n < max && (step = query_step(&q)) == DB_ROW)
		e = load(&q, &ret[n++]);
	if (e == ERR_NONE && step == DB_ERROR)
		e = q.e;
	query_close(&q);
	if (e == ERR_NONE)
		*ret_n = n;
	return e;
}

/* One page of the walk, so that no snapshot holds the log for long. */
static enum err walk(struct store *st, int64_t *seq, uint8_t mac[static DIGEST_LEN], int64_t *ret_bad, bool *ret_more)
{
	uint8_t next[DIGEST_LEN];
	struct db_value v[AUDIT__COLUMNS];
	struct query q;
	enum db_step step = DB_DONE;
	int n = 0;
	enum err e = query_open(&q, st, SQL_AUDIT_WALK, ARGS(V_INT(*seq), V_INT(WALK_PAGE)));

	while (e == ERR_NONE && *ret_bad == 0 && (step = query_step(&q)) == DB_ROW) {
		n++;
		for (int i = 0; i < AUDIT__COLUMNS; i++)
			v[i] = st->drv->column(q.s, i);
		e = chain(st, mac, v, next);
		if (e != ERR_NONE)
			break;
		if (v[AUDIT_SEQ].i != *seq + 1 || !secret_equal(next, sizeof(next), v[AUDIT_MAC].p, v[AUDIT_MAC].n))
			*ret_bad = *seq + 1;
		++*seq;
		memcpy(mac, next, DIGEST_LEN);
	}
	if (e == ERR_NONE && step == DB_ERROR)
		e = q.e;
	query_close(&q);
	*ret_more = n == WALK_PAGE;
	return e;
}

enum err store_audit_check(struct store *st, int64_t *ret_bad)
{
	uint8_t mac[DIGEST_LEN] = {0};
	int64_t seq = 0, bad = 0;
	bool more = true;
	enum err e = ERR_NONE;

	while (e == ERR_NONE && more && bad == 0)
		e = walk(st, &seq, mac, &bad, &more);
	if (e == ERR_NONE)
		*ret_bad = bad;
	return e;
}
