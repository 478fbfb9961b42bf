/* Who is reminded of the deadline, when, at which address and how often: two keepers, a crash, days without a keeper.
 */
#include "config.h"

#include "common/clock.h"
#include "keeper/enrol.h"
#include "keeper/mail.h"
#include "keeper/remind.h"
#include "tests/unit/world.h"
#include <sqlite3.h>

#define DAY 86400

static char marks[] = "14 7 1", url[] = "https://kosmo.example.jp";

/* 10:00 in Japan, so many days before the deadline's day (31 March 2027). */
static int64_t before(int days)
{
	return text_midnight((struct date){2027, 3, 31}) + (int64_t)10 * 3600 - (int64_t)days * DAY;
}

static void put(struct world *w, struct person *p, const char *login)
{
	*p = (struct person){.role = ROLE_MEMBER,
			     .created = before(200),
			     .has_initial = true,
			     .initial_from = before(200),
			     .birth = {1950, 1, 1}};
	snprintf(p->login, sizeof p->login, "%s", login);
	snprintf(p->name, sizeof p->name, "Name of %s", login);
	snprintf(p->email, sizeof p->email, "%s@example.jp", login);
	assert_int_equal(id_new(&p->id), ERR_NONE);
	memcpy(p->password, w->hash, sizeof w->hash);
}

static void add(struct world *w, const struct person *p)
{
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_person_add(w->st, p));
}

static void save(struct world *w, const struct person *p)
{
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_person_save(w->st, p));
}

static struct person member(struct world *w, const char *login)
{
	struct person p;
	put(w, &p, login);
	add(w, &p);
	return p;
}

/* A whole walk of a keeper that has just begun. */
static void walk_with(struct world *w, struct store *st, int64_t now)
{
	struct remind r = {.day = 0};
	bool mailed = false;
	do {
		assert_int_equal(remind_step(&r, &w->k, st, now, &mailed), ERR_NONE);
	} while (r.walking);
}

static void walk(struct world *w, int64_t now)
{
	walk_with(w, w->st, now);
}

/* The mails that wait, taken away: how many. The last one is in text, its recipient in to. */
static char text[4096], to[EMAIL_MAX + 1];

/* Without the soft line breaks of RFC 2045 6.7. */
static void soft(const char *s)
{
	size_t n = 0;
	while (*s && n < sizeof text - 1)
		if (!strncmp(s, "=\r\n", 3))
			s += 3;
		else
			text[n++] = *s++;
	text[n] = '\0';
}

static int mails(struct world *w)
{
	int n = 0;
	struct mail m;
	while (!store_mail_next(w->st, INT64_MAX, &m)) {
		assert_false(m.urgent);
		soft(buf_str(&m.message));
		snprintf(to, sizeof to, "%s", m.recipient);
		m.state = MAIL_SENT;
		assert_int_equal(store_begin(w->st), ERR_NONE);
		in_transaction(w, store_mail_settle(w->st, &m));
		mail_clear(&m);
		n++;
	}
	return n;
}

