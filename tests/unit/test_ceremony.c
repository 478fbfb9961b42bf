/* Challenges, and who asks. */
#include "config.h"

#include "store.h"

#include "keeper/ceremony.h"

#define TOKEN "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static struct challenge fresh(struct fixture *f, const struct id *who, char text[static CHALLENGE_TEXT + 1])
{
	struct challenge c;

	OK(challenge_new(f->seal, CEREMONY_PROOF, TOKEN, who, NOW, &c));
	OK(challenge_text(&c, text));
	return c;
}

static void for_one_thing_only(void **state)
{
	struct fixture *f = *state;
	const struct id who = {{1}}, other = {{2}};
	char text[CHALLENGE_TEXT + 1], more[CHALLENGE_TEXT + 2], changed[CHALLENGE_TEXT + 1];
	struct challenge c = fresh(f, &who, text), got;

	OK(challenge_open(f->seal, CEREMONY_PROOF, TOKEN, &who, text, NOW, &got));
	assert_memory_equal(&c, &got, sizeof c);
	assert_int_equal(challenge_open(f->seal, CEREMONY_LOGIN, TOKEN, &who, text, NOW, &got), ERR_DENIED);
	assert_int_equal(challenge_open(f->seal, CEREMONY_PROOF, "B" TOKEN, &who, text, NOW, &got), ERR_DENIED);
	assert_int_equal(challenge_open(f->seal, CEREMONY_PROOF, TOKEN, &other, text, NOW, &got), ERR_DENIED);
	assert_int_equal(challenge_open(f->seal, CEREMONY_PROOF, TOKEN, NULL, text, NOW, &got), ERR_DENIED);
	assert_int_equal(challenge_open(f->seal, CEREMONY_PROOF, TOKEN, &who, "", NOW, &got), ERR_DENIED);
	snprintf(more, sizeof more, "%sA", text);
	assert_int_equal(challenge_open(f->seal, CEREMONY_PROOF, TOKEN, &who, more, NOW, &got), ERR_DENIED);
	for (size_t i = 0; i < CHALLENGE_TEXT; i++) {
		memcpy(changed, text, sizeof changed);
		changed[i] = changed[i] == 'A' ? 'B' : 'A';
		assert_int_equal(challenge_open(f->seal, CEREMONY_PROOF, TOKEN, &who, changed, NOW, &got), ERR_DENIED);
	}
}

static void for_two_minutes(void **state)
{
	struct fixture *f = *state;
	const struct id who = {{1}};
	char text[CHALLENGE_TEXT + 1];
	struct challenge got;

	(void)fresh(f, &who, text);
	OK(challenge_open(f->seal, CEREMONY_PROOF, TOKEN, &who, text, NOW + CEREMONY_LIFE - 1, &got));
	assert_int_equal(challenge_open(f->seal, CEREMONY_PROOF, TOKEN, &who, text, NOW + CEREMONY_LIFE, &got),
			 ERR_TIMEOUT);
	/* made by a clock that was ahead */
	assert_int_equal(challenge_open(f->seal, CEREMONY_PROOF, TOKEN, &who, text, NOW - 1, &got), ERR_TIMEOUT);
}

static void never_the_same_and_once(void **state)
{
	struct fixture *f = *state;
	const struct id who = {{1}};
	char one[CHALLENGE_TEXT + 1], two[CHALLENGE_TEXT + 1];
	struct challenge a = fresh(f, &who, one), b = fresh(f, &who, two);

	assert_string_not_equal(one, two);
	OK(store_begin(f->st));
	OK(challenge_spend(f->st, &a));
	OK(challenge_spend(f->st, &b));
	assert_int_equal(challenge_spend(f->st, &a), ERR_EXISTS);
	OK(store_commit(f->st));
}

static void who_asks(void **state)
{
	static char url[] = "https://login.example.jp:8443", none[] = "", parent[] = "example.jp",
		    more[] = "https://a.example.jp https://b.example.jp:1234";
	struct conf conf = {.url = url, .passkey_rp_id = none, .passkey_origins = none};
	struct relying_party rp;

	(void)state;
	relying_party(&conf, &rp);
	assert_string_equal(rp.id, "login.example.jp");
	assert_string_equal(rp.origin[0], url);
	assert_null(rp.origin[1]);
	conf.passkey_rp_id = parent;
	conf.passkey_origins = more;
	relying_party(&conf, &rp);
	assert_string_equal(rp.id, parent);
	assert_string_equal(rp.origin[1], "https://a.example.jp");
	assert_string_equal(rp.origin[2], "https://b.example.jp:1234");
	assert_null(rp.origin[3]);
}

static void the_same_handle(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "hanako"), q = person_add(f, "taro");
	uint8_t a[PASSKEY_USER_LEN], b[PASSKEY_USER_LEN], other[PASSKEY_USER_LEN];
	struct store_passkey k = {.as = authenticator_make(&p), .credential = {.id_len = 1, .key_len = 1}};

	OK(ceremony_user(f->st, f->seal, &p.id, a));
	OK(ceremony_user(f->st, f->seal, &p.id, b));
	OK(ceremony_user(f->st, f->seal, &q.id, other));
	assert_memory_equal(a, b, sizeof a);
	assert_memory_not_equal(a, other, sizeof a);
	/* the one that their devices know, whatever we would make today */
	k.as.kind = FACTOR_PASSKEY;
	memset(k.user, 0x33, sizeof k.user);
	OK(store_begin(f->st));
	OK(store_passkey_add(f->st, &k));
	OK(store_commit(f->st));
	OK(ceremony_user(f->st, f->seal, &p.id, a));
	assert_memory_equal(a, k.user, sizeof a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(for_one_thing_only), TEST(for_two_minutes),	  TEST(never_the_same_and_once),
	    TEST(the_same_handle),    cmocka_unit_test(who_asks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
