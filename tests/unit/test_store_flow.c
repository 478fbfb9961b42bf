/* Codes, sessions, mail, counters, audit, sweep. The audit chain is test_store_audit.c's. */
#include "config.h"

#include "store.h"

/* Within a transaction of its own; evaluates to the call's result, commits whatever it was. */
#define TX(f, call)                                                                                                    \
	({                                                                                                             \
		OK(store_begin((f)->st));                                                                              \
		enum err result_ = (call);                                                                             \
		OK(store_commit((f)->st));                                                                             \
		result_;                                                                                               \
	})

/* ---- recovery codes ---- */

static void recovery(void **state)
{
	static const char *const first[] = {"aaaa", "bbbb", "cccc"}, *const second[] = {"dddd"};
	struct fixture *f = *state;
	struct person a = person_add(f, "a"), b = person_add(f, "b");
	size_t n = 9;

	OK(store_recovery_left(f->st, &a.id, &n));
	assert_int_equal(n, 0);
	assert_int_equal(store_recovery_replace(f->st, &a.id, first, 3), ERR_INTERNAL);
	OK(TX(f, store_recovery_replace(f->st, &a.id, first, 3)));
	OK(store_recovery_left(f->st, &a.id, &n));
	assert_int_equal(n, 3);
	assert_int_equal(TX(f, store_recovery_consume(f->st, &a.id, "dddd", NOW)), ERR_DENIED);
	assert_int_equal(TX(f, store_recovery_consume(f->st, &b.id, "aaaa", NOW)), ERR_DENIED);
	assert_int_equal(TX(f, store_recovery_consume(f->st, &a.id, "", NOW)), ERR_DENIED);
	OK(TX(f, store_recovery_consume(f->st, &a.id, "bbbb", NOW)));
	assert_int_equal(TX(f, store_recovery_consume(f->st, &a.id, "bbbb", NOW)), ERR_DENIED);
	OK(store_recovery_left(f->st, &a.id, &n));
	assert_int_equal(n, 2);
	/* Rows are worth nothing to another person. */
	raw(f, "UPDATE recovery SET person = (SELECT id FROM person WHERE login = 'b')");
	assert_int_equal(TX(f, store_recovery_consume(f->st, &b.id, "aaaa", NOW)), ERR_DENIED);
	OK(TX(f, store_recovery_replace(f->st, &a.id, second, 1)));
	assert_int_equal(TX(f, store_recovery_consume(f->st, &a.id, "aaaa", NOW)), ERR_DENIED);
	OK(TX(f, store_recovery_consume(f->st, &a.id, "dddd", NOW)));
}

/* ---- mailed codes ---- */

static struct code code_make(const struct person *p, enum code_purpose purpose)
{
	struct code c;

	memset(&c, 0, sizeof c);
	OK(id_new(&c.id));
	OK(id_new(&c.mail));
	c.person = p->id;
	c.purpose = purpose;
	snprintf(c.address, sizeof c.address, "new@example.jp");
	c.pair = 42;
	c.created = NOW;
	c.expires = NOW + 600;
	return c;
}

static void codes(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "a"), other = person_add(f, "b");
	struct code c = code_make(&p, CODE_VERIFY_EMAIL), g = code_make(&p, CODE_GUARD), got;

	assert_int_equal(store_code_live(f->st, &p.id, CODE_VERIFY_EMAIL, NOW, &got), ERR_NOTFOUND);
	assert_int_equal(TX(f, store_code_try(f->st, &p.id, CODE_VERIFY_EMAIL, "123456", NOW)), ERR_NOTFOUND);
	assert_int_equal(store_code_put(f->st, &c, "123456", "link"), ERR_INTERNAL);
	OK(TX(f, store_code_put(f->st, &c, "123456", "link")));
	OK(TX(f, store_code_put(f->st, &g, "654321", NULL)));
	OK(store_code_live(f->st, &p.id, CODE_VERIFY_EMAIL, NOW, &got));
	assert_memory_equal(&got.id, &c.id, ID_LEN);
	assert_memory_equal(&got.mail, &c.mail, ID_LEN);
	assert_string_equal(got.address, c.address);
	assert_int_equal(got.pair, 42);
	assert_int_equal(got.tries, 0);
	assert_int_equal(store_code_live(f->st, &p.id, CODE_VERIFY_EMAIL, NOW + 600, &got), ERR_NOTFOUND);

	OK(store_code_by_link(f->st, "link", NOW, &got));
	assert_memory_equal(&got.person, &p.id, ID_LEN);
	assert_int_equal(store_code_by_link(f->st, "Link", NOW, &got), ERR_NOTFOUND);
	assert_int_equal(store_code_by_link(f->st, "link", NOW + 600, &got), ERR_NOTFOUND);

	/* Right text, wrong purpose or person. */
	assert_int_equal(TX(f, store_code_try(f->st, &p.id, CODE_GUARD, "123456", NOW)), ERR_DENIED);
	assert_int_equal(TX(f, store_code_try(f->st, &other.id, CODE_GUARD, "654321", NOW)), ERR_NOTFOUND);
	assert_int_equal(TX(f, store_code_try(f->st, &p.id, CODE_GUARD, "654321", NOW + 600)), ERR_NOTFOUND);
	OK(TX(f, store_code_try(f->st, &p.id, CODE_GUARD, "654321", NOW)));
	assert_int_equal(TX(f, store_code_try(f->st, &p.id, CODE_GUARD, "654321", NOW)), ERR_NOTFOUND);

	/* A new one replaces the old one, link and all. */
	c = code_make(&p, CODE_VERIFY_EMAIL);
	OK(TX(f, store_code_put(f->st, &c, "111111", "link2")));
	assert_int_equal(store_code_by_link(f->st, "link", NOW, &got), ERR_NOTFOUND);
	assert_int_equal(TX(f, store_code_try(f->st, &p.id, CODE_VERIFY_EMAIL, "123456", NOW)), ERR_DENIED);
	OK(TX(f, store_code_consume(f->st, &c.id, NOW)));
	assert_int_equal(TX(f, store_code_consume(f->st, &c.id, NOW)), ERR_NOTFOUND);
	assert_int_equal(TX(f, store_code_try(f->st, &p.id, CODE_VERIFY_EMAIL, "111111", NOW)), ERR_NOTFOUND);
	assert_int_equal(store_code_by_link(f->st, "link2", NOW, &got), ERR_NOTFOUND);
}