/* As somebody who can only write rows would do it. */
static void raw(const struct world *w, const char *sql)
{
	sqlite3 *sq = NULL;
	assert_int_equal(sqlite3_open_v2(w->k.db_path, &sq, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(sq, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(sq), SQLITE_OK);
}

static int setup(void **state)
{
	if (world_new(state))
		return -1;
	struct world *w = *state;
	w->conf.url = url;
	w->conf.enrol_remind = marks;
	w->conf.enrol_by = text_midnight((struct date){2027, 4, 1});
	w->conf.initial_password_days = 366;
	clock_fix(before(30));
	return 0;
}

static int teardown(void **state)
{
	clock_fix(-1);
	return world_gone(state);
}

static void once_a_mark(void **state)
{
	struct world *w = *state;
	static const int told[] = {14, 7, 1};
	int sent = 0;
	member(w, "hanako");
	for (int days = 20; days >= -3; days--) {
		bool due = false;
		for (size_t i = 0; i < COUNT(told); i++)
			due = due || told[i] == days;
		walk(w, before(days));
		walk(w, before(days) + 3600);
		assert_int_equal(mails(w), due);
		sent += due;
	}
	assert_int_equal(sent, 3);
}

static void what_it_says(void **state)
{
	struct world *w = *state;
	struct person p = member(w, "hanako");
	walk(w, before(14));
	assert_int_equal(mails(w), 1);
	assert_string_equal(to, "hanako@example.jp");
	assert_non_null(strstr(text, "Subject: Please finish setting up how you log in\r\n"));
	assert_non_null(strstr(text, "31 March 2027 (in 14 days)"));
	assert_non_null(strstr(text, url));
	/* the address was given, not verified: whoever reads it may be somebody else */
	assert_null(strstr(text, "Name of"));
	assert_null(strstr(text, "List-Unsubscribe"));
	p.email_verified = true;
	save(w, &p);
	static char leave[] = "mailto:stop@example.jp";
	w->conf.mail_list_unsubscribe = leave;
	walk(w, before(1));
	assert_int_equal(mails(w), 1);
	assert_non_null(strstr(text, "Name of hanako"));
	assert_non_null(strstr(text, "(tomorrow)"));
	assert_non_null(strstr(text, "List-Unsubscribe: <mailto:stop@example.jp>\r\n"));
	struct audit row[4];
	size_t n = 0;
	assert_int_equal(store_audit_page(w->st, &p.id, 0, row, COUNT(row), &n), ERR_NONE);
	assert_int_equal(n, 2);
	assert_string_equal(row[0].event, "enrol.remind");
	assert_string_equal(row[0].detail, "1 days before 2027-03-31");
}

static void only_in_working_hours_in_japan(void **state)
{
	struct world *w = *state;
	struct remind r = {.day = 0};
	bool mailed = false;
	const int64_t midnight = before(14) - (int64_t)10 * 3600;
	member(w, "hanako");
	walk(w, midnight + 9 * 3600 - 1);
	walk(w, midnight + 18 * 3600);
	assert_int_equal(mails(w), 0);
	walk(w, midnight + 9 * 3600);
	assert_int_equal(mails(w), 1);
	/* one walk a day */
	assert_int_equal(remind_step(&r, &w->k, w->st, before(7), &mailed), ERR_NONE);
	assert_true(mailed && mails(w) == 1);
	while (r.walking)
		assert_int_equal(remind_step(&r, &w->k, w->st, before(7), &mailed), ERR_NONE);
	member(w, "jiro");
	mailed = false;
	assert_int_equal(remind_step(&r, &w->k, w->st, before(7) + 60, &mailed), ERR_NONE);
	assert_false(mailed || r.walking);
	walk(w, before(6));
	assert_int_equal(mails(w), 1);
}

static void days_without_a_keeper_are_made_up_for(void **state)
{
	struct world *w = *state;
	member(w, "hanako");
	walk(w, before(12)); /* the 14th day went by */
	assert_int_equal(mails(w), 1);
	assert_non_null(strstr(text, "in 12 days"));
	walk(w, before(8));
	assert_int_equal(mails(w), 0);
	walk(w, before(0)); /* 7 and 1: one mail */
	assert_int_equal(mails(w), 1);
	assert_non_null(strstr(text, "(today)"));
	walk(w, before(-1));
	assert_int_equal(mails(w), 0);
}

static void a_new_letter_is_not_reminded_of_at_once(void **state)
{
	struct world *w = *state;
	struct person p;
	put(w, &p, "hanako");
	p.initial_from = before(10);
	add(w, &p);
	walk(w, before(9));
	assert_int_equal(mails(w), 0);
	walk(w, before(7));
	assert_int_equal(mails(w), 1);
}

static void not_to_those_who_are_done_or_out(void **state)
{
	struct world *w = *state;
	struct person p;
	static const char *const logins[] = {"disabled", "frozen", "expired", "without", "done", "by-mail"};
	for (size_t i = 0; i < COUNT(logins); i++) {
		put(w, &p, logins[i]);
		p.disabled = i == 0;
		p.frozen = i == 1 ? before(20) : 0;
		p.expires = i == 2 ? before(20) : 0;
		if (i == 3)
			p.email[0] = '\0';
		add(w, &p);
		if (i < 4)
			continue;
		struct authenticator a = w->a;
		a.kind = i == 4 ? FACTOR_TOTP : FACTOR_MAILCODE;
		a.person = p.id;
		assert_int_equal(id_new(&a.id), ERR_NONE);
		assert_int_equal(store_begin(w->st), ERR_NONE);
		in_transaction(w, store_authenticator_add(w->st, &a));
	}
	walk(w, before(14));
	assert_int_equal(mails(w), 0);
	/* begun, but not confirmed */
	p = member(w, "begun");
	struct authenticator a = w->a;
	a.confirmed = false;
	a.person = p.id;
	assert_int_equal(id_new(&a.id), ERR_NONE);
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_authenticator_add(w->st, &a));
	walk(w, before(14));
	assert_int_equal(mails(w), 1);
	w->conf.enrol_by = 0;
	walk(w, before(7));
	assert_int_equal(mails(w), 0);
}

static void the_letters_end_is_told_to_who_has_not_begun(void **state)
{
	struct world *w = *state;
	struct person p;
	put(w, &p, "hanako");
	p.password[0] = '\0';
	p.initial_from = before(90) - (int64_t)29 * DAY;
	add(w, &p);
	w->conf.initial_password_days = 90; /* ends 30 days before the deadline */
	walk(w, before(37));
	assert_int_equal(mails(w), 1);
	assert_non_null(strstr(text, "Subject: Please use the password on your letter soon\r\n"));
	assert_non_null(strstr(text, "1 March 2027 (in 7 days)"));
	memcpy(p.password, w->hash, sizeof w->hash);
	save(w, &p);
	walk(w, before(29));
	assert_int_equal(mails(w), 0);
	walk(w, before(14)); /* the deadline has marks of its own */
	assert_int_equal(mails(w), 1);
	assert_non_null(strstr(text, "31 March 2027 (in 14 days)"));
}

static void one_persons_own_day(void **state)
{
	struct world *w = *state;
	struct person p = member(w, "hanako"), never = member(w, "jiro");
	walk(w, before(1));
	assert_int_equal(mails(w), 2);
	assert_int_equal(store_begin(w->st), ERR_NONE);
	assert_int_equal(store_deadline_put(w->st, &never.id, DEADLINE_NONE), ERR_NONE);
	in_transaction(w, store_deadline_put(w->st, &p.id, w->conf.enrol_by + 10 * DAY));
	walk(w, before(0));
	assert_int_equal(mails(w), 1);
	assert_string_equal(to, "hanako@example.jp");
	assert_non_null(strstr(text, "10 April 2027 (in 10 days)"));
	walk(w, before(-3));
	assert_int_equal(mails(w), 1);
	walk(w, before(-4));
	assert_int_equal(mails(w), 0);
}

/* Two keepers that look at the same time, and one that was killed before its commit. */
static void two_keepers_tell_once(void **state)
{
	struct world *w = *state;
	struct store *other = NULL;
	struct remind a = {.day = 0}, b = {.day = 0};
	bool mailed = false;
	char login[16];
	assert_int_equal(keeper_store(&w->k, &other, NULL), ERR_NONE);
	for (int i = 0; i < 3 * REMIND_MAILS; i++) {
		snprintf(login, sizeof login, "m%d", i);
		member(w, login);
	}
	/* in turn, step by step: each finds what the other has left */
	do {
		assert_int_equal(remind_step(&a, &w->k, w->st, before(14), &mailed), ERR_NONE);
		assert_int_equal(remind_step(&b, &w->k, other, before(14), &mailed), ERR_NONE);
	} while (a.walking || b.walking);
	assert_int_equal(mails(w), 3 * REMIND_MAILS);
	struct person p;
	int64_t until = w->conf.enrol_by;
	assert_int_equal(store_person_by_login(w->st, "m7", &p), ERR_NONE);
	/* the decision itself: whoever comes second is refused */
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_reminder_take(w->st, &p.id, until, 7));
	assert_int_equal(store_begin(other), ERR_NONE);
	assert_int_equal(store_reminder_take(other, &p.id, until, 7), ERR_EXISTS);
	assert_int_equal(store_reminder_take(other, &p.id, until, 14), ERR_EXISTS);
	assert_int_equal(store_reminder_take(other, &p.id, until, 1), ERR_NONE);
	store_close(other); /* killed here: neither the mark nor a mail is there */
	int64_t mark = 0;
	assert_int_equal(store_reminder_get(w->st, &p.id, &until, &mark), ERR_NONE);
	assert_int_equal(mark, 7);
	walk(w, before(1));
	assert_int_equal(mails(w), 3 * REMIND_MAILS);
}

