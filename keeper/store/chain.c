#include "config.h"

#include "common/secret.h"
#include "keeper/store/inside.h"
#include <stdio.h>
#include <stdlib.h>

#define WALK_PAGE 2000

enum err chain_mac(struct store *st, const uint8_t prev[static DIGEST_LEN], const struct db_value *v,
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

/* ---- the marks ---- */

/* Its first part is shorter than any row's, so that no mark can pass for a row. */
static enum err proof(struct store *st, enum chain_mark kind, const struct audit_head *h,
		      uint8_t ret[static DIGEST_LEN])
{
	uint8_t place[9] = {(uint8_t)kind};
	const struct seal_part part[] = {{"audit_mark", 10}, {place, sizeof(place)}, {h->mac, sizeof(h->mac)}};

	for (int i = 0; i < 8; i++)
		place[8 - i] = (uint8_t)((uint64_t)h->seq >> (8 * i));
	return seal_mac(st->seal, SEAL_AUDIT, part, 3, ret);
}

enum err chain_mark_get(struct store *st, enum chain_mark kind, struct audit_head *ret)
{
	uint8_t stored[DIGEST_LEN], right[DIGEST_LEN];
	struct query q;
	enum err e = query_first(&q, st, SQL_MARK_GET, ARGS(V_INT(kind)));

	*ret = (struct audit_head){.seq = 0};
	if (e == ERR_NONE) {
		ret->seq = query_range(&q, 0, 0, INT64_MAX - 1);
		query_bytes(&q, 1, ret->mac, sizeof(ret->mac));
		query_bytes(&q, 2, stored, sizeof(stored));
		e = q.e;
	}
	query_close(&q);
	if (e == ERR_NONE)
		e = proof(st, kind, ret, right);
	if (e == ERR_NONE && !secret_equal(stored, sizeof(stored), right, sizeof(right)))
		e = ERR_CORRUPT;
	return e;
}

enum err chain_mark_put(struct store *st, enum chain_mark kind, const struct audit_head *h)
{
	uint8_t mac[DIGEST_LEN];
	enum err e = proof(st, kind, h, mac);

	return e == ERR_NONE ? store_write(st, SQL_MARK_PUT,
					   ARGS(V_INT(kind), V_INT(h->seq), V_BLOB(h->mac, sizeof(h->mac)),
						V_BLOB(mac, sizeof(mac))),
					   NULL)
			     : e;
}

enum err chain_begin(struct store *st)
{
	struct audit_head h = {.seq = 0};
	struct query q;
	enum err e = query_first(&q, st, SQL_AUDIT_NEWEST, NULL, 0);

	if (e == ERR_NONE) {
		h.seq = query_range(&q, 0, 1, INT64_MAX - 1);
		query_bytes(&q, 1, h.mac, sizeof(h.mac));
		e = q.e;
	} else if (e == ERR_NOTFOUND) {
		e = ERR_NONE;
	}
	query_close(&q);
	return e == ERR_NONE ? chain_mark_put(st, CHAIN_HEAD, &h) : e;
}

enum err store_audit_head(struct store *st, struct audit_head *ret)
{
	struct audit_head h;
	enum err e = chain_mark_get(st, CHAIN_HEAD, &h);

	if (e == ERR_NOTFOUND)
		e = ERR_CORRUPT;
	if (e == ERR_NONE)
		*ret = h;
	return e;
}

/* ---- the check ---- */

struct walk {
	struct store *st;
	struct audit_head at; /* the last row seen, or where the chain begins */
	const struct audit_note *note, *notes_end;
	bool open;
	struct audit_check *r;
};

static void fault(struct walk *w, enum audit_fault f, int64_t bad, int64_t until)
{
	if (w->r->faults++ > 0)
		return;
	w->r->fault = f;
	w->r->bad = bad;
	w->r->until = until;
}

/* The notes up to the row that w stands on. Those of rows that are missing say nothing new. */
static void notes(struct walk *w)
{
	for (; w->note < w->notes_end && w->note->seq <= w->at.seq; w->note++) {
		if (w->note->seq < w->at.seq) {
			w->r->notes_pruned += w->note->seq <= w->r->pruned;
		} else if (secret_equal(w->note->mac, AUDIT_NOTE_LEN, w->at.mac, AUDIT_NOTE_LEN)) {
			w->r->notes_fit++;
			w->r->notes_newest = w->at.seq;
		} else {
			fault(w, AUDIT_FAULT_NOTED, w->at.seq, w->at.seq);
		}
	}
}

/* A walk goes on behind what does not fit, with what is stored there: all faults are counted, not only the first. */
static enum err row(struct walk *w, struct query *q)
{
	struct audit_check *r = w->r;
	uint8_t right[DIGEST_LEN];
	struct db_value v[AUDIT__COLUMNS];
	enum err e;

	for (int i = 0; i < AUDIT__COLUMNS; i++)
		v[i] = query_value(q, i);
	e = q->e == ERR_NONE ? chain_mac(w->st, w->at.mac, v, right) : q->e;
	if (e != ERR_NONE)
		return e;
	if (v[AUDIT_SEQ].i != w->at.seq + 1) /* or the first of all: what was before it is not known any more */
		fault(w, AUDIT_FAULT_MISSING, w->at.seq + 1, v[AUDIT_SEQ].i - 1);
	else if (!secret_equal(right, sizeof(right), v[AUDIT_MAC].p, v[AUDIT_MAC].n))
		fault(w, AUDIT_FAULT_CHANGED, w->at.seq + 1, w->at.seq + 1);
	w->at.seq = v[AUDIT_SEQ].i;
	memcpy(w->at.mac, v[AUDIT_MAC].n == DIGEST_LEN ? v[AUDIT_MAC].p : right, DIGEST_LEN);
	notes(w);
	if (r->rows++ == 0) {
		r->first.seq = w->at.seq;
		r->first_time = v[AUDIT_TIME].i;
	}
	r->last = w->at;
	r->last_time = v[AUDIT_TIME].i;
	if (!w->open)
		return ERR_NONE;
	e = audit_opens(q);
	if (e != ERR_CORRUPT)
		return e;
	r->sealed_bad++;
	q->e = ERR_NONE;
	return ERR_NONE;
}

/* Where the chain begins now: pruning may go on while we walk. */
static enum err begin(struct walk *w)
{
	struct audit_head start;
	enum err e = chain_mark_get(w->st, CHAIN_START, &start);

	if (e == ERR_CORRUPT && w->r->rows == 0)
		fault(w, AUDIT_FAULT_MARK, w->at.seq + 1, w->at.seq + 1);
	if (e == ERR_CORRUPT || e == ERR_NOTFOUND)
		return ERR_NONE;
	if (e == ERR_NONE && start.seq > w->at.seq) {
		w->r->pruned = start.seq;
		w->at = w->r->last = start;
		notes(w);
	}
	return e;
}

static enum err end(struct walk *w)
{
	struct audit_head head;
	enum err e = chain_mark_get(w->st, CHAIN_HEAD, &head);

	if (e == ERR_CORRUPT || e == ERR_NOTFOUND) {
		fault(w, AUDIT_FAULT_MARK, w->at.seq, w->at.seq);
		e = ERR_NONE;
	} else if (e == ERR_NONE && head.seq > w->at.seq) {
		fault(w, AUDIT_FAULT_CUT, w->at.seq + 1, head.seq);
	} else if (e == ERR_NONE && head.seq < w->at.seq) {
		fault(w, AUDIT_FAULT_SURPLUS, head.seq + 1, w->at.seq);
	} else if (e == ERR_NONE && !secret_equal(head.mac, DIGEST_LEN, w->at.mac, DIGEST_LEN)) {
		fault(w, AUDIT_FAULT_MARK, w->at.seq, w->at.seq);
	}
	if (e == ERR_NONE && w->note < w->notes_end)
		fault(w, AUDIT_FAULT_CUT, w->at.seq + 1, w->notes_end[-1].seq);
	return e;
}

/* One page of the walk and, with the last one, the end, in one snapshot; none holds the log for long. */
static enum err page(struct walk *w, bool *ret_more)
{
	struct query q = {.st = w->st};
	enum db_step step = DB_DONE;
	int n = 0;
	enum err e = store_read_begin(w->st);

	if (e != ERR_NONE)
		return e;
	e = begin(w);
	if (e == ERR_NONE)
		e = query_open(&q, w->st, SQL_AUDIT_WALK, ARGS(V_INT(w->at.seq), V_INT(WALK_PAGE)));
	for (; e == ERR_NONE && (step = query_step(&q)) == DB_ROW; n++)
		e = row(w, &q);
	if (e == ERR_NONE && step == DB_ERROR)
		e = q.e;
	query_close(&q);
	*ret_more = n == WALK_PAGE;
	if (e == ERR_NONE && !*ret_more)
		e = end(w);
	store_read_end(w->st);
	return e;
}

enum err store_audit_check(struct store *st, const struct audit_note *note, size_t n, bool open,
			   struct audit_check *ret)
{
	struct audit_check r = {.fault = AUDIT_FAULT_NONE};
	struct walk w = {.st = st, .note = note, .notes_end = n > 0 ? note + n : note, .open = open, .r = &r};
	bool more = true;
	enum err e = ERR_NONE;

	while (e == ERR_NONE && more)
		e = page(&w, &more);
	if (e == ERR_NONE)
		*ret = r;
	return e;
}

static int by_seq(const void *a, const void *b)
{
	int64_t x = ((const struct audit_note *)a)->seq, y = ((const struct audit_note *)b)->seq;

	return x < y ? -1 : x > y;
}

void store_audit_notes_sort(struct audit_note *note, size_t n)
{
	if (n > 0)
		qsort(note, n, sizeof(*note), by_seq);
}

void audit_note_text(const uint8_t mac[static AUDIT_NOTE_LEN], char ret[static 2 * AUDIT_NOTE_LEN + 1])
{
	for (size_t i = 0; i < AUDIT_NOTE_LEN; i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", mac[i]);
}

static int hex(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = c != '\0' ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

	return p != NULL ? (int)(p - digits) : -1;
}

bool audit_note_parse(const char *seq, const char *mac, struct audit_note *ret)
{
	struct audit_note n = {.seq = 0};

	if (*seq < '1' || *seq > '9')
		return false;
	for (; *seq >= '0' && *seq <= '9'; seq++) {
		if (n.seq > (INT64_MAX - 9) / 10)
			return false;
		n.seq = n.seq * 10 + (*seq - '0');
	}
	for (size_t i = 0; i < AUDIT_NOTE_LEN; i++) {
		int high = hex(mac[2 * i]), low = high >= 0 ? hex(mac[2 * i + 1]) : -1;

		if (low < 0)
			return false;
		n.mac[i] = (uint8_t)(high << 4 | low);
	}
	if (hex(mac[2 * AUDIT_NOTE_LEN]) >= 0) /* cut, or of something else */
		return false;
	*ret = n;
	return true;
}

/* ---- pruning ---- */

/* *h moves to the last row that may go. Only what fits goes: else pruning would wipe out the traces. */
static enum err old_rows(struct store *st, int64_t before, size_t max, struct audit_head *h, bool *ret_more)
{
	struct query q;
	struct db_value v[AUDIT__COLUMNS];
	enum db_step step = DB_DONE;
	size_t n = 0;
	enum err e = query_open(&q, st, SQL_AUDIT_WALK, ARGS(V_INT(h->seq), V_INT(max)));

	while (e == ERR_NONE && (step = query_step(&q)) == DB_ROW) {
		uint8_t right[DIGEST_LEN];

		for (int i = 0; i < AUDIT__COLUMNS; i++)
			v[i] = query_value(&q, i);
		e = q.e;
		if (e != ERR_NONE || v[AUDIT_TIME].i >= before)
			break;
		e = chain_mac(st, h->mac, v, right);
		if (e == ERR_NONE && (v[AUDIT_SEQ].i != h->seq + 1 ||
				      !secret_equal(right, sizeof(right), v[AUDIT_MAC].p, v[AUDIT_MAC].n)))
			e = ERR_CORRUPT;
		h->seq = v[AUDIT_SEQ].i;
		memcpy(h->mac, right, DIGEST_LEN);
		n++;
	}
	if (e == ERR_NONE && step == DB_ERROR)
		e = q.e;
	query_close(&q);
	*ret_more = n == max;
	return e;
}

enum err store_audit_prune(struct store *st, int64_t before, size_t max, bool *ret_more)
{
	struct audit_head start;
	int64_t from = 0;
	bool more = false;
	enum err e = store_begin(st);

	if (e != ERR_NONE)
		return e;
	e = chain_mark_get(st, CHAIN_START, &start);
	if (e == ERR_NOTFOUND)
		e = ERR_NONE;
	from = start.seq;
	if (e == ERR_NONE)
		e = old_rows(st, before, max, &start, &more);
	if (e == ERR_NONE && start.seq > from) {
		e = chain_mark_put(st, CHAIN_START, &start);
		if (e == ERR_NONE)
			e = store_write(st, SQL_AUDIT_PRUNE, ARGS(V_INT(start.seq)), NULL);
		if (e == ERR_NONE)
			e = store_commit(st);
	}
	store_rollback(st);
	if (e == ERR_NONE)
		*ret_more = more;
	return e;
}
