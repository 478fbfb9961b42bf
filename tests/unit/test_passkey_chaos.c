/* Each allocation fails in turn, libcrypto's among them: what is right may be refused then, and what is wrong is never
 * accepted; nothing is returned with a refusal, and (under the sanitizers) nothing leaks. */
#include "config.h"

#include "keeper/passkey_attest.h"
#include "tests/unit/passkey_case.h"
#include "tests/unit/passkey_certify.h"
#include "tests/unit/unit.h"
#include <openssl/crypto.h>

static long countdown = -1; /* the allocation that fails; -1: none */

static int fails(void)
{
	return countdown > 0 && --countdown == 0;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t k, size_t n);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t k, size_t n);
void *__wrap_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t k, size_t n)
{
	return fails() ? NULL : __real_calloc(k, n);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

static void *crypto_malloc(size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return n ? __wrap_malloc(n) : NULL;
}

static void *crypto_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file, (void)line;
	if (n)
		return __wrap_realloc(p, n);
	free(p);
	return NULL;
}

static void crypto_free(void *p, const char *file, int line)
{
	(void)file, (void)line;
	free(p);
}

struct trial {
	struct passkey_expected x;
	struct made m;
	struct login l;
};

typedef enum passkey_check trial_run(const struct trial *t);

static enum passkey_check run_register(const struct trial *t)
{
	struct passkey made;
	return case_register(&t->x, &t->m, &made);
}

static enum passkey_check run_assert(const struct trial *t)
{
	struct passkey_used used, untouched;
	const struct passkey_assertion r = {t->l.id, make_view(&t->m.client), make_view(&t->m.auth),
					    make_view(&t->m.signature), t->l.handle};
	memset(&used, 0x5a, sizeof used);
	memset(&untouched, 0x5a, sizeof untouched);
	enum passkey_check c = passkey_assert(&t->x, &t->l.stored, case_user, true, &r, &used);
	assert_true(c == PASSKEY_OK || memcmp(&used, &untouched, sizeof used) == 0);
	return c;
}

/* step: certificates are read slowly, so of their allocations not each one fails. */
static void until_it_passes(const struct trial *t, trial_run *run, long step, enum passkey_check end)
{
	long n, refused = 0;
	assert_int_equal(run(t), end); /* what libcrypto makes once is made */
	for (n = 1; n < 20000; n += step) {
		countdown = n;
		enum passkey_check c = run(t);
		bool reached = countdown == 0;
		countdown = -1;
		if (!reached) {
			assert_int_equal(c, end);
			break;
		}
		assert_int_not_equal(c, PASSKEY_UNDECIDED);
		assert_true(c != PASSKEY_OK || end == PASSKEY_OK);
		refused += c != end;
	}
	assert_true(n < 20000 && n > 10 && refused > 3);
}

static void both(struct make how, trial_run *run)
{
	struct trial t = {.x = case_expected()};
	t.x.alg = case_every;
	t.x.algs = COUNT(case_every);
	for (int broken = 0; broken < 2; broken++) {
		if (run == run_register)
			make_registration(&how, &t.m);
		else
			make_assertion(&how, &t.m);
		t.l = case_login(&t.m, how.alg);
		if (broken && run == run_assert)
			t.m.signature.data[t.m.signature.len - 1] ^= 1;
		if (broken && run == run_register) /* within the signature over it */
			t.m.object.data[t.m.object.len - t.m.auth.len + 60] ^= 1;
		until_it_passes(&t, run, how.format ? 7 : 1,
				!broken		    ? PASSKEY_OK
				: run == run_assert ? PASSKEY_SIGNATURE
						    : PASSKEY_ATT_SIGNATURE);
		made_free(&t.m);
	}
}

static void test_assert(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(case_every); i++)
		both((struct make){.alg = case_every[i]}, run_assert);
}

static void test_register(void **state)
{
	(void)state;
	both((struct make){.attest = make_packed_self}, run_register);
	both((struct make){.format = "packed", .attest = certify_packed}, run_register);
	both((struct make){.format = "fido-u2f", .attest = certify_u2f, .alg = PASSKEY_ES256, .how = NULL},
	     run_register);
}

static void test_trust(void **state)
{
	AUTO_BUF pem = BUF_INIT;
	struct trial t = {.x = case_expected()};
	struct passkey_trust *trust = NULL;
	enum err e = ERR_NOMEM;
	long n;
	static const struct certify foreign = {.chain = CHAIN_FOREIGN};
	chain_root(&pem);
	const char *path = unit_path(*state, "roots");
	unit_write(path, pem.data, pem.len);
	for (n = 1; e != ERR_NONE; n++) {
		assert_true(n < 20000);
		countdown = n;
		e = passkey_trust_load(path, "cb69481e-8ff7-4039-93ec-0a2729a154a8", &trust, NULL);
		countdown = -1;
		assert_true((e == ERR_NONE) == (trust != NULL));
	}
	t.x.trust = trust;
	t.x.now = CERTIFY_NOW;
	for (int wrong = 0; wrong < 2; wrong++) {
		make_registration(
		    &(const struct make){.format = "packed", .attest = certify_packed, .how = wrong ? &foreign : NULL},
		    &t.m);
		until_it_passes(&t, run_register, 7, wrong ? PASSKEY_ATT_CHAIN : PASSKEY_OK);
		made_free(&t.m);
	}
	passkey_trust_free(trust);
}

static int gone(void **state)
{
	(void)state;
	chain_free();
	make_keys_free();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_assert),
	    cmocka_unit_test(test_register),
	    cmocka_unit_test_setup_teardown(test_trust, unit_folder, unit_folder_gone),
	};

	if (CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) != 1)
		return 1;
	return cmocka_run_group_tests(tests, NULL, gone);
}
