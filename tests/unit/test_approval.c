/* Approvals of a login at the terminal: who gets one, what its digits open and for how long; and how it is shown. */
#include "config.h"

#include "keeper/approval.h"
#include "keeper/come_back.h"
#include "keeper/qr_text.h"
#include "tests/unit/world.h"

static char url[] = "https://login.example.org", host[] = "shell.example.org",
	    networks[] = "198.51.100.0/24 2001:db8::/32";

/* With a passkey. */
static int fresh(void **state)
{
	if (world_new(state))
		return -1;
	struct world *w = *state;
	struct store_passkey k;
	w->conf.url = url;
	w->conf.passkey_host = host;
	w->conf.passkey_same_address = networks;
	memset(&k, 0, sizeof k);
	assert_int_equal(id_new(&k.as.id), ERR_NONE);
	k.as.person = w->p.id;
	k.as.kind = FACTOR_PASSKEY;
	k.as.last_step = -1;
	k.credential.id_len = k.credential.key_len = 32;
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_passkey_add(w->st, &k));
	return 0;
}

static struct approval_request ask(struct world *w, struct attempt *a, bool alone)
{
	struct approval_request r;
	assert_int_equal(approval_request(NOW, NOW, &r), ERR_NONE);
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, approval_put(&w->k, w->st, a, &r, "ss hd", alone));
	a->approval.id = r.id;
	a->approval.alone = alone;
	return r;
}

static enum err find(struct world *w, const struct approval_request *r, struct approval *ret)
{
	return store_approval_find(w->st, r->token, NOW, ret);
}

/* As the page does when its owner's passkey was right. */
static void approve(struct world *w, const struct approval_request *r, char code[static APPROVAL_CODE + 1])
{
	static const uint8_t session[DIGEST_LEN] = {7};
	struct approval row;
	assert_int_equal(find(w, r, &row), ERR_NONE);
	assert_int_equal(approval_code(w->k.seal, &row, session, code), ERR_NONE);
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_approval_approve(w->st, &row, code, NOW));
}

/* Another one of the same person makes other digits of it, which are none. */
static void shown_to_one_session(struct world *w, const struct approval_request *r, const char *code)
{
	static const uint8_t another[DIGEST_LEN] = {8};
	struct approval row;
	char digits[APPROVAL_CODE + 1];
	bool is = false;
	assert_int_equal(find(w, r, &row), ERR_NONE);
	assert_int_equal(store_approval_code_is(w->st, &row, code, &is), ERR_NONE);
	assert_true(is);
	assert_int_equal(approval_code(w->k.seal, &row, another, digits), ERR_NONE);
	assert_int_equal(store_approval_code_is(w->st, &row, digits, &is), ERR_NONE);
	assert_int_equal(is, !strcmp(digits, code));
}

static void who_gets_one(void **state)
{
	struct world *w = *state;
	struct attempt a;
	struct approval row;
	const struct {
		const char *login, *password;
		bool alone, found;
	} cases[] = {{"taro", "right horse", false, true},
		     {"taro", "wrong horse", false, false},
		     {"nobody", "right horse", false, false},
		     {"taro", NULL, true, true},
		     {"taro", NULL, false, false},
		     {"nobody", NULL, true, false}};
	int64_t writes = 0;
	for (size_t i = 0; i < COUNT(cases); i++) {
		start(&a, cases[i].login, DOOR_PAM);
		if (cases[i].password)
			password(w, &a, cases[i].password, NOW + 100 * (int64_t)i);
		int64_t before = store_writes(w->st);
		struct approval_request r = ask(w, &a, cases[i].alone);
		int64_t done = store_writes(w->st) - before;
		assert_true(!i || done == writes);
		writes = done;
		assert_int_equal(find(w, &r, &row), cases[i].found ? ERR_NONE : ERR_NOTFOUND);
		if (cases[i].found) {
			assert_string_equal(row.user, "taro");
			assert_string_equal(row.host, host);
			assert_string_equal(row.service, "ss?hd");
			assert_string_equal(row.from, "192.0.2.1");
		}
	}
	w->p.disabled = true;
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_person_save(w->st, &w->p));
	start(&a, "taro", DOOR_PAM);
	struct approval_request r = ask(w, &a, true);
	assert_int_equal(find(w, &r, &row), ERR_NOTFOUND);
}

static void digits_open_once(void **state)
{
	struct world *w = *state;
	struct attempt a, other;
	char code[APPROVAL_CODE + 1];
	start(&a, "taro", DOOR_PAM);
	assert_true(password(w, &a, "right horse", NOW));
	struct approval_request r = ask(w, &a, false);
	assert_int_equal(factor(w, &a, "123456", NOW), VERDICT_DENY); /* not approved yet */
	approve(w, &r, code);
	shown_to_one_session(w, &r, code);
	other = a;
	memset(&other.approval, 0, sizeof other.approval);
	assert_int_equal(factor(w, &other, code, NOW + 2), VERDICT_DENY); /* of another dialogue */
	other.approval = a.approval;
	other.password_right = false;
	assert_int_equal(factor(w, &other, code, NOW + 2), VERDICT_DENY);
	struct approval row;
	assert_int_equal(find(w, &r, &row), ERR_NONE);
	assert_int_equal(row.state, APPROVAL_USED); /* and spent all the same */

	start(&a, "taro", DOOR_PAM);
	assert_true(password(w, &a, "right horse", NOW + 10));
	r = ask(w, &a, false);
	approve(w, &r, code);
	assert_int_equal(factor(w, &a, code, NOW + 10), VERDICT_ALLOW);
	assert_int_equal(a.right->kind, FACTOR_PASSKEY);
	assert_int_equal(factor(w, &a, code, NOW + 20), VERDICT_DENY);
}