static void a_damaged_row_does_not_stop_the_others(void **state)
{
	struct world *w = *state;
	member(w, "hanako");
	member(w, "jiro");
	raw(w, "UPDATE person SET terms = 7 WHERE login = 'hanako'");
	walk(w, before(14));
	assert_int_equal(mails(w), 1);
	assert_string_equal(to, "jiro@example.jp");
}

static void nobody_moves_a_day_by_writing_rows(void **state)
{
	struct world *w = *state;
	struct person p = member(w, "hanako"), q = member(w, "jiro");
	struct enrol e;
	assert_int_equal(store_begin(w->st), ERR_NONE);
	assert_int_equal(store_deadline_put(w->st, &p.id, before(-10)), ERR_NONE);
	in_transaction(w, store_deadline_put(w->st, &q.id, DEADLINE_NONE));
	assert_int_equal(enrol_load(w->st, &w->conf, &q, &e), ERR_NONE);
	assert_int_equal(e.by, 0);
	raw(w, "CREATE TABLE was AS SELECT * FROM deadline; "
	       "UPDATE deadline SET sealed = (SELECT sealed FROM was WHERE was.person <> deadline.person); DROP TABLE "
	       "was");
	assert_int_equal(enrol_load(w->st, &w->conf, &p, &e), ERR_CORRUPT);
	struct store_check c;
	assert_int_equal(store_check(w->st, NULL, NULL, &c), ERR_NONE);
	assert_int_equal(c.deadlines, 2);
	assert_int_equal(c.bad, 2);
}

