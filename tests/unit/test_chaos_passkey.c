/* A passkey that is registered and one that logs in, in the browser and on a security key, while each call fails in
 * turn: what was said is so, a signature serves once, and nobody is shut out. */
#include "config.h"

#include "chaos.h"
#include "common/base64url.h"
#include "keeper/ceremony.h"
#include "passkey_make.h"
#include <sys/stat.h>

#define TARO "(SELECT id FROM person WHERE login = 'taro')"

enum { IN = 1, OUT = 2 };

static struct chaos *c0;
static char cookie[64], csrf[64];
static struct id taro;

/* What a device answers, as the fields of a form. */
struct answer {
	char challenge[CHALLENGE_TEXT + 1];
	struct buf id, client, auth, object, signature;
};
static struct answer last;

static void put(struct buf *ret, const struct buf *bytes)
{
	buf_wipe(ret);
	base64url_encode(ret, bytes->data, bytes->len);
}

/* Made with failures paused: the device is not ours. */
static void answer(struct chaos *c, enum ceremony what, struct answer *ret)
{
	struct make m = {.origin = "http://localhost:8480", .rp_id = "localhost", .challenge = ret->challenge};
	struct challenge ch;
	struct made made;

	OK(challenge_new(c->k.seal, what, c->cookie, what == CEREMONY_REGISTER ? &taro : NULL, CHAOS_NOW, &ch));
	OK(challenge_text(&ch, ret->challenge));
	if (what == CEREMONY_REGISTER)
		make_registration(&m, &made);
	else
		make_assertion(&m, &made);
	put(&ret->id, &made.id);
	put(&ret->client, &made.client);
	put(&ret->auth, &made.auth);
	put(&ret->object, &made.object);
	put(&ret->signature, &made.signature);
	made_free(&made);
}

static bool post_login(struct chaos *c, const struct answer *a)
{
	return chaos_post(c, "login.passkey", "challenge", a->challenge, "id", buf_str(&a->id), "client_data",
			  buf_str(&a->client), "auth_data", buf_str(&a->auth), "signature", buf_str(&a->signature),
			  "user_handle",
			  "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQg",
			  NULL) &&
	       chaos_at(c, "/");
}

static bool post_new(struct chaos *c, const struct answer *a)
{
	return chaos_post(c, "passkey", "name", "phone", "challenge", a->challenge, "client_data", buf_str(&a->client),
			  "attestation", buf_str(&a->object), "transports", "internal", NULL) &&
	       chaos_at(c, "/");
}

static void use_page(struct chaos *c)
{
	memcpy(c->cookie, cookie, sizeof cookie);
	memcpy(c->csrf, csrf, sizeof csrf);
}

static void keep_page(const struct chaos *c)
{
	memcpy(cookie, c->cookie, sizeof cookie);
	memcpy(csrf, c->csrf, sizeof csrf);
}

static bool prepared(struct chaos *c, enum ceremony what)
{
	fault_pause();
	if (c->open)
		answer(c, what, &last);
	fault_resume();
	return c->open;
}

/* ---- logging in ---- */

static void login_job(struct chaos *c, int *told)
{
	bool page = chaos_get(c, "login");

	keep_page(c);
	*told = page && prepared(c, CEREMONY_LOGIN) && post_login(c, &last) ? IN : OUT;
}

static void login_judge(struct chaos *c, int told)
{
	int64_t spent = chaos_sql(c, "SELECT count(*) FROM spent");

	assert_in_range(spent, told == IN, 1);
	assert_int_equal(spent, chaos_sql(c, "SELECT count(*) FROM audit WHERE event = 'login.allow'"));
	if (told == IN) {
		use_page(c);
		assert_false(post_login(c, &last));
	}
	c->cookie[0] = c->csrf[0] = '\0';
	fault_clock(CHAOS_NOW);
	assert_true(chaos_get(c, "login"));
	answer(c, CEREMONY_LOGIN, &last);
	/* the same counter as before: noted, and let in */
	assert_true(post_login(c, &last));
}

/* ---- registering ---- */

static void register_job(struct chaos *c, int *told)
{
	use_page(c);
	*told = prepared(c, CEREMONY_REGISTER) && post_new(c, &last) ? IN : OUT;
}

static void register_judge(struct chaos *c, int told)
{
	int64_t n = chaos_sql(c, "SELECT count(*) FROM passkey WHERE person = " TARO);

	assert_in_range(n, told == IN, 1);
	assert_int_equal(n, chaos_sql(c, "SELECT count(*) FROM authenticator WHERE kind = 4"));
	assert_int_equal(n, chaos_sql(c, "SELECT count(*) FROM audit WHERE event = 'passkey.registered'"));
	if (n == 0) {
		fault_clock(CHAOS_NOW);
		use_page(c);
		answer(c, CEREMONY_REGISTER, &last);
		assert_true(post_new(c, &last));
	}
}

static void register_begin(struct chaos *c)
{
	struct person p;

	assert_true(chaos_web_password(c, "taro", CHAOS_PASSWORD));
	assert_true(chaos_get(c, "code") && chaos_post(c, "code", "code", chaos_code(CHAOS_NOW), NULL));
	assert_true(chaos_get(c, "account"));
	keep_page(c);
	OK(store_person_by_login(c->st, "taro", &p));
	taro = p.id;
}