/* Wrong ones were the mailed codes' lane's; it does not keep the digits out. */
static void no_lane_keeps_them_out(void **state)
{
	struct world *w = *state;
	struct attempt a;
	char code[APPROVAL_CODE + 1];
	start(&a, "taro", DOOR_PAM);
	a.asked = FACTOR_MAILCODE;
	assert_true(password(w, &a, "right horse", NOW));
	struct approval_request r = ask(w, &a, false);
	for (int i = 0; i < 5; i++)
		(void)factor(w, &a, "123456", NOW + i * 20);
	approve(w, &r, code);
	char wrong[APPROVAL_CODE + 1];
	memcpy(wrong, code, sizeof wrong);
	wrong[0] = (char)(code[0] == '9' ? '0' : code[0] + 1);
	(void)factor(w, &a, wrong, NOW + 80);
	(void)factor(w, &a, wrong, NOW + 80);
	assert_int_equal(factor(w, &a, code, NOW + 80), VERDICT_ALLOW);
}

static void three_tries_and_a_deadline(void **state)
{
	struct world *w = *state;
	struct attempt a;
	char code[APPROVAL_CODE + 1];
	start(&a, "taro", DOOR_PAM);
	struct approval_request r = ask(w, &a, true);
	approve(w, &r, code);
	assert_int_not_equal(factor(w, &a, code, NOW + APPROVAL_LIFE), VERDICT_ALLOW);
	assert_int_not_equal(factor(w, &a, "", NOW), VERDICT_ALLOW);
	assert_int_not_equal(factor(w, &a, "", NOW), VERDICT_ALLOW);
	assert_int_equal(factor(w, &a, code, NOW + APPROVAL_LIFE - 1), VERDICT_ALLOW);
	r = ask(w, &a, true);
	approve(w, &r, code);
	for (int i = 0; i < 3; i++)
		assert_int_not_equal(factor(w, &a, "x", NOW), VERDICT_ALLOW);
	assert_int_not_equal(factor(w, &a, code, NOW), VERDICT_ALLOW);

	assert_int_equal(approval_request(NOW, NOW + 5, &r), ERR_NONE);
	assert_int_equal(r.expires, NOW + 5 + APPROVAL_LIFE);
	assert_int_equal(approval_request(NOW, NOW + 60, &r), ERR_NONE);
	assert_int_equal(r.expires, NOW + APPROVAL_DIALOGUE);
}

/* Whose passkey was removed has approved nothing any more. */
static void gone_with_the_passkey(void **state)
{
	struct world *w = *state;
	struct store_passkey k;
	struct attempt a;
	struct approval row;
	char code[APPROVAL_CODE + 1];
	size_t n = 0;
	start(&a, "taro", DOOR_PAM);
	assert_true(password(w, &a, "right horse", NOW));
	struct approval_request r = ask(w, &a, false);
	approve(w, &r, code);
	assert_int_equal(store_passkeys(w->st, &w->p.id, &k, 1, &n), ERR_NONE);
	assert_int_equal(n, 1);
	/* another way of theirs changes nothing */
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_authenticator_remove(w->st, &w->p.id, &w->a.id));
	assert_int_equal(find(w, &r, &row), ERR_NONE);
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_authenticator_remove(w->st, &w->p.id, &k.as.id));
	assert_int_equal(find(w, &r, &row), ERR_NOTFOUND);
	assert_int_equal(factor(w, &a, code, NOW + 2), VERDICT_DENY);
}

static void what_is_signed(void **state)
{
	struct approval a, b;
	uint8_t first[32], then[32];
	(void)state;
	memset(&a, 1, sizeof a);
	strcpy(a.user, "taro");
	strcpy(a.host, "host");
	strcpy(a.service, "sshd");
	assert_int_equal(approval_challenge(&a, first), ERR_NONE);
	for (int i = 0; i < 6; i++) {
		b = a;
		switch (i) {
		case 0:
			b.nonce[31] ^= 1;
			break;
		case 1:
			b.id.b[0] ^= 1;
			break;
		case 2:
			strcpy(b.user, "tarO");
			break;
		case 3:
			strcpy(b.host, "hos");
			strcpy(b.service, "tsshd");
			break;
		case 4:
			strcpy(b.service, "su");
			break;
		default:
			b.expires++; /* is not */
		}
		assert_int_equal(approval_challenge(&b, then), ERR_NONE);
		assert_int_equal(memcmp(first, then, 32) == 0, i == 5);
	}
}

