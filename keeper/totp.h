/* RFC 6238 (and RFC 4226 section 5.3) over OpenSSL's HMAC. Pure functions. */
#ifndef KOSMO_TOTP_H
#define KOSMO_TOTP_H

#include "common/buf.h"
#include "common/err.h"

enum totp_algorithm { TOTP_SHA1 = 1, TOTP_SHA256 = 2, TOTP_SHA512 = 3 };
#define TOTP_SECRET_LEN 20 /* of secrets we make; imports may have 10..64 */

struct totp {
	enum totp_algorithm algorithm;
	int digits; /* 6 or 8 */
	int period; /* 30 (imports: 15..120) */
	const uint8_t *secret;
	size_t secret_len;
};

/* The code of a step as zero-padded digits: ret holds digits + 1 bytes (9 are enough). */
enum err totp_code(const struct totp *t, uint64_t step, char ret[static 9]);
/* Compares code (canonical, text_code) with the steps now-1, now, now+1 in constant time over all three.
 * *ret_step: the step that matched, the latest if several. ERR_DENIED if none. */
enum err totp_check(const struct totp *t, const char *code, int64_t now, uint64_t *ret_step);
/* The same for the steps around those, up to `around` seconds away: *ret_ahead is how many steps the code is ahead of
 * now (negative: behind), the latest if several. It accepts nothing. */
enum err totp_ahead(const struct totp *t, const char *code, int64_t now, int64_t around, int64_t *ret_ahead);
/* otpauth://totp/ISSUER:LOGIN?secret=...&issuer=...&algorithm=...&digits=...&period=... percent-encoded (RFC 3986). */
enum err totp_uri(const struct totp *t, const char *issuer, const char *login, struct buf *ret);

#endif
