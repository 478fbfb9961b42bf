/* What the owner of an account hears of logins and of a change of their address, and how often. */
#include "config.h"

#include "common/i18n.h"
#include "keeper/address.h"
#include "keeper/limits.h"
#include "keeper/mail.h"
#include "keeper/token.h"
#include "tests/unit/world.h"

#define DAY 86400

static char yes[] = "yes", url[] = "https://kosmo.example.jp";

static void save(struct world *w)
{
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_person_save(w->st, &w->p));
}

static int told_new(void **state)
{
	if (world_new(state))
		return -1;
	struct world *w = *state;
	w->conf.notice_new_login = yes;
	w->conf.url = url;
	strcpy(w->p.email, "taro@example.jp");
	w->p.email_verified = true;
	w->p.last_login = NOW - DAY;
	save(w);
	return 0;
}

/* The next mail that waits goes to this address and has this subject; it is out of the way then. */
static void heard_at(struct world *w, const char *to, const char *subject, int64_t now)
{
	struct mail m;
	char line[128];
	assert_int_equal(store_mail_next(w->st, now, &m), ERR_NONE);
	assert_string_equal(m.recipient, to);
	snprintf(line, sizeof line, "Subject: %s\r\n", subject);
	assert_non_null(strstr(buf_str(&m.message), line));
	m.state = MAIL_SENT;
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_mail_settle(w->st, &m));
	mail_clear(&m);
}

static void heard(struct world *w, const char *subject, int64_t now)
{
	heard_at(w, "taro@example.jp", subject, now);
}

static void silence(struct world *w, int64_t now)
{
	struct mail m;
	assert_int_equal(store_mail_next(w->st, now, &m), ERR_NOTFOUND);
}

static void recovery(struct world *w)
{
	const char *codes[] = {"abcdefghjkmnp", "bcdefghjkmnpq"};
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_recovery_replace(w->st, &w->p.id, codes, COUNT(codes)));
}

static enum verdict code(struct world *w, const char *text, int64_t now)
{
	struct attempt a;
	struct origin o;
	origin_terminal(&o, &w->conf, "");
	attempt_init(&a, DOOR_PAM, "pam:test", &o, "taro");
	a.password_right = true;
	return factor(w, &a, text, now);
}

static void a_used_recovery_code_is_told_to_a_verified_address(void **state)
{
	struct world *w = *state;
	w->p.email_verified = false; /* nobody knows whose address it would be */
	save(w);
	recovery(w);
	assert_int_equal(code(w, "abcdefghjkmnp", NOW), VERDICT_ALLOW);
	silence(w, NOW);
	w->p.email_verified = true;
	save(w);
	assert_int_equal(code(w, "bcdefghjkmnpq", NOW), VERDICT_ALLOW);
	heard(w, "A recovery code was used", NOW);
	silence(w, NOW);
}

/* So many wrong ones were counted for this name so far, in the strangers' lane. */
static void counted(struct world *w, const char *login, const struct id *person, int64_t failures, int64_t now)
{
	struct origin o;
	struct limit l;
	struct counter was;
	origin_terminal(&o, &w->conf, "192.0.2.1");
	assert_int_equal(limits_for(w->st, w->k.seal, &o, person, login, FACTOR_NONE, now, &l), ERR_NONE);
	assert_int_equal(store_counter_get(w->st, &l.key, &was), ERR_NONE);
	const struct counter c = {.failures = failures, .seen = now, .expires = now + DAY};
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_counter_set(w->st, &l.key, &was, &c));
}

/* Writes of one wrong password. */
static int64_t wrong(struct world *w, const char *login, int64_t now)
{
	struct attempt a;
	int64_t before = store_writes(w->st);
	start(&a, login, DOOR_PAM);
	assert_false(password(w, &a, "wrong", now));
	return store_writes(w->st) - before;
}