static void code_tries(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "a");
	struct code c = code_make(&p, CODE_GUARD), got;

	OK(TX(f, store_code_put(f->st, &c, "123456", NULL)));
	for (int i = 0; i < 3; i++)
		assert_int_equal(TX(f, store_code_try(f->st, &p.id, CODE_GUARD, "000000", NOW)), ERR_DENIED);
	OK(TX(f, store_code_miss(f->st, &c.id)));
	OK(store_code_live(f->st, &p.id, CODE_GUARD, NOW, &got));
	assert_int_equal(got.tries, 4);
	assert_int_equal(TX(f, store_code_try(f->st, &p.id, CODE_GUARD, "000000", NOW)), ERR_DENIED);
	assert_int_equal(TX(f, store_code_try(f->st, &p.id, CODE_GUARD, "123456", NOW)), ERR_TOOBIG);
	/* The fifth may be right. */
	c = code_make(&p, CODE_GUARD);
	OK(TX(f, store_code_put(f->st, &c, "123456", NULL)));
	for (int i = 0; i < 4; i++)
		OK(TX(f, store_code_miss(f->st, &c.id)));
	OK(TX(f, store_code_try(f->st, &p.id, CODE_GUARD, "123456", NOW)));
	assert_int_equal(TX(f, store_code_miss(f->st, &c.id)), ERR_NOTFOUND);
}

static void codes_void(void **state)
{
	struct fixture *f = *state;
	struct person a = person_add(f, "a"), b = person_add(f, "b");
	struct code mine[] = {code_make(&a, CODE_VERIFY_EMAIL), code_make(&a, CODE_GUARD)},
		    theirs = code_make(&b, CODE_GUARD), got;

	OK(TX(f, store_code_put(f->st, &mine[0], "123456", "link")));
	OK(TX(f, store_code_put(f->st, &mine[1], "123456", NULL)));
	OK(TX(f, store_code_put(f->st, &theirs, "123456", NULL)));
	assert_int_equal(store_code_void(f->st, &a.id), ERR_INTERNAL);
	OK(TX(f, store_code_void(f->st, &a.id)));
	assert_int_equal(store_code_by_link(f->st, "link", NOW, &got), ERR_NOTFOUND);
	assert_int_equal(store_code_live(f->st, &a.id, CODE_GUARD, NOW, &got), ERR_NOTFOUND);
	OK(store_code_live(f->st, &b.id, CODE_GUARD, NOW, &got));
	OK(TX(f, store_code_void(f->st, &a.id)));
}

static struct code bound_to(const struct person *p, int browser)
{
	struct code c = code_make(p, CODE_RESET);

	c.bound = true;
	c.binding[0] = (uint8_t)browser;
	return c;
}

static enum err try_in(struct fixture *f, const struct person *p, int browser, const char *text)
{
	const uint8_t d[DIGEST_LEN] = {(uint8_t)browser};

	return TX(f, store_code_try_in(f->st, &p->id, CODE_RESET, d, text, NOW));
}

