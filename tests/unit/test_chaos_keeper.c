/* Each call of libc, OpenSSL and SQLite below the keeper fails in turn, once or from then on, while people log in and
 * enrol. Who may not enter never does, who may is let in or refused, nothing is half done, nobody is shut out after. */
#include "config.h"

#include "chaos.h"
#include <sys/stat.h>

static struct chaos *c0;

/* ---- the terminal ---- */

static const char *right_code(void)
{
	return chaos_code(CHAOS_NOW);
}

/* After whatever happened: a code that let its owner in never does again, a new one does. */
static void code_served_once(struct chaos *c, const char *code, int told)
{
	enum verdict v = chaos_pam(c, "taro", CHAOS_PASSWORD, code);

	if (told == VERDICT_ALLOW)
		assert_int_equal(v, VERDICT_DENY);
	fault_clock(CHAOS_NOW + 90);
	assert_int_equal(chaos_pam(c, "taro", CHAOS_PASSWORD, code), VERDICT_DENY);
	fault_clock(CHAOS_NOW + 120);
	assert_int_equal(chaos_pam(c, "taro", CHAOS_PASSWORD, chaos_code(CHAOS_NOW + 120)), VERDICT_ALLOW);
}

static void refused(struct chaos *c, int told)
{
	(void)c;
	assert_int_not_equal(told, VERDICT_ALLOW);
	assert_int_not_equal(told, VERDICT_IGNORE);
}

static void pam_right(struct chaos *c, int *told)
{
	*told = chaos_pam(c, "taro", CHAOS_PASSWORD, right_code());
}

static void pam_right_judge(struct chaos *c, int told)
{
	assert_int_not_equal(told, VERDICT_IGNORE);
	code_served_once(c, right_code(), told);
}

static void pam_recovery(struct chaos *c, int *told)
{
	*told = chaos_pam(c, "taro", CHAOS_PASSWORD, c->recovery[0]);
}

static void pam_recovery_judge(struct chaos *c, int told)
{
	int64_t used = chaos_sql(c, "SELECT count(*) FROM recovery WHERE used <> 0");

	assert_int_not_equal(told, VERDICT_IGNORE);
	assert_in_range(used, told == VERDICT_ALLOW ? 1 : 0, 1);
	code_served_once(c, c->recovery[0], told);
	fault_clock(CHAOS_NOW + 150);
	assert_int_equal(chaos_pam(c, "taro", CHAOS_PASSWORD, c->recovery[1]), VERDICT_ALLOW);
}

static void pam_wrong_code(struct chaos *c, int *told)
{
	*told = chaos_pam(c, "taro", CHAOS_PASSWORD, chaos_code(CHAOS_NOW + 3000));
}

static void pam_wrong_password(struct chaos *c, int *told)
{
	*told = chaos_pam(c, "taro", "wrong horse", right_code());
}

static void pam_wrong_judge(struct chaos *c, int told)
{
	refused(c, told);
	fault_clock(CHAOS_NOW + 20);
	assert_int_equal(chaos_pam(c, "taro", CHAOS_PASSWORD, right_code()), VERDICT_ALLOW); /* kept for its owner */
}

static void pam_replay_judge(struct chaos *c, int told)
{
	refused(c, told);
	code_served_once(c, right_code(), VERDICT_ALLOW);
}

static void pam_jiro(struct chaos *c, int *told)
{
	*told = chaos_pam(c, "jiro", CHAOS_PASSWORD, right_code());
}

static void pam_saburo(struct chaos *c, int *told)
{
	*told = chaos_pam(c, "saburo", CHAOS_PASSWORD, right_code());
}

static void pam_nobody(struct chaos *c, int *told)
{
	*told = chaos_pam(c, "nobody-here", CHAOS_PASSWORD, right_code());
}

static void pam_mailed(struct chaos *c, int *told)
{
	*told = chaos_pam_enter(c, "shiro", CHAOS_PASSWORD, NULL);
}

static void pam_mailed_judge(struct chaos *c, int told)
{
	int64_t sent = chaos_sql(c, "SELECT count(*) FROM outbox");
	char code[8] = "000000";

	/* mail and code, or neither */
	assert_int_equal(chaos_sql(c, "SELECT count(*) FROM code WHERE purpose = 3"), sent);
	assert_in_range(sent, told == VERDICT_ALLOW ? 1 : 0, 1);
	assert_int_not_equal(told, VERDICT_IGNORE);
	(void)chaos_mail_code(c, code);
	fault_clock(CHAOS_NOW + 70);
	assert_int_equal(chaos_pam_enter(c, "shiro", CHAOS_PASSWORD, NULL), VERDICT_ALLOW);
	assert_int_equal(chaos_pam_enter(c, "shiro", CHAOS_PASSWORD, code), VERDICT_DENY);
}

