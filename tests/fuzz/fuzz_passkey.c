/* Whole ceremonies. The input: a byte of switches, then clientDataJSON, then the attestationObject or the stored key
 * and authenticatorData, each behind its length in 16 bits, then the signature. The challenge that is expected is the
 * one that comes, and at a switch signatures count as right (here alone): so that the rest is reached. */
#include "config.h"

#include "common/base64url.h"
#include "keeper/client_data.h"
#include "keeper/cose.h"
#include "tests/fuzz/fuzz.h"
#include <openssl/evp.h>
#include <string.h>

#define SWITCH_ASSERT 0x01
#define SWITCH_SIGNED 0x02 /* signatures are right */
#define SWITCH_RP     0x04 /* authenticatorData is for us (assertions) */
#define SWITCH_UV     0x08
#define SWITCH_FRAME  0x10
#define SWITCH_HASH   0x20 /* passkey_assert_hash */

static const char *const origins[] = {"https://example.org", NULL}, *const tops[] = {"https://example.com", NULL};
static const int32_t algs[] = {PASSKEY_EDDSA, PASSKEY_ES256, PASSKEY_RS256,
			       PASSKEY_ES384, PASSKEY_ES512, PASSKEY_ED448};
static bool signatures_pass;

int __real_EVP_DigestVerify(EVP_MD_CTX *ctx, const unsigned char *sig, size_t siglen, const unsigned char *p, size_t n);
int __wrap_EVP_DigestVerify(EVP_MD_CTX *ctx, const unsigned char *sig, size_t siglen, const unsigned char *p, size_t n);

int __wrap_EVP_DigestVerify(EVP_MD_CTX *ctx, const unsigned char *sig, size_t siglen, const unsigned char *p, size_t n)
{
	return signatures_pass || __real_EVP_DigestVerify(ctx, sig, siglen, p, n) == 1;
}

static struct passkey_bytes take(const uint8_t **p, const uint8_t *end)
{
	size_t left = (size_t)(end - *p), n = left < 2 ? 0 : (size_t)(*p)[0] << 8 | (*p)[1];
	*p += left < 2 ? left : 2;
	left = (size_t)(end - *p);
	n = n < left ? n : left;
	*p += n;
	return (struct passkey_bytes){*p - n, n};
}

static void assert_with(const struct passkey_expected *x, const struct passkey *stored, unsigned switches,
			const struct passkey_assertion *r)
{
	static const uint8_t user[PASSKEY_USER_LEN], hash[32];
	struct passkey_used used, untouched;
	memset(&used, 0xa5, sizeof used);
	untouched = used;
	enum passkey_check c = switches & SWITCH_HASH ? passkey_assert_hash(x, stored, hash, r, &used)
						      : passkey_assert(x, stored, user, false, r, &used);
	CHECK(c > PASSKEY_UNDECIDED && c < PASSKEY_INTERNAL && passkey_check_name(c));
	if (c != PASSKEY_OK) {
		CHECK(memcmp(&used, &untouched, sizeof used) == 0);
		return;
	}
	CHECK(r->auth_data.n >= 37 && r->auth_data.p[32] & 0x01);
	CHECK(!x->require_uv || used.user_verified);
	CHECK(!used.backed_up || stored->eligible);
	CHECK(used.counter_back || used.sign_count > stored->sign_count || (!used.sign_count && !stored->sign_count));
}

static void run_assertion(const struct passkey_expected *x, unsigned switches, struct passkey_bytes client,
			  const uint8_t *p, const uint8_t *end)
{
	static uint8_t auth[65536];
	struct passkey stored = {.id = "id", .id_len = 2, .eligible = switches & 0x40, .sign_count = switches >> 7};
	struct passkey_bytes key = take(&p, end), data = take(&p, end);
	struct cose_key k;
	struct cbor c = cbor_over(key.p, key.n);
	if (key.n > PASSKEY_KEY_MAX)
		return;
	memcpy(stored.key, key.p, stored.key_len = key.n);
	stored.alg = cose_take(&c, &k) == PASSKEY_OK ? (int32_t)k.alg : 0;
	memcpy(auth, data.p, data.n);
	if (switches & SWITCH_RP && data.n >= 32)
		CHECK(EVP_Digest(x->rp_id, strlen(x->rp_id), auth, NULL, EVP_sha256(), NULL) == 1);
	const struct passkey_assertion r = {{stored.id, 2}, client, {auth, data.n}, {p, (size_t)(end - p)}, {NULL, 0}};
	assert_with(x, &stored, switches, &r);
}

/* What a registration gave, an assertion must find in order. */
static void look(const struct passkey_expected *x, const struct passkey *made)
{
	struct cbor c = cbor_over(made->key, made->key_len);
	struct cose_key k;
	EVP_PKEY *key = NULL;
	CHECK(made->id_len > 0 && made->id_len <= PASSKEY_ID_MAX && made->key_len <= PASSKEY_KEY_MAX);
	CHECK(cose_take(&c, &k) == PASSKEY_OK && cbor_at_end(&c) && k.alg == made->alg);
	CHECK(cose_key(&k, &key) == PASSKEY_OK);
	EVP_PKEY_free(key);
	CHECK(!x->require_uv || made->uv_initialized);
	CHECK(!made->backed_up || made->eligible);
}

static void run_registration(const struct passkey_expected *x, struct passkey_bytes client, const uint8_t *p,
			     const uint8_t *end)
{
	static struct passkey made, untouched;
	const struct passkey_attestation r = {client, take(&p, end)};
	memset(&made, 0xa5, sizeof made);
	memset(&untouched, 0xa5, sizeof untouched);
	enum passkey_check c = passkey_register(x, &r, &made);
	CHECK(c > PASSKEY_UNDECIDED && c < PASSKEY_INTERNAL && passkey_check_name(c));
	if (c == PASSKEY_OK)
		look(x, &made);
	else
		CHECK(memcmp(&made, &untouched, sizeof made) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct client_data c;
	AUTO_BUF challenge = BUF_INIT;
	const uint8_t *p = data + 1, *end = data + n;
	if (n < 1)
		return 0;
	unsigned switches = data[0];
	struct passkey_expected x = {.rp_id = "example.org", .origin = origins, .alg = algs};
	x.algs = sizeof algs / sizeof *algs;
	x.require_uv = switches & SWITCH_UV;
	x.cross_origin = switches & SWITCH_FRAME;
	x.top_origin = switches & SWITCH_FRAME ? tops : NULL;
	struct passkey_bytes client = take(&p, end);
	if (client_data_parse(client, &c) &&
	    base64url_decode(&challenge, (const char *)c.challenge.p, c.challenge.n) == ERR_NONE)
		x.challenge = (struct passkey_bytes){challenge.data, challenge.len};
	signatures_pass = switches & SWITCH_SIGNED;
	if (switches & SWITCH_ASSERT)
		run_assertion(&x, switches, client, p, end);
	else
		run_registration(&x, client, p, end);
	return 0;
}