/* One a browser: what others ask for neither replaces it nor uses its tries up. */
static void codes_bound(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "a");
	struct code a = bound_to(&p, 1), b = bound_to(&p, 2), guard = code_make(&p, CODE_GUARD), got;

	OK(TX(f, store_code_put(f->st, &guard, "999999", NULL)));
	OK(TX(f, store_code_put(f->st, &a, "111111", "link a")));
	OK(TX(f, store_code_put(f->st, &b, "222222", "link b")));
	OK(store_code_live_in(f->st, &p.id, CODE_RESET, a.binding, NOW, &got));
	assert_memory_equal(&got.id, &a.id, ID_LEN);
	assert_int_equal(store_code_live_in(f->st, &p.id, CODE_GUARD, a.binding, NOW, &got), ERR_NOTFOUND);
	for (int i = 0; i < CODE_TRIES; i++)
		assert_int_equal(try_in(f, &p, 2, "111111"), ERR_DENIED);
	assert_int_equal(try_in(f, &p, 2, "222222"), ERR_TOOBIG);
	assert_int_equal(try_in(f, &p, 3, "111111"), ERR_NOTFOUND);
	/* its own new one does */
	a = bound_to(&p, 1);
	OK(TX(f, store_code_put(f->st, &a, "333333", "link c")));
	assert_int_equal(store_code_by_link(f->st, "link a", NOW, &got), ERR_NOTFOUND);
	OK(store_code_by_link(f->st, "link b", NOW, &got));
	assert_int_equal(try_in(f, &p, 1, "111111"), ERR_DENIED);
	OK(try_in(f, &p, 1, "333333"));
	assert_int_equal(try_in(f, &p, 1, "333333"), ERR_NOTFOUND);
	OK(TX(f, store_code_drop(f->st, &p.id, CODE_RESET)));
	assert_int_equal(store_code_by_link(f->st, "link b", NOW, &got), ERR_NOTFOUND);
	OK(store_code_live(f->st, &p.id, CODE_GUARD, NOW, &got));
}

static void codes_bound_give_way(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "a"), other = person_add(f, "b");
	struct code theirs = bound_to(&other, 0), got;

	OK(TX(f, store_code_put(f->st, &theirs, "111111", NULL)));
	for (int i = 0; i < CODES_BOUND_MAX + 2; i++) {
		struct code c = bound_to(&p, i);
		c.created += i;
		OK(TX(f, store_code_put(f->st, &c, "111111", NULL)));
	}
	for (int i = 0; i < CODES_BOUND_MAX + 2; i++) {
		const uint8_t d[DIGEST_LEN] = {(uint8_t)i};
		assert_int_equal(store_code_live_in(f->st, &p.id, CODE_RESET, d, NOW, &got),
				 i < 2 ? ERR_NOTFOUND : ERR_NONE);
	}
	OK(store_code_live_in(f->st, &other.id, CODE_RESET, theirs.binding, NOW, &got));
}

static void code_rows_moved(void **state)
{
	static const char *const each[] = {
	    "UPDATE code SET expires = expires + 1",
	    "UPDATE code SET pair = 11",
	    "UPDATE code SET link = x'00'",
	    "UPDATE code SET person = (SELECT id FROM person WHERE login = 'b')",
	};
	struct fixture *f = *state;
	struct person a = person_add(f, "a"), b = person_add(f, "b");
	struct code got;

	for (size_t i = 0; i < COUNT(each); i++) {
		struct code c = code_make(&a, CODE_VERIFY_EMAIL);

		OK(TX(f, store_code_put(f->st, &c, "123456", "link")));
		assert_int_equal(raw(f, each[i]), 1);
		assert_int_equal(store_code_live(f->st, i == 3 ? &b.id : &a.id, CODE_VERIFY_EMAIL, NOW, &got),
				 ERR_CORRUPT);
		if (i == 3)
			assert_int_equal(TX(f, store_code_try(f->st, &b.id, CODE_VERIFY_EMAIL, "123456", NOW)),
					 ERR_DENIED);
		raw(f, "DELETE FROM code");
	}
}

/* ---- sessions ---- */

static struct session session_make(const struct person *p, uint8_t tag)
{
	struct session s;

	memset(&s, 0, sizeof s);
	memset(s.digest, tag, sizeof s.digest);
	s.person = p->id;
	s.level = SESSION_HALF;
	s.created = s.seen = NOW;
	s.expires = NOW + 36000;
	snprintf(s.agent, sizeof s.agent, "Mozilla/5.0");
	snprintf(s.address, sizeof s.address, "192.0.2.7");
	return s;
}