static void a_closed_lane_is_told_once_a_day_and_strangers_see_no_difference(void **state)
{
	struct world *w = *state;
	for (int mails = 1; mails >= 0; mails--) { /* also of whom no address is known */
		w->p.email_verified = mails;
		save(w);
		int64_t now = NOW + (1 - mails) * 3 * DAY;
		for (int again = 0; again < 2; again++) {
			counted(w, "taro", &w->p.id, 99, now + again * 3600);
			counted(w, "nobody-here", NULL, 99, now + again * 3600);
			assert_int_equal(wrong(w, "taro", now + again * 3600 + 1),
					 wrong(w, "nobody-here", now + again * 3600 + 1));
			if (mails && !again)
				heard(w, "Your password was typed wrong many times", now + 1);
			silence(w, now + again * 3600 + 1);
		}
	}
	w->p.email_verified = true;
	save(w);
	counted(w, "taro", &w->p.id, 99, NOW + 6 * DAY);
	wrong(w, "taro", NOW + 6 * DAY + 1);
	heard(w, "Your password was typed wrong many times", NOW + 6 * DAY + 1);
}

static void a_disabled_factor_is_told_and_that_it_works_again(void **state)
{
	struct world *w = *state;
	int64_t now = NOW;
	recovery(w);
	for (int i = 1; i <= 100; i++, now += 10)
		assert_int_equal(code(w, "no code", now), i < 100 ? VERDICT_DENY : VERDICT_LOCKED);
	heard(w, "Codes are switched off", now);
	silence(w, now);
	assert_int_equal(code(w, "abcdefghjkmnp", now), VERDICT_ALLOW);
	heard(w, "Codes are switched on again", now);
	heard(w, "A recovery code was used", now);
}

/* A login with the browser of this cookie, from this address. */
static void log_in(struct world *w, enum door door, const char *device, const char *address, int64_t now)
{
	struct attempt a;
	struct origin o;
	origin_terminal(&o, &w->conf, address);
	if (device)
		assert_int_equal(origin_device(&o, w->k.seal, device), ERR_NONE);
	attempt_init(&a, door, door == DOOR_WEB ? "web" : "pam:sshd", &o, "taro");
	a.password_right = true;
	a.agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36";
	assert_int_equal(factor(w, &a, code_at(w, now), now), VERDICT_ALLOW);
	assert_false(a.told); /* the outbox knows already */
}

static void a_new_browser_is_told(void **state)
{
	struct world *w = *state;
	int64_t now = NOW;
	log_in(w, DOOR_WEB, "one", "192.0.2.7", now);
	heard(w, "Login from a new browser", now);
	log_in(w, DOOR_WEB, "one", "192.0.2.8", now += 60); /* whatever the address */
	silence(w, now);
	w->conf.notice_new_login = no;
	log_in(w, DOOR_WEB, "two", "192.0.2.7", now += 60);
	silence(w, now);
	w->conf.notice_new_login = yes;
	w->p.last_login = 0; /* nobody has been in yet: the enrolment's own browser */
	save(w);
	log_in(w, DOOR_WEB, "three", "192.0.2.7", now += 60);
	silence(w, now);
	w->p.last_login = now;
	save(w);
	for (int i = 0; i < 12; i++) {
		char name[32];
		snprintf(name, sizeof name, "other %d", i);
		log_in(w, DOOR_WEB, name, "192.0.2.7", now += 60);
		if (i < 9) /* with the first one ten a day */
			heard(w, "Login from a new browser", now);
		silence(w, now);
	}
}

static void a_new_address_at_the_terminal_is_told(void **state)
{
	struct world *w = *state;
	int64_t now = NOW;
	log_in(w, DOOR_PAM, NULL, "192.0.2.7", now);
	heard(w, "Login from a new place", now);
	log_in(w, DOOR_PAM, NULL, "192.0.2.7", now += 60);
	log_in(w, DOOR_PAM, NULL, "", now += 60); /* the console */
	silence(w, now);
	log_in(w, DOOR_PAM, NULL, "2001:db8::7", now += 60);
	heard(w, "Login from a new place", now);
}

