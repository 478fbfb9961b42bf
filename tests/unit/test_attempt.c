/* The attempt, its factors, its limits and the requirements, over a store of its own. */
#include "config.h"

#include "common/clock.h"
#include "common/secret.h"
#include "keeper/policy.h"
#include "keeper/recovery.h"
#include "keeper/require.h"
#include "keeper/ticket.h"
#include "tests/unit/world.h"

static void right_password_and_code_allow_once(void **state)
{
	struct world *w = *state;
	struct attempt a;
	start(&a, "taro", DOOR_PAM);
	assert_true(password(w, &a, "right horse", NOW));
	assert_int_equal(factor(w, &a, code_at(w, NOW), NOW), VERDICT_ALLOW);
	start(&a, "taro", DOOR_PAM);
	assert_true(password(w, &a, "right horse", NOW));
	assert_int_equal(factor(w, &a, code_at(w, NOW), NOW), VERDICT_DENY); /* the same code again */
}

static void without_the_password_a_right_code_is_denied_and_kept(void **state)
{
	struct world *w = *state;
	struct attempt a;
	start(&a, "taro", DOOR_PAM);
	assert_false(password(w, &a, "wrong horse", NOW));
	assert_int_equal(factor(w, &a, code_at(w, NOW), NOW), VERDICT_DENY);
	/* it was not consumed: its owner may still use it */
	start(&a, "taro", DOOR_PAM);
	assert_true(password(w, &a, "right horse", NOW + 2));
	assert_int_equal(factor(w, &a, code_at(w, NOW), NOW + 2), VERDICT_ALLOW);
}

static bool settle(struct world *w, struct attempt *a, int64_t now)
{
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, attempt_password_settle(&w->k, w->st, a, now));
	return a->password_right;
}

static void save(struct world *w)
{
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_person_save(w->st, &w->p));
}

/* Between the check and the settling the account changes: what was right is not any more, and nothing is undone. */
static void a_password_changed_meanwhile_is_wrong(void **state)
{
	struct world *w = *state;
	struct attempt a;
	char new_one[PASSWORD_HASH_MAX];
	start(&a, "taro", DOOR_PAM);
	assert_int_equal(attempt_password(&w->k, w->st, &w->k.auth_gate, &a, "right horse", 11, NOW), ERR_NONE);
	assert_true(a.password_right);
	memcpy(a.upgrade, w->hash, sizeof a.upgrade); /* as of an imported hash */
	assert_int_equal(password_hash("other horse", new_one), ERR_NONE);
	memcpy(w->p.password, new_one, sizeof new_one);
	save(w);
	assert_false(settle(w, &a, NOW));
	assert_int_equal(store_person_by_id(w->st, &w->p.id, &w->p), ERR_NONE);
	assert_string_equal(w->p.password, new_one);
	start(&a, "taro", DOOR_PAM);
	assert_false(password(w, &a, "other horse", NOW)); /* it counted as a wrong one */
	assert_true(a.throttled);
}

static void an_account_closed_meanwhile_is_closed(void **state)
{
	struct world *w = *state;
	struct attempt a;
	start(&a, "taro", DOOR_PAM);
	assert_int_equal(attempt_password(&w->k, w->st, &w->k.auth_gate, &a, "right horse", 11, NOW), ERR_NONE);
	w->p.disabled = true;
	save(w);
	assert_false(settle(w, &a, NOW));
	w->p.disabled = false;
	save(w);
	start(&a, "taro", DOOR_PAM);
	assert_int_equal(attempt_password(&w->k, w->st, &w->k.auth_gate, &a, "right horse", 11, NOW + 5), ERR_NONE);
	assert_true(a.password_right);
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_person_delete(w->st, &w->p.id));
	assert_false(settle(w, &a, NOW + 5));
}