static void sessions(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "a");
	struct session s = session_make(&p, 1), got;

	OK(TX(f, store_session_add(f->st, &s)));
	OK(store_session_get(f->st, s.digest, NOW, 1800, &got));
	assert_int_equal(got.level, SESSION_HALF);
	assert_memory_equal(&got.person, &p.id, ID_LEN);
	assert_string_equal(got.agent, s.agent);
	assert_string_equal(got.address, s.address);
	assert_int_equal(got.scratch.len, 0);
	assert_int_equal(got.factor, FACTOR_NONE);
	assert_false(got.password);
	session_clear(&got);
	assert_int_equal(store_session_get(f->st, s.digest, NOW + 1800, 1800, &got), ERR_NOTFOUND);
	OK(TX(f, store_session_seen(f->st, s.digest, NOW + 1000)));
	OK(store_session_get(f->st, s.digest, NOW + 1800, 1800, &got));
	assert_int_equal(got.seen, NOW + 1000);

	got.level = SESSION_FULL;
	got.stepped_up = NOW + 1700;
	got.factor = FACTOR_PASSKEY;
	got.password = true;
	buf_add(&got.scratch, "a\0b", 3);
	OK(TX(f, store_session_save(f->st, &got)));
	session_clear(&got);
	OK(store_session_get(f->st, s.digest, NOW + 1800, 1800, &got));
	assert_int_equal(got.level, SESSION_FULL);
	assert_int_equal(got.stepped_up, NOW + 1700);
	assert_int_equal(got.factor, FACTOR_PASSKEY);
	assert_true(got.password);
	assert_int_equal(got.scratch.len, 3);
	assert_memory_equal(got.scratch.data, "a\0b", 3);
	session_clear(&got);
	assert_int_equal(store_session_get(f->st, s.digest, NOW + 36000, 99999, &got), ERR_NOTFOUND);

	OK(TX(f, store_session_end(f->st, s.digest)));
	assert_int_equal(store_session_get(f->st, s.digest, NOW, 1800, &got), ERR_NOTFOUND);
	assert_int_equal(TX(f, store_session_save(f->st, &s)), ERR_NOTFOUND);
	assert_int_equal(TX(f, store_session_seen(f->st, s.digest, NOW)), ERR_NOTFOUND);
}

static void sessions_kept(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "a");
	struct session s = session_make(&p, 1), got;

	s.kept = true;
	OK(TX(f, store_session_add(f->st, &s))); /* half: the wish alone keeps nothing */
	OK(store_session_get(f->st, s.digest, NOW + 1799, 1800, &got));
	assert_true(got.kept);
	session_clear(&got);
	assert_int_equal(store_session_get(f->st, s.digest, NOW + 1800, 1800, &got), ERR_NOTFOUND);
	s.level = SESSION_FULL;
	OK(TX(f, store_session_save(f->st, &s)));
	OK(store_session_get(f->st, s.digest, NOW + 35999, 1800, &got));
	session_clear(&got);
	assert_int_equal(store_session_get(f->st, s.digest, NOW + 36000, 1800, &got), ERR_NOTFOUND);
}

static void sessions_listed(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "a"), b = person_add(f, "b");
	struct session s, got[8];
	size_t n = 99;

	OK(store_session_list(f->st, &p.id, NOW, 1800, got, COUNT(got), &n));
	assert_int_equal(n, 0);
	for (uint8_t i = 1; i <= 7; i++) {
		s = session_make(i == 2 ? &b : &p, i);
		s.level = i == 1 ? SESSION_HALF : i == 3 ? SESSION_WIZARD : SESSION_FULL;
		s.seen = NOW + i;
		s.kept = i == 4;
		s.expires = i == 5 ? NOW + 1900 : s.expires;
		if (i == 6)
			s.seen = NOW + 1000;
		OK(TX(f, store_session_add(f->st, &s)));
	}
	OK(store_session_list(f->st, &p.id, NOW + 20, 1800, got, COUNT(got), &n));
	assert_int_equal(n,
			 4); /* the one last seen first; those of the factor, of the wizard and of others not at all */
	for (size_t i = 0; i < n; i++) {
		static const uint8_t order[] = {6, 7, 5, 4};

		assert_int_equal(got[i].digest[0], order[i]);
		assert_memory_equal(&got[i].person, &p.id, ID_LEN);
		assert_string_equal(got[i].agent, "Mozilla/5.0");
		assert_int_equal(got[i].kept, order[i] == 4);
	}
	sessions_clear(got, n);
	OK(store_session_list(f->st, &p.id, NOW + 20, 1800, got, 2, &n));
	assert_int_equal(n, 2);
	sessions_clear(got, n);
	OK(store_session_list(f->st, &p.id, NOW + 2000, 1800, got, COUNT(got), &n)); /* idle, but for the kept one */
	assert_int_equal(n, 2);
	assert_int_equal(got[0].digest[0], 6);
	assert_int_equal(got[1].digest[0], 4);
	sessions_clear(got, n);
	n = 99;
	assert_int_equal(raw(f, "UPDATE session SET stepped_up = 1 WHERE kept = 1"), 1);
	assert_int_equal(store_session_list(f->st, &p.id, NOW, 1800, got, COUNT(got), &n), ERR_CORRUPT);
	assert_int_equal(n, 99);
}

