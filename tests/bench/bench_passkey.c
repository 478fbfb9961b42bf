/* Assertions of ES256 that passkey_assert verifies in SECONDS on one core, beside bare EVP_DigestVerify with a key that
 * stands ready, in turns of a tenth of a second so that both see the same machine. Prints both a second, and their
 * ratio. */
#include "config.h"

#include "keeper/cose.h"
#include "keeper/passkey.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TURNS 10 /* a second */

static const uint8_t challenge[32];
static const char client[] = "{\"type\":\"webauthn.get\",\"challenge\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
			     "\"origin\":\"https://login.example.org\",\"crossOrigin\":false}";
static const uint8_t user[PASSKEY_USER_LEN];
static uint8_t auth[37], text[sizeof auth + 32], signature[128];
static size_t signature_len = sizeof signature;
static struct passkey stored = {.id_len = 32, .key_len = 77, .alg = PASSKEY_ES256};
static EVP_PKEY *key;

static void must(bool so, const char *what)
{
	if (!so) {
		fprintf(stderr, "bench_passkey: %s\n", what);
		exit(1);
	}
}

static void prepare(void)
{
	static const uint8_t head[] = {0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32}, middle[] = {0x22, 0x58, 32};
	uint8_t point[65];
	size_t n = 0;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	must(key && ctx && EVP_PKEY_get_octet_string_param(key, "pub", point, sizeof point, &n) == 1 && n == 65,
	     "no key");
	memcpy(stored.key, head, sizeof head);
	memcpy(stored.key + 10, point + 1, 32);
	memcpy(stored.key + 42, middle, sizeof middle);
	memcpy(stored.key + 45, point + 33, 32);
	must(EVP_Digest("example.org", 11, auth, NULL, EVP_sha256(), NULL) == 1, "no hash");
	auth[32] = 0x05;
	memcpy(text, auth, sizeof auth);
	must(EVP_Digest(client, sizeof client - 1, text + sizeof auth, NULL, EVP_sha256(), NULL) == 1, "no hash");
	must(EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, key, NULL) == 1 &&
		 EVP_DigestSign(ctx, signature, &signature_len, text, sizeof text) == 1,
	     "no signature");
	EVP_MD_CTX_free(ctx);
}

static void ours(void)
{
	static const char *const origin[] = {"https://login.example.org", NULL};
	const struct passkey_expected x = {
	    .rp_id = "example.org", .origin = origin, .challenge = {challenge, sizeof challenge}, .require_uv = true};
	const struct passkey_assertion r = {{stored.id, stored.id_len},
					    {(const uint8_t *)client, sizeof client - 1},
					    {auth, sizeof auth},
					    {signature, signature_len},
					    {user, sizeof user}};
	struct passkey_used used;
	must(passkey_assert(&x, &stored, user, true, &r, &used) == PASSKEY_OK, "refused");
}

static void bare(void)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	must(ctx && EVP_DigestVerifyInit_ex(ctx, NULL, "SHA256", NULL, NULL, key, NULL) == 1 &&
		 EVP_DigestVerify(ctx, signature, signature_len, text, sizeof text) == 1,
	     "not verified");
	EVP_MD_CTX_free(ctx);
}

/* How many, and in how many seconds of this process. */
static void turn(void (*one)(void), double *count, double *spent)
{
	clock_t from = clock(), now = from;
	while (now < from + CLOCKS_PER_SEC / TURNS) {
		for (int i = 0; i < 20; i++)
			one();
		*count += 20;
		now = clock();
	}
	*spent += (double)(now - from) / CLOCKS_PER_SEC;
}

int main(int argc, char **argv)
{
	long seconds = argc > 1 ? strtol(argv[1], NULL, 10) : 10;
	double count[2] = {0, 0}, spent[2] = {0, 0};
	if (argc > 2 || seconds < 1 || seconds > 600) {
		fprintf(stderr, "usage: bench_passkey [SECONDS]\n");
		return 2;
	}
	prepare();
	for (long i = 0; i < seconds * TURNS / 2; i++) {
		turn(ours, &count[0], &spent[0]);
		turn(bare, &count[1], &spent[1]);
	}
	double rate[2] = {count[0] / spent[0], count[1] / spent[1]};
	printf("passkey_assert %.0f/s, EVP_DigestVerify %.0f/s, ratio %.2f\n", rate[0], rate[1], rate[0] / rate[1]);
	EVP_PKEY_free(key);
	return rate[0] >= 5000 ? 0 : 1;
}