static void an_initial_password_ends_when_an_own_one_is_stored_meanwhile(void **state)
{
	struct world *w = *state;
	struct attempt a;
	const struct seal_part part[] = {{w->p.id.b, ID_LEN}, {"abcdefghjkmnpqrs", 16}};
	w->p.password[0] = '\0';
	w->p.has_initial = true;
	w->p.initial_from = NOW;
	assert_int_equal(seal_mac(w->k.seal, SEAL_INITIAL, part, 2, w->p.initial), ERR_NONE);
	save(w);
	start(&a, "taro", DOOR_WEB);
	assert_int_equal(attempt_password(&w->k, w->st, &w->k.web_gate, &a, "abcdefghjkmnpqrs", 16, NOW), ERR_NONE);
	assert_true(a.password_right);
	memcpy(w->p.password, w->hash, sizeof w->hash);
	save(w);
	assert_false(settle(w, &a, NOW));
	/* or another letter was written */
	w->p.password[0] = '\0';
	save(w);
	start(&a, "taro", DOOR_WEB);
	assert_int_equal(attempt_password(&w->k, w->st, &w->k.web_gate, &a, "abcdefghjkmnpqrs", 16, NOW), ERR_NONE);
	w->p.initial[0] ^= 1;
	save(w);
	assert_false(settle(w, &a, NOW));
}

static void a_name_cut_short_is_nobody(void **state)
{
	struct world *w = *state;
	struct attempt a;
	char name[LOGIN_MAX + 2];
	memset(name, 'a', sizeof name - 1);
	name[LOGIN_MAX + 1] = '\0';
	memcpy(w->p.login, name, LOGIN_MAX);
	w->p.login[LOGIN_MAX] = '\0';
	save(w);
	start(&a, name, DOOR_WEB);
	assert_false(password(w, &a, "right horse", NOW));
	start(&a, w->p.login, DOOR_WEB);
	assert_true(password(w, &a, "right horse", NOW));
}

static void a_clock_that_was_ahead_binds_nobody(void **state)
{
	struct world *w = *state;
	struct attempt a;
	int64_t ahead = NOW + 400 * 86400;
	for (int i = 0; i < 4; i++) {
		start(&a, "taro", DOOR_PAM);
		assert_false(password(w, &a, "wrong", ahead += 4));
	}
	start(&a, "taro", DOOR_PAM);
	assert_false(password(w, &a, "right horse", NOW)); /* the wait itself stands, from now */
	start(&a, "taro", DOOR_PAM);
	assert_true(password(w, &a, "right horse", NOW + 3));
}

static void strangers_and_members_are_nobody_at_the_terminal(void **state)
{
	struct world *w = *state;
	struct attempt a;
	static const char *const names[] = {"nobody-here", "TARO", "taro ", "", "t\xc3\xa4ro"};
	for (size_t i = 0; i < COUNT(names); i++) {
		start(&a, names[i], DOOR_PAM);
		assert_false(password(w, &a, "right horse", NOW + (int64_t)i * 10));
		assert_false(a.found);
		assert_int_equal(factor(w, &a, code_at(w, NOW), NOW + (int64_t)i * 10), VERDICT_DENY);
	}
	w->p.role = ROLE_MEMBER;
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_person_save(w->st, &w->p));
	start(&a, "taro", DOOR_PAM);
	assert_false(password(w, &a, "right horse", NOW));
	start(&a, " ＴＡＲＯ ", DOOR_WEB); /* the browser folds what people type */
	assert_true(password(w, &a, "right horse", NOW));
}

static void the_disabled_frozen_and_expired_are_denied(void **state)
{
	struct world *w = *state;
	struct attempt a;
	w->p.disabled = true;
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_person_save(w->st, &w->p));
	start(&a, "taro", DOOR_PAM);
	assert_false(password(w, &a, "right horse", NOW));
	w->p.disabled = false;
	w->p.frozen = NOW;
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_person_save(w->st, &w->p));
	start(&a, "taro", DOOR_PAM);
	assert_false(password(w, &a, "right horse", NOW));
	assert_false(a.found);
	start(&a, "taro", DOOR_WEB);
	assert_false(password(w, &a, "right horse", NOW));
	w->p.frozen = 0;
	w->p.expires = NOW;
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_person_save(w->st, &w->p));
	a.password_right = true;
	assert_int_equal(factor(w, &a, code_at(w, NOW), NOW), VERDICT_DENY);
}