static const struct audit by = {.time = NOW, .door = "web", .address = "192.0.2.7", .detail = ""};

static void a_new_address_is_told_at_both(void **state)
{
	struct world *w = *state;
	bool mailed = false;
	struct code code = {.person = w->p.id, .purpose = CODE_LOGIN, .created = NOW, .expires = NOW + 600};
	assert_int_equal(id_new(&code.id), ERR_NONE);
	strcpy(code.address, w->p.email);
	assert_int_equal(store_begin(w->st), ERR_NONE);
	assert_int_equal(store_code_put(w->st, &code, "123456", NULL), ERR_NONE);
	in_transaction(w, address_replace(&w->k, w->st, &w->p, "new@example.jp", &by, &mailed));
	assert_true(mailed);
	heard_at(w, "taro@example.jp", "Your email address was changed", NOW);
	heard_at(w, "new@example.jp", "This is now your email address", NOW);
	silence(w, NOW);
	/* what lies in the former mailbox opens nothing */
	assert_int_equal(store_code_live(w->st, &w->p.id, CODE_LOGIN, NOW, &code), ERR_NOTFOUND);
	assert_int_equal(store_code_live(w->st, &w->p.id, CODE_FREEZE, NOW + FREEZE_LIFE - 1, &code), ERR_NONE);
	assert_string_equal(code.address, "taro@example.jp");
	assert_int_equal(store_code_live(w->st, &w->p.id, CODE_FREEZE, NOW + FREEZE_LIFE, &code), ERR_NOTFOUND);
}

static void a_frozen_account_keeps_its_former_address(void **state)
{
	struct world *w = *state;
	bool mailed = false;
	struct code code = {.person = w->p.id, .purpose = CODE_FREEZE, .created = NOW, .expires = NOW + FREEZE_LIFE},
		    mark;
	char token[TOKEN_TEXT + 1], former[EMAIL_MAX + 1] = "";
	AUTO_BUF link = BUF_INIT;
	assert_int_equal(token_link(&w->conf, token, &link), ERR_NONE);
	assert_string_equal(strstr(buf_str(&link), "/mail/") + 6, token);
	assert_int_equal(id_new(&code.id), ERR_NONE);
	strcpy(code.address, "former@example.jp");
	assert_int_equal(store_begin(w->st), ERR_NONE);
	assert_int_equal(store_code_put(w->st, &code, "", token), ERR_NONE);
	in_transaction(w, address_freeze(&w->k, w->st, &w->p, &code, token, &by, &mailed));
	heard_at(w, "former@example.jp", "Your account was stopped", NOW);
	heard_at(w, "taro@example.jp", "Your account was stopped", NOW);
	assert_int_equal(store_person_by_id(w->st, &w->p.id, &w->p), ERR_NONE);
	assert_int_equal(w->p.frozen, NOW);
	assert_int_equal(store_code_by_link(w->st, token, NOW + 30 * DAY, &mark), ERR_NONE);
	assert_int_equal(address_former(w->st, &w->p, NOW + 30 * DAY, former), ERR_NONE);
	assert_string_equal(former, "former@example.jp");
	w->p.frozen = 0;
	assert_int_equal(address_former(w->st, &w->p, NOW, former), ERR_NOTFOUND);
}

#define T(name) cmocka_unit_test_setup_teardown(name, told_new, world_gone)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(a_used_recovery_code_is_told_to_a_verified_address),
	    T(a_closed_lane_is_told_once_a_day_and_strangers_see_no_difference),
	    T(a_disabled_factor_is_told_and_that_it_works_again),
	    T(a_new_browser_is_told),
	    T(a_new_address_at_the_terminal_is_told),
	    T(a_new_address_is_told_at_both),
	    T(a_frozen_account_keeps_its_former_address),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
