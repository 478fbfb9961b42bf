/* What tests/passkey-verdict asks: one case a line of standard input, its fields as NAME=BASE64URL (or NAME alone:
 * true) with spaces between, several of a name where it is a list; one line "CHECK\n" on standard output for each. */
#include "config.h"

#include "common/base64url.h"
#include "keeper/passkey.h"
#include "keeper/passkey_attest.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX 1000

struct line {
	struct buf value[LIST_MAX];
	const char *name[LIST_MAX];
	size_t n;
};

static void die(const char *why, const char *what)
{
	fprintf(stderr, "passkey_lines: %s: %s\n", why, what);
	exit(2);
}

static void line_parse(char *s, struct line *ret)
{
	char *save = NULL;
	memset(ret, 0, sizeof *ret);
	for (char *word = strtok_r(s, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
		if (ret->n == LIST_MAX)
			die("too many fields", word);
		char *value = strchr(word, '=');
		ret->name[ret->n] = word;
		if (value) {
			*value++ = '\0';
			if (base64url_decode(&ret->value[ret->n], value, strlen(value)))
				die("no base64url", word);
		}
		ret->n++;
	}
}

static void line_free(struct line *l)
{
	for (size_t i = 0; i < l->n; i++)
		buf_free(&l->value[i]);
}

static bool get(const struct line *l, const char *name, struct passkey_bytes *ret)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->name[i], name) == 0) {
			*ret = (struct passkey_bytes){l->value[i].data, l->value[i].len};
			if (!ret->p)
				ret->p = (const uint8_t *)"";
			return true;
		}
	*ret = (struct passkey_bytes){NULL, 0};
	return false;
}

static bool has(const struct line *l, const char *name)
{
	struct passkey_bytes unused;
	return get(l, name, &unused);
}

/* The numbers of cases are small and written as text. */
static long long number(const struct line *l, const char *name, long long otherwise)
{
	struct passkey_bytes b;
	return get(l, name, &b) ? strtoll((const char *)b.p, NULL, 10) : otherwise;
}

static size_t strings(const struct line *l, const char *name, const char *ret[static LIST_MAX + 1])
{
	size_t n = 0;
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->name[i], name) == 0) {
			ret[n] = buf_str(&l->value[i]);
			if (!ret[n++])
				die("a NUL byte in", name);
		}
	ret[n] = NULL;
	return n;
}

/* Ours are of 64 bytes; a case's may have any length: their digests are as equal or different as they are. */
static void handle_digest(struct passkey_bytes b, uint8_t ret[static PASSKEY_USER_LEN])
{
	if (EVP_Digest(b.p, b.n, ret, NULL, EVP_sha512(), NULL) != 1)
		die("no SHA-512", "userHandle");
}

static const char *run_registration(const struct line *l, struct passkey_expected *x)
{
	struct passkey made;
	struct passkey_attestation r;
	struct passkey_bytes roots, models;
	struct passkey_trust *trust = NULL;
	struct errmsg m;
	get(l, "clientDataJSON", &r.client_data);
	get(l, "attestationObject", &r.attestation);
	get(l, "aaguids", &models);
	if (get(l, "roots", &roots) && passkey_trust_load((const char *)roots.p, (const char *)models.p, &trust, &m))
		return "malformed";
	x->trust = trust;
	x->now = number(l, "time", 0);
	enum passkey_check c = passkey_register(x, &r, &made);
	passkey_trust_free(trust);
	return passkey_check_name(c);
}

static int32_t key_alg(const struct line *l, struct passkey_bytes key)
{
	struct cbor c = cbor_over(key.p, key.n);
	struct cose_key k;
	return (int32_t)number(l, "alg", cose_take(&c, &k) == PASSKEY_OK ? k.alg : 0);
}

static const char *run_assertion(const struct line *l, const struct passkey_expected *x)
{
	struct passkey stored = {.sign_count = (uint32_t)number(l, "signCount", 0)};
	struct passkey_assertion r;
	struct passkey_used used;
	struct passkey_bytes id, key, user;
	uint8_t owner[PASSKEY_USER_LEN] = {0}, sent[PASSKEY_USER_LEN];
	if (!get(l, "id", &r.id))
		r.id = (struct passkey_bytes){(const uint8_t *)"id", 2};
	if (!get(l, "credentialId", &id))
		id = r.id;
	get(l, "publicKey", &key);
	if (id.n > sizeof stored.id || key.n > sizeof stored.key)
		return passkey_check_name(id.n > sizeof stored.id ? PASSKEY_ID_LENGTH : PASSKEY_KEY_FORM);
	memcpy(stored.id, id.p, stored.id_len = id.n);
	memcpy(stored.key, key.p, stored.key_len = key.n);
	stored.alg = key_alg(l, key);
	for (size_t i = 0; x->algs && x->alg[i] != stored.alg; i++)
		if (i + 1 == x->algs)
			return passkey_check_name(PASSKEY_ALG);
	get(l, "clientDataJSON", &r.client_data);
	get(l, "authenticatorData", &r.auth_data);
	get(l, "signature", &r.signature);
	/* Where a case does not say, they are what the assertion says. */
	uint8_t flags = r.auth_data.n > 32 ? r.auth_data.p[32] : 0;
	stored.eligible = number(l, "backupEligible", flags & 8) != 0;
	stored.backed_up = number(l, "backupState", flags & 16) != 0;
	if (get(l, "sentHandle", &r.user_handle)) {
		handle_digest(r.user_handle, sent);
		r.user_handle = (struct passkey_bytes){sent, sizeof sent};
		memcpy(owner, sent, sizeof owner);
	}
	if (get(l, "userHandle", &user))
		handle_digest(user, owner);
	enum passkey_check c = passkey_assert(x, &stored, owner, has(l, "requireUserHandle"), &r, &used);
	return c == PASSKEY_OK && used.counter_back && !has(l, "allowCounterBack") ? "counter" : passkey_check_name(c);
}

int main(void)
{
	char *text = NULL;
	size_t cap = 0;
	while (getline(&text, &cap, stdin) > 0) {
		static const char *origin[LIST_MAX + 1], *top[LIST_MAX + 1], *alg_text[LIST_MAX + 1];
		int32_t alg[LIST_MAX];
		struct line l;
		line_parse(text, &l);
		struct passkey_bytes rp;
		struct passkey_expected x = {.origin = origin, .alg = alg, .require_uv = has(&l, "requireUV")};
		x.rp_id = get(&l, "rpId", &rp) ? (const char *)rp.p : "";
		strings(&l, "origin", origin);
		if (strings(&l, "topOrigin", top))
			x.top_origin = top;
		x.cross_origin = has(&l, "crossOrigin");
		get(&l, "challenge", &x.challenge);
		x.algs = strings(&l, "allowedAlg", alg_text);
		for (size_t i = 0; i < x.algs; i++)
			alg[i] = (int32_t)strtol(alg_text[i], NULL, 10);
		puts(has(&l, "registration") ? run_registration(&l, &x) : run_assertion(&l, &x));
		line_free(&l);
	}
	free(text);
	return 0;
}
