/* A passkey as the factor of an attempt: once, by its owner, as the configuration says. */
#include "config.h"

#include "common/base64url.h"
#include "keeper/attempt.h"
#include "passkey_make.h"
#include "store.h"

static char note[] = "note", refuse[] = "refuse", ja[] = "ja", nothing[] = "", sender[] = "no-reply@example.jp",
	    no[] = "no", url[] = MAKE_ORIGIN, rp_id[] = MAKE_RP;

static struct conf conf_of(char *counter)
{
	return (struct conf){.url = url,
			     .language = ja,
			     .organisation = nothing,
			     .contact = nothing,
			     .passkey_host = nothing,
			     .mail_from = sender,
			     .mail_list_unsubscribe = nothing,
			     .mail_code_in_subject = no,
			     .notice_new_login = no,
			     .passkey_rp_id = rp_id,
			     .passkey_origins = nothing,
			     .passkey_counter = counter};
}

/* Somebody with the generator's passkey. */
static struct person owner(struct fixture *f, const char *login, enum role role)
{
	struct person p = person_make(login);
	struct store_passkey k = {.as = authenticator_make(&p)};
	AUTO_BUF cose = BUF_INIT;
	struct made m;

	p.role = role;
	p.email_verified = true;
	make_registration(&(struct make){.alg = 0}, &m);
	make_cose(PASSKEY_ES256, make_key(PASSKEY_ES256), &cose);
	k.as.kind = FACTOR_PASSKEY;
	k.as.secret_len = 0;
	k.credential.alg = PASSKEY_ES256;
	k.credential.id_len = m.id.len;
	memcpy(k.credential.id, m.id.data, m.id.len);
	k.credential.key_len = cose.len;
	memcpy(k.credential.key, cose.data, cose.len);
	k.credential.sign_count = 3;
	memset(k.user, 0x42, sizeof k.user);
	OK(store_begin(f->st));
	OK(store_person_add(f->st, &p));
	OK(store_passkey_add(f->st, &k));
	OK(store_commit(f->st));
	made_free(&m);
	return p;
}

struct asked {
	const char *login; /* "": whoever it is */
	enum door door;
	bool no_password, no_handle;
	char *counter;
	struct make make;
	attempt_within within;
	/* what came out */
	struct assertion x;
	char found[LOGIN_MAX + 1];
};

static enum verdict signed_for(struct fixture *f, struct asked *q, const struct challenge *c)
{
	static uint8_t handle[PASSKEY_USER_LEN];
	char text[CHALLENGE_TEXT + 1];
	struct conf conf = conf_of(q->counter ? q->counter : note);
	struct keeper k = {.conf = &conf, .seal = f->seal};
	struct origin o = {.teaches = true};
	struct attempt a;
	struct made m;

	OK(challenge_text(c, text));
	q->make.challenge = text;
	make_assertion(&q->make, &m);
	memset(handle, 0x42, sizeof handle);
	struct passkey_assertion r = {
	    make_view(&m.id), make_view(&m.client), make_view(&m.auth), make_view(&m.signature), {NULL, 0}};
	if (!q->no_handle)
		r.user_handle = (struct passkey_bytes){handle, sizeof handle};
	q->x = (struct assertion){.r = &r, .challenge = {c->b, sizeof c->b}, .spend = c};
	attempt_init(&a, q->door ? q->door : DOOR_WEB, "web", &o, q->login);
	a.password_right = !q->no_password;
	enum verdict v = attempt_passkey(&k, f->st, &a, &q->x, NOW, q->within, f);
	snprintf(q->found, sizeof q->found, "%s", a.login);
	q->x.r = NULL;
	made_free(&m);
	attempt_clear(&a);
	return v;
}

static enum verdict asked(struct fixture *f, struct asked *q)
{
	struct challenge c;

	OK(challenge_new(f->seal, CEREMONY_LOGIN, "token", NULL, NOW, &c));
	return signed_for(f, q, &c);
}

