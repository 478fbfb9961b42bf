/* The audit chain: what is done to the rows shows, and which row it was; pruning leaves a chain that holds. */
#include "config.h"

#include "common/secret.h"
#include "store.h"

static enum err add(struct fixture *f, int64_t time, const char *event)
{
	struct audit a = {.time = time, .event = event, .door = "web", .address = "192.0.2.1", .detail = "x"};
	enum err e = store_begin(f->st);

	if (e == ERR_NONE)
		e = store_audit(f->st, &a);
	if (e == ERR_NONE)
		e = store_commit(f->st);
	store_rollback(f->st);
	return e;
}

static void add_many(struct fixture *f, int n)
{
	for (int i = 0; i < n; i++)
		OK(add(f, NOW + i, "login.deny"));
}

static struct audit_check check(struct fixture *f)
{
	struct audit_check c;

	memset(&c, 0xee, sizeof c);
	OK(store_audit_check(f->st, NULL, 0, true, &c));
	return c;
}

static void start_over(struct fixture *f)
{
	raw(f, "DELETE FROM audit; DELETE FROM audit_mark; INSERT INTO audit_mark SELECT * FROM kept");
}

#define SEQ(n) "WHERE seq = " #n

static void tampering(void **state)
{
	static const struct {
		const char *sql;
		enum audit_fault fault;
		int64_t bad, until, faults;
	} each[] = {
	    {"UPDATE audit SET event = 'login.allow' " SEQ(3), AUDIT_FAULT_CHANGED, 3, 3, 1},
	    {"UPDATE audit SET time = time - 1 " SEQ(1), AUDIT_FAULT_CHANGED, 1, 1, 1},
	    {"UPDATE audit SET door = 'ctl' " SEQ(5), AUDIT_FAULT_CHANGED, 5, 5, 1},
	    {"UPDATE audit SET person = x'00112233445566778899aabbccddeeff' " SEQ(2), AUDIT_FAULT_CHANGED, 2, 2, 1},
	    {"UPDATE audit SET sealed = NULL " SEQ(2), AUDIT_FAULT_CHANGED, 2, 2, 1},
	    {"UPDATE audit SET time = 'x' " SEQ(2), AUDIT_FAULT_CHANGED, 2, 2, 1},
	    {"UPDATE audit SET mac = (SELECT mac FROM audit " SEQ(1) ") " SEQ(2), AUDIT_FAULT_CHANGED, 2, 2, 2},
	    {"UPDATE audit SET mac = 'x' " SEQ(2), AUDIT_FAULT_CHANGED, 2, 2, 1},
	    {"DELETE FROM audit " SEQ(4), AUDIT_FAULT_MISSING, 4, 4, 1},
	    {"DELETE FROM audit WHERE seq IN (2, 3)", AUDIT_FAULT_MISSING, 2, 3, 1},
	    /* cut at the beginning and at the end */
	    {"DELETE FROM audit WHERE seq < 3", AUDIT_FAULT_MISSING, 1, 2, 1},
	    {"DELETE FROM audit WHERE seq >= 4", AUDIT_FAULT_CUT, 4, 5, 1},
	    {"DELETE FROM audit", AUDIT_FAULT_CUT, 1, 5, 1},
	    /* a hole that is closed again */
	    {"DELETE FROM audit " SEQ(3) "; UPDATE audit SET seq = 3 " SEQ(4) "; UPDATE audit SET seq = 4 " SEQ(5),
	     AUDIT_FAULT_CHANGED, 3, 3, 3},
	    {"UPDATE audit SET seq = 9 " SEQ(5), AUDIT_FAULT_MISSING, 5, 8, 2},
	    /* put in: at the end, and between */
	    {"INSERT INTO audit SELECT 6, time, person, event, door, sealed, mac FROM audit " SEQ(5),
	     AUDIT_FAULT_CHANGED, 6, 6, 2},
	    {"UPDATE audit SET seq = 6 " SEQ(5) "; INSERT INTO audit SELECT 5, time, person, event, door, sealed, mac "
						"FROM audit " SEQ(4),
	     AUDIT_FAULT_CHANGED, 5, 5, 3},
	    /* two exchanged */
	    {"UPDATE audit SET seq = 9 " SEQ(2) "; UPDATE audit SET seq = 2 " SEQ(3) "; UPDATE audit SET seq = 3 " SEQ(
		 9),
	     AUDIT_FAULT_CHANGED, 2, 2, 3},
	    /* the head */
	    {"DELETE FROM audit WHERE seq >= 4; UPDATE audit_mark SET seq = 3, mac = (SELECT mac FROM audit " SEQ(
		 3) ")",
	     AUDIT_FAULT_MARK, 3, 3, 1},
	    {"DELETE FROM audit_mark", AUDIT_FAULT_MARK, 5, 5, 1},
	    {"UPDATE audit_mark SET kind = 2", AUDIT_FAULT_MARK, 1, 1, 2},
	    {"INSERT INTO audit_mark SELECT 2, seq, mac, proof FROM audit_mark; DELETE FROM audit WHERE seq < 5",
	     AUDIT_FAULT_MARK, 1, 1, 2},
	};
	struct fixture *f = *state;

	raw(f, "CREATE TABLE kept AS SELECT * FROM audit_mark");
	for (size_t i = 0; i < COUNT(each); i++) {
		add_many(f, 5);
		assert_int_equal(check(f).fault, AUDIT_FAULT_NONE);
		assert_true(raw(f, each[i].sql) > 0);
		struct audit_check c = check(f);
		if (c.fault != each[i].fault || c.bad != each[i].bad || c.until != each[i].until ||
		    c.faults != each[i].faults)
			fail_msg("%s: fault %d, %lld to %lld, %lld faults", each[i].sql, (int)c.fault, (long long)c.bad,
				 (long long)c.until, (long long)c.faults);
		start_over(f);
	}
}

