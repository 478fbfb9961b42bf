#include "config.h"

#include "common/secret.h"
#include "common/text.h"
#include "common/text_chars.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uninorm.h>
#include <unistr.h>

/* The longest expansion of NFKC in UTF-8: U+FDFA, 3 bytes, becomes 33. */
#define NFKC_FACTOR 11

bool text_utf8_valid(const void *p, size_t n)
{
	return n == 0 || (!memchr(p, '\0', n) && !u8_check(p, n));
}

size_t text_control(const char *s, size_t n)
{
	const uint8_t *p = (const uint8_t *)s;
	if (n > 0 && (p[0] < ' ' || p[0] == 127))
		return 1;
	if (n > 1 && p[0] == 0xc2 && p[1] < 0xa0)
		return 2;
	if (n < 3 || (p[0] != 0xe2 && p[0] != 0xef))
		return 0;
	unsigned c = (p[0] & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
	return c == 0x200b || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
		       (c >= 0x2066 && c <= 0x2069) || c == 0xfeff
		   ? 3
		   : 0;
}

static bool is_ascii(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] >= 0x80)
			return false;
	return true;
}

enum err text_nfkc(const char *s, size_t n, struct buf *ret)
{
	AUTO_BUF room = BUF_INIT;
	uint8_t *at, *form;
	size_t len;

	if (!text_utf8_valid(s, n))
		return ERR_INVALID;
	if (is_ascii(s, n)) {
		buf_add(ret, s, n);
		return ret->failed ? ERR_NOMEM : ERR_NONE;
	}
	if (n > SIZE_MAX / (2 * NFKC_FACTOR))
		return ERR_TOOBIG;
	/* With room for the longest result libunistring has no reason for a block of its own, which it would not wipe.
	 */
	len = n * NFKC_FACTOR + 16;
	at = buf_room(&room, len);
	if (!at)
		return ERR_NOMEM;
	form = u8_normalize(UNINORM_NFKC, (const uint8_t *)s, n, at, &len);
	if (!form)
		return errno == ENOMEM ? ERR_NOMEM : ERR_INVALID;
	buf_add(ret, form, len);
	if (form != at) {
		secret_wipe(form, len);
		free(form);
	}
	return ret->failed ? ERR_NOMEM : ERR_NONE;
}

enum err text_code(const char *s, size_t n, struct buf *ret)
{
	AUTO_BUF form = BUF_INIT;
	enum err e = text_nfkc(s, n, &form);
	int step;

	for (size_t i = 0; e == ERR_NONE && i < form.len; i += (size_t)step) {
		ucs4_t c;

		step = u8_mbtouc(&c, form.data + i, form.len - i);
		if (text_is_space(c) || text_is_hyphen(c) || text_is_dot(c))
			continue;
		if (c == 'o' || c == 'O') /* no generated code has one */
			buf_addc(ret, '0');
		else if (c < 0x80)
			buf_addc(ret, text_ascii_lower((char)c));
		else
			buf_add(ret, form.data + i, (size_t)step);
	}
	return e == ERR_NONE && ret->failed ? ERR_NOMEM : e;
}

enum err text_initial(const char *s, size_t n, struct buf *ret)
{
	return text_code(s, n, ret);
}

bool text_local_path(const char *s)
{
	if (!s || s[0] != '/' || s[1] == '/')
		return false;
	for (const char *p = s; *p; p++)
		if (*p <= ' ' || *p > '~' || *p == '\\')
			return false;
	return strlen(s) <= TEXT_LOCAL_PATH;
}

bool text_login_staff(const char *s)
{
	size_t n = s ? strlen(s) : 0;

	if (n < 1 || n > 32 || !((s[0] >= 'a' && s[0] <= 'z') || s[0] == '_'))
		return false;
	return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n;
}

