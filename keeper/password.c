#include "config.h"

#include "common/alphabet.h"
#include "common/secret.h"
#include "common/text.h"
#include "keeper/password.h"
#include <crypt.h>
#include <stdlib.h>
#include <string.h>

#define YESCRYPT      "$y$"
#define YESCRYPT_COST 5
#define YESCRYPT_OURS "$y$j9T$" /* how cost 5 is written */
#define SALT_LEN      16

_Static_assert(PASSWORD_HASH_MAX >= CRYPT_OUTPUT_SIZE, "a hash fits");

/* Of random bytes that nobody kept: what those without a yescrypt hash are checked against. */
static const char decoy[] = "$y$j9T$Hr9T9vdaMs6mW4xqhR/T50$TvKZAETySEBb6fjeFt/RF9kgvQXGkQjjYgJotSE1gWD";

/* What libxcrypt checks, with the length of the part behind the last '$' (of bcrypt: salt and hash): a setting without
 * its hash passes crypt_checksalt too, and would lock its owner out for good. */
static const struct scheme {
	const char *prefix;
	size_t tail;
} schemes[] = {
    {YESCRYPT, 43}, {"$gy$", 43}, {"$7$", 43},	  {"$2b$", 53}, {"$2a$", 53}, {"$2x$", 53}, {"$2y$", 53},
    {"$6$", 86},    {"$5$", 43},  {"$sha1$", 28}, {"$md5", 22}, {"$1$", 22},  {"$3$", 32},
};

/* The most that one check may cost, about a second and 64 MB: more would be a lever to stop everybody's logins. */
#define BCRYPT_MAX 14
#define ROUNDS_MAX 2000000

/* The digits behind prefix, 0 if there are none; past the bound: -1. */
static long rounds(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	if (strncmp(s, prefix, n) != 0)
		return 0;
	size_t digits = strspn(s + n, "0123456789");
	return digits > 7 ? -1 : strtol(s + n, NULL, 10);
}

/* crypt(5): yescrypt writes flavour, N and r as one sign each ("j9T": 2^12 blocks of 32), scrypt N as one sign, then r
 * and p as five each. The signs "./0-9A-Z" count from 0. */
static bool affordable(const char *s)
{
	static const char *const counted[] = {"$5$rounds=", "$6$rounds=", "$sha1$", "$md5,rounds="};
	const char *y = strncmp(s, "$y$", 3) == 0 ? s + 3 : strncmp(s, "$gy$", 4) == 0 ? s + 4 : NULL;

	if (y)
		return y[0] == 'j' && ((y[1] >= '7' && y[1] <= '9') || (y[1] >= 'A' && y[1] <= 'B')) &&
		       (y[2] == '5' || y[2] == 'T') && y[3] == '$';
	if (strncmp(s, "$7$", 3) == 0)
		return ((s[3] >= '6' && s[3] <= '9') || (s[3] >= 'A' && s[3] <= 'D')) &&
		       strncmp(s + 4, "U..../....", 10) == 0;
	if (strncmp(s, "$2", 2) == 0)
		return strtol(s + 4, NULL, 10) <= BCRYPT_MAX;
	for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++) {
		long n = rounds(s, counted[i]);
		if (n < 0 || n > ROUNDS_MAX)
			return false;
	}
	return true;
}

static bool begins(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool password_hash_known(const char *s)
{
	if (!s || strlen(s) >= PASSWORD_HASH_MAX)
		return false;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (!begins(s, schemes[i].prefix))
			continue;
		int salt = crypt_checksalt(s);
		return (salt == CRYPT_SALT_OK || salt == CRYPT_SALT_METHOD_LEGACY || salt == CRYPT_SALT_TOO_CHEAP) &&
		       strlen(strrchr(s, '$') + 1) == schemes[i].tail && affordable(s);
	}
	return false;
}

enum err password_hash(const char *nfkc, char ret[static PASSWORD_HASH_MAX])
{
	char salt[SALT_LEN], setting[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data *d = NULL;
	enum err r = secret_random(salt, sizeof(salt));

	if (r != ERR_NONE)
		goto out;
	r = ERR_INVALID;
	if (strlen(nfkc) >= CRYPT_MAX_PASSPHRASE_SIZE)
		goto out;
	r = ERR_NOMEM;
	d = calloc(1, sizeof(*d));
	if (!d)
		goto out;
	r = ERR_INTERNAL;
	if (!crypt_gensalt_rn(YESCRYPT, YESCRYPT_COST, salt, sizeof(salt), setting, sizeof(setting)))
		goto out;
	const char *hash = crypt_rn(nfkc, setting, d, sizeof(*d));
	if (!hash || !begins(hash, YESCRYPT_OURS) || !password_hash_known(hash))
		goto out;
	memcpy(ret, hash, strlen(hash) + 1);
	r = ERR_NONE;
out:
	if (d)
		secret_wipe(d, sizeof(*d));
	free(d);
	return r;
}

static bool password_matches(const char *hash, const char *nfkc, struct crypt_data *d)
{
	const char *got = crypt_rn(nfkc, hash, d, sizeof(*d));

	return got && secret_equal(got, strlen(got), hash, strlen(hash));
}

bool password_check(const char *hash, const char *nfkc, bool *ret_upgrade)
{
	char cut[CRYPT_MAX_PASSPHRASE_SIZE];
	bool known = hash && password_hash_known(hash), yescrypt = known && begins(hash, YESCRYPT);
	struct crypt_data *d = calloc(1, sizeof(*d));

	if (!d)
		return false;
	/* What is too long for crypt(3) matches nothing, but costs the same. */
	size_t n = strnlen(nfkc, sizeof(cut));
	bool fits = n < sizeof(cut);
	memcpy(cut, nfkc, fits ? n : sizeof(cut) - 1);
	cut[fits ? n : sizeof(cut) - 1] = '\0';

	bool match = password_matches(yescrypt ? hash : decoy, cut, d) && yescrypt;
	if (known && !yescrypt)
		match = password_matches(hash, cut, d);
	match = match && fits;
	if (match && ret_upgrade)
		*ret_upgrade = !begins(hash, YESCRYPT_OURS);
	secret_wipe(cut, sizeof(cut));
	secret_wipe(d, sizeof(*d));
	free(d);
	return match;
}

enum err password_initial(char ret[static 20])
{
	return alphabet_fill("xxxx-xxxx-xxxx-xxxx", ret);
}

enum err password_initial_digest(const struct seal *s, const struct id *owner, const char *text, size_t n,
				 uint8_t ret[static DIGEST_LEN])
{
	AUTO_BUF b = BUF_INIT;

	if (text_initial(text, n, &b))
		return ERR_INVALID;
	if (b.failed)
		return ERR_NOMEM;
	const struct seal_part part[] = {{owner->b, ID_LEN}, {b.data, b.len}};
	return seal_mac(s, SEAL_INITIAL, part, 2, ret);
}