/* Rows that are genuine, but another store's (of the same key: a copy that went on by itself). */
static void another_store(void **state)
{
	struct fixture *f = *state;
	char sql[PATH_MAX + 200], other[PATH_MAX + 8];
	struct store *mine = f->st;

	snprintf(other, sizeof other, "%s/other.db", (const char *)f->folder);
	OK(store_create(other, f->seal, NULL));
	OK(store_open(other, f->seal, &f->st, NULL));
	OK(add(f, NOW - 1, "login.deny"));
	add_many(f, 4);
	store_close(f->st);
	f->st = mine;
	add_many(f, 5);
	snprintf(sql, sizeof sql,
		 "ATTACH '%s' AS o; DELETE FROM main.audit WHERE seq >= 4; "
		 "INSERT INTO main.audit SELECT * FROM o.audit WHERE seq >= 4",
		 other);
	raw(f, sql);
	struct audit_check c = check(f);
	assert_int_equal(c.fault, AUDIT_FAULT_CHANGED);
	assert_int_equal(c.bad, 4);
}

/* What is cut off at the end is missed, also when the log went on: its numbers are never used again. */
static void cut_and_gone_on(void **state)
{
	struct fixture *f = *state;

	add_many(f, 5);
	raw(f, "DELETE FROM audit WHERE seq >= 4");
	add_many(f, 2);
	struct audit_check c = check(f);
	assert_int_equal(c.fault, AUDIT_FAULT_MISSING);
	assert_int_equal(c.bad, 4);
	assert_int_equal(c.until, 5);
	assert_int_equal(c.faults, 1);
	assert_int_equal(c.last.seq, 7);
}

/* Nothing is decided that cannot be noted: the transaction that would do it fails with its audit row. */
static void no_head_no_decision(void **state)
{
	struct fixture *f = *state;

	add_many(f, 1);
	raw(f, "CREATE TABLE kept AS SELECT * FROM audit_mark; UPDATE audit_mark SET seq = 7");
	assert_int_equal(add(f, NOW, "login.allow"), ERR_CORRUPT);
	raw(f, "DELETE FROM audit_mark");
	assert_int_equal(add(f, NOW, "login.allow"), ERR_CORRUPT);
	assert_int_equal(check(f).rows, 1);
	/* an older head, put back: its next row is there already */
	raw(f, "INSERT INTO audit_mark SELECT * FROM kept");
	add_many(f, 1);
	raw(f, "DELETE FROM audit_mark; INSERT INTO audit_mark SELECT * FROM kept");
	assert_int_equal(add(f, NOW, "login.allow"), ERR_EXISTS);
	struct audit_check c = check(f);
	assert_int_equal(c.fault, AUDIT_FAULT_SURPLUS);
	assert_int_equal(c.bad, 2);
}

static struct audit_note note_of(struct fixture *f)
{
	struct audit_head h;
	struct audit_note n;

	OK(store_audit_head(f->st, &h));
	n.seq = h.seq;
	memcpy(n.mac, h.mac, sizeof n.mac);
	return n;
}

