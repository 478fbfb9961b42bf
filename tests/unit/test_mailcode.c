/* One-time codes by mail as a factor: whose way they are, what is taken where it was asked for, and how often. */
#include "config.h"

#include "keeper/attempt.h"
#include "keeper/policy.h"
#include "store.h"

#define RECOVERY "abcdefghjkmnp"

static char mailcode_last[] = "last", no[] = "no", ja[] = "ja", nothing[] = "", sender[] = "no-reply@example.jp";
static struct conf conf = {.mailcode_pam = mailcode_last,
			   .language = ja,
			   .organisation = nothing,
			   .contact = nothing,
			   .passkey_host = nothing,
			   .mail_from = sender,
			   .mail_list_unsubscribe = nothing,
			   .mail_code_in_subject = no};

/* Somebody of the staff with mailed codes as their way. */
static struct person staff_add(struct fixture *f, const char *login)
{
	struct person p = person_make(login);
	struct authenticator a = authenticator_make(&p);
	p.role = ROLE_STAFF;
	p.email_verified = true;
	a.kind = FACTOR_MAILCODE;
	a.secret_len = 0;
	OK(store_begin(f->st));
	OK(store_person_add(f->st, &p));
	OK(store_authenticator_add(f->st, &a));
	OK(store_commit(f->st));
	return p;
}

static void put_code(struct fixture *f, const struct person *p, const char *text, int64_t now)
{
	struct code c = {.person = p->id,
			 .purpose = CODE_LOGIN,
			 .address = "m@example.jp",
			 .created = now,
			 .expires = now + MAILCODE_LIFE};
	OK(id_new(&c.id));
	OK(store_begin(f->st));
	OK(store_code_put(f->st, &c, text, NULL));
	OK(store_commit(f->st));
}

/* A dialogue whose first factor was right. */
static enum verdict typed(struct fixture *f, struct attempt *a, const struct person *p, enum factor_kind asked,
			  enum mailcode_policy policy, const char *text, int64_t now)
{
	struct keeper k = {.conf = &conf, .seal = f->seal};
	struct origin o = {.teaches = true};
	attempt_init(a, DOOR_PAM, "pam:test", &o, p->login);
	a->password_right = true;
	a->asked = asked;
	a->mailcode = policy;
	return attempt_factor(&k, f->st, a, text, strlen(text), now, NULL, NULL, NULL);
}

static enum verdict mailed(struct fixture *f, const struct person *p, const char *text, int64_t now)
{
	struct attempt a;
	return typed(f, &a, p, FACTOR_MAILCODE, MAILCODE_LAST, text, now);
}

static void what_is_taken_where(void **state)
{
	static const struct {
		const char *text;
		enum factor_kind asked, takes;
	} cases[] = {
	    {"123456", FACTOR_NONE, FACTOR_TOTP},
	    {"12345678", FACTOR_NONE, FACTOR_TOTP},
	    {"123456", FACTOR_MAILCODE, FACTOR_MAILCODE},
	    {"12345678", FACTOR_MAILCODE, FACTOR_NONE},
	    {"12345", FACTOR_NONE, FACTOR_NONE},
	    {"12345", FACTOR_MAILCODE, FACTOR_NONE},
	    {"1234567", FACTOR_MAILCODE, FACTOR_NONE},
	    {"12345a", FACTOR_MAILCODE, FACTOR_NONE},
	    {"", FACTOR_NONE, FACTOR_NONE},
	    {"", FACTOR_MAILCODE, FACTOR_NONE},
	    {RECOVERY, FACTOR_NONE, FACTOR_RECOVERY},
	    {RECOVERY, FACTOR_MAILCODE, FACTOR_RECOVERY},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct factor *f = factor_for(cases[i].text, cases[i].asked);
		if ((f ? f->kind : FACTOR_NONE) != cases[i].takes)
			fail_msg("\"%s\" where %d was asked for", cases[i].text, cases[i].asked);
	}
	assert_string_equal(factor_name(FACTOR_MAILCODE), "mailcode");
}

