#include "config.h"

#include "common/secret.h"
#include "common/text.h"
#include "keeper/alphabet.h"
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
		       strlen(strrchr(s, '$') + 1) == schemes[i].tail;
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
