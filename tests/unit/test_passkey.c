/* Registrations and assertions, valid and broken in one place each: the check that fails is the one that must, nothing
 * is returned then, and libfido2 agrees wherever it checks the thing at all. */
#include "config.h"

#include "tests/unit/passkey_case.h"
#include "tests/unit/passkey_ways.h"
#include "tests/unit/second_opinion.h"
#include "tests/unit/unit.h"

static void told(const char *kind, const struct way *w, enum passkey_check got)
{
	if (got != w->check)
		fail_msg("%s, %s: %s, not %s", kind, w->name, passkey_check_name(got), passkey_check_name(w->check));
}

static void opinion(const char *kind, const struct way *w, bool accepts)
{
	if (accepts != (w->check == PASSKEY_OK ? w->second != SECOND_OTHERWISE : w->second == SECOND_OTHERWISE))
		fail_msg("%s, %s: libfido2 %s", kind, w->name, accepts ? "accepts" : "refuses");
}

/* ---- registration ---- */

static void second_of_registration(const struct passkey_expected *x, const struct way *w, const struct make *how,
				   const struct made *m)
{
	AUTO_BUF text = BUF_INIT;
	AUTO_BUF sig = BUF_INIT;
	int32_t alg = how->alg ? how->alg : PASSKEY_ES256;
	uint8_t hash[32];
	assert_int_equal(EVP_Digest(m->client.data, m->client.len, hash, NULL, EVP_sha256(), NULL), 1);
	buf_add(&text, m->auth.data, m->auth.len);
	buf_add(&text, hash, sizeof hash);
	make_sign(alg, how->signer ? how->signer : make_key(alg), text.data, text.len, &sig);
	make_splice(how, PART_SIGNATURE, &sig);
	opinion("registration", w,
		second_registration(x, alg, make_view(&m->client), make_view(&m->auth), make_view(&sig)));
}

static void register_one(const struct way *w, bool self)
{
	struct passkey_expected x = case_expected();
	struct make how = w->make;
	struct made m;
	struct passkey made;
	if (self && !how.attest)
		how.attest = make_packed_self;
	make_registration(&how, &m);
	told(self ? "registration with packed" : "registration", w, case_register(&x, &m, &made));
	bool asked = w->check == PASSKEY_OK || (w->check >= PASSKEY_AUTH_FORM && w->check <= PASSKEY_EXTENSIONS) ||
		     w->check == PASSKEY_ATT_SIGNATURE;
	if (self && asked && w->second != SECOND_CANNOT)
		second_of_registration(&x, w, &how, &m);
	made_free(&m);
}

static void register_all(const struct way *ways, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!ways[i].make.attest)
			register_one(&ways[i], false);
		if (!ways[i].make.format && ways[i].check != PASSKEY_OBJECT_FORM &&
		    ways[i].check != PASSKEY_ATT_STATEMENT)
			register_one(&ways[i], true);
		else if (ways[i].make.attest)
			register_one(&ways[i], false);
	}
}

static void test_register_ways(void **state)
{
	(void)state;
	register_all(ways_client, ways_clients);
	register_all(ways_head, ways_heads);
	register_all(ways_registration, ways_registrations);
}

static void test_register_ret(void **state)
{
	struct passkey_expected x = case_expected();
	struct make how = {.flags = 0x5d, .count = 0x01020304};
	struct made m;
	struct passkey made;
	(void)state;
	make_registration(&how, &m);
	assert_int_equal(case_register(&x, &m, &made), PASSKEY_OK);
	assert_true(made.id_len == 32 && memcmp(made.id, m.id.data, 32) == 0);
	assert_true(made.key_len == m.key.len && memcmp(made.key, m.key.data, m.key.len) == 0);
	assert_int_equal(made.alg, PASSKEY_ES256);
	assert_int_equal(made.sign_count, 0x01020304);
	assert_true(made.eligible && made.backed_up && made.uv_initialized);
	assert_int_equal(made.aaguid[0], 0xcb);
	made_free(&m);
	x.require_uv = false;
	how.flags = 0x49;
	make_registration(&how, &m);
	assert_int_equal(case_register(&x, &m, &made), PASSKEY_OK);
	assert_true(made.eligible && !made.backed_up && !made.uv_initialized);
	made_free(&m);
}

static void test_ids(void **state)
{
	static const size_t lengths[] = {1, 16, 255, 256, 1023, 1024, 2000};
	static char id[2000];
	(void)state;
	for (size_t i = 0; i < COUNT(lengths); i++) {
		const struct way w = {"length of the id", lengths[i] > 1023 ? PASSKEY_ID_LENGTH : PASSKEY_OK,
				      .second = lengths[i] > 1023 ? SECOND_OTHERWISE : SECOND_SAME,
				      .make = {.splice = {{PART_ID, 0, 32, id, lengths[i]}}}};
		register_one(&w, false);
		register_one(&w, true);
	}
}