static void registering(void **state)
{
	static const struct chaos_job j = {"registering a passkey", register_job, register_judge, IN};

	(void)state;
	fault_clock(CHAOS_NOW);
	chaos_start(c0, true);
	register_begin(c0);
	chaos_keep(c0);
	chaos_run(c0, &j);
}

/* Taro's, in what each run finds. */
static void begin_with_passkey(void)
{
	struct store_passkey k = {.as = {.kind = FACTOR_PASSKEY, .confirmed = true, .name = "phone", .last_step = -1}};
	AUTO_BUF cose = BUF_INIT;
	struct person p;
	struct made m;

	fault_clock(CHAOS_NOW);
	chaos_start(c0, true);
	make_registration(&(struct make){.alg = 0}, &m);
	make_cose(PASSKEY_ES256, make_key(PASSKEY_ES256), &cose);
	k.credential.alg = PASSKEY_ES256;
	k.credential.id_len = m.id.len;
	memcpy(k.credential.id, m.id.data, m.id.len);
	k.credential.key_len = cose.len;
	memcpy(k.credential.key, cose.data, cose.len);
	memset(k.user, 0x42, sizeof k.user);
	made_free(&m);
	OK(store_person_by_login(c0->st, "taro", &p));
	k.as.person = p.id;
	OK(id_new(&k.as.id));
	OK(store_begin(c0->st));
	OK(store_passkey_add(c0->st, &k));
	OK(store_commit(c0->st));
	chaos_keep(c0);
}

static void logging_in(void **state)
{
	static const struct chaos_job j = {"a passkey logs in", login_job, login_judge, IN};

	(void)state;
	begin_with_passkey();
	chaos_run(c0, &j);
}

/* ---- at the console ---- */

static uint8_t hash[32]; /* that was signed last */

static void put_signed(struct buf *answer)
{
	AUTO_BUF bytes = BUF_INIT;
	AUTO_BUF signature = BUF_INIT;
	struct made m;

	make_assertion(&(struct make){.origin = "http://localhost:8480", .rp_id = "localhost", .challenge = ""}, &m);
	buf_add(&bytes, m.auth.data, m.auth.len);
	buf_add(&bytes, hash, sizeof hash);
	make_sign(PASSKEY_ES256, make_key(PASSKEY_ES256), bytes.data, bytes.len, &signature);
	wire_puts(answer, "status", "ok");
	wire_put(answer, "id", m.id.data, m.id.len);
	wire_put(answer, "authdata", m.auth.data, m.auth.len);
	wire_put(answer, "signature", signature.data, signature.len);
	made_free(&m);
}

static void sign(struct chaos *c, const struct wire_msg *asked, struct buf *answer)
{
	const struct wire_field *f = wire_get(asked, "hash");

	(void)c;
	assert_true(f && f->len == sizeof hash && memcmp(f->data, hash, sizeof hash) != 0);
	assert_string_equal(wire_str(asked, "rp_id"), "localhost");
	memcpy(hash, f->data, sizeof hash);
	put_signed(answer);
}

static void sign_again(struct chaos *c, const struct wire_msg *asked, struct buf *answer)
{
	(void)c;
	(void)asked;
	put_signed(answer);
}

static void console_job(struct chaos *c, int *told)
{
	*told = (int)chaos_pam_key(c, "taro", CHAOS_PASSWORD, sign);
}

static void console_judge(struct chaos *c, int told)
{
	int64_t in = chaos_sql(c, "SELECT count(*) FROM audit WHERE event = 'login.allow'");

	assert_int_not_equal(told, VERDICT_IGNORE);
	assert_in_range(in, told == VERDICT_ALLOW, 1);
	fault_clock(CHAOS_NOW + 60); /* whoever was refused need not wait any more */
	assert_int_equal(chaos_pam_key(c, "taro", CHAOS_PASSWORD, sign_again), VERDICT_DENY);
	assert_int_equal(chaos_pam_key(c, "taro", "wrong horse", sign), VERDICT_DENY);
	fault_clock(CHAOS_NOW + 120);
	assert_int_equal(chaos_pam_key(c, "taro", CHAOS_PASSWORD, sign), VERDICT_ALLOW);
}

static void console(void **state)
{
	static const struct chaos_job j = {"a security key at the console", console_job, console_judge, VERDICT_ALLOW};

	(void)state;
	begin_with_passkey();
	chaos_run(c0, &j);
}

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
	    cmocka_unit_test_setup_teardown(registering, fresh, gone),
	    cmocka_unit_test_setup_teardown(logging_in, fresh, gone),
	    cmocka_unit_test_setup_teardown(console, fresh, gone),
	};

	umask(022);
	fault_install();
	int r = cmocka_run_group_tests_name("every call fails", tests, NULL, NULL);
	for (struct buf *b = &last.id; b <= &last.signature; b++)
		buf_free(b);
	make_keys_free();
	return r;
}
