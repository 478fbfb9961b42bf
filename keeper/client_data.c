#include "config.h"

#include "common/base64url.h"
#include "common/secret.h"
#include "common/text.h"
#include "keeper/client_data.h"
#include <string.h>

#define CHALLENGE_MIN 16 /* section 13.4.3 */

struct reader {
	const uint8_t *p, *end;
	struct client_data *to;
	size_t used; /* of to->text: what is unescaped is never longer than what it came from */
};

static int reader_peek(const struct reader *r)
{
	return r->p < r->end ? *r->p : -1;
}

static bool reader_take(struct reader *r, int c)
{
	if (reader_peek(r) != c)
		return false;
	r->p++;
	return true;
}

static bool reader_word(struct reader *r, const char *word)
{
	size_t n = strlen(word);
	if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0)
		return false;
	r->p += n;
	return true;
}

static void reader_blank(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
		r->p++;
}

static void reader_put(struct reader *r, unsigned byte)
{
	if (r->used < sizeof r->to->text)
		r->to->text[r->used++] = (uint8_t)byte;
}

/* ---- strings ---- */

static bool string_hex4(struct reader *r, unsigned *ret)
{
	unsigned v = 0;
	for (int i = 0; i < 4; i++) {
		int c = reader_peek(r);
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
			    : c >= 'A' && c <= 'F' ? c - 'A' + 10
						   : -1;
		if (digit < 0)
			return false;
		v = v << 4 | (unsigned)digit;
		r->p++;
	}
	*ret = v;
	return true;
}

/* Behind "\u": one unit, or two that make a pair (RFC 8259 section 7). Half a pair is no character. */
static bool string_unicode(struct reader *r)
{
	unsigned v, low;
	if (!string_hex4(r, &v) || (v >= 0xdc00 && v <= 0xdfff))
		return false;
	if (v >= 0xd800 && v <= 0xdbff) {
		if (!reader_word(r, "\\u") || !string_hex4(r, &low) || low < 0xdc00 || low > 0xdfff)
			return false;
		v = 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00);
	}
	if (v < 0x80) {
		reader_put(r, v);
		return true;
	}
	if (v >= 0x10000) {
		reader_put(r, 0xf0 | v >> 18);
		reader_put(r, 0x80 | (v >> 12 & 0x3f));
	} else if (v >= 0x800) {
		reader_put(r, 0xe0 | v >> 12);
	}
	reader_put(r, v >= 0x800 ? 0x80 | (v >> 6 & 0x3f) : 0xc0 | v >> 6);
	reader_put(r, 0x80 | (v & 0x3f));
	return true;
}

static bool string_escape(struct reader *r)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	int c = reader_peek(r);
	const char *at = c > 0 ? memchr(from, c, sizeof from - 1) : NULL;
	if (at) {
		r->p++;
		reader_put(r, (uint8_t)to[at - from]);
		return true;
	}
	return reader_take(r, 'u') && string_unicode(r);
}

/* ret NULL: it is only looked at, and leaves nothing in the text. */
static bool read_string(struct reader *r, struct passkey_bytes *ret)
{
	size_t from = r->used;
	if (!reader_take(r, '"'))
		return false;
	while (!reader_take(r, '"')) {
		int c = reader_peek(r);
		if (c < ' ')
			return false; /* the end, or a control character */
		r->p++;
		if (c != '\\')
			reader_put(r, (unsigned)c);
		else if (!string_escape(r))
			return false;
	}
	if (ret)
		*ret = (struct passkey_bytes){r->to->text + from, r->used - from};
	else
		r->used = from;
	return true;
}

/* ---- values that are not known ---- */

static bool skip_digits(struct reader *r)
{
	const uint8_t *from = r->p;
	while (reader_peek(r) >= '0' && reader_peek(r) <= '9')
		r->p++;
	return r->p > from;
}

/* RFC 8259 section 6. */
static bool skip_number(struct reader *r)
{
	(void)reader_take(r, '-');
	if (!reader_take(r, '0') && !skip_digits(r))
		return false;
	if (reader_take(r, '.') && !skip_digits(r))
		return false;
	if (!reader_take(r, 'e') && !reader_take(r, 'E'))
		return true;
	if (!reader_take(r, '+'))
		(void)reader_take(r, '-');
	return skip_digits(r);
}

/* A value that is no container; of one its opening bracket alone. */
static bool skip_scalar(struct reader *r)
{
	switch (reader_peek(r)) {
	case '"':
		return read_string(r, NULL);
	case 't':
		return reader_word(r, "true");
	case 'f':
		return reader_word(r, "false");
	case 'n':
		return reader_word(r, "null");
	default:
		return skip_number(r);
	}
}

