#include "config.h"

#include "tests/unit/passkey_case.h"
#include "tests/unit/unit.h"

static const char *const origins[] = {"https://other.example.org", MAKE_ORIGIN, "http://localhost:8480", NULL};
const int32_t case_offered[3] = {PASSKEY_EDDSA, PASSKEY_ES256, PASSKEY_RS256};
const int32_t case_every[6] = {PASSKEY_EDDSA, PASSKEY_ES256, PASSKEY_RS256,
			       PASSKEY_ES384, PASSKEY_ES512, PASSKEY_ED448};
uint8_t case_user[PASSKEY_USER_LEN];
static uint8_t challenge[32];

struct passkey_expected case_expected(void)
{
	for (size_t i = 0; i < sizeof challenge; i++)
		challenge[i] = (uint8_t)i;
	return (struct passkey_expected){.rp_id = MAKE_RP,
					 .origin = origins,
					 .challenge = {challenge, sizeof challenge},
					 .require_uv = true,
					 .alg = case_offered,
					 .algs = COUNT(case_offered)};
}

enum passkey_check case_register(const struct passkey_expected *x, const struct made *m, struct passkey *ret)
{
	struct passkey untouched;
	const struct passkey_attestation r = {make_view(&m->client), make_view(&m->object)};
	memset(ret, 0x5a, sizeof *ret);
	memset(&untouched, 0x5a, sizeof untouched);
	enum passkey_check c = passkey_register(x, &r, ret);
	assert_true(c == PASSKEY_OK || memcmp(ret, &untouched, sizeof untouched) == 0);
	return c;
}

enum passkey_check case_assert(const struct passkey_expected *x, const struct login *l, const struct made *m,
			       struct passkey_used *ret)
{
	struct passkey_used untouched;
	const struct passkey_assertion r = {l->id, make_view(&m->client), make_view(&m->auth), make_view(&m->signature),
					    l->handle};
	uint8_t hash[32];
	memset(ret, 0x5a, sizeof *ret);
	memset(&untouched, 0x5a, sizeof untouched);
	enum passkey_check c = passkey_assert(x, &l->stored, case_user, l->handle_required, &r, ret);
	assert_true(c == PASSKEY_OK || memcmp(ret, &untouched, sizeof untouched) == 0);
	/* The console's way is the same but for what the browser says. */
	assert_int_equal(EVP_Digest(m->client.data, m->client.len, hash, NULL, EVP_sha256(), NULL), 1);
	enum passkey_check h = passkey_assert_hash(x, &l->stored, hash, &r, &untouched);
	if (c == PASSKEY_USER_HANDLE || (c >= PASSKEY_CLIENT_FORM && c <= PASSKEY_TOP_ORIGIN))
		assert_int_equal(h, PASSKEY_OK);
	else
		assert_int_equal(h, c);
	return c;
}

struct login case_login(const struct made *m, int32_t alg)
{
	struct login l = {.id = make_view(&m->id), .handle = {case_user, sizeof case_user}};
	assert_true(m->id.len <= sizeof l.stored.id && m->key.len <= sizeof l.stored.key);
	memcpy(l.stored.id, m->id.data, l.stored.id_len = m->id.len);
	memcpy(l.stored.key, m->key.data, l.stored.key_len = m->key.len);
	l.stored.alg = alg ? alg : PASSKEY_ES256;
	return l;
}