static void pam_mail_nobody(struct chaos *c, int *told)
{
	*told = chaos_pam_enter(c, "nobody-here", CHAOS_PASSWORD, NULL);
}

static void no_mail(struct chaos *c, int told)
{
	refused(c, told);
	assert_int_equal(chaos_sql(c, "SELECT count(*) FROM outbox"), 0);
}

static void account_taro(struct chaos *c, int *told)
{
	*told = chaos_account(c, "taro");
}

static void account_taro_judge(struct chaos *c, int told)
{
	assert_int_not_equal(told, VERDICT_IGNORE);
	assert_int_equal(chaos_account(c, "taro"), VERDICT_ALLOW);
}

static void account_jiro(struct chaos *c, int *told)
{
	*told = chaos_account(c, "jiro");
}

static void account_saburo(struct chaos *c, int *told)
{
	*told = chaos_account(c, "saburo");
}

static void terminal(void **state)
{
	static const struct chaos_job each[] = {
	    {"right password and code", pam_right, pam_right_judge, VERDICT_ALLOW},
	    {"recovery code", pam_recovery, pam_recovery_judge, VERDICT_ALLOW},
	    {"wrong code", pam_wrong_code, pam_wrong_judge, VERDICT_DENY},
	    {"wrong password", pam_wrong_password, pam_wrong_judge, VERDICT_DENY},
	    {"disabled", pam_jiro, refused, VERDICT_DENY},
	    {"expired", pam_saburo, refused, VERDICT_DENY},
	    {"unknown", pam_nobody, refused, VERDICT_DENY},
	    {"mailed code", pam_mailed, pam_mailed_judge, VERDICT_ALLOW},
	    {"mailed code, unknown", pam_mail_nobody, no_mail, VERDICT_DENY},
	    {"account", account_taro, account_taro_judge, VERDICT_ALLOW},
	    {"account, disabled", account_jiro, refused, VERDICT_DISABLED},
	    {"account, expired", account_saburo, refused, VERDICT_EXPIRED},
	};
	static const struct chaos_job again = {"the same code again", pam_right, pam_replay_judge, VERDICT_DENY};

	(void)state;
	for (size_t i = 0; i < COUNT(each); i++)
		chaos_run(c0, &each[i]);
	chaos_start(c0, true);
	fault_clock(CHAOS_NOW);
	assert_int_equal(chaos_pam(c0, "taro", CHAOS_PASSWORD, right_code()), VERDICT_ALLOW);
	chaos_keep(c0);
	chaos_run(c0, &again);
}

/* ---- the browser ---- */

enum { OUT = 1, IN };

static void web_login(struct chaos *c, int *told, const char *code)
{
	*told = OUT;
	if (chaos_web_password(c, "taro", CHAOS_PASSWORD) && chaos_get(c, "code") &&
	    chaos_post(c, "code", "code", code, NULL) && chaos_at(c, "/"))
		*told = IN;
}

static bool inside(struct chaos *c)
{
	return chaos_get(c, "account") && strcmp(c->page, "account") == 0;
}

static void web_right(struct chaos *c, int *told)
{
	web_login(c, told, right_code());
}

static void web_right_judge(struct chaos *c, int told)
{
	bool in = inside(c);

	assert_true(in || told == OUT); /* in all the same where only the page could not be written */
	code_served_once(c, right_code(), in ? VERDICT_ALLOW : VERDICT_DENY);
}

static void web_wrong(struct chaos *c, int *told)
{
	web_login(c, told, chaos_code(CHAOS_NOW + 3000));
}

static void web_wrong_judge(struct chaos *c, int told)
{
	assert_int_equal(told, OUT);
	assert_false(inside(c));
	assert_int_equal(chaos_sql(c, "SELECT count(*) FROM session WHERE level <> 1 OR stepped_up <> 0"), 0);
}

static void web_stranger(struct chaos *c, int *told)
{
	*told = chaos_web_password(c, "taro", "wrong horse") ? IN : OUT;
}

static void web_stranger_judge(struct chaos *c, int told)
{
	assert_int_equal(told, OUT);
	assert_int_equal(chaos_sql(c, "SELECT count(*) FROM session"), 0);
}