static void waits_are_not_before_times(void **state)
{
	struct world *w = *state;
	struct attempt a;
	static const int64_t waits[] = {1, 1, 3, 3, 3, 3, 3, 3, 5};
	int64_t now = NOW;
	for (size_t i = 0; i < COUNT(waits); i++) {
		start(&a, "taro", DOOR_PAM);
		assert_false(password(w, &a, "wrong", now));
		assert_false(a.throttled);
		/* even the right one is not looked at before its time */
		start(&a, "taro", DOOR_PAM);
		assert_false(password(w, &a, "right horse", now + waits[i] - 1));
		assert_true(a.throttled);
		now += waits[i];
	}
	start(&a, "taro", DOOR_PAM);
	assert_true(password(w, &a, "right horse", now));
	start(&a, "taro", DOOR_PAM); /* success cleared it */
	assert_false(password(w, &a, "wrong", now));
	start(&a, "taro", DOOR_PAM);
	assert_true(password(w, &a, "right horse", now + 1));
}

static void waits_grow_to_ten_seconds(void **state)
{
	static const int64_t failures[] = {0, 1, 2, 3, 8, 9, 24, 25, 99, 100, 1000000};
	static const int64_t waits[] = {0, 1, 1, 3, 3, 5, 5, 10, 10, 10, 10};
	(void)state;
	for (size_t i = 0; i < COUNT(failures); i++)
		assert_int_equal(limits_wait(failures[i]), waits[i]);
}

static void unknown_names_wait_alike(void **state)
{
	struct world *w = *state;
	struct attempt a;
	start(&a, "nobody", DOOR_WEB);
	assert_false(password(w, &a, "wrong", NOW));
	start(&a, "nobody", DOOR_WEB);
	assert_false(password(w, &a, "wrong", NOW));
	assert_true(a.throttled);
	start(&a, "nobody", DOOR_WEB);
	assert_false(password(w, &a, "wrong", NOW + 1));
	assert_false(a.throttled);
}

static void a_wrong_code_waits_and_a_replay_counts(void **state)
{
	struct world *w = *state;
	struct attempt a;
	start(&a, "taro", DOOR_PAM);
	a.password_right = true;
	const char *right = code_at(w, NOW);
	assert_int_equal(factor(w, &a, strcmp(right, "000000") ? "000000" : "111111", NOW), VERDICT_DENY);
	assert_int_equal(factor(w, &a, code_at(w, NOW), NOW), VERDICT_THROTTLED);
	assert_int_equal(factor(w, &a, code_at(w, NOW), NOW + 1), VERDICT_ALLOW);
	assert_int_equal(factor(w, &a, code_at(w, NOW), NOW + 1), VERDICT_DENY);
	assert_int_equal(factor(w, &a, code_at(w, NOW + 30), NOW + 30), VERDICT_ALLOW);
}

static void recovery_codes_work_once_and_need_an_authenticator(void **state)
{
	struct world *w = *state;
	struct attempt a;
	char shown[RECOVERY_TEXT];
	AUTO_BUF canonical = BUF_INIT;
	assert_int_equal(recovery_code(shown), ERR_NONE);
	assert_int_equal(text_code(shown, strlen(shown), &canonical), ERR_NONE);
	const char *codes[] = {buf_str(&canonical)};
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_recovery_replace(w->st, &w->p.id, codes, 1));
	start(&a, "taro", DOOR_PAM);
	a.password_right = true;
	assert_int_equal(factor(w, &a, shown, NOW), VERDICT_ALLOW);
	assert_int_equal(factor(w, &a, shown, NOW), VERDICT_DENY);
	assert_int_equal(store_begin(w->st), ERR_NONE);
	assert_int_equal(store_recovery_replace(w->st, &w->p.id, codes, 1), ERR_NONE);
	in_transaction(w, store_authenticator_remove(w->st, &w->p.id, &w->a.id));
	assert_int_equal(factor(w, &a, shown, NOW + 5), VERDICT_DENY);
}