static void whose_way_it_is(void **state)
{
	enum { MAIL = 1, APP = 2, KEY = 4, SHEET = 8, UNVERIFIED = 16 };
	static const struct {
		int has;
		bool usable[4]; /* by policy */
	} cases[] = {
	    {0, {false, false, false, false}},
	    {APP, {false, false, false, false}},
	    {SHEET, {false, false, false, false}},
	    {MAIL, {false, true, true, true}},
	    {MAIL | SHEET, {false, true, true, true}},
	    {MAIL | APP, {false, false, false, true}},
	    {MAIL | KEY, {false, false, true, true}},
	    {MAIL | APP | KEY | SHEET, {false, false, false, true}},
	    {MAIL | UNVERIFIED, {false, false, false, false}},
	    {MAIL | APP | UNVERIFIED, {false, false, false, false}},
	};
	static const enum factor_kind kinds[] = {FACTOR_MAILCODE, FACTOR_TOTP, FACTOR_PASSKEY, FACTOR_RECOVERY};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (int policy = MAILCODE_FORBIDDEN; policy <= MAILCODE_ALLOWED; policy++) {
			struct person p = {.email_verified = !(cases[i].has & UNVERIFIED)};
			struct authenticator au[4];
			size_t n = 0;
			memset(au, 0, sizeof au);
			for (size_t j = COUNT(kinds); j-- > 0;)
				if (cases[i].has & 1 << j)
					au[n++].kind = kinds[j];
			if (mailcode_usable(&p, au, n, (enum mailcode_policy)policy) != cases[i].usable[policy])
				fail_msg("has %d, policy %d", cases[i].has, policy);
		}
	assert_int_equal(mailcode_policy_at(MAILCODE_LAST, true), MAILCODE_LAST);
	assert_int_equal(mailcode_policy_at(MAILCODE_LAST, false), MAILCODE_LAST_APP);
	assert_int_equal(mailcode_policy_at(MAILCODE_FORBIDDEN, false), MAILCODE_FORBIDDEN);
	assert_int_equal(mailcode_policy_at(MAILCODE_ALLOWED, false), MAILCODE_ALLOWED);
	assert_int_equal(mailcode_policy_of("allowed"), MAILCODE_ALLOWED);
	assert_int_equal(mailcode_policy_of("last"), MAILCODE_LAST);
	assert_int_equal(mailcode_policy_of("forbidden"), MAILCODE_FORBIDDEN);
	assert_int_equal(mailcode_policy_of("anything"), MAILCODE_FORBIDDEN);
	assert_int_equal(mailcode_policy_of(NULL), MAILCODE_FORBIDDEN);
}

static enum err options(const char *const *opt, struct policy_pam *ret, struct errmsg *why)
{
	AUTO_BUF b = BUF_INIT;
	struct wire_msg *m = calloc(1, sizeof *m);
	assert_non_null(m);
	wire_begin(&b, 1, "begin");
	for (int i = 0; opt[i]; i++) {
		char name[16];
		snprintf(name, sizeof name, "opt.%d", i);
		wire_puts(&b, name, opt[i]);
	}
	OK(wire_end(&b));
	OK(wire_parse(b.data + WIRE_HEAD, b.len - WIRE_HEAD, m));
	enum err e = policy_pam_options(m, ret, why);
	free(m);
	return e;
}

static void options_of_a_service(void **state)
{
	struct policy_pam p;
	struct errmsg why = {""};
	(void)state;
	OK(options((const char *const[]){NULL}, &p, &why));
	assert_false(p.mailcode_given || p.prompt_by_method);
	OK(options((const char *const[]){"mailcode=allowed", "prompt_by_method=yes", "password=skip", NULL}, &p, &why));
	assert_true(p.mailcode_given && p.mailcode == MAILCODE_ALLOWED && p.prompt_by_method);
	OK(options((const char *const[]){"mailcode=forbidden", "prompt_by_method=no", NULL}, &p, &why));
	assert_true(p.mailcode_given && p.mailcode == MAILCODE_FORBIDDEN && !p.prompt_by_method);
	static const char *const bad[] = {"mailcode",	      "mailcode=",	   "mailcode=Allowed",	"mailcode=yes",
					  "prompt_by_method", "prompt_by_method=", "prompt_by_method=1"};
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(options((const char *const[]){bad[i], NULL}, &p, &why), ERR_INVALID);
	assert_int_equal(options((const char *const[]){"mailcode=last", "mailcode=last", NULL}, &p, &why), ERR_INVALID);
	assert_non_null(strstr(why.text, "twice"));
}

static void right_once_and_only_where_it_was_asked_for(void **state)
{
	struct fixture *f = *state;
	struct attempt a;
	struct person p = staff_add(f, "taro");
	put_code(f, &p, "012345", NOW);
	assert_int_equal(typed(f, &a, &p, FACTOR_NONE, MAILCODE_LAST, "012345", NOW), VERDICT_DENY);
	assert_int_equal(typed(f, &a, &p, FACTOR_MAILCODE, MAILCODE_FORBIDDEN, "012345", NOW), VERDICT_DENY);
	assert_int_equal(mailed(f, &p, "012345", NOW + 2), VERDICT_ALLOW);
	assert_int_equal(mailed(f, &p, "012345", NOW + 3), VERDICT_DENY);
}