static void sessions_many(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "a");
	struct session s, got;

	s = session_make(&p, 200);
	s.level = SESSION_FULL;
	s.seen = NOW - 1;
	OK(TX(f, store_session_add(f->st, &s)));
	for (uint8_t i = 1; i <= SESSIONS_MAX + 3; i++) { /* whoever knows the password alone ends no login by it */
		s = session_make(&p, i);
		s.seen = NOW + i;
		OK(TX(f, store_session_add(f->st, &s)));
	}
	assert_int_equal(raw(f, "UPDATE session SET seen = seen"), 1 + SESSIONS_MAX);
	for (uint8_t i = 1; i <= SESSIONS_MAX; i++) {
		s = session_make(&p, (uint8_t)(100 + i));
		s.level = SESSION_FULL;
		OK(TX(f, store_session_add(f->st, &s)));
		OK(store_session_get(f->st, s.digest, NOW, 1800, &got)); /* never the new one */
		session_clear(&got);
	}
	memset(s.digest, 200, sizeof s.digest);
	assert_int_equal(store_session_get(f->st, s.digest, NOW, 1800, &got), ERR_NOTFOUND);
	assert_int_equal(raw(f, "UPDATE session SET seen = seen WHERE level = 3"), SESSIONS_MAX);
}

static void sessions_of_a_person(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "a"), b = person_add(f, "b");
	struct session s[4], got;

	for (uint8_t i = 0; i < 4; i++) {
		s[i] = session_make(i < 3 ? &p : &b, (uint8_t)(i + 1));
		s[i].level = i == 0 ? SESSION_HALF : SESSION_FULL;
		OK(TX(f, store_session_add(f->st, &s[i])));
	}
	OK(TX(f, store_session_end_all(f->st, &p.id, s[1].digest)));
	OK(store_session_get(f->st, s[1].digest, NOW, 1800, &got));
	session_clear(&got);
	assert_int_equal(store_session_get(f->st, s[0].digest, NOW, 1800, &got), ERR_NOTFOUND);
	assert_int_equal(store_session_get(f->st, s[2].digest, NOW, 1800, &got), ERR_NOTFOUND);
	OK(TX(f, store_session_end_all(f->st, &p.id, NULL)));
	assert_int_equal(store_session_get(f->st, s[1].digest, NOW, 1800, &got), ERR_NOTFOUND);
	OK(store_session_get(f->st, s[3].digest, NOW, 1800, &got));
	session_clear(&got);
	OK(TX(f, store_person_delete(f->st, &b.id)));
	assert_int_equal(store_session_get(f->st, s[3].digest, NOW, 1800, &got), ERR_NOTFOUND);
}

static void sessions_raised(void **state)
{
	static const char *const each[] = {
	    "UPDATE session SET level = 3",
	    "UPDATE session SET expires = expires + 1",
	    "UPDATE session SET stepped_up = 1",
	    "UPDATE session SET kept = 1",
	    "UPDATE session SET person = (SELECT id FROM person WHERE login = 'b')",
	    "UPDATE session SET sealed = 'x'",
	};
	struct fixture *f = *state;
	struct person p = person_add(f, "a"), b = person_add(f, "b");
	struct session s = session_make(&p, 1), got;

	(void)b;
	for (size_t i = 0; i < COUNT(each); i++) {
		OK(TX(f, store_session_add(f->st, &s)));
		assert_int_equal(raw(f, each[i]), 1);
		assert_int_equal(store_session_get(f->st, s.digest, NOW, 1800, &got), ERR_CORRUPT);
		raw(f, "DELETE FROM session");
	}
}

/* ---- mail ---- */

static struct mail mail_make(const struct person *p, int64_t next_try)
{
	struct mail m;

	memset(&m, 0, sizeof m);
	OK(id_new(&m.id));
	if (p != NULL)
		m.person = p->id;
	m.state = MAIL_WAITING;
	m.created = NOW;
	m.next_try = next_try;
	m.expires = NOW + 3600;
	snprintf(m.recipient, sizeof m.recipient, "taro@example.jp");
	buf_adds(&m.message, "Subject: x\r\n\r\nyour code is 123456\r\n");
	return m;
}