static void the_admins_code_is_for_the_browser_and_stays(void **state)
{
	static const char text[] = "abcdefghjkmnpqrs";
	struct world *w = *state;
	struct attempt a;
	struct code there, row = {.person = w->p.id, .purpose = CODE_ADMIN, .created = NOW, .expires = NOW + 86400};
	assert_int_equal(id_new(&row.id), ERR_NONE);
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_code_put(w->st, &row, "", text));
	start(&a, "taro", DOOR_PAM);
	a.password_right = true;
	assert_int_equal(factor(w, &a, text, NOW), VERDICT_DENY);
	start(&a, "taro", DOOR_WEB);
	assert_int_equal(factor(w, &a, text, NOW + 20), VERDICT_DENY); /* without the password */
	a.password_right = a.step_up = true;
	assert_int_equal(factor(w, &a, text, NOW + 40), VERDICT_DENY);
	a.step_up = false;
	assert_int_equal(factor(w, &a, "abcdefghjkmnpqrt", NOW + 60), VERDICT_DENY);
	assert_null(a.right);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(factor(w, &a, text, NOW + 80), VERDICT_ALLOW);
		assert_true(a.right && a.right->anew);
	}
	assert_int_equal(store_code_live(w->st, &w->p.id, CODE_ADMIN, NOW + 80, &there), ERR_NONE);
	/* it is no login: nothing is known by it */
	assert_false(attempt_known(&w->k, w->st, &a, NOW + 80));
	assert_int_equal(factor(w, &a, text, NOW + 86400), VERDICT_DENY);
}

static enum verdict code(struct world *w, const char *text, int64_t now)
{
	struct attempt a;
	struct origin o;
	origin_terminal(&o, &world_conf, ""); /* no address that would have to wait as well */
	attempt_init(&a, DOOR_PAM, "pam:test", &o, "taro");
	a.password_right = true;
	return factor(w, &a, text, now);
}

static void a_recovery_code_brings_a_disabled_app_back(void **state)
{
	struct world *w = *state;
	char shown[RECOVERY_TEXT];
	AUTO_BUF c = BUF_INIT;
	assert_int_equal(recovery_code(shown), ERR_NONE);
	assert_int_equal(text_code(shown, strlen(shown), &c), ERR_NONE);
	const char *codes[] = {buf_str(&c)};
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_recovery_replace(w->st, &w->p.id, codes, 1));
	int64_t now = NOW;
	for (int i = 1; i <= 100; i++, now += 10)
		assert_int_equal(code(w, "no code", now), i < 100 ? VERDICT_DENY : VERDICT_LOCKED);
	assert_int_equal(code(w, code_at(w, now), now), VERDICT_LOCKED);
	assert_int_equal(code(w, codes[0], now), VERDICT_ALLOW);
	assert_int_equal(code(w, code_at(w, now), now), VERDICT_ALLOW);
}

static void proof_within_a_session_makes_nothing_known(void **state)
{
	struct world *w = *state;
	struct attempt a;
	struct origin o;
	struct limit l;
	origin_terminal(&o, &w->conf, "192.0.2.7");
	for (int step_up = 1; step_up >= 0; step_up--) {
		attempt_init(&a, DOOR_WEB, "web", &o, "taro");
		a.password_right = true;
		a.step_up = step_up;
		assert_int_equal(factor(w, &a, code_at(w, NOW - 30 * step_up), NOW), VERDICT_ALLOW);
		assert_int_equal(limits_for(w->st, w->k.seal, &o, &w->p.id, "taro", FACTOR_NONE, NOW, &l), ERR_NONE);
		assert_int_equal(limits_known(w->st, &l, NOW), !step_up);
	}
}

