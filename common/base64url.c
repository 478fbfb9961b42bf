#include "config.h"

#include "common/base64url.h"
#include "common/secret.h"
#include <string.h>

static const char b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char b32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* Both encodings: a stream of bits cut into groups of `bits`, the last one filled with zeros. */
static void encode(struct buf *b, const uint8_t *p, size_t n, const char *alphabet, unsigned bits)
{
	uint32_t acc = 0;
	unsigned have = 0;

	for (size_t i = 0; i < n; i++) {
		acc = acc << 8 | p[i];
		for (have += 8; have >= bits; have -= bits)
			buf_addc(b, alphabet[acc >> (have - bits) & ((1u << bits) - 1)]);
		acc &= (1u << have) - 1;
	}
	if (have > 0)
		buf_addc(b, alphabet[acc << (bits - have) & ((1u << bits) - 1)]);
}

struct decoder {
	const char *alphabet;
	unsigned bits, have;
	uint32_t acc;
};

static bool decode_char(struct decoder *d, struct buf *b, char c)
{
	const char *at = c ? strchr(d->alphabet, c) : NULL;

	if (!at)
		return false;
	d->acc = d->acc << d->bits | (uint32_t)(at - d->alphabet);
	d->have += d->bits;
	if (d->have >= 8) {
		d->have -= 8;
		buf_addc(b, (char)(d->acc >> d->have));
		d->acc &= (1u << d->have) - 1;
	}
	return true;
}

/* A whole character too few bits to make a byte of, or bits that no encoder sets: not the one form of any bytes. */
static enum err decode_end(const struct decoder *d, struct buf *b, size_t start, bool ok)
{
	if (b->failed)
		return ERR_NOMEM;
	if (ok && d->have < d->bits && d->acc == 0)
		return ERR_NONE;
	if (b->len > start) {
		secret_wipe(b->data + start, b->len - start);
		b->len = start;
	}
	return ERR_INVALID;
}

void base64url_encode(struct buf *b, const void *p, size_t n)
{
	encode(b, p, n, b64, 6);
}

enum err base64url_decode(struct buf *b, const char *s, size_t n)
{
	struct decoder d = {.alphabet = b64, .bits = 6};
	size_t start = b->len;
	bool ok = true;

	for (size_t i = 0; ok && i < n; i++)
		ok = decode_char(&d, b, s[i]);
	return decode_end(&d, b, start, ok);
}

void base32_encode(struct buf *b, const void *p, size_t n)
{
	encode(b, p, n, b32, 5);
}

enum err base32_decode(struct buf *b, const char *s, size_t n)
{
	struct decoder d = {.alphabet = b32, .bits = 5};
	size_t start = b->len, padding = 0;
	bool ok = true;

	for (size_t i = 0; ok && i < n; i++) {
		char c = s[i];

		if (c == ' ' || c == '-')
			continue;
		if (c == '=') {
			ok = ++padding <= 6;
			continue;
		}
		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		ok = padding == 0 && decode_char(&d, b, c);
	}
	return decode_end(&d, b, start, ok);
}
