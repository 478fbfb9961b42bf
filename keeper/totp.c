#include "config.h"

#include "common/base64url.h"
#include "common/secret.h"
#include "common/text.h"
#include "keeper/totp.h"
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

static const struct algorithm {
	const char *name; /* in otpauth:// */
	const EVP_MD *(*md)(void);
} algorithms[] = {
    [TOTP_SHA1] = {"SHA1", EVP_sha1},
    [TOTP_SHA256] = {"SHA256", EVP_sha256},
    [TOTP_SHA512] = {"SHA512", EVP_sha512},
};

static const struct algorithm *totp_algorithm(const struct totp *t)
{
	bool known = t->algorithm == TOTP_SHA1 || t->algorithm == TOTP_SHA256 || t->algorithm == TOTP_SHA512;
	bool fits = (t->digits == 6 || t->digits == 8) && t->period >= 15 && t->period <= 120 && t->secret &&
		    t->secret_len >= 10 && t->secret_len <= 64;
	return known && fits ? &algorithms[t->algorithm] : NULL;
}

/* RFC 4226 section 5.3: dynamic truncation. */
enum err totp_code(const struct totp *t, uint64_t step, char ret[static 9])
{
	const struct algorithm *a = totp_algorithm(t);
	uint8_t moving[8], mac[EVP_MAX_MD_SIZE];
	unsigned mac_len = 0;

	if (!a)
		return ERR_INVALID;
	for (int i = 0; i < 8; i++)
		moving[i] = (uint8_t)(step >> (56 - 8 * i));
	if (!HMAC(a->md(), t->secret, (int)t->secret_len, moving, sizeof(moving), mac, &mac_len) || mac_len < 20)
		return ERR_INTERNAL;
	const uint8_t *p = mac + (mac[mac_len - 1] & 0x0f);
	uint32_t number = (uint32_t)(p[0] & 0x7f) << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	number %= t->digits == 8 ? 100000000U : 1000000U;
	(void)snprintf(ret, 9, "%0*" PRIu32, t->digits, number);
	secret_wipe(mac, sizeof(mac));
	secret_wipe(&number, sizeof(number));
	return ERR_NONE;
}

struct span {
	uint64_t first, last;
};

/* Compares with all these steps without those. No branch on a match: the time must not tell which
 * of them it was. */
static enum err compare(const struct totp *t, const char *code, const struct span *all, const struct span *without,
			uint64_t *ret_step)
{
	enum err r = ERR_NONE;
	char want[9] = "";
	uint64_t found = 0, any = 0;
	size_t len = strlen(code);

	for (uint64_t s = all->first; r == ERR_NONE && s <= all->last; s++) {
		if (s >= without->first && s <= without->last)
			continue;
		r = totp_code(t, s, want);
		uint64_t match = 0 - (uint64_t)secret_equal(want, (size_t)t->digits, code, len);
		found = (found & ~match) | (s & match);
		any |= match;
	}
	secret_wipe(want, sizeof(want));
	if (r == ERR_NONE && any)
		*ret_step = found;
	return r != ERR_NONE ? r : any ? ERR_NONE : ERR_DENIED;
}

enum err totp_check(const struct totp *t, const char *code, int64_t now, uint64_t *ret_step)
{
	if (!totp_algorithm(t) || now < t->period)
		return ERR_INVALID;
	uint64_t step = (uint64_t)now / (uint64_t)t->period;
	const struct span window = {step - 1, step + 1}, none = {1, 0};

	return compare(t, code, &window, &none, ret_step);
}

enum err totp_ahead(const struct totp *t, const char *code, int64_t now, int64_t around, int64_t *ret_ahead)
{
	uint64_t found;

	if (!totp_algorithm(t) || around < t->period || now < around + t->period)
		return ERR_INVALID;
	uint64_t step = (uint64_t)now / (uint64_t)t->period, n = (uint64_t)around / (uint64_t)t->period;
	const struct span all = {step - n, step + n}, window = {step - 1, step + 1};
	enum err r = compare(t, code, &all, &window, &found);

	if (r == ERR_NONE)
		*ret_ahead = (int64_t)found - (int64_t)step;
	return r;
}

/* RFC 3986 section 2.1: all but the unreserved. */
static void uri_escape(struct buf *b, const char *s)
{
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

	for (; *s; s++) {
		if (strchr(unreserved, *s))
			buf_addc(b, *s);
		else if (*s == ':') /* parts the label, escaped or not, in many apps: a full-width one looks the same */
			buf_adds(b, "%EF%BC%9A");
		else
			buf_addf(b, "%%%02X", (unsigned)(uint8_t)*s);
	}
}

enum err totp_uri(const struct totp *t, const char *issuer, const char *login, struct buf *ret)
{
	const struct algorithm *a = totp_algorithm(t);
	AUTO_BUF b = BUF_INIT;

	if (!a || !*login || !text_utf8_valid(issuer, strlen(issuer)) || !text_utf8_valid(login, strlen(login)))
		return ERR_INVALID;
	buf_adds(&b, "otpauth://totp/");
	if (*issuer) {
		uri_escape(&b, issuer);
		buf_addc(&b, ':');
	}
	uri_escape(&b, login);
	buf_adds(&b, "?secret=");
	base32_encode(&b, t->secret, t->secret_len);
	if (*issuer) {
		buf_adds(&b, "&issuer=");
		uri_escape(&b, issuer);
	}
	buf_addf(&b, "&algorithm=%s&digits=%d&period=%d", a->name, t->digits, t->period);
	if (b.failed)
		return ERR_NOMEM;
	buf_add(ret, b.data, b.len);
	return ret->failed ? ERR_NOMEM : ERR_NONE;
}
