#include "config.h"

#include "keeper/mail_message.h"
#include <openssl/evp.h>
#include <string.h>
#include <time.h>

#define LINE	76 /* RFC 2047 2, RFC 2045 6.7 and 6.8 */
#define WORD	75 /* an encoded-word's most, RFC 2047 2 */
#define OPENING "=?UTF-8?B?"
#define CLOSING "?="
#define AROUND	(sizeof OPENING - 1 + sizeof CLOSING - 1)

static void add_base64(struct buf *b, const void *p, size_t n)
{
	uint8_t *room = buf_room(b, 4 * ((n + 2) / 3) + 1);
	if (room)
		b->len += (size_t)EVP_EncodeBlock(room, p, (int)n);
}

/* Bytes of the longest prefix of s (n bytes) that is at most max and ends between characters. */
static size_t utf8_prefix(const char *s, size_t n, size_t max)
{
	size_t end = max;
	if (n <= max)
		return n;
	while (end > 0 && ((uint8_t)s[end] & 0xc0) == 0x80)
		end--;
	return end ? end : max; /* no UTF-8: the bytes go as they are */
}

/* What a header may hold: no line end of somebody's choosing, no other control character, no blanks around it. */
static void add_clean(struct buf *b, const char *s)
{
	size_t n = strlen(s);
	while (n && (uint8_t)*s <= ' ') {
		s++;
		n--;
	}
	while (n && (uint8_t)s[n - 1] <= ' ')
		n--;
	for (size_t i = 0; i < n; i++)
		buf_addc(b, (uint8_t)s[i] < ' ' || s[i] == 127 ? ' ' : s[i]);
}

/* Could it be read as anything but itself? */
static bool plain(const char *s)
{
	for (const char *p = s; *p; p++)
		if (*p < ' ' || *p > '~')
			return false;
	return !strstr(s, "=?");
}

/* RFC 2047: encoded-words, folded; col: how much of the first line is used. */
static void add_encoded(struct buf *b, const char *s, size_t col)
{
	size_t n = strlen(s);
	for (bool first = true; n; first = false) {
		size_t room = LINE - AROUND - (first ? col : 1);
		if (room > WORD - AROUND)
			room = WORD - AROUND;
		size_t part = utf8_prefix(s, n, room / 4 * 3);
		buf_adds(b, first ? OPENING : "\r\n " OPENING);
		add_base64(b, s, part);
		buf_adds(b, CLOSING);
		s += part;
		n -= part;
	}
}

/* Unstructured text (RFC 5322 3.6.5). */
static void add_words(struct buf *b, const char *text, size_t col)
{
	AUTO_BUF clean = BUF_INIT;
	add_clean(&clean, text);
	const char *s = buf_str(&clean);
	if (!s)
		b->failed = true;
	else if (plain(s) && col + strlen(s) <= LINE)
		buf_adds(b, s);
	else
		add_encoded(b, s, col);
}

/* A display name (RFC 5322 3.4): a quoted string, or encoded-words, which must not stand in one. */
static void add_name(struct buf *b, const char *text, size_t col)
{
	AUTO_BUF clean = BUF_INIT;
	AUTO_BUF quoted = BUF_INIT;
	add_clean(&clean, text);
	const char *s = buf_str(&clean);
	if (!s) {
		b->failed = true;
		return;
	}
	if (!*s)
		return;
	buf_addc(&quoted, '"');
	for (const char *p = s; *p; p++) {
		if (*p == '"' || *p == '\\')
			buf_addc(&quoted, '\\');
		buf_addc(&quoted, *p);
	}
	buf_addc(&quoted, '"');
	if (plain(s) && col + quoted.len <= LINE)
		buf_add(b, quoted.data, quoted.len);
	else
		add_encoded(b, s, col);
	buf_adds(b, "\r\n ");
}

/* RFC 5322 3.2.3 */
static bool dot_atom(const char *s, size_t n)
{
	if (n == 0 || s[0] == '.' || s[n - 1] == '.')
		return false;
	for (size_t i = 0; i < n; i++)
		if (s[i] == '.' ? s[i + 1] == '.'
				: !strchr("!#$%&'*+-/=?^_`{|}~", s[i]) && (s[i] < '0' || s[i] > '9') &&
				      (s[i] < 'A' || s[i] > 'Z') && (s[i] < 'a' || s[i] > 'z'))
			return false;
	return true;
}

/* <local@domain>. Some phone carriers gave out local parts with two dots in a row or one at the end: those are quoted.
 */