static void addresses(void **state)
{
	const struct {
		const char *typed, *token;
	} cases[] = {{"abcd-efgh-jkmn-pqrs", "abcdefghjkmnpqrs"},
		     {"ABCDEFGHJKMNPQRS", "abcdefghjkmnpqrs"},
		     {"Obcd-efgh-jkmn-pqrs", "0bcdefghjkmnpqrs"},
		     {"abcd-efgh-jkmn-pqr", NULL},
		     {"abcd-efgh-jkmn-pqrss", NULL},
		     {"abcd-efgh-jkmn-pqr/", NULL},
		     {"abcd-efgh-jkmn-pqrl", NULL},
		     {"", NULL}};
	struct conf c = {.url = url};
	struct approval_request r = {.token = "abcdefghjkmnpqrs"};
	AUTO_BUF shown = BUF_INIT;
	AUTO_BUF capitals = BUF_INIT;
	char token[APPROVAL_TOKEN + 1], back[COME_BACK_MAX], path[COME_BACK_MAX] = "before";
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(approval_token(cases[i].typed, token), cases[i].token != NULL);
		if (cases[i].token)
			assert_string_equal(token, cases[i].token);
	}
	approval_url(&c, &r, &shown);
	approval_url_qr(&c, &r, &capitals);
	assert_string_equal(buf_str(&shown), "https://login.example.org/approve/abcd-efgh-jkmn-pqrs");
	assert_string_equal(buf_str(&capitals), "HTTPS://LOGIN.EXAMPLE.ORG/APPROVE/ABCDEFGHJKMNPQRS");

	come_back_approval(r.token, back);
	assert_true(come_back_path(back, path));
	assert_string_equal(path, "/approve/abcdefghjkmnpqrs");
	static const char *const bad[] = {"approve-",
					  "approve-//evil.example",
					  "/approve/abcdefghjkmnpqrs",
					  "approve-abcdefghjkmnpqr\n",
					  "other-abcdefghjkmnpqrs",
					  ""};
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(come_back_path(bad[i], path));
	assert_false(come_back_path(NULL, path));
}

static void only_from_where_it_began(void **state)
{
	const struct {
		const char *from, *at;
		bool elsewhere;
	} cases[] = {{"192.0.2.1", "203.0.113.9", false},
		     {"198.51.100.7", "198.51.100.7", false},
		     {"198.51.100.7", "198.51.100.8", true},
		     {"198.51.100.7", "", true},
		     {"2001:db8::1", "2001:db8:0::1", false},
		     {"2001:db8::1", "2001:db8::2", true},
		     {"", "198.51.100.7", false},
		     {"host.example", "198.51.100.7", false},
		     {"198.51.100.7", "::ffff:198.51.100.7", false}};
	struct conf c = {.passkey_same_address = networks};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct approval a = {.state = APPROVAL_WAITING};
		snprintf(a.from, sizeof a.from, "%s", cases[i].from);
		assert_int_equal(approval_elsewhere(&c, &a, cases[i].at), cases[i].elsewhere);
	}
}

static void pictures(void **state)
{
	static const char text[] = "HTTPS://LOGIN.EXAMPLE.ORG/APPROVE/ABCDEFGHJKMNPQRS";
	AUTO_BUF b = BUF_INIT;
	char large[201];
	(void)state;
	assert_int_equal(qr_text(text, QR_UTF8, &b), ERR_NONE);
	size_t lines = 0;
	for (const char *p = buf_str(&b); *p; p = strchr(p, '\n') + 1, lines++)
		if (lines == 0) /* quiet zone: 33 full blocks */
			assert_int_equal(strcspn(p, "\n"), 33 * 3);
	assert_int_equal(lines, 17);
	buf_wipe(&b);
	assert_int_equal(qr_text(text, QR_ASCII, &b), ERR_NONE);
	assert_int_equal(b.len, 33 * (66 + 1));
	buf_wipe(&b);
	assert_int_equal(qr_text(text, QR_NONE, &b), ERR_NONE);
	assert_int_equal(b.len, 0);
	memset(large, 'A', sizeof large - 1);
	large[sizeof large - 1] = '\0';
	assert_int_equal(qr_text(large, QR_ASCII, &b), ERR_TOOBIG);
	assert_int_equal(b.len, 0);
	assert_int_equal(qr_form_for("ssh"), QR_UTF8);
	assert_int_equal(qr_form_for("/dev/pts/3"), QR_UTF8);
	assert_int_equal(qr_form_for("pts/3"), QR_UTF8);
	assert_int_equal(qr_form_for("tty1"), QR_NONE);
	assert_int_equal(qr_form_for(""), QR_NONE);
}

#define WORLD(f) cmocka_unit_test_setup_teardown(f, fresh, world_gone)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD(who_gets_one),	   WORLD(digits_open_once),
	    WORLD(no_lane_keeps_them_out), WORLD(three_tries_and_a_deadline),
	    WORLD(gone_with_the_passkey),  cmocka_unit_test(what_is_signed),
	    cmocka_unit_test(addresses),   cmocka_unit_test(only_from_where_it_began),
	    cmocka_unit_test(pictures),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