static void what_is_told_goes_with_the_person_or_its_day(void **state)
{
	struct world *w = *state;
	struct person p = member(w, "hanako");
	member(w, "jiro");
	struct store_check c;
	int64_t until, mark;
	walk(w, before(14));
	assert_int_equal(store_begin(w->st), ERR_NONE);
	assert_int_equal(store_deadline_put(w->st, &p.id, before(-10)), ERR_NONE);
	in_transaction(w, store_person_delete(w->st, &p.id));
	assert_int_equal(store_check(w->st, NULL, NULL, &c), ERR_NONE);
	assert_int_equal(c.orphans, 0);
	assert_int_equal(store_reminder_get(w->st, &p.id, &until, &mark), ERR_NOTFOUND);
	assert_int_equal(store_person_by_login(w->st, "jiro", &p), ERR_NONE);
	assert_int_equal(store_sweep(w->st, before(-29), 100, NULL), ERR_NONE);
	assert_int_equal(store_reminder_get(w->st, &p.id, &until, &mark), ERR_NONE);
	assert_int_equal(store_sweep(w->st, before(-31), 100, NULL), ERR_NONE);
	assert_int_equal(store_reminder_get(w->st, &p.id, &until, &mark), ERR_NOTFOUND);
}

/* Whoever cannot be reminded is not locked out either. */
static void a_store_of_before_knows_no_deadline(void **state)
{
	struct world *w = *state;
	struct person p = member(w, "hanako");
	struct enrol e = {.by = 1};
	store_close(w->st);
	raw(w, "DROP TABLE deadline; DROP TABLE reminder; UPDATE schema_version SET version = 4");
	assert_int_equal(keeper_store(&w->k, &w->st, NULL), ERR_NONE);
	assert_int_equal(enrol_load(w->st, &w->conf, &p, &e), ERR_NONE);
	assert_int_equal(e.by, 0);
	walk(w, before(14));
	assert_int_equal(mails(w), 0);
	assert_int_equal(store_sweep(w->st, before(14), 100, NULL), ERR_NONE);
	assert_int_equal(store_begin(w->st), ERR_NONE);
	assert_int_equal(store_deadline_put(w->st, &p.id, before(-10)), ERR_DENIED);
	in_transaction(w, store_person_delete(w->st, &p.id));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(once_a_mark),
	    T(what_it_says),
	    T(only_in_working_hours_in_japan),
	    T(days_without_a_keeper_are_made_up_for),
	    T(a_new_letter_is_not_reminded_of_at_once),
	    T(not_to_those_who_are_done_or_out),
	    T(the_letters_end_is_told_to_who_has_not_begun),
	    T(one_persons_own_day),
	    T(two_keepers_tell_once),
	    T(a_damaged_row_does_not_stop_the_others),
	    T(nobody_moves_a_day_by_writing_rows),
	    T(what_is_told_goes_with_the_person_or_its_day),
	    T(a_store_of_before_knows_no_deadline),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