static void test_sizes(void **state)
{
	static char much[PASSKEY_ATTEST_MAX];
	const struct way long_client = {"clientDataJSON over its length", PASSKEY_CLIENT_FORM,
					.make = {.splice = {{PART_CLIENT, MAKE_END, 0, much, PASSKEY_CLIENT_MAX}}}};
	const struct way long_object = {"attestationObject over its length", PASSKEY_OBJECT_FORM,
					.make = {.splice = {{PART_OBJECT, MAKE_END, 0, much, PASSKEY_ATTEST_MAX}}}};
	const struct way long_auth = {"authenticatorData over its length", PASSKEY_AUTH_FORM, .second = SECOND_CANNOT,
				      .make = {.splice = {{PART_AUTH, MAKE_END, 0, much, PASSKEY_AUTH_MAX}}}};
	(void)state;
	memset(much, ' ', sizeof much);
	register_one(&long_client, false);
	register_one(&long_object, false);
	register_one(&long_auth, false);
	/* Well-formed, and too long all the same. */
	AUTO_BUF extension = BUF_INIT;
	AUTO_BUF member = BUF_INIT;
	make_head(&extension, 5, 1);
	make_text(&extension, "x");
	make_bytes(&extension, much, PASSKEY_AUTH_MAX);
	make_head(&member, 5, 1);
	make_text(&member, "x");
	make_bytes(&member, much, PASSKEY_ATTEST_MAX);
	const struct way extended = {
	    "authenticatorData with a long extension", PASSKEY_AUTH_FORM,
	    .make = {.flags = 0xc5, .splice = {{PART_AUTH, MAKE_END, 0, (const char *)extension.data, extension.len}}}};
	const struct way stated = {"attestationObject with a long statement", PASSKEY_OBJECT_FORM,
				   .make = {.splice = {{PART_STATEMENT, 0, 1, (const char *)member.data, member.len}}}};
	register_one(&extended, false);
	register_one(&stated, false);
}

/* ---- assertion ---- */

static void assert_one(const struct way *w)
{
	struct passkey_expected x = case_expected();
	struct made m;
	struct passkey_used used;
	make_assertion(&w->make, &m);
	struct login l = case_login(&m, w->make.alg);
	l.stored.eligible = w->eligible;
	told("assertion", w, case_assert(&x, &l, &m, &used));
	if (w->check == PASSKEY_OK || (w->check >= PASSKEY_AUTH_FORM && w->second != SECOND_CANNOT))
		opinion("assertion", w,
			second_assertion(&x, l.stored.alg, make_view(&m.key), make_view(&m.client), make_view(&m.auth),
					 make_view(&m.signature)));
	made_free(&m);
}

static void test_assert_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < ways_clients; i++)
		assert_one(&ways_client[i]);
	for (size_t i = 0; i < ways_heads; i++)
		assert_one(&ways_head[i]);
	for (size_t i = 0; i < ways_assertions; i++)
		assert_one(&ways_assertion[i]);
}

/* ---- both ---- */

static void test_algorithms(void **state)
{
	struct passkey_expected x = case_expected();
	(void)state;
	for (size_t i = 0; i < COUNT(case_every); i++) {
		bool foreign = case_every[i] == PASSKEY_ES512 || case_every[i] == PASSKEY_ED448;
		const struct make how = {.alg = case_every[i]},
				  self = {.alg = case_every[i], .attest = make_packed_self};
		struct passkey made;
		struct passkey_used used;
		struct made m;
		x.alg = case_offered, x.algs = COUNT(case_offered);
		bool known = i < COUNT(case_offered);
		make_registration(&how, &m);
		assert_int_equal(case_register(&x, &m, &made), known ? PASSKEY_OK : PASSKEY_ALG);
		x.alg = case_every, x.algs = COUNT(case_every);
		assert_int_equal(case_register(&x, &m, &made), PASSKEY_OK);
		assert_int_equal(made.alg, case_every[i]);
		x.algs = 0;
		assert_int_equal(case_register(&x, &m, &made), PASSKEY_ALG);
		x.algs = COUNT(case_every);
		made_free(&m);
		make_registration(&self, &m);
		assert_int_equal(case_register(&x, &m, &made), PASSKEY_OK);
		made_free(&m);
		make_assertion(&how, &m);
		struct login l = case_login(&m, case_every[i]);
		assert_int_equal(case_assert(&x, &l, &m, &used), PASSKEY_OK);
		assert_true(foreign || second_assertion(&x, case_every[i], make_view(&m.key), make_view(&m.client),
							make_view(&m.auth), make_view(&m.signature)));
		m.signature.data[m.signature.len / 2] ^= 1;
		assert_int_equal(case_assert(&x, &l, &m, &used), PASSKEY_SIGNATURE);
		made_free(&m);
	}
}

