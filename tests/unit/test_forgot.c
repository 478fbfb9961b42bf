/* Who asks for a forgotten password: what strangers use up is theirs, what a known browser or address has is its own.
 */
#include "config.h"

#include "keeper/forgot.h"
#include "keeper/limits.h"
#include "store.h"

#define HOUR 3600

static char exempt[] = "198.51.100.0/24";
static const struct conf conf = {.limits_exempt = exempt, .web_trusted_proxies = exempt + sizeof exempt - 1};
static const struct forgot_name name = {.login = "taro"};

#define TX(f, call)                                                                                                    \
	({                                                                                                             \
		OK(store_begin((f)->st));                                                                              \
		enum err result_ = (call);                                                                             \
		OK(store_commit((f)->st));                                                                             \
		result_;                                                                                               \
	})

static struct origin at(const char *address)
{
	struct origin o;

	origin_browser(&o, &conf, address);
	return o;
}

/* The asker that a browser is for this person, or for the bucket of the name if NULL. */
static struct forgot_asker asker(struct fixture *f, const struct person *p, const struct origin *o, int browser)
{
	struct keeper k = {.conf = &conf, .seal = f->seal};
	const uint8_t d[DIGEST_LEN] = {(uint8_t)browser};
	struct forgot_asker a;
	struct id owner;

	OK(limits_bucket(f->seal, name.login, &owner));
	OK(forgot_asker(&k, f->st, &name, o, d, p != NULL, p ? &p->id : &owner, NOW, &a));
	return a;
}

static enum err mail(struct fixture *f, const struct person *p, const struct origin *o, int64_t now)
{
	struct forgot_asker a = asker(f, p, o, 1);

	OK(store_begin(f->st));
	enum err e = forgot_take_mail(f->st, f->seal, &a, now);
	if (e)
		store_rollback(f->st);
	else
		OK(store_commit(f->st));
	return e;
}

static void learn(struct fixture *f, const struct person *p, const struct origin *o)
{
	struct learned new;

	OK(TX(f, limits_learn(f->st, f->seal, o, &p->id, NOW, &new)));
}

/* 5, a minute apart. */
static void use_up(struct fixture *f, const struct person *p, const struct origin *o)
{
	for (int i = 0; i < 5; i++)
		OK(mail(f, p, o, NOW + (int64_t)60 * i));
	assert_int_equal(mail(f, p, o, NOW + 1000), ERR_DENIED);
}

static void mails_of_strangers_are_not_the_owners(void **state)
{
	struct fixture *f = *state;
	struct person p = person_add(f, "taro"), q = person_add(f, "hana");
	struct origin home = at("192.0.2.1"), away = at("192.0.2.2"), stranger = at("192.0.2.66"), nowhere = at("");

	learn(f, &p, &home);
	OK(origin_device(&away, f->seal, "laptop"));
	learn(f, &p, &away);
	away = at("192.0.2.3");
	OK(origin_device(&away, f->seal, "laptop"));
	use_up(f, &p, &stranger);
	assert_int_equal(mail(f, &p, &nowhere, NOW + 1000), ERR_DENIED);
	use_up(f, &p, &home);
	use_up(f, &p, &away);
	assert_int_equal(mail(f, &q, &away, NOW), ERR_NONE); /* somebody else's browser: a stranger's */
	assert_int_equal(mail(f, &q, &stranger, NOW), ERR_DENIED);
	assert_int_equal(mail(f, &p, &stranger, NOW + HOUR), ERR_NONE);
	use_up(f, NULL, &stranger);
}

