/* What the outbox believes of a mail's row is what stands there, also when a transaction fails. */
#include "config.h"

#include "store.h"

#include "keeper/outbox_book.h"

static struct mail put(struct fixture *f, int64_t next_try)
{
	struct mail m;
	memset(&m, 0, sizeof m);
	OK(id_new(&m.id));
	m.state = MAIL_WAITING;
	m.created = NOW;
	m.next_try = next_try;
	m.expires = NOW + 3600;
	snprintf(m.recipient, sizeof m.recipient, "taro@example.jp");
	buf_adds(&m.message, "Subject: x\r\n\r\nx\r\n");
	OK(store_begin(f->st));
	OK(store_mail_put(f->st, &m));
	OK(store_commit(f->st));
	buf_free(&m.message);
	return m;
}

static void moved(const struct fixture *f, bool back)
{
	char other[PATH_MAX];
	snprintf(other, sizeof other, "%.4000s.moved", f->path);
	assert_int_equal(rename(back ? other : f->path, back ? f->path : other), 0);
}

static void as_stored(const struct fixture *f, const struct mail *m)
{
	struct mail row;
	memset(&row, 0, sizeof row);
	OK(store_mail_status(f->st, &m->id, &row));
	assert_int_equal(row.next_try, m->next_try);
	assert_int_equal(row.tries, m->tries);
	mail_clear(&row);
}

/* On its way, claimed, and sent, while nothing can be written. */
static void nothing_has_changed_when_it_fails(void **state)
{
	struct fixture *f = *state;
	struct outbox_book *b = calloc(1, sizeof *b);
	struct sending sent = {.result = SENDING_SENT};
	struct mail row;
	assert_non_null(b);
	b->n_lanes = 1;
	b->lanes[0].fd = -1;
	for (int i = 0; i < 3; i++)
		(void)put(f, NOW - 3 + i);
	OK(book_write(b, f->st, true));
	assert_int_equal(b->n_ready, 3);
	b->lanes[0].mail = b->ready[2];
	b->lanes[0].busy = true;
	book_done(b, &b->ready[1], &sent);
	struct id done = b->done[0].id;
	b->n_ready = 1;

	clock_fix(NOW + 9);
	(void)put(f, NOW);
	moved(f, false);
	assert_int_equal(book_write(b, f->st, true), ERR_IO);
	moved(f, true);
	assert_int_equal(b->n_ready, 1);
	assert_int_equal(b->n_done, 1);
	as_stored(f, &b->ready[0]);
	as_stored(f, &b->lanes[0].mail);
	assert_int_equal(b->ready[0].next_try, NOW + OUTBOX_LEASE);
	assert_true(book_lease(b) <= NOW + 9);

	OK(book_write(b, f->st, true));
	assert_int_equal(b->n_ready, 2); /* the new one too */
	assert_int_equal(b->n_done, 0);
	as_stored(f, &b->ready[0]);
	as_stored(f, &b->lanes[0].mail);
	assert_int_equal(b->lanes[0].mail.next_try, NOW + 9 + OUTBOX_LEASE);
	memset(&row, 0, sizeof row);
	OK(store_mail_status(f->st, &done, &row));
	assert_int_equal(row.state, MAIL_SENT);
	book_clear(b);
	free(b);
}

/* The clock went ahead of all leases: none is claimed a second time; it went back: they stay ours. */
static void whatever_the_clock_does(void **state)
{
	static const int64_t jumps[] = {1000, -5000, 0};
	struct fixture *f = *state;
	struct outbox_book *b = calloc(1, sizeof *b);
	assert_non_null(b);
	for (int i = 0; i < 2; i++)
		(void)put(f, NOW);
	OK(book_write(b, f->st, true));
	for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
		clock_fix(NOW + jumps[i]);
		OK(book_write(b, f->st, true));
		assert_int_equal(b->n_ready, 2);
		as_stored(f, &b->ready[0]);
		as_stored(f, &b->ready[1]);
		assert_int_equal(b->ready[0].next_try, NOW + jumps[i] + OUTBOX_LEASE);
		assert_int_equal(b->ready[0].tries, 1);
	}
	book_release(b, f->st);
	OK(book_write(b, f->st, true));
	assert_int_equal(b->n_ready, 2);
	assert_int_equal(b->ready[0].tries, 1);
	book_clear(b);
	free(b);
}

static void a_damaged_row_holds_nothing_up(void **state)
{
	static const char *const damage[] = {"tries = -1", "sent = 'x'", "body = NULL", "person = x'00'", "urgent = 7"};
	struct fixture *f = *state;
	struct outbox_book *b = calloc(1, sizeof *b);
	char sql[128];
	assert_non_null(b);
	for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
		(void)put(f, NOW - 10);
		snprintf(sql, sizeof sql, "UPDATE outbox SET %s WHERE state = 1 AND next_try = %d", damage[i],
			 NOW - 10);
		assert_int_equal(raw(f, sql), 1);
		struct mail good = put(f, NOW - 5);
		OK(book_write(b, f->st, true));
		assert_int_equal(b->n_ready, i + 1);
		assert_memory_equal(&b->ready[i].id, &good.id, sizeof good.id);
	}
	book_clear(b);
	free(b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    TEST(nothing_has_changed_when_it_fails),
	    TEST(whatever_the_clock_does),
	    TEST(a_damaged_row_holds_nothing_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