static void browser(void **state)
{
	static const struct chaos_job each[] = {
	    {"browser, right", web_right, web_right_judge, IN},
	    {"browser, wrong code", web_wrong, web_wrong_judge, OUT},
	    {"browser, wrong password", web_stranger, web_stranger_judge, OUT},
	};
	static const struct chaos_job again = {"browser, the same code again", web_right, web_wrong_judge, OUT};

	(void)state;
	for (size_t i = 0; i < COUNT(each); i++)
		chaos_run(c0, &each[i]);
	chaos_start(c0, true);
	fault_clock(CHAOS_NOW);
	assert_int_equal(chaos_pam(c0, "taro", CHAOS_PASSWORD, right_code()), VERDICT_ALLOW);
	chaos_keep(c0);
	chaos_run(c0, &again);
}

/* ---- a portal's question: of a session that is in, long unseen, and of one that is half in ---- */

static char portal_cookie[sizeof((struct chaos *)0)->cookie];

static void verify(struct chaos *c, int *told)
{
	memcpy(c->cookie, portal_cookie, sizeof c->cookie);
	fault_clock(CHAOS_NOW + 300);
	*told = chaos_verify(c) == 200 ? IN : OUT;
}

static void verify_in_judge(struct chaos *c, int told)
{
	(void)told;
	memcpy(c->cookie, portal_cookie, sizeof c->cookie);
	assert_int_equal(chaos_verify(c), 200);
	assert_int_equal(chaos_sql(c, "SELECT count(*) FROM session"), 1);
}

static void verify_half_judge(struct chaos *c, int told)
{
	assert_int_equal(told, OUT);
	memcpy(c->cookie, portal_cookie, sizeof c->cookie);
	assert_int_equal(chaos_verify(c), 401);
}

static void portal(void **state)
{
	static const struct chaos_job half = {"a portal's question, half in", verify, verify_half_judge, OUT},
				      in = {"a portal's question, in", verify, verify_in_judge, IN};

	(void)state;
	chaos_start(c0, true);
	fault_clock(CHAOS_NOW);
	assert_true(chaos_web_password(c0, "taro", CHAOS_PASSWORD));
	memcpy(portal_cookie, c0->cookie, sizeof portal_cookie);
	chaos_keep(c0);
	chaos_run(c0, &half);
	chaos_start(c0, true);
	fault_clock(CHAOS_NOW);
	memcpy(c0->cookie, portal_cookie, sizeof portal_cookie);
	assert_true(chaos_get(c0, "code") && chaos_post(c0, "code", "code", right_code(), NULL));
	memcpy(portal_cookie, c0->cookie, sizeof portal_cookie);
	chaos_keep(c0);
	chaos_run(c0, &in);
}

/* ---- the wizard: each step from where the one before led to ---- */

static char mail_code[8];

static bool step_letter(struct chaos *c)
{
	return chaos_web_password(c, "hanako", CHAOS_INITIAL);
}

static bool step_birth(struct chaos *c)
{
	return chaos_post(c, "birth", "birth_date", "1950-04-01", NULL);
}

static bool step_terms(struct chaos *c)
{
	return chaos_post(c, "terms", "agree", "1", NULL);
}

static bool step_email(struct chaos *c)
{
	return chaos_post(c, "email", "email", "new@example.jp", NULL);
}

static bool step_email_code(struct chaos *c)
{
	return chaos_post(c, "email.code", "code", mail_code, NULL);
}

static bool step_method(struct chaos *c)
{
	return chaos_post(c, "method", "method", "app", NULL);
}

static bool step_password(struct chaos *c)
{
	return chaos_post(c, "own-password", "new", CHAOS_OWN, "again", CHAOS_OWN, NULL);
}

static bool step_done(struct chaos *c)
{
	return chaos_post(c, "done", "next", "app", NULL);
}

static bool step_app(struct chaos *c)
{
	char code[9];

	snprintf(code, sizeof code, "%s", chaos_pending_code(c, CHAOS_NOW));
	return chaos_get(c, "app") && chaos_post(c, "app", "code", code, "name", "phone", NULL);
}

static bool step_recovery(struct chaos *c)
{
	return chaos_get(c, "recovery") && strcmp(c->page, "recovery") == 0 && chaos_post(c, "recovery", NULL);
}