static void mails(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "a");
	struct mail late = mail_make(&p, NOW + 10), soon = mail_make(NULL, NOW + 5), got, other;
	int64_t t = 0;

	assert_int_equal(store_mail_next_time(f->st, false, &t), ERR_NOTFOUND);
	OK(TX(f, store_mail_put(f->st, &late)));
	OK(TX(f, store_mail_put(f->st, &soon)));
	OK(store_mail_next_time(f->st, false, &t));
	assert_int_equal(t, NOW + 5);
	assert_int_equal(store_mail_next_time(f->st, true, &t), ERR_NOTFOUND);
	assert_int_equal(store_mail_next(f->st, NOW + 4, &got), ERR_NOTFOUND);
	OK(store_mail_next(f->st, NOW + 20, &got));
	assert_memory_equal(&got.id, &soon.id, ID_LEN);
	assert_string_equal(got.recipient, soon.recipient);
	assert_string_equal(buf_str(&got.message), buf_str(&soon.message));

	/* two saw it, one gets it */
	other = got;
	got.tries = other.tries = 1;
	got.next_try = other.next_try = NOW + 15;
	OK(TX(f, store_mail_claim(f->st, &got, 0, NOW + 5)));
	assert_int_equal(TX(f, store_mail_claim(f->st, &other, 0, NOW + 5)), ERR_NOTFOUND);
	got.next_try = NOW + 60;
	assert_int_equal(TX(f, store_mail_claim(f->st, &got, 1, NOW + 5)), ERR_NOTFOUND);
	OK(TX(f, store_mail_claim(f->st, &got, 1, NOW + 15)));
	snprintf(got.reason, sizeof got.reason, "450 <taro@example.jp> greylisted");
	OK(TX(f, store_mail_settle(f->st, &got)));
	assert_int_equal(raw(f, "UPDATE outbox SET tries = tries WHERE instr(reason, 'taro') > 0"), 0);
	mail_clear(&got);
	OK(store_mail_next(f->st, NOW + 20, &got));
	assert_memory_equal(&got.id, &late.id, ID_LEN);
	mail_clear(&got);
	OK(store_mail_next(f->st, NOW + 60, &got));
	mail_clear(&got);
	OK(store_mail_status(f->st, &soon.id, &got));
	assert_int_equal(got.state, MAIL_WAITING);
	assert_int_equal(got.tries, 1);
	assert_string_equal(got.reason, "450 <taro@example.jp> greylisted");
	assert_int_equal(got.message.len, 0);

	got.state = MAIL_SENT;
	got.sent = NOW + 61;
	got.reason[0] = '\0';
	OK(TX(f, store_mail_settle(f->st, &got)));
	mail_clear(&got);
	OK(store_mail_status(f->st, &soon.id, &got));
	assert_int_equal(got.state, MAIL_SENT);
	assert_int_equal(got.sent, NOW + 61);
	assert_string_equal(got.reason, "");
	mail_clear(&got);
	assert_int_equal(raw(f, "UPDATE outbox SET tries = tries WHERE state = 2 AND body IS NOT NULL"), 0);
	raw(f, "UPDATE outbox SET state = 1 WHERE state = 2");
	assert_int_equal(store_mail_next(f->st, NOW + 61, &got), ERR_NONE); /* late is first */
	mail_clear(&got);
	OK(TX(f, store_person_delete(f->st, &p.id)));
	assert_int_equal(store_mail_status(f->st, &late.id, &got), ERR_NOTFOUND);
	assert_int_equal(store_mail_next(f->st, NOW + 61, &got), ERR_CORRUPT); /* its message is gone */
	mail_clear(&late);
	mail_clear(&soon);
}

/* ---- counters, known devices and addresses ---- */

static const struct counter none;

static void counters(void **state)
{
	struct fixture *f = *state;
	struct counter_key key = {.owner = {{7}}, .kind = 1, .lane = 6}, other = key;
	struct counter c = {.failures = 9}, was;
	struct counter_row row[4];
	int64_t sum, latest, gone;
	size_t n;

	OK(store_counter_get(f->st, &key, &c));
	assert_memory_equal(&c, &none, sizeof c);
	c = (struct counter){.failures = 3,
			     .not_before = NOW + 9,
			     .seen = NOW,
			     .refused = 2,
			     .refused_from = NOW - 1,
			     .expires = NOW + 99};
	assert_int_equal(store_counter_set(f->st, &key, &none, &c), ERR_INTERNAL);
	OK(TX(f, store_counter_set(f->st, &key, &none, &c)));
	/* conditional: who thinks that there is none writes nothing */
	assert_int_equal(TX(f, store_counter_set(f->st, &key, &none, &c)), ERR_EXISTS);
	was = c;
	c.failures = 4;
	OK(TX(f, store_counter_set(f->st, &key, &was, &c)));
	assert_int_equal(TX(f, store_counter_set(f->st, &key, &was, &c)), ERR_EXISTS);
	OK(store_counter_get(f->st, &key, &was));
	assert_memory_equal(&c, &was, sizeof c);
	other.lane = 7;
	other.what.b[0] = 1;
	OK(TX(f, store_counter_set(f->st, &other, &none, &c)));
	OK(store_counter_list(f->st, &key.owner, row, COUNT(row), &n));
	assert_int_equal(n, 2);
	assert_memory_equal(&row[0].key, &key, sizeof key);
	assert_memory_equal(&row[1].key, &other, sizeof key);
	assert_memory_equal(&row[1].counter, &c, sizeof c);
	OK(store_counter_total(f->st, &other, &sum, &latest));
	assert_int_equal(sum, 4);
	assert_int_equal(latest, NOW + 9);
	OK(TX(f, store_counter_clear(f->st, &key)));
	OK(TX(f, store_counter_clear(f->st, &key)));
	OK(store_counter_get(f->st, &key, &c));
	assert_int_equal(c.failures, 0);
	OK(TX(f, store_counter_clear_all(f->st, &key.owner, 2, &gone)));
	assert_int_equal(gone, 0);
	OK(TX(f, store_counter_clear_all(f->st, &key.owner, -1, &gone)));
	assert_int_equal(gone, 1);
	OK(store_counter_total(f->st, &other, &sum, &latest));
	assert_int_equal(sum + latest, 0);
}