static bool skip_name(struct reader *r)
{
	reader_blank(r);
	if (!read_string(r, NULL))
		return false;
	reader_blank(r);
	return reader_take(r, ':');
}

/* Behind a value: closes what ends here; where another one follows, *ret_more. */
static bool skip_closing(struct reader *r, const char open[static CLIENT_DATA_DEPTH], unsigned *depth, bool *ret_more)
{
	*ret_more = false;
	while (*depth) {
		bool object = open[*depth - 1] == '{';
		reader_blank(r);
		if (reader_take(r, object ? '}' : ']')) {
			--*depth;
			continue;
		}
		*ret_more = true;
		return reader_take(r, ',') && (!object || skip_name(r));
	}
	return true;
}

static bool skip_value(struct reader *r)
{
	char open[CLIENT_DATA_DEPTH] = "";
	unsigned depth = 0;
	bool more = true;
	while (more) {
		reader_blank(r);
		int c = reader_peek(r);
		if (c == '{' || c == '[') {
			if (depth == CLIENT_DATA_DEPTH)
				return false;
			open[depth++] = (char)c;
			r->p++;
			reader_blank(r);
			int next = reader_peek(r);
			if (next != (c == '{' ? '}' : ']')) {
				if (c == '{' && !skip_name(r))
					return false;
				continue;
			}
		} else if (!skip_scalar(r)) {
			return false;
		}
		if (!skip_closing(r, open, &depth, &more))
			return false;
	}
	return true;
}

/* ---- the object ---- */

static bool bytes_are(struct passkey_bytes b, const char *s)
{
	return b.n == strlen(s) && memcmp(b.p, s, b.n) == 0;
}

static bool read_bool(struct reader *r, bool *ret)
{
	*ret = reader_peek(r) == 't';
	return reader_word(r, *ret ? "true" : "false");
}

static bool read_member(struct reader *r, struct passkey_bytes name)
{
	struct client_data *to = r->to;
	if (bytes_are(name, "type"))
		return read_string(r, &to->type);
	if (bytes_are(name, "challenge"))
		return read_string(r, &to->challenge);
	if (bytes_are(name, "origin"))
		return read_string(r, &to->origin);
	if (bytes_are(name, "topOrigin"))
		return read_string(r, &to->top_origin);
	if (bytes_are(name, "crossOrigin"))
		return read_bool(r, &to->cross_origin);
	return skip_value(r);
}

static bool read_name(struct reader *r, struct passkey_bytes *name, size_t n)
{
	if (n == CLIENT_DATA_MEMBERS || !read_string(r, &name[n]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (name[i].n == name[n].n && memcmp(name[i].p, name[n].p, name[n].n) == 0)
			return false;
	reader_blank(r);
	return reader_take(r, ':');
}

static bool read_object(struct reader *r)
{
	struct passkey_bytes name[CLIENT_DATA_MEMBERS];
	reader_blank(r);
	if (!reader_take(r, '{'))
		return false;
	for (size_t n = 0;; n++) {
		reader_blank(r);
		if (!read_name(r, name, n)) /* an empty object lacks what must be there */
			return false;
		reader_blank(r);
		if (!read_member(r, name[n]))
			return false;
		reader_blank(r);
		if (reader_take(r, '}'))
			break;
		if (!reader_take(r, ','))
			return false;
	}
	reader_blank(r);
	return r->p == r->end;
}

bool client_data_parse(struct passkey_bytes json, struct client_data *ret)
{
	ret->type = ret->challenge = ret->origin = ret->top_origin = (struct passkey_bytes){NULL, 0};
	ret->cross_origin = false;
	if (!json.p || json.n > PASSKEY_CLIENT_MAX || !text_utf8_valid(json.p, json.n))
		return false;
	struct reader r = {.p = json.p, .end = json.p + json.n, .to = ret};
	(void)reader_word(&r, "\xef\xbb\xbf");
	return read_object(&r) && ret->type.p && ret->challenge.p && ret->origin.p;
}

enum passkey_check client_data_challenge(const struct client_data *c, struct passkey_bytes challenge)
{
	AUTO_BUF want = BUF_INIT;
	if (!challenge.p || challenge.n < CHALLENGE_MIN)
		return PASSKEY_CHALLENGE;
	/* Strict without a decoder: no other text is this one's. */
	base64url_encode(&want, challenge.p, challenge.n);
	if (want.failed)
		return PASSKEY_INTERNAL;
	return secret_equal(want.data, want.len, c->challenge.p, c->challenge.n) ? PASSKEY_OK : PASSKEY_CHALLENGE;
}