static const struct wizard {
	const char *name;
	bool (*step)(struct chaos *c);
	const char *here, *next; /* where home leads to before it and after it */
	const char *sql;	 /* 1 if it is in the store, 0 if not */
} wizard[] = {
    {"letter", step_letter, "/login", "/first/birth-date", "SELECT count(*) FROM session WHERE level = 2"},
    {"birth date", step_birth, "/first/birth-date", "/first/terms",
     "SELECT count(*) FROM audit WHERE event = 'birth.confirmed'"},
    {"terms", step_terms, "/first/terms", "/first/email", "SELECT count(*) FROM audit WHERE event = 'terms.agreed'"},
    {"address", step_email, "/first/email", "/first/email", "SELECT count(*) FROM outbox"},
    {"mailed code", step_email_code, "/first/email", "/first/method",
     "SELECT count(*) FROM audit WHERE event = 'email.verified'"},
    {"method", step_method, "/first/method", "/first/password",
     "SELECT count(*) FROM audit WHERE event = 'method.chosen'"},
    {"own password", step_password, "/first/password", "/app",
     "SELECT count(*) FROM audit WHERE event LIKE 'password.%' AND event NOT IN ('password.initial', "
     "'password.right')"},
    {"key", step_done, "/app", "/app",
     "SELECT count(*) FROM authenticator WHERE person = (SELECT id FROM person WHERE login = 'hanako')"},
    {"app", step_app, "/app", "/recovery", "SELECT count(*) FROM audit WHERE event = 'totp.registered'"},
    {"recovery codes", step_recovery, "/recovery", "/account", "SELECT count(*) FROM person WHERE login = 'hanako'"},
};

static const struct wizard *now_at;
static char cookie[64], csrf[64];

static void wizard_step(struct chaos *c, int *told)
{
	memcpy(c->cookie, cookie, sizeof cookie);
	memcpy(c->csrf, csrf, sizeof csrf);
	*told = now_at->step(c) ? IN : OUT;
}

static bool login_again(struct chaos *c)
{
	char code[9];

	fault_clock(CHAOS_NOW + 60);
	snprintf(code, sizeof code, "%s", chaos_pending_code(c, CHAOS_NOW + 60));
	return chaos_web_password(c, "hanako", CHAOS_OWN) && chaos_get(c, "code") &&
	       chaos_post(c, "code", "code", code, NULL) && chaos_at(c, "/");
}

/* What was said to be done is; what was not is so wholly or not at all, and can be done again. */
static void wizard_judge(struct chaos *c, int told)
{
	int64_t there = chaos_sql(c, now_at->sql);

	assert_in_range(there, told == IN ? 1 : 0, 1);
	fault_clock(CHAOS_NOW + 20);
	if (told != IN && now_at->step == step_letter) { /* the answer with the cookie may be what was lost */
		c->cookie[0] = c->csrf[0] = '\0';
		assert_true(step_letter(c));
	} else if (told != IN) {
		assert_true(chaos_get(c, "home"));
		if (chaos_at(c, now_at->here))
			(void)now_at->step(c);
	}
	assert_true(chaos_get(c, "home"));
	if (told != IN && now_at->step == step_app && chaos_at(c, "/login")) /* the same */
		assert_true(login_again(c));
	else if (told != IN && now_at->step == step_password && chaos_at(c, "/login"))
		assert_true(chaos_get(c, "login") &&
			    chaos_post(c, "login", "login", "hanako", "password", CHAOS_OWN, NULL) &&
			    chaos_at(c, "/login/mail"));
	else
		assert_string_equal(c->path, now_at->next);
}

static void enrolment(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(wizard); i++) {
		const struct chaos_job j = {wizard[i].name, wizard_step, wizard_judge, IN};

		now_at = &wizard[i];
		chaos_run(c0, &j);
		/* undisturbed, and on from there */
		fault_clock(CHAOS_NOW);
		chaos_start(c0, true);
		memcpy(c0->cookie, cookie, sizeof cookie);
		memcpy(c0->csrf, csrf, sizeof csrf);
		assert_true(now_at->step(c0));
		assert_true(chaos_get(c0, "home"));
		if (now_at->step == step_email)
			assert_true(chaos_mail_code(c0, mail_code));
		memcpy(cookie, c0->cookie, sizeof cookie);
		memcpy(csrf, c0->csrf, sizeof csrf);
		chaos_keep(c0);
	}
}

/* ---- the admin's code: registering anew ---- */

#define ADMINS_CODE "abcd-efgh-jkmn-pqrs"
#define TARO	    "(SELECT id FROM person WHERE login = 'taro')"

static char anew_code[9];

static bool anew_confirm(struct chaos *c)
{
	return chaos_get(c, "app") && chaos_post(c, "app", "code", anew_code, "name", "new", NULL) && chaos_at(c, "/");
}