static void known_devices_and_addresses(void **state)
{
	struct fixture *f = *state;
	struct person a = person_add(f, "a"), b = person_add(f, "b");
	struct id d = {{1}};
	int64_t seen;

	assert_int_equal(store_known_is(f->st, &a.id, KNOWN_DEVICE, &d, NOW, &seen), ERR_NOTFOUND);
	assert_int_equal(store_known_add(f->st, &a.id, KNOWN_DEVICE, &d, NOW), ERR_INTERNAL);
	OK(TX(f, store_known_add(f->st, &a.id, KNOWN_DEVICE, &d, NOW)));
	OK(TX(f, store_known_add(f->st, &a.id, KNOWN_ADDRESS, &d, NOW)));
	OK(TX(f, store_known_add(f->st, &b.id, KNOWN_ADDRESS, &d, NOW)));
	OK(store_known_is(f->st, &a.id, KNOWN_DEVICE, &d, NOW, &seen));
	assert_int_equal(seen, NOW);
	assert_int_equal(store_known_is(f->st, &b.id, KNOWN_DEVICE, &d, NOW, &seen), ERR_NOTFOUND);
	/* 30 and 400 days from the last use */
	assert_int_equal(store_known_is(f->st, &a.id, KNOWN_ADDRESS, &d, NOW + 30 * 86400, &seen), ERR_NOTFOUND);
	OK(store_known_is(f->st, &a.id, KNOWN_DEVICE, &d, NOW + 400 * 86400 - 1, &seen));
	OK(TX(f, store_known_add(f->st, &a.id, KNOWN_ADDRESS, &d, NOW + 86400)));
	OK(store_known_is(f->st, &a.id, KNOWN_ADDRESS, &d, NOW + 30 * 86400, &seen));
	OK(store_sweep(f->st, NOW + 30 * 86400, 100, NULL));
	assert_int_equal(raw(f, "UPDATE known SET seen = seen"), 2);
	/* the oldest give way */
	for (uint8_t i = 0; i < KNOWN_MAX; i++) {
		struct id more = {{2, i}};

		OK(TX(f, store_known_add(f->st, &a.id, KNOWN_DEVICE, &more, NOW + 1 + i)));
	}
	assert_int_equal(store_known_is(f->st, &a.id, KNOWN_DEVICE, &d, NOW, &seen), ERR_NOTFOUND);
	assert_int_equal(raw(f, "UPDATE known SET seen = seen WHERE kind = 1"), KNOWN_MAX);
	OK(TX(f, store_known_end(f->st, &a.id, KNOWN_ADDRESS, &d)));
	assert_int_equal(raw(f, "UPDATE known SET seen = seen"), KNOWN_MAX);
	OK(TX(f, store_known_end_all(f->st, &b.id)));
	assert_int_equal(raw(f, "UPDATE known SET seen = seen"), KNOWN_MAX);
	OK(TX(f, store_counter_set(f->st, &(struct counter_key){.owner = a.id}, &none, &none)));
	OK(TX(f, store_person_delete(f->st, &a.id)));
	assert_int_equal(raw(f, "UPDATE known SET seen = seen; UPDATE counter SET seen = seen"), 0);
}

/* ---- audit ---- */

static void audit_add(struct fixture *f, const struct id *person, const char *event, const char *detail)
{
	struct audit a = {.time = NOW, .event = event, .door = "pam:sshd", .address = "192.0.2.1", .detail = detail};

	if (person != NULL)
		a.person = *person;
	OK(TX(f, store_audit(f->st, &a)));
}

