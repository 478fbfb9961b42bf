/* Passwords: one yescrypt for every check whoever asks, libpwquality for new ones, generated initial ones. */
#ifndef KOSMO_PASSWORD_H
#define KOSMO_PASSWORD_H

#include "common/buf.h"
#include "common/err.h"
#include "keeper/seal.h"
#include <stdbool.h>

#define PASSWORD_HASH_MAX 384 /* crypt(3)'s CRYPT_OUTPUT_SIZE, with NUL */

/* A fresh yescrypt hash (crypt(3) "$y$", cost 5) of a password in NFKC form. */
enum err password_hash(const char *nfkc, char ret[static PASSWORD_HASH_MAX]);
/* True if nfkc matches. Whatever hash is (NULL: nobody's; another scheme: imported), exactly one yescrypt is computed,
 * plus the other scheme's own where it is one. *ret_upgrade: matched and not our present yescrypt settings. */
bool password_check(const char *hash, const char *nfkc, bool *ret_upgrade);
/* Is this a crypt(3) hash that libxcrypt can check (not DES, not "x", "*", "!") in about a second at most (bcrypt to
 * cost 14, SHA-crypt to 2,000,000 rounds, yescrypt and scrypt to 64 MB)? For imports. */
bool password_hash_known(const char *s);

/* What a new password must be: length in characters, not in the dictionary (libpwquality + cracklib), not the login,
 * name, address or birth date, no composition rules. */
enum password_verdict {
	PASSWORD_FINE = 0,
	PASSWORD_SHORT,	   /* fewer than min characters */
	PASSWORD_LONG,	   /* over PASSWORD_MAX */
	PASSWORD_BYTES,	   /* not text: invalid UTF-8 or control characters */
	PASSWORD_COMMON,   /* in the dictionary or too simple */
	PASSWORD_PERSONAL, /* login, name, address, birth date in it */
	PASSWORD_SAME	   /* the old or the initial one (the caller finds that) */
};
/* personal: a NULL-terminated list: login, name, address, birth date as 1980-01-01. NULL: none. Thread-safe. A missing
 * cracklib dictionary leaves the built-in list of what everyone tries. */
enum password_verdict password_quality(const char *nfkc, size_t min, const char *const *personal);

/* A generated initial password: 4 groups of 4 from the alphabet of 32 without look-alikes (common/alphabet.h), 80 bits,
 * "abcd-efgh-jkmn-pqrs". ret holds 20 bytes with NUL. */
enum err password_initial(char ret[static 20]);
/* Its keyed digest for this owner, of the canonical form (text_initial: case, width, hyphens and look-alikes do not
 * count). ERR_INVALID: the text cannot be one. */
enum err password_initial_digest(const struct seal *s, const struct id *owner, const char *text, size_t n,
				 uint8_t ret[static DIGEST_LEN]);

#endif
