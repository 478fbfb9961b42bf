#include "config.h"

#include "keeper/mail.h"
#include <openssl/evp.h>
#include <string.h>
#include <time.h>

static void add_base64(struct buf *b, const void *p, size_t n)
{
	uint8_t *room = buf_room(b, 4 * ((n + 2) / 3) + 1);
	if (room)
		b->len += (size_t)EVP_EncodeBlock(room, p, (int)n);
}

/* Bytes of the longest prefix of s (n bytes) that is at most max and ends between characters. */
static size_t utf8_prefix(const char *s, size_t n, size_t max)
{
	if (n <= max)
		return n;
	while (max > 0 && ((uint8_t)s[max] & 0xc0) == 0x80)
		max--;
	return max;
}

/* RFC 2047: encoded-words of at most 75 characters, split between characters, folded; ASCII stays as it is. */
static void add_words(struct buf *b, const char *s)
{
	size_t n = strlen(s);
	bool ascii = true;
	for (size_t i = 0; i < n; i++)
		ascii = ascii && s[i] >= ' ' && s[i] < 127;
	if (ascii && n < 60) {
		buf_adds(b, s);
		return;
	}
	for (bool first = true; n; first = false) {
		size_t part = utf8_prefix(s, n, 42); /* 42 bytes are 56 in base64, with "=?UTF-8?B?" and "?=" 68 */
		buf_adds(b, first ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?");
		add_base64(b, s, part);
		buf_adds(b, "?=");
		s += part;
		n -= part;
	}
}

static void add_date(struct buf *b, int64_t now)
{
	static const char *const day[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const month[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t t = now;
	struct tm tm;
	if (!gmtime_r(&t, &tm)) {
		b->failed = true;
		return;
	}
	buf_addf(b, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", day[tm.tm_wday], tm.tm_mday, month[tm.tm_mon],
		 tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

enum err mail_compose(const struct conf *conf, const char *to, const char *subject, const char *body,
		      const struct id *id, int64_t now, struct buf *ret)
{
	const char *at = strchr(conf->mail_from, '@');
	buf_adds(ret, "From: ");
	if (conf->organisation[0]) {
		/* a display name of its own encoded-words, never a quoted string that needs escaping */
		AUTO_BUF quoted = BUF_INIT;
		add_words(&quoted, conf->organisation);
		bool encoded = quoted.data && !strncmp((char *)quoted.data, "=?", 2);
		if (encoded) {
			buf_add(ret, quoted.data, quoted.len);
		} else {
			buf_addc(ret, '"');
			for (const char *p = conf->organisation; *p; p++) {
				if (*p == '"' || *p == '\\')
					buf_addc(ret, '\\');
				buf_addc(ret, *p);
			}
			buf_addc(ret, '"');
		}
		buf_adds(ret, "\r\n ");
	}
	buf_addf(ret, "<%s>\r\nTo: <%s>\r\nSubject: ", conf->mail_from, to);
	add_words(ret, subject);
	buf_adds(ret, "\r\n");
	add_date(ret, now);
	buf_adds(ret, "Message-ID: <");
	for (size_t i = 0; i < ID_LEN; i++)
		buf_addf(ret, "%02x", id->b[i]);
	buf_addf(ret, "@%s>\r\n", at ? at + 1 : "localhost");
	buf_adds(ret,
		 "MIME-Version: 1.0\r\nAuto-Submitted: auto-generated\r\nContent-Type: text/plain; charset=UTF-8\r\n"
		 "Content-Transfer-Encoding: base64\r\n\r\n");
	size_t n = strlen(body);
	AUTO_BUF crlf = BUF_INIT;
	for (size_t i = 0; i < n; i++) {
		if (body[i] == '\n')
			buf_addc(&crlf, '\r');
		buf_addc(&crlf, body[i]);
	}
	for (size_t i = 0; i < crlf.len; i += 57) { /* 57 bytes are a line of 76 */
		add_base64(ret, crlf.data + i, crlf.len - i < 57 ? crlf.len - i : 57);
		buf_adds(ret, "\r\n");
	}
	return ret->failed || crlf.failed ? ERR_NOMEM : ERR_NONE;
}
