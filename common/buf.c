#include "config.h"

#include "common/buf.h"
#include "common/secret.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_LEAST 64

void buf_free(struct buf *b)
{
	if (!b)
		return;
	secret_wipe(b->data, b->cap);
	free(b->data);
	*b = (struct buf)BUF_INIT;
}

void buf_wipe(struct buf *b)
{
	secret_wipe(b->data, b->cap);
	b->len = 0;
}

/* realloc would leave a copy of the old bytes behind: a new block, then the old one is wiped. */
static bool buf_grow(struct buf *b, size_t cap)
{
	uint8_t *data = malloc(cap);

	if (!data) {
		b->failed = true;
		return false;
	}
	if (b->len > 0)
		memcpy(data, b->data, b->len);
	data[b->len] = '\0';
	secret_wipe(b->data, b->cap);
	free(b->data);
	b->data = data;
	b->cap = cap;
	return true;
}

uint8_t *buf_room(struct buf *b, size_t n)
{
	size_t need, cap;

	if (b->failed)
		return NULL;
	if (n >= SIZE_MAX / 2 || b->len >= SIZE_MAX / 2 - n) {
		b->failed = true;
		return NULL;
	}
	need = b->len + n + 1;
	if (need > b->cap) {
		cap = b->cap < BUF_LEAST ? BUF_LEAST : b->cap;
		while (cap < need)
			cap *= 2;
		if (!buf_grow(b, cap))
			return NULL;
	}
	return b->data + b->len;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	uint8_t *to = buf_room(b, n);

	if (!to)
		return;
	if (n > 0)
		memcpy(to, p, n);
	to[n] = '\0';
	b->len += n;
}

void buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_addc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	uint8_t *to;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->failed = true;
		return;
	}
	to = buf_room(b, (size_t)n);
	if (!to)
		return;
	va_start(ap, fmt);
	if (vsnprintf((char *)to, (size_t)n + 1, fmt, ap) == n)
		b->len += (size_t)n;
	else
		b->failed = true;
	va_end(ap);
}

void buf_add_u16(struct buf *b, uint16_t v)
{
	const uint8_t p[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	buf_add(b, p, sizeof p);
}

void buf_add_u32(struct buf *b, uint32_t v)
{
	buf_add_u16(b, (uint16_t)(v >> 16));
	buf_add_u16(b, (uint16_t)v);
}

void buf_add_u64(struct buf *b, uint64_t v)
{
	buf_add_u32(b, (uint32_t)(v >> 32));
	buf_add_u32(b, (uint32_t)v);
}

const char *buf_str(const struct buf *b)
{
	if (b->failed)
		return NULL;
	if (b->len == 0)
		return "";
	return memchr(b->data, '\0', b->len) ? NULL : (const char *)b->data;
}