static void the_initial_password_opens_the_browser_only(void **state)
{
	struct world *w = *state;
	struct attempt a;
	const struct seal_part part[] = {{w->p.id.b, ID_LEN}, {"abcdefghjkmnpqrs", 16}};
	w->p.password[0] = '\0';
	w->p.has_initial = true;
	w->p.initial_from = NOW;
	assert_int_equal(seal_mac(w->k.seal, SEAL_INITIAL, part, 2, w->p.initial), ERR_NONE);
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_person_save(w->st, &w->p));
	start(&a, "taro", DOOR_PAM);
	assert_false(password(w, &a, "abcd-efgh-jkmn-pqrs", NOW));
	start(&a, "taro", DOOR_WEB); /* and lanes and waits do not hold it up */
	assert_true(password(w, &a, "ABCD efgh－jkmn pqrs", NOW));
	assert_true(a.initial);
	/* its last day, in Japan, counts whole; from then on whoever has the letter, and nobody else, is told so */
	const int64_t end = text_midnight(text_today(NOW + 90 * 86400));
	start(&a, "taro", DOOR_WEB);
	assert_true(password(w, &a, "abcd-efgh-jkmn-pqrs", end - 1));
	start(&a, "taro", DOOR_WEB);
	assert_false(password(w, &a, "abcd-efgh-jkmn-pqrs", end));
	assert_int_equal(a.lapsed, end);
	start(&a, "taro", DOOR_WEB);
	assert_false(password(w, &a, "abcd-efgh-jkmn-pqrz", end + 5));
	assert_int_equal(a.lapsed, 0);
	assert_int_equal(store_person_by_id(w->st, &w->p.id, &w->p), ERR_NONE);
	assert_true(w->p.initial_used);
	memcpy(w->p.password, w->hash, sizeof w->hash);
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_person_save(w->st, &w->p));
	start(&a, "taro", DOOR_WEB);
	assert_false(password(w, &a, "abcd-efgh-jkmn-pqrs", NOW + 5));
}

static enum err refuse(struct store *st, const struct person *p, void *arg)
{
	(void)st, (void)p, (void)arg;
	return ERR_IO;
}

static void what_follows_failing_means_not_in_and_code_kept(void **state)
{
	struct world *w = *state;
	struct attempt a;
	const struct factor *how = NULL;
	start(&a, "taro", DOOR_PAM);
	a.password_right = true;
	const char *code = code_at(w, NOW);
	assert_int_equal(attempt_factor(&w->k, w->st, &a, code, 6, NOW, &how, refuse, NULL), VERDICT_UNAVAILABLE);
	assert_null(how);
	assert_int_equal(factor(w, &a, code, NOW), VERDICT_ALLOW);
}

static void requirements_lead_in_order(void **state)
{
	struct world *w = *state;
	struct person p = {.role = ROLE_MEMBER, .birth = {1950, 4, 1}};
	struct facts f = {.conf = &w->conf, .person = &p};
	int step, steps;
	assert_int_equal(require_first(&f, DOOR_WEB)->id, REQ_BIRTH);
	p.birth_confirmed = true;
	assert_int_equal(require_first(&f, DOOR_WEB)->id, REQ_TERMS);
	p.terms = 1;
	assert_int_equal(require_first(&f, DOOR_WEB)->id, REQ_EMAIL);
	p.email_verified = true;
	assert_int_equal(require_first(&f, DOOR_WEB)->id, REQ_METHOD);
	p.method = FACTOR_TOTP;
	assert_int_equal(require_first(&f, DOOR_WEB)->id, REQ_PASSWORD);
	strcpy(p.password, w->hash);
	assert_int_equal(require_first(&f, DOOR_WEB)->id, REQ_AUTHENTICATOR);
	assert_int_equal(require_first(&f, DOOR_PAM)->id, REQ_AUTHENTICATOR);
	f.confirmed = 1;
	assert_null(require_first(&f, DOOR_WEB));
	w->conf.terms_version = 2; /* new terms make the row unmet again, in the browser only */
	assert_int_equal(require_first(&f, DOOR_WEB)->id, REQ_TERMS);
	assert_null(require_first(&f, DOOR_PAM));
	require_place(&f, REQ_EMAIL, &step, &steps);
	assert_int_equal(step, 3);
	assert_int_equal(steps, 6);
}