static enum passkey_check framed(const struct passkey_expected *x, const struct make *how)
{
	struct made m;
	struct passkey made;
	struct passkey_used used;
	make_registration(how, &m);
	enum passkey_check c = case_register(x, &m, &made);
	made_free(&m);
	make_assertion(how, &m);
	struct login l = case_login(&m, 0);
	assert_int_equal(case_assert(x, &l, &m, &used), c);
	made_free(&m);
	return c;
}

static void test_frames(void **state)
{
	static const char *const tops[] = {"https://a.example", "https://b.example", NULL}, *const none[] = {NULL};
	static const struct make no_frame = {0}, unnamed = {.cross = true},
				 named = {.cross = true, .more = ",\"topOrigin\":\"https://b.example\""},
				 other = {.cross = true, .more = ",\"topOrigin\":\"https://b.example:8443\""},
				 odd = {.more = ",\"topOrigin\":\"https://b.example\""};
	struct passkey_expected x = case_expected();
	(void)state;
	for (int how = 0; how < 4; how++) {
		x.top_origin = how & 1 ? tops : NULL;
		x.cross_origin = how & 2;
		assert_int_equal(framed(&x, &no_frame), PASSKEY_OK);
		assert_int_equal(framed(&x, &unnamed), how & 2	 ? PASSKEY_OK
						       : how & 1 ? PASSKEY_TOP_ORIGIN
								 : PASSKEY_CROSS_ORIGIN);
		assert_int_equal(framed(&x, &named), how & 1   ? PASSKEY_OK
						     : how & 2 ? PASSKEY_TOP_ORIGIN
							       : PASSKEY_CROSS_ORIGIN);
		assert_int_equal(framed(&x, &other), how ? PASSKEY_TOP_ORIGIN : PASSKEY_CROSS_ORIGIN);
		assert_int_equal(framed(&x, &odd), PASSKEY_TOP_ORIGIN);
	}
	x.top_origin = none;
	x.cross_origin = false;
	assert_int_equal(framed(&x, &named), PASSKEY_TOP_ORIGIN);
}

/* The client writes the attestationObject: its members may come in any order, each once. */
static void test_order(void **state)
{
	static const struct {
		struct splice splice;
		enum passkey_check check;
	} t[] = {
	    {PUT(PART_OBJECT, 1, 18,
		 "\x67"
		 "attStmt\xa0\x63"
		 "fmt\x64none"),
	     PASSKEY_OK},
	    {PUT(PART_OBJECT, 1, 18,
		 "\x67"
		 "attStmt\xa0\x67"
		 "attStmt\xa0"),
	     PASSKEY_OBJECT_FORM},
	    {PUT(PART_OBJECT, 1, 18,
		 "\x63"
		 "fmt\x64none\x63"
		 "fmt\x64none"),
	     PASSKEY_OBJECT_FORM},
	};
	const struct passkey_expected x = case_expected();
	(void)state;
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		const struct make how = {.splice = {t[i].splice}};
		struct passkey k;
		struct made m;
		make_registration(&how, &m);
		assert_int_equal(case_register(&x, &m, &k), t[i].check);
		made_free(&m);
	}
}

/* A caller that forgot something gets no. */
static void test_nothing_expected(void **state)
{
	static const char *const none[] = {NULL};
	static const struct make how = {0};
	struct passkey_expected x = case_expected();
	(void)state;
	assert_int_equal(framed(&x, &how), PASSKEY_OK);
	x.origin = none;
	assert_int_equal(framed(&x, &how), PASSKEY_ORIGIN);
	x.origin = NULL;
	assert_int_equal(framed(&x, &how), PASSKEY_ORIGIN);
	x = case_expected();
	x.challenge.n = 15;
	assert_int_equal(framed(&x, &how), PASSKEY_CHALLENGE);
	x.challenge.p = NULL;
	assert_int_equal(framed(&x, &how), PASSKEY_CHALLENGE);
	x = case_expected();
	x.rp_id = "";
	assert_int_equal(framed(&x, &how), PASSKEY_RP);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(passkey_check_name(PASSKEY_OK), "ok");
	assert_string_equal(passkey_check_name(PASSKEY_UNDECIDED), "undecided");
	assert_string_equal(passkey_check_name(PASSKEY_CHECK__MAX), "undecided");
	for (int c = PASSKEY_OK; c < PASSKEY_CHECK__MAX; c++)
		for (int d = PASSKEY_OK; d <= c; d++)
			assert_int_equal(c == d, strcmp(passkey_check_name(c), passkey_check_name(d)) == 0);
}

static int gone(void **state)
{
	(void)state;
	make_keys_free();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_register_ways), cmocka_unit_test(test_register_ret),
	    cmocka_unit_test(test_ids),		  cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_assert_ways),

	    cmocka_unit_test(test_algorithms),	  cmocka_unit_test(test_frames),
	    cmocka_unit_test(test_order),	  cmocka_unit_test(test_nothing_expected),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, gone);
}