static void audits(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "a");
	struct audit row[4];
	size_t n = 9;

	OK(store_audit_page(f->st, NULL, 0, row, 4, &n));
	assert_int_equal(n, 0);
	audit_add(f, &p.id, "login.allow", "totp");
	audit_add(f, NULL, "login.deny", "");
	audit_add(f, &p.id, "totp.replay", "step 5");
	OK(store_audit_page(f->st, NULL, 0, row, 4, &n));
	assert_int_equal(n, 3);
	assert_int_equal(row[0].seq, 3);
	assert_string_equal(row[0].event, "totp.replay");
	assert_string_equal(row[0].detail, "step 5");
	assert_string_equal(row[1].detail, "");
	assert_string_equal(row[1].address, "192.0.2.1");
	assert_string_equal(row[2].event, "login.allow");
	assert_string_equal(row[2].door, "pam:sshd");
	assert_memory_equal(&row[2].person, &p.id, ID_LEN);
	OK(store_audit_page(f->st, &p.id, 3, row, 4, &n));
	assert_int_equal(n, 1);
	assert_int_equal(row[0].seq, 1);
	/* A person goes, what they did stays. */
	OK(TX(f, store_person_delete(f->st, &p.id)));
	OK(store_audit_page(f->st, &p.id, 0, row, 4, &n));
	assert_int_equal(n, 2);

	OK(store_begin(f->st));
	struct audit a = {.event = "a.rolled.back", .door = "", .address = "", .detail = ""};
	OK(store_audit(f->st, &a));
	store_rollback(f->st);
	audit_add(f, NULL, "next", "");
	OK(store_audit_page(f->st, NULL, 0, row, 1, &n));
	assert_int_equal(row[0].seq, 4);
	assert_int_equal(store_audit(f->st, &a), ERR_INTERNAL);
}

/* ---- sweep ---- */

static void sweeping(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "a");
	struct session s = session_make(&p, 1);
	struct code c = code_make(&p, CODE_GUARD);
	struct mail sent = mail_make(&p, NOW), waits = mail_make(&p, NOW);
	struct counter old = {.expires = NOW + 86400 * 30}, blocks = {.expires = NOW + 86400 * 40};
	struct counter_key key = {.kind = 1}, key2 = {.kind = 2};

	OK(TX(f, store_session_add(f->st, &s)));
	s.digest[0] = 9;
	s.expires = NOW + 86400 * 60;
	OK(TX(f, store_session_add(f->st, &s)));
	OK(TX(f, store_code_put(f->st, &c, "1", NULL)));
	OK(TX(f, store_mail_put(f->st, &sent)));
	OK(TX(f, store_mail_put(f->st, &waits)));
	sent.state = MAIL_SENT;
	OK(TX(f, store_mail_settle(f->st, &sent)));
	OK(TX(f, store_counter_set(f->st, &key, &none, &old)));
	OK(TX(f, store_counter_set(f->st, &key2, &none, &blocks)));

	OK(store_sweep(f->st, NOW, 100, NULL));
	assert_int_equal(
	    raw(f, "UPDATE session SET seen = seen; UPDATE code SET used = used; UPDATE outbox SET tries = tries;"
		   "UPDATE counter SET seen = seen"),
	    7);
	OK(store_sweep(f->st, NOW + 86400 * 31, 100, NULL));
	assert_int_equal(raw(f, "UPDATE session SET seen = seen"), 1);
	assert_int_equal(raw(f, "UPDATE code SET used = used"), 0);
	assert_int_equal(raw(f, "UPDATE outbox SET tries = tries"), 1);
	assert_int_equal(raw(f, "UPDATE counter SET seen = seen"), 1);
	OK(store_sweep(f->st, NOW + 86400 * 41, 100, NULL));
	assert_int_equal(raw(f, "UPDATE counter SET seen = seen"), 0);

	for (uint8_t i = 0; i < 5; i++) {
		s = session_make(&p, (uint8_t)(20 + i));
		OK(TX(f, store_session_add(f->st, &s)));
	}
	bool more = false;
	OK(store_sweep(f->st, NOW + 86400, 3, &more));
	assert_int_equal(raw(f, "UPDATE session SET seen = seen"), 3);
	assert_true(more);
	OK(store_sweep(f->st, NOW + 86400, 3, &more));
	assert_false(more);
	mail_clear(&sent);
	mail_clear(&waits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(recovery),	   TEST(codes),
	    TEST(code_tries),	   TEST(codes_void),
	    TEST(codes_bound),	   TEST(codes_bound_give_way),
	    TEST(code_rows_moved), TEST(sessions),
	    TEST(sessions_kept),   TEST(sessions_listed),
	    TEST(sessions_many),   TEST(sessions_of_a_person),
	    TEST(sessions_raised), TEST(mails),
	    TEST(counters),	   TEST(known_devices_and_addresses),
	    TEST(audits),	   TEST(sweeping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