static int64_t number(struct fixture *f, const char *sql)
{
	sqlite3 *sq = NULL;
	sqlite3_stmt *s = NULL;

	assert_int_equal(sqlite3_open_v2(f->path, &sq, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(sq, sql, -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	int64_t n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	sqlite3_close(sq);
	return n;
}

#define EVENTS(f, event) number(f, "SELECT count(*) FROM audit WHERE event = '" event "'")

static void whoever_has_it(void **state)
{
	struct fixture *f = *state;
	struct asked q = {.login = ""};

	(void)owner(f, "hanako", ROLE_MEMBER);
	assert_int_equal(asked(f, &q), VERDICT_ALLOW);
	assert_string_equal(q.found, "hanako");
	assert_int_equal(EVENTS(f, "login.allow"), 1);
	assert_int_equal(number(f, "SELECT sign_count FROM passkey"), MAKE_COUNT);
	/* the terminal knows no members, and nobody who has no password right */
	q = (struct asked){.login = "hanako", .door = DOOR_PAM, .make = {.count = 8}};
	assert_int_equal(asked(f, &q), VERDICT_DENY);
	assert_int_equal(q.x.check, PASSKEY_NOT_ASKED);
	q = (struct asked){.login = "hanako", .no_password = true, .make = {.count = 8}};
	assert_int_equal(asked(f, &q), VERDICT_DENY);
	assert_int_equal(q.x.check, PASSKEY_OK);
	assert_int_equal(number(f, "SELECT sign_count FROM passkey"), MAKE_COUNT);
	assert_int_equal(number(f, "SELECT count(*) FROM spent"), 1);
}

static void by_its_owner_alone(void **state)
{
	struct fixture *f = *state;
	struct person p = owner(f, "hanako", ROLE_STAFF);
	struct asked q = {.login = "taro"};

	(void)person_add(f, "taro");
	assert_int_equal(asked(f, &q), VERDICT_DENY);
	assert_int_equal(q.x.check, PASSKEY_NOT_ASKED);
	q = (struct asked){.login = "nobody"};
	assert_int_equal(asked(f, &q), VERDICT_DENY);
	q = (struct asked){.login = "", .no_handle = true};
	assert_int_equal(asked(f, &q), VERDICT_DENY);
	assert_int_equal(q.x.check, PASSKEY_USER_HANDLE);
	q = (struct asked){.login = "hanako", .no_handle = true, .door = DOOR_PAM};
	assert_int_equal(asked(f, &q), VERDICT_ALLOW);
	p.disabled = true;
	OK(store_begin(f->st));
	OK(store_person_save(f->st, &p));
	OK(store_commit(f->st));
	q = (struct asked){.login = "", .make = {.count = 9}};
	assert_int_equal(asked(f, &q), VERDICT_DENY);
	assert_false(q.x.unknown);
}

static void unknown(void **state)
{
	struct fixture *f = *state;
	struct asked q = {.login = ""};

	assert_int_equal(asked(f, &q), VERDICT_DENY);
	assert_true(q.x.unknown);
	/* strangers write nothing */
	assert_int_equal(number(f, "SELECT count(*) FROM audit"), 0);
	assert_int_equal(number(f, "SELECT count(*) FROM spent"), 0);
}

static void once(void **state)
{
	struct fixture *f = *state;
	struct challenge c;
	struct asked q = {.login = ""};

	(void)owner(f, "hanako", ROLE_MEMBER);
	OK(challenge_new(f->seal, CEREMONY_LOGIN, "token", NULL, NOW, &c));
	assert_int_equal(signed_for(f, &q, &c), VERDICT_ALLOW);
	q.make.count = 8;
	assert_int_equal(signed_for(f, &q, &c), VERDICT_DENY);
	assert_int_equal(q.x.check, PASSKEY_CHALLENGE);
	assert_int_equal(EVENTS(f, "passkey.wrong"), 1);
	assert_int_equal(number(f, "SELECT sign_count FROM passkey"), MAKE_COUNT);
}

static void wrong(void **state)
{
	struct fixture *f = *state;
	const struct {
		struct make make;
		enum passkey_check check;
	} t[] = {
	    {{.origin = "https://evil.example"}, PASSKEY_ORIGIN},
	    {{.rp_id = "example.com"}, PASSKEY_RP},
	    {{.flags = 0x01}, PASSKEY_UV},
	    {{.flags = 0x04}, PASSKEY_UP},
	    {{.flags = 0x0d}, PASSKEY_ELIGIBILITY},
	    {{.signer = make_key(PASSKEY_ES384)}, PASSKEY_SIGNATURE},
	};

	(void)owner(f, "hanako", ROLE_MEMBER);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct asked q = {.login = "", .make = t[i].make};

		assert_int_equal(asked(f, &q), VERDICT_DENY);
		assert_int_equal(q.x.check, t[i].check);
	}
	assert_int_equal(EVENTS(f, "passkey.wrong"), sizeof t / sizeof *t);
	assert_int_equal(number(f, "SELECT count(*) FROM spent"), 0);
}

/* Whoever sends many fills no log, and keeps the owner out of nothing. */
static void many_wrong(void **state)
{
	struct fixture *f = *state;
	struct asked q;

	(void)owner(f, "hanako", ROLE_MEMBER);
	for (int i = 0; i < 60; i++) {
		q = (struct asked){.login = "", .make = {.flags = 0x01}};
		assert_int_equal(asked(f, &q), VERDICT_DENY);
	}
	assert_int_equal(EVENTS(f, "passkey.wrong"), 50);
	assert_int_equal(number(f, "SELECT count(*) FROM counter"), 1);
	q = (struct asked){.login = ""};
	assert_int_equal(asked(f, &q), VERDICT_ALLOW);
}

static void a_counter_that_goes_back(void **state)
{
	struct fixture *f = *state;
	struct asked q = {.login = "", .make = {.count = 2}};

	(void)owner(f, "hanako", ROLE_MEMBER);
	assert_int_equal(asked(f, &q), VERDICT_ALLOW);
	assert_int_equal(number(f, "SELECT sign_count FROM passkey"), 3);
	assert_int_equal(EVENTS(f, "passkey.counter"), 1);
	assert_int_equal(number(f, "SELECT count(*) FROM outbox"), 1);
	q.counter = refuse;
	assert_int_equal(asked(f, &q), VERDICT_DENY);
	assert_int_equal(EVENTS(f, "passkey.counter"), 2);
	q.make.count = 4;
	assert_int_equal(asked(f, &q), VERDICT_ALLOW);
}

static enum err stops(struct store *st, const struct person *p, void *arg)
{
	(void)st;
	(void)p;
	(void)arg;
	return ERR_DENIED;
}

static void what_follows_may_refuse(void **state)
{
	struct fixture *f = *state;
	struct asked q = {.login = "", .within = stops};

	(void)owner(f, "hanako", ROLE_MEMBER);
	assert_int_equal(asked(f, &q), VERDICT_DENY);
	assert_int_equal(number(f, "SELECT count(*) FROM spent"), 0);
	assert_int_equal(EVENTS(f, "login.allow"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(whoever_has_it),
	    TEST(by_its_owner_alone),
	    TEST(unknown),
	    TEST(once),
	    TEST(wrong),
	    TEST(many_wrong),
	    TEST(a_counter_that_goes_back),
	    TEST(what_follows_may_refuse),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	make_keys_free();
	return r;
}