static enum err add_address(struct buf *b, const char *address)
{
	const char *at = strrchr(address, '@');
	for (const char *p = address; *p; p++)
		if (*p <= ' ' || *p > '~' || strchr("<>\"\\(),:;[]", *p))
			return ERR_INVALID;
	if (!at || !dot_atom(at + 1, strlen(at + 1)))
		return ERR_INVALID;
	bool quote = !dot_atom(address, (size_t)(at - address));
	buf_adds(b, quote ? "<\"" : "<");
	buf_add(b, address, (size_t)(at - address));
	buf_adds(b, quote ? "\"" : "");
	buf_addf(b, "%s>\r\n", at);
	return ERR_NONE;
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

void mail_domain(const struct conf *conf, char *ret, size_t cap)
{
	const char *at = strchr(conf->mail_from, '@'), *host = strstr(conf->url ? conf->url : "", "://");
	size_t n;
	host = at ? at + 1 : host ? host + 3 : "localhost";
	n = strcspn(host, ":/");
	if (n >= cap)
		n = cap - 1;
	memcpy(ret, host, n);
	ret[n] = '\0';
}

/* ---- the body ---- */

/* RFC 2045 6.7; text is US-ASCII here. A line's last blank would be lost on the way. */
static void add_quoted(struct buf *b, const char *s)
{
	for (size_t col = 0; *s; s++) {
		bool line_end = s[1] == '\n' || s[1] == '\0';
		bool encode = *s == '=' || *s < ' ' || *s == 127 || (*s == ' ' && line_end);
		if (*s == '\n') {
			buf_adds(b, "\r\n");
			col = 0;
			continue;
		}
		/* room for this character and, unless it is the last of its line, for the "=" of a soft break */
		if (col + (encode ? 3 : 1) > (size_t)LINE - !line_end) {
			buf_adds(b, "=\r\n");
			col = 0;
		}
		if (encode)
			buf_addf(b, "=%02X", (uint8_t)*s);
		else
			buf_addc(b, *s);
		col += encode ? 3 : 1;
	}
}

static void add_crlf(struct buf *b, const char *s)
{
	for (; *s; s++) {
		if (*s == '\n')
			buf_addc(b, '\r');
		buf_addc(b, *s);
	}
}

/* The least that is needed (RFC 2045 6.1): mail filters dislike base64 where nothing calls for it. */
static void add_body(struct buf *b, const char *s)
{
	static const char field[] = "Content-Transfer-Encoding: ";
	bool ascii = true, as_it_is = true;
	size_t col = 0;
	for (const char *p = s; *p; p++) {
		col = *p == '\n' ? 0 : col + 1;
		ascii = ascii && (uint8_t)*p < 128;
		as_it_is = as_it_is && col <= LINE && (*p >= ' ' || *p == '\n') && *p != 127;
	}
	if (ascii && as_it_is) {
		buf_addf(b, "%s7bit\r\n\r\n", field);
		add_crlf(b, s);
	} else if (ascii) {
		buf_addf(b, "%squoted-printable\r\n\r\n", field);
		add_quoted(b, s);
	} else {
		AUTO_BUF crlf = BUF_INIT;
		buf_addf(b, "%sbase64\r\n\r\n", field);
		add_crlf(&crlf, s);
		for (size_t i = 0; i < crlf.len; i += LINE / 4 * 3) {
			add_base64(b, crlf.data + i, crlf.len - i < LINE / 4 * 3 ? crlf.len - i : LINE / 4 * 3);
			buf_adds(b, "\r\n");
		}
		if (crlf.failed)
			b->failed = true;
	}
}

enum err mail_compose(const struct conf *conf, const struct mail_parts *m, struct buf *ret)
{
	char domain[256], from[300];
	mail_domain(conf, domain, sizeof domain);
	snprintf(from, sizeof from, "%s%s", conf->mail_from[0] ? conf->mail_from : "kosmo@",
		 conf->mail_from[0] ? "" : domain);
	buf_adds(ret, "From: ");
	if (conf->organisation[0])
		add_name(ret, conf->organisation, strlen("From: "));
	enum err e = add_address(ret, from);
	buf_adds(ret, "To: ");
	if (!e)
		e = add_address(ret, m->to);
	if (e)
		return e;
	buf_adds(ret, "Subject: ");
	add_words(ret, m->subject, strlen("Subject: "));
	buf_adds(ret, "\r\n");
	add_date(ret, m->now);
	buf_adds(ret, "Message-ID: <");
	for (size_t i = 0; i < ID_LEN; i++)
		buf_addf(ret, "%02x", m->id->b[i]);
	buf_addf(ret, "@%s>\r\n", domain);
	if (m->notice && conf->mail_list_unsubscribe[0])
		buf_addf(ret, "List-Unsubscribe: <%s>\r\n", conf->mail_list_unsubscribe);
	buf_addf(ret,
		 "MIME-Version: 1.0\r\nAuto-Submitted: auto-generated\r\nContent-Language: %s\r\n"
		 "Content-Type: text/plain; charset=UTF-8\r\n",
		 m->lang);
	add_body(ret, m->body);
	return ret->failed ? ERR_NOMEM : ERR_NONE;
}