static void without_the_first_factor_nothing_is_looked_at(void **state)
{
	struct fixture *f = *state;
	struct keeper k = {.conf = &conf, .seal = f->seal};
	struct origin o = {.teaches = true};
	struct attempt a;
	struct person p = staff_add(f, "taro");
	put_code(f, &p, "012345", NOW);
	for (int i = 0; i < 20; i++) {
		attempt_init(&a, DOOR_PAM, "pam:test", &o, "taro");
		a.asked = FACTOR_MAILCODE;
		a.mailcode = MAILCODE_LAST;
		assert_int_not_equal(attempt_factor(&k, f->st, &a, "012345", 6, NOW + i, NULL, NULL, NULL),
				     VERDICT_ALLOW);
	}
	assert_int_equal(mailed(f, &p, "012345", NOW + 30), VERDICT_ALLOW);
}

static void expires_and_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct person p = staff_add(f, "taro");
	put_code(f, &p, "111111", NOW);
	assert_int_equal(mailed(f, &p, "111111", NOW + MAILCODE_LIFE), VERDICT_DENY);
	put_code(f, &p, "222222", NOW + 700);
	put_code(f, &p, "333333", NOW + 760);
	assert_int_equal(mailed(f, &p, "222222", NOW + 770), VERDICT_DENY);
	assert_int_equal(mailed(f, &p, "333333", NOW + 780), VERDICT_ALLOW);
}

/* Far enough apart that no wait after wrong ones binds. */
static int wrong_ones(struct fixture *f, const struct person *p, int most, int64_t *now)
{
	struct attempt a;
	for (int i = 0; i < most; i++) {
		*now += 11;
		assert_int_equal(typed(f, &a, p, FACTOR_MAILCODE, MAILCODE_LAST, "999999", *now), VERDICT_DENY);
		if (a.mailed_wait)
			return i;
	}
	return most;
}

static void five_tries_a_code_five_an_hour_twenty_a_day(void **state)
{
	struct fixture *f = *state;
	struct attempt a;
	struct person p = staff_add(f, "taro"), other = staff_add(f, "jiro");
	int64_t now = NOW;
	put_code(f, &p, "012345", now);
	assert_int_equal(wrong_ones(f, &p, 9, &now), 5);
	/* a fresh code does not help, nor does the right one */
	put_code(f, &p, "012345", now);
	now += 11;
	assert_int_equal(typed(f, &a, &p, FACTOR_MAILCODE, MAILCODE_LAST, "012345", now), VERDICT_DENY);
	assert_true(a.mailed_wait > 0 && a.mailed_wait <= 3600);
	put_code(f, &other, "012345", now);
	assert_int_equal(mailed(f, &other, "012345", now), VERDICT_ALLOW);
	for (int hour = 1; hour < 4; hour++) {
		now = NOW + 3700 * hour;
		put_code(f, &p, "012345", now);
		assert_int_equal(wrong_ones(f, &p, 9, &now), 5);
	}
	now = NOW + 4 * 3700;
	put_code(f, &p, "012345", now);
	now += 11;
	assert_int_equal(typed(f, &a, &p, FACTOR_MAILCODE, MAILCODE_LAST, "012345", now), VERDICT_DENY);
	assert_true(a.mailed_wait > 3600); /* the day's */
	now = NOW + 86400 + 11;
	put_code(f, &p, "012345", now);
	assert_int_equal(wrong_ones(f, &p, 4, &now), 4);
	assert_int_equal(mailed(f, &p, "012345", now + 11), VERDICT_ALLOW);
	put_code(f, &p, "543210", now + 12);
	assert_int_equal(wrong_ones(f, &p, 5, &now), 5); /* the right one gave them back */
}

static void a_code_bears_five_tries_whatever_the_hours(void **state)
{
	struct fixture *f = *state;
	struct attempt a;
	struct person p = staff_add(f, "taro");
	struct code c = {.person = p.id, .purpose = CODE_LOGIN, .created = NOW, .expires = NOW + 86400};
	int64_t now = NOW;
	OK(id_new(&c.id));
	OK(store_begin(f->st));
	OK(store_code_put(f->st, &c, "012345", NULL));
	OK(store_commit(f->st));
	assert_int_equal(wrong_ones(f, &p, 5, &now), 5);
	now += 4000;
	assert_int_equal(typed(f, &a, &p, FACTOR_MAILCODE, MAILCODE_LAST, "012345", now), VERDICT_DENY);
	assert_int_equal(a.mailed, ERR_TOOBIG);
	assert_int_equal(a.mailed_wait, 0);
}