static void noted_outside(void **state)
{
	struct fixture *f = *state;
	struct audit_note n[3];
	struct audit_check c;

	add_many(f, 2);
	n[1] = note_of(f);
	add_many(f, 2);
	raw(f, "CREATE TABLE four AS SELECT * FROM audit; CREATE TABLE kept AS SELECT * FROM audit_mark");
	add_many(f, 1);
	n[0] = note_of(f);
	n[2] = n[0]; /* a keeper that was started anew */
	store_audit_notes_sort(n, 3);
	assert_int_equal(n[0].seq, 2);
	OK(store_audit_check(f->st, n, 3, false, &c));
	assert_int_equal(c.fault, AUDIT_FAULT_NONE);
	assert_int_equal(c.notes_fit, 3);
	assert_int_equal(c.notes_newest, 5);

	/* All that is in the store, as it once was: only what was noted elsewhere tells. */
	start_over(f);
	raw(f, "INSERT INTO audit SELECT * FROM four");
	OK(store_audit_check(f->st, NULL, 0, false, &c));
	assert_int_equal(c.fault, AUDIT_FAULT_NONE);
	OK(store_audit_check(f->st, n, 3, false, &c));
	assert_int_equal(c.fault, AUDIT_FAULT_CUT);
	assert_int_equal(c.bad, 5);
	assert_int_equal(c.until, 5);

	/* ... and gone on otherwise. */
	OK(add(f, NOW + 99, "login.allow"));
	OK(store_audit_check(f->st, n, 3, false, &c));
	assert_int_equal(c.fault, AUDIT_FAULT_NOTED);
	assert_int_equal(c.bad, 5);
	assert_int_equal(c.notes_fit, 1);
}

static void pruning(void **state)
{
	struct fixture *f = *state;
	struct audit_note n[2];
	struct audit_check c;
	bool more = false;

	add_many(f, 3);
	n[0] = note_of(f);
	add_many(f, 7); /* NOW.. again: a clock that was set back */
	n[1] = note_of(f);
	OK(store_audit_prune(f->st, NOW, 100, &more)); /* nothing is older */
	assert_false(more);
	c = check(f);
	assert_int_equal(c.rows, 10);
	assert_int_equal(c.pruned, 0);

	OK(store_audit_prune(f->st, NOW + 2, 1, &more));
	assert_true(more);
	OK(store_audit_prune(f->st, NOW + 2, 100, &more));
	assert_false(more);
	OK(store_audit_check(f->st, n, 2, true, &c)); /* the third is not older: what comes after it stays, too */
	assert_int_equal(c.fault, AUDIT_FAULT_NONE);
	assert_int_equal(c.rows, 8);
	assert_int_equal(c.first.seq, 3);
	assert_int_equal(c.pruned, 2);
	assert_int_equal(c.notes_fit, 2);
	OK(store_audit_prune(f->st, NOW + 3, 100, &more));
	OK(store_audit_prune(f->st, NOW + 3, 100, &more));
	OK(store_audit_check(f->st, n, 2, true, &c));
	assert_int_equal(c.fault, AUDIT_FAULT_NONE);
	assert_int_equal(c.first.seq, 7);
	assert_int_equal(c.notes_pruned, 1);
	assert_int_equal(c.notes_fit, 1);

	/* A cut at the beginning is no pruning, and no checkpoint can be made for it. */
	raw(f, "CREATE TABLE kept AS SELECT * FROM audit_mark");
	raw(f, "DELETE FROM audit WHERE seq = 7");
	c = check(f);
	assert_int_equal(c.fault, AUDIT_FAULT_MISSING);
	assert_int_equal(c.bad, 7);
	raw(f, "UPDATE audit_mark SET seq = 7 WHERE kind = 2");
	assert_int_equal(check(f).fault, AUDIT_FAULT_MARK);
	raw(f, "DELETE FROM audit_mark; INSERT INTO audit_mark SELECT * FROM kept");

	/* What does not fit is not pruned away. */
	assert_int_equal(store_audit_prune(f->st, NOW + 99, 100, &more), ERR_CORRUPT);
	assert_int_equal(check(f).rows, 3);
}

static void pruned_empty(void **state)
{
	struct fixture *f = *state;
	struct audit_check c;
	bool more = true;

	add_many(f, 4);
	OK(store_audit_prune(f->st, NOW + 99, 100, &more));
	c = check(f);
	assert_int_equal(c.fault, AUDIT_FAULT_NONE);
	assert_int_equal(c.rows, 0);
	assert_int_equal(c.pruned, 4);
	add_many(f, 1);
	c = check(f);
	assert_int_equal(c.fault, AUDIT_FAULT_NONE);
	assert_int_equal(c.first.seq, 5);
}

/* More than a page of the walk. */
static void many(void **state)
{
	struct fixture *f = *state;
	struct audit a = {.time = NOW, .event = "login.deny", .door = "web", .address = "", .detail = ""};

	OK(store_begin(f->st));
	for (int i = 0; i < 4001; i++)
		OK(store_audit(f->st, &a));
	OK(store_commit(f->st));
	struct audit_check c = check(f);
	assert_int_equal(c.fault, AUDIT_FAULT_NONE);
	assert_int_equal(c.rows, 4001);
	raw(f, "UPDATE audit SET event = 'x' WHERE seq IN (2001, 4001)");
	c = check(f);
	assert_int_equal(c.bad, 2001);
	assert_int_equal(c.faults, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(tampering),	 TEST(another_store), TEST(cut_and_gone_on), TEST(no_head_no_decision),
	    TEST(noted_outside), TEST(pruning),	      TEST(pruned_empty),    TEST(many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