static void who_has_no_address_is_asked_no_more(void **state)
{
	struct world *w = *state;
	struct person p = {.role = ROLE_MEMBER, .birth_confirmed = true, .terms = 1, .method = FACTOR_RECOVERY};
	struct facts f = {.conf = &w->conf, .person = &p};
	int step, steps;
	strcpy(p.email, "a@example.jp");
	p.email_optional = true; /* an address that is there is asked about all the same */
	assert_int_equal(require_first(&f, DOOR_WEB)->id, REQ_EMAIL);
	p.email[0] = '\0';
	p.email_optional = false;
	assert_int_equal(require_first(&f, DOOR_WEB)->id, REQ_EMAIL);
	p.email_optional = true;
	assert_int_equal(require_first(&f, DOOR_WEB)->id, REQ_PASSWORD);
	assert_true(require_offers(&f, FACTOR_RECOVERY));
	strcpy(p.email, "a@example.jp");
	p.email_verified = true;
	assert_false(require_offers(&f, FACTOR_RECOVERY));
	p.email_verified = p.email_optional = false;
	assert_false(require_offers(&f, FACTOR_RECOVERY));
	require_place(&f, REQ_AUTHENTICATOR, &step, &steps);
	assert_int_equal(steps, 6);
}

static void a_sheet_that_runs_out_is_renewed_by_who_has_just_proven_it(void **state)
{
	struct world *w = *state;
	struct person p = {.role = ROLE_STAFF,
			   .birth_confirmed = true,
			   .terms = 1,
			   .email_verified = true,
			   .password = "x",
			   .method = FACTOR_RECOVERY};
	struct facts f = {
	    .conf = &w->conf, .person = &p, .confirmed = 1, .sheet = true, .sheet_left = 3, .proven = true};
	assert_null(require_first(&f, DOOR_WEB));
	f.sheet_left = SHEET_LOW;
	assert_int_equal(require_first(&f, DOOR_WEB)->id, REQ_SHEET);
	assert_null(require_first(&f, DOOR_PAM));
	f.proven = false;
	assert_null(require_first(&f, DOOR_WEB));
	f.proven = true;
	f.sheet = false;
	assert_null(require_first(&f, DOOR_WEB));
}

static void a_password_that_is_due_is_asked_of_the_enrolled_only(void **state)
{
	struct world *w = *state;
	struct person p;
	struct facts f;
	assert_int_equal(store_person_by_id(w->st, &w->p.id, &p), ERR_NONE);
	p.role = ROLE_MEMBER;
	p.birth_confirmed = p.email_verified = true;
	p.terms = 1;
	p.method = FACTOR_TOTP;
	assert_int_equal(require_facts(w->st, &w->conf, &p, NOW, &f), ERR_NONE);
	assert_null(require_first(&f, DOOR_WEB));
	p.password_expired = true;
	assert_int_equal(require_facts(w->st, &w->conf, &p, NOW, &f), ERR_NONE);
	assert_int_equal(require_first(&f, DOOR_WEB)->id, REQ_PASSWORD);
	p.role = ROLE_STAFF; /* the terminal has the account phase for it */
	assert_null(require_first(&f, DOOR_PAM));
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_authenticator_remove(w->st, &p.id, &w->a.id));
	assert_int_equal(require_facts(w->st, &w->conf, &p, NOW, &f), ERR_NONE);
	assert_int_equal(require_first(&f, DOOR_WEB)->id, REQ_AUTHENTICATOR); /* in the wizard */
}