/* NFKC without outer white space: *ret points into form. */
static enum err trimmed(const char *s, size_t n, struct buf *form, const char **ret, size_t *ret_len)
{
	enum err e = text_nfkc(s, n, form);
	const char *t = (const char *)form->data;
	size_t from = 0, to = form->len;
	ucs4_t c;

	if (e != ERR_NONE)
		return e;
	while (from < to) {
		int step = u8_mbtouc(&c, form->data + from, to - from);

		if (!text_is_space(c))
			break;
		from += (size_t)step;
	}
	while (to > from) {
		const uint8_t *prev = u8_prev(&c, form->data + to, form->data + from);

		if (!prev || !text_is_space(c))
			break;
		to = (size_t)(prev - form->data);
	}
	*ret = t ? t + from : "";
	*ret_len = to - from;
	return ERR_NONE;
}

enum err text_login(const char *s, size_t n, struct buf *ret)
{
	AUTO_BUF form = BUF_INIT;
	char login[LOGIN_MAX];
	const char *t;
	size_t len;
	enum err e = trimmed(s, n, &form, &t, &len);

	if (e != ERR_NONE)
		return e;
	if (len < 1 || len > LOGIN_MAX)
		return ERR_INVALID;
	for (size_t i = 0; i < len; i++) {
		char c = text_ascii_lower(t[i]);
		bool first = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';

		if (!first && (i == 0 || (c != '.' && c != '@' && c != '-')))
			return ERR_INVALID;
		login[i] = c;
	}
	buf_add(ret, login, len);
	return ret->failed ? ERR_NOMEM : ERR_NONE;
}

/* The domain of an address in lower case: letters, digits and hyphens between dots, a letter in the last label. */
static bool domain_valid(const char *d, size_t n)
{
	bool dot = false, letter = false;
	size_t label = 0;

	for (size_t i = 0; i < n; i++) {
		char c = d[i];
		bool alpha = c >= 'a' && c <= 'z';

		if (c == '.') {
			if (label == 0 || d[i - 1] == '-')
				return false;
			dot = true;
			letter = false;
			label = 0;
			continue;
		}
		if (!alpha && !(c >= '0' && c <= '9') && (c != '-' || label == 0))
			return false;
		letter |= alpha;
		if (++label > 63)
			return false;
	}
	return label > 0 && letter && d[n - 1] != '-' && (dot || (n == 9 && memcmp(d, "localhost", 9) == 0));
}

/* RFC 5321's atom characters, and dots where no standard allows them but carriers gave them out. */
static bool local_valid(const char *l, size_t n)
{
	if (n < 1 || n > 64 || l[0] == '.')
		return false;
	for (size_t i = 0; i < n; i++)
		if (l[i] <= ' ' || l[i] >= 0x7f || strchr("\"(),:;<>@[\\]", l[i]))
			return false;
	return true;
}

static enum err email(const char *s, size_t n, struct buf *ret, bool fold_local)
{
	AUTO_BUF form = BUF_INIT;
	char mail[EMAIL_MAX];
	const char *t, *at;
	size_t len, local;
	enum err e = trimmed(s, n, &form, &t, &len);

	if (e != ERR_NONE)
		return e;
	at = memchr(t, '@', len);
	if (!at || len > EMAIL_MAX || !is_ascii(t, len))
		return ERR_INVALID;
	local = (size_t)(at - t);
	for (size_t i = 0; i < len; i++)
		mail[i] = i > local || fold_local ? text_ascii_lower(t[i]) : t[i];
	if (!local_valid(mail, local) || !domain_valid(mail + local + 1, len - local - 1))
		return ERR_INVALID;
	buf_add(ret, mail, len);
	return ret->failed ? ERR_NOMEM : ERR_NONE;
}

enum err text_email(const char *s, size_t n, struct buf *ret)
{
	return email(s, n, ret, false);
}

enum err text_email_key(const char *s, size_t n, struct buf *ret)
{
	return email(s, n, ret, true);
}
