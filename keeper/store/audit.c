#include "config.h"

#include "keeper/store/inside.h"
#include <stdlib.h>

#define AUDIT_WORD 64 /* event, door */
#define AUDIT_TEXT 2048

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
	struct audit_head head;
	struct db_value v[AUDIT__COLUMNS];
	enum err e;

	if (!st->writing || strlen(a->event) >= AUDIT_WORD || strlen(a->door) >= AUDIT_WORD ||
	    strlen(a->address) >= AUDIT_WORD || strlen(a->detail) >= AUDIT_TEXT)
		return ERR_INTERNAL;
	e = chain_mark_get(st, CHAIN_HEAD, &head);
	if (e == ERR_NOTFOUND) /* every store is made with one */
		e = ERR_CORRUPT;
	head.seq++;
	if (e == ERR_NONE)
		e = seal(st, head.seq, a);
	if (e != ERR_NONE)
		return e;
	v[AUDIT_SEQ] = V_INT(head.seq);
	v[AUDIT_TIME] = V_INT(a->time);
	v[AUDIT_PERSON] = V_ID0(&a->person);
	v[AUDIT_EVENT] = V_TEXT(a->event);
	v[AUDIT_DOOR] = V_TEXT(a->door);
	v[AUDIT_SEALED] = st->box.len > 0 ? V_BUF(&st->box) : V_NULL;
	e = chain_mac(st, head.mac, v, head.mac);
	if (e != ERR_NONE)
		return e;
	v[AUDIT_MAC] = V_BLOB(head.mac, sizeof(head.mac));
	e = store_write(st, SQL_AUDIT_ADD, v, AUDIT__COLUMNS, NULL);
	return e == ERR_NONE ? chain_mark_put(st, CHAIN_HEAD, &head) : e;
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

enum err audit_opens(struct query *q)
{
	char detail[AUDIT_TEXT], address[AUDIT_WORD];
	struct audit a = {.seq = query_range(q, AUDIT_SEQ, 1, INT64_MAX)};

	query_id0(q, AUDIT_PERSON, &a.person);
	return unseal(q, &a, address, detail);
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

/* The rows of a query that was opened with this result. */
static enum err page(struct query *q, enum err e, struct audit *ret, size_t max, size_t *ret_n)
{
	enum db_step step = DB_DONE;
	size_t n = 0;

	while (e == ERR_NONE && n < max && (step = query_step(q)) == DB_ROW)
		e = load(q, &ret[n++]);
	if (e == ERR_NONE && step == DB_ERROR)
		e = q->e;
	query_close(q);
	if (e == ERR_NONE)
		*ret_n = n;
	return e;
}

enum err store_audit_page(struct store *st, const struct id *person, int64_t before, struct audit *ret, size_t max,
			  size_t *ret_n)
{
	int64_t seq = before > 0 ? before : INT64_MAX;
	struct query q;
	enum err e;

	store_audit_forget(st);
	if (person == NULL || id_zero(person))
		e = query_open(&q, st, SQL_AUDIT_PAGE, ARGS(V_INT(seq), V_INT(max)));
	else
		e = query_open(&q, st, SQL_AUDIT_PAGE_PERSON, ARGS(V_ID(person), V_INT(seq), V_INT(max)));
	return page(&q, e, ret, max, ret_n);
}

enum err store_audit_of(struct store *st, const char *event, int64_t before, struct audit *ret, size_t max,
			size_t *ret_n)
{
	int64_t seq = before > 0 ? before : INT64_MAX;
	struct query q;

	store_audit_forget(st);
	return page(&q, query_open(&q, st, SQL_AUDIT_PAGE_EVENT, ARGS(V_TEXT(event), V_INT(seq), V_INT(max))), ret, max,
		    ret_n);
}