static void a_network_asks_so_often(void **state)
{
	static const struct {
		const char *address, *same, *other;
		int most;
	} cases[] = {
	    {"192.0.2.1", "192.0.2.1", "192.0.2.2", 20},
	    {"2001:db8::1", "2001:db8::ffff", "2001:db8:0:1::1", 20},
	    {"198.51.100.1", "198.51.100.1", "198.51.100.2", 200},
	    {"127.0.0.1", NULL, "127.0.0.1", 300},
	};
	struct fixture *f = *state;
	struct person known = person_add(f, "known");
	char login[16];
	int n = 0;

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct origin o = at(cases[i].address);

		for (int j = 0; j < cases[i].most; j++) {
			snprintf(login, sizeof login, "p%d", n++);
			struct person p = person_add(f, login);
			OK(mail(f, &p, &o, NOW));
		}
		snprintf(login, sizeof login, "p%d", n++);
		struct person last = person_add(f, login);
		if (cases[i].same) {
			o = at(cases[i].same);
			assert_int_equal(mail(f, &last, &o, NOW), ERR_DENIED);
			learn(f, &known, &o);
			OK(mail(f, &known, &o, NOW)); /* it never binds somebody at an address of theirs */
		}
		o = at(cases[i].other);
		OK(mail(f, &last, &o, NOW)); /* nor was a refused one counted for the person */
	}
}

static struct code mailed(struct fixture *f, const struct person *p, int browser, const char *text)
{
	struct code c = {
	    .person = p->id, .purpose = CODE_RESET, .created = NOW, .expires = NOW + RESET_LIFE, .bound = true};

	c.binding[0] = (uint8_t)browser;
	OK(id_new(&c.id));
	OK(TX(f, store_code_put(f->st, &c, text, NULL)));
	return c;
}

static enum err try(struct fixture *f, const struct person *p, const struct origin *o, int browser, bool usable,
		    const char *text, bool *spent)
{
	const uint8_t d[DIGEST_LEN] = {(uint8_t)browser};
	struct forgot_asker a = asker(f, p, o, browser);
	struct id owner;

	OK(limits_bucket(f->seal, name.login, &owner));
	return TX(f, forgot_try(f->st, f->seal, &a, p ? &p->id : &owner, d, usable, text, NOW, spent));
}

static void codes_of_strangers_are_not_the_owners(void **state)
{
	enum { OWNER = 1, STRANGER, OTHER, UNASKED };
	struct fixture *f = *state;
	struct person p = person_add(f, "taro");
	struct origin home = at("192.0.2.1"), stranger = at("192.0.2.66");
	bool spent = true;

	learn(f, &p, &home);
	mailed(f, &p, OWNER, "111111");
	mailed(f, &p, STRANGER, "222222");
	mailed(f, &p, OTHER, "333333");
	/* without a mail of one's own: as wrong, and nobody else's try is gone */
	for (int i = 0; i < 5; i++) {
		assert_int_equal(try(f, &p, &stranger, UNASKED, false, "111111", &spent), ERR_NOTFOUND);
		assert_false(spent);
	}
	assert_int_equal(try(f, &p, &stranger, UNASKED, false, "111111", &spent), ERR_DENIED);
	assert_true(spent);
	/* nobody's name goes the same way */
	for (int i = 0; i < 6; i++) {
		assert_int_equal(try(f, NULL, &stranger, UNASKED, false, "111111", &spent),
				 i < 5 ? ERR_NOTFOUND : ERR_DENIED);
		assert_int_equal(spent, i == 5);
	}
	for (int i = 0; i < 6; i++) {
		assert_int_equal(try(f, &p, &stranger, STRANGER, true, "111111", &spent), ERR_DENIED);
		assert_int_equal(spent, i == 5);
	}
	/* all strangers together have five, but are not told who used them up; the owner has their own */
	assert_int_equal(try(f, &p, &stranger, OTHER, true, "333333", &spent), ERR_DENIED);
	assert_false(spent);
	OK(try(f, &p, &home, OWNER, true, "111111", &spent));
	assert_false(spent);
	assert_int_equal(try(f, &p, &home, OWNER, true, "111111", &spent), ERR_NOTFOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(mails_of_strangers_are_not_the_owners),
	    TEST(a_network_asks_so_often),
	    TEST(codes_of_strangers_are_not_the_owners),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