/* Each kind's guesses are counted once. */
static void kinds_are_counted_apart(void **state)
{
	struct fixture *f = *state;
	struct counter_row row[16];
	struct attempt a;
	size_t n = 0;
	struct person p = staff_add(f, "taro");
	put_code(f, &p, "012345", NOW);
	assert_int_equal(mailed(f, &p, "999999", NOW), VERDICT_DENY);
	assert_int_equal(typed(f, &a, &p, FACTOR_NONE, MAILCODE_LAST, "999999", NOW), VERDICT_DENY);
	assert_int_equal(mailed(f, &p, RECOVERY, NOW), VERDICT_DENY);
	OK(store_counter_list(f->st, &p.id, row, COUNT(row), &n));
	int seen[5] = {0};
	for (size_t i = 0; i < n; i++)
		if (row[i].key.kind <= FACTOR_PASSKEY)
			seen[row[i].key.kind] += (int)row[i].counter.failures;
	assert_int_equal(seen[FACTOR_MAILCODE], 1);
	assert_int_equal(seen[FACTOR_TOTP], 1);
	assert_int_equal(seen[FACTOR_RECOVERY], 1);
}

static void a_hundred_wrong_ones_disable_it_until_a_recovery_code(void **state)
{
	static const char *const code[] = {RECOVERY};
	struct fixture *f = *state;
	struct attempt a;
	bool disabled = false;
	struct person p = staff_add(f, "taro");
	enum verdict v = VERDICT_DENY;
	int64_t now = NOW;
	OK(store_begin(f->st));
	OK(store_recovery_replace(f->st, &p.id, code, 1));
	OK(store_commit(f->st));
	for (int i = 0; i < LIMITS_CLOSES && v == VERDICT_DENY; i++, now += 11)
		v = typed(f, &a, &p, FACTOR_MAILCODE, MAILCODE_LAST, "999999", now);
	assert_int_equal(v, VERDICT_LOCKED);
	OK(limits_disabled(f->st, &p.id, FACTOR_MAILCODE, &disabled));
	assert_true(disabled);
	now += LIMITS_CLOSED_FOR;
	put_code(f, &p, "012345", now);
	assert_int_equal(mailed(f, &p, "012345", now), VERDICT_LOCKED);
	assert_int_equal(mailed(f, &p, RECOVERY, now), VERDICT_ALLOW);
	OK(limits_disabled(f->st, &p.id, FACTOR_MAILCODE, &disabled));
	assert_false(disabled);
	assert_int_equal(mailed(f, &p, "012345", now + 1), VERDICT_ALLOW);
}

static void sent_five_an_hour_sixty_seconds_apart(void **state)
{
	struct fixture *f = *state;
	static const char text[] = "url = http://localhost:8480\n";
	struct errmsg why;
	struct conf *c = NULL;
	unit_write(unit_path(f->folder, "kosmo.conf"), text, strlen(text));
	OK(conf_load(unit_path(f->folder, "kosmo.conf"), &c, &why));
	struct keeper k = {.conf = c, .seal = f->seal};
	struct person p = staff_add(f, "taro");
	struct code live;
	struct mail m;
	static const struct {
		int64_t at;
		bool sent;
	} cases[] = {{0, true},	  {59, false},	{60, true},    {120, true},  {180, true},
		     {240, true}, {300, false}, {3599, false}, {3600, true}, {3601, false}};
	memset(&m, 0, sizeof m);
	for (size_t i = 0; i < COUNT(cases); i++) {
		bool sent = !cases[i].sent;
		int64_t wait = 0;
		OK(store_begin(f->st));
		OK(mailcode_send(&k, f->st, &p, CODE_LOGIN, "ja", NOW + cases[i].at, &sent));
		OK(store_commit(f->st));
		assert_int_equal(sent, cases[i].sent);
		OK(mailcode_wait(&k, f->st, &p.id, NOW + cases[i].at, &wait));
		assert_true(wait > 0);
	}
	OK(store_code_live(f->st, &p.id, CODE_LOGIN, NOW + 3602, &live));
	assert_int_equal(live.created, NOW + 3600);
	assert_string_equal(live.address, p.email);
	OK(store_mail_next(f->st, NOW + 3602, &m));
	assert_true(m.urgent);
	assert_string_equal(m.recipient, p.email);
	mail_clear(&m);
	conf_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_taken_where),
	    cmocka_unit_test(whose_way_it_is),
	    cmocka_unit_test(options_of_a_service),
	    TEST(right_once_and_only_where_it_was_asked_for),
	    TEST(without_the_first_factor_nothing_is_looked_at),
	    TEST(expires_and_is_replaced),
	    TEST(five_tries_a_code_five_an_hour_twenty_a_day),
	    TEST(a_code_bears_five_tries_whatever_the_hours),
	    TEST(kinds_are_counted_apart),
	    TEST(a_hundred_wrong_ones_disable_it_until_a_recovery_code),
	    TEST(sent_five_an_hour_sixty_seconds_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