static void a_password_is_due_by_word_or_by_age(void **state)
{
	struct world *w = *state;
	struct person p = {.created = NOW};
	w->conf.password_max_days = 10;
	assert_false(policy_password_due(&w->conf, &p, NOW + 20 * 86400)); /* there is none */
	person_set_password(&p, w->hash, NOW + 86400);
	assert_string_equal(p.password, w->hash);
	assert_false(policy_password_due(&w->conf, &p, NOW));
	assert_false(policy_password_due(&w->conf, &p, NOW + 11 * 86400 - 1));
	assert_true(policy_password_due(&w->conf, &p, NOW + 11 * 86400));
	p.password_set = 0; /* not known: no older than the person */
	assert_true(policy_password_due(&w->conf, &p, NOW + 10 * 86400));
	w->conf.password_max_days = 0;
	assert_false(policy_password_due(&w->conf, &p, NOW + 5000 * 86400));
	p.password_expired = true;
	assert_true(policy_password_due(&w->conf, &p, NOW));
	person_set_password(&p, w->hash, NOW);
	assert_false(policy_password_due(&w->conf, &p, NOW));
	assert_int_equal(p.password_set, NOW);
	p.password_expired = true;
	person_set_password(&p, "", NOW);
	assert_true(!p.password[0] && !p.password_set && !p.password_expired);
}

/* The same password in another hash: its age and the admin's word stay. */
static void an_upgraded_hash_is_no_new_password(void **state)
{
	struct world *w = *state;
	struct attempt a;
	person_set_password(
	    &w->p, "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/",
	    NOW - 5);
	w->p.password_expired = true;
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_person_save(w->st, &w->p));
	start(&a, "taro", DOOR_PAM);
	assert_true(password(w, &a, "password", NOW));
	assert_int_equal(store_person_by_id(w->st, &w->p.id, &w->p), ERR_NONE);
	assert_memory_equal(w->p.password, "$y$", 3);
	assert_int_equal(w->p.password_set, NOW - 5);
	assert_true(w->p.password_expired);
}

static void a_ticket_is_of_one_person_service_password_and_moment(void **state)
{
	struct world *w = *state;
	struct ticket t;
	struct person other = w->p;
	bool asked = false;
	assert_int_equal(ticket_make(w->k.seal, &w->p, "sshd", true, NOW, &t), ERR_NONE);
	assert_true(ticket_good(w->k.seal, &w->p, "sshd", t.text, NOW, &asked));
	assert_true(asked);
	assert_true(ticket_good(w->k.seal, &w->p, "sshd", t.text, NOW + TICKET_LIFE - 1, NULL));
	assert_false(ticket_good(w->k.seal, &w->p, "sshd", t.text, NOW + TICKET_LIFE, NULL));
	assert_false(ticket_good(w->k.seal, &w->p, "sshd", t.text, NOW - 1, NULL));
	assert_false(ticket_good(w->k.seal, &w->p, "su", t.text, NOW, NULL));
	assert_false(ticket_good(w->k.seal, &w->p, "sshd", NULL, NOW, NULL));
	other.id.b[15] ^= 1;
	assert_false(ticket_good(w->k.seal, &other, "sshd", t.text, NOW, NULL));
	other = w->p;
	other.password[20] ^= 1;
	assert_false(ticket_good(w->k.seal, &other, "sshd", t.text, NOW, NULL));
	for (size_t i = 0; i < TICKET_TEXT; i++) {
		char was = t.text[i];
		t.text[i] = was == 'A' ? 'Q' : 'A';
		assert_false(ticket_good(w->k.seal, &w->p, "sshd", t.text, NOW, NULL));
		t.text[i] = was;
	}
	assert_int_equal(ticket_make(w->k.seal, &w->p, "sshd", false, NOW, &t), ERR_NONE);
	assert_true(ticket_good(w->k.seal, &w->p, "sshd", t.text, NOW, &asked));
	assert_false(asked);
}

static enum err options(const char *const *list, struct policy_pam *ret, struct errmsg *m)
{
	AUTO_BUF b = BUF_INIT;
	struct wire_msg *w = calloc(1, sizeof *w);
	wire_begin(&b, 1, "begin");
	for (int i = 0; list[i]; i++) {
		char name[16];
		snprintf(name, sizeof name, "opt.%d", i);
		wire_puts(&b, name, list[i]);
	}
	assert_int_equal(wire_end(&b), ERR_NONE);
	assert_int_equal(wire_parse(b.data + WIRE_HEAD, b.len - WIRE_HEAD, w), ERR_NONE);
	enum err e = policy_pam_options(w, ret, m);
	free(w);
	return e;
}