static void anew_job(struct chaos *c, int *told)
{
	memcpy(c->cookie, cookie, sizeof cookie);
	memcpy(c->csrf, csrf, sizeof csrf);
	*told = anew_confirm(c) ? IN : OUT;
}

static void anew_all_new(struct chaos *c)
{
	assert_int_equal(chaos_sql(c, "SELECT count(*) FROM authenticator WHERE person = " TARO), 1);
	assert_int_equal(chaos_sql(c, "SELECT count(*) FROM code WHERE purpose = 7 AND used = 0"), 0);
	assert_int_equal(chaos_sql(c, "SELECT count(*) FROM recovery WHERE used = 0 AND person = " TARO), 10);
	assert_int_equal(chaos_sql(c, "SELECT count(*) FROM audit WHERE event = 'recover.done'"), 1);
	assert_int_equal(chaos_sql(c, "SELECT count(*) FROM session WHERE person = " TARO), 1);
}

/* All of the new, or all of the old, and then it can be done again with the same code. */
static void anew_judge(struct chaos *c, int told)
{
	bool done = chaos_sql(c, "SELECT used FROM code WHERE purpose = 7") == 1;

	assert_true(done || told != IN);
	if (!done) {
		assert_int_equal(
		    chaos_sql(c, "SELECT count(*) FROM authenticator WHERE confirmed = 1 AND person = " TARO), 1);
		assert_int_equal(chaos_sql(c, "SELECT count(*) FROM authenticator WHERE person = " TARO), 2);
		assert_int_equal(chaos_sql(c, "SELECT count(*) FROM audit WHERE event = 'totp.registered'"), 0);
		memcpy(c->cookie, cookie, sizeof cookie);
		memcpy(c->csrf, csrf, sizeof csrf);
		assert_true(anew_confirm(c));
	}
	anew_all_new(c);
}

static void anew_begin(struct chaos *c)
{
	struct person p;
	struct authenticator a[AUTHENTICATORS_MAX];
	struct code row = {.purpose = CODE_ADMIN, .created = CHAOS_NOW, .expires = CHAOS_NOW + 86400};
	size_t n = 0;

	OK(store_person_by_login(c->st, "taro", &p));
	row.person = p.id;
	OK(id_new(&row.id));
	OK(store_begin(c->st));
	OK(store_code_put(c->st, &row, "", "abcdefghjkmnpqrs"));
	OK(store_commit(c->st));
	assert_true(chaos_web_password(c, "taro", CHAOS_PASSWORD));
	assert_true(chaos_get(c, "code") && chaos_post(c, "code", "code", ADMINS_CODE, NULL) && chaos_at(c, "/"));
	assert_true(chaos_get(c, "lost.new") && chaos_post(c, "lost.new", "method", "app", NULL) &&
		    chaos_at(c, "/app"));
	OK(store_authenticators(c->st, &p.id, a, AUTHENTICATORS_MAX, &n));
	for (size_t i = 0; i < n; i++) {
		const struct totp t = {TOTP_SHA1, 6, 30, a[i].secret, a[i].secret_len};
		if (!a[i].confirmed)
			OK(totp_code(&t, CHAOS_NOW / 30, anew_code));
	}
	memcpy(cookie, c->cookie, sizeof cookie);
	memcpy(csrf, c->csrf, sizeof csrf);
}

static void anew(void **state)
{
	static const struct chaos_job j = {"registering anew", anew_job, anew_judge, IN};

	(void)state;
	fault_clock(CHAOS_NOW);
	chaos_start(c0, true);
	anew_begin(c0);
	chaos_keep(c0);
	chaos_run(c0, &j);
}

/* A page to be read needs a form's token: GET first. */
static int fresh(void **state)
{
	(void)state;
	cookie[0] = csrf[0] = '\0';
	c0 = chaos_new();
	return 0;
}

static int gone(void **state)
{
	(void)state;
	print_message("%ld runs\n", c0->runs);
	chaos_free(c0);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(terminal, fresh, gone),
	    cmocka_unit_test_setup_teardown(browser, fresh, gone),
	    cmocka_unit_test_setup_teardown(portal, fresh, gone),
	    cmocka_unit_test_setup_teardown(enrolment, fresh, gone),
	    cmocka_unit_test_setup_teardown(anew, fresh, gone),
	};

	umask(022);
	fault_install();
	return cmocka_run_group_tests_name("every call fails", tests, NULL, NULL);
}