static void options_are_known_or_refused(void **state)
{
	(void)state;
	struct policy_pam p;
	struct errmsg m;
	assert_int_equal(options((const char *[]){NULL}, &p, &m), ERR_NONE);
	assert_int_equal(p.password, POLICY_ASK);
	assert_int_equal(options((const char *[]){"password=skip", NULL}, &p, &m), ERR_NONE);
	assert_int_equal(p.password, POLICY_SKIP);
	static const char *const bad[][3] = {{"passwort=skip"},
					     {"password=no"},
					     {"password"},
					     {"password=skip", "password=skip"},
					     {""},
					     {"=x"},
					     {"passkey=yes"},
					     {"passkey="},
					     {"qr=big"},
					     {"qr=auto", "qr=none"}};
	for (size_t i = 0; i < COUNT(bad); i++) {
		m.text[0] = '\0';
		assert_int_equal(options((const char *[]){bad[i][0], bad[i][1], NULL}, &p, &m), ERR_INVALID);
		assert_true(m.text[0]);
	}
	struct conf conf = {.passkey_pam = NULL};
	char allowed[] = "allowed";
	assert_int_equal(options((const char *[]){"qr=ascii", NULL}, &p, &m), ERR_NONE);
	assert_int_equal(p.qr, QR_ASCII);
	assert_int_equal(policy_passkey(&conf, &p), POLICY_PASSKEY_FORBIDDEN);
	conf.passkey_pam = allowed;
	assert_int_equal(policy_passkey(&conf, &p), POLICY_PASSKEY_ALLOWED);
	assert_int_equal(options((const char *[]){"passkey=forbidden", NULL}, &p, &m), ERR_NONE);
	assert_int_equal(policy_passkey(&conf, &p), POLICY_PASSKEY_FORBIDDEN);
	assert_int_equal(options((const char *[]){"passkey=alone", NULL}, &p, &m), ERR_NONE);
	assert_int_equal(policy_passkey(&conf, &p), POLICY_PASSKEY_ALONE);
	assert_true(policy_names("sshd  other", "other"));
	assert_false(policy_names("sshd other", "oth"));
	assert_false(policy_names("", ""));
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_new, world_gone)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(right_password_and_code_allow_once),
	    T(without_the_password_a_right_code_is_denied_and_kept),
	    T(a_password_changed_meanwhile_is_wrong),
	    T(an_account_closed_meanwhile_is_closed),
	    T(an_initial_password_ends_when_an_own_one_is_stored_meanwhile),
	    T(a_name_cut_short_is_nobody),
	    T(a_clock_that_was_ahead_binds_nobody),
	    T(strangers_and_members_are_nobody_at_the_terminal),
	    T(the_disabled_frozen_and_expired_are_denied),
	    T(waits_are_not_before_times),
	    cmocka_unit_test(waits_grow_to_ten_seconds),
	    T(unknown_names_wait_alike),
	    T(a_wrong_code_waits_and_a_replay_counts),
	    T(recovery_codes_work_once_and_need_an_authenticator),
	    T(a_recovery_code_brings_a_disabled_app_back),
	    T(proof_within_a_session_makes_nothing_known),
	    T(the_initial_password_opens_the_browser_only),
	    T(what_follows_failing_means_not_in_and_code_kept),
	    T(requirements_lead_in_order),
	    T(who_has_no_address_is_asked_no_more),
	    T(a_sheet_that_runs_out_is_renewed_by_who_has_just_proven_it),
	    T(the_admins_code_is_for_the_browser_and_stays),
	    T(a_password_that_is_due_is_asked_of_the_enrolled_only),
	    T(a_password_is_due_by_word_or_by_age),
	    T(an_upgraded_hash_is_no_new_password),
	    T(a_ticket_is_of_one_person_service_password_and_moment),
	    cmocka_unit_test(options_are_known_or_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
