#include "config.h"

#include "common/text.h"
#include "keeper/cbor.h"
#include <string.h>

#define SIMPLE_FALSE 20
#define SIMPLE_NULL  22

struct cbor cbor_over(const void *p, size_t n)
{
	const uint8_t *from = p;
	return (struct cbor){from, n ? from + n : from};
}

bool cbor_at_end(const struct cbor *c)
{
	return c->p == c->end;
}

size_t cbor_left(const struct cbor *c)
{
	return (size_t)(c->end - c->p);
}

/* RFC 8949 3: the head's argument, in the shortest form (4.2.1). */
static bool cbor_argument(struct cbor *c, unsigned info, uint64_t *ret)
{
	static const uint64_t least[4] = {24, 0x100, 0x10000, 0x100000000};
	if (info < 24) {
		*ret = info;
		return true;
	}
	if (info > 27)
		return false; /* reserved, or of indefinite length */
	size_t width = (size_t)1 << (info - 24);
	if (cbor_left(c) < width)
		return false;
	uint64_t n = 0;
	for (size_t i = 0; i < width; i++)
		n = n << 8 | *c->p++;
	*ret = n;
	return n >= least[info - 24];
}

static bool cbor_content(struct cbor *c, struct cbor_item *item)
{
	switch (item->kind) {
	case CBOR_BYTES:
	case CBOR_TEXT:
		if (item->n > cbor_left(c))
			return false;
		item->p = c->p;
		c->p += item->n;
		return item->kind == CBOR_BYTES || text_utf8_valid(item->p, (size_t)item->n);
	case CBOR_ARRAY:
		return item->n <= cbor_left(c);
	case CBOR_MAP:
		return item->n <= cbor_left(c) / 2;
	case CBOR_SIMPLE:
		return item->n >= SIMPLE_FALSE && item->n <= SIMPLE_NULL;
	case CBOR_UINT:
	case CBOR_NEGATIVE:
		return true;
	}
	return false; /* tags */
}

bool cbor_next(struct cbor *c, struct cbor_item *ret)
{
	if (cbor_at_end(c))
		return false;
	unsigned head = *c->p++;
	struct cbor_item item = {.kind = (enum cbor_kind)(head >> 5)};
	/* Behind 0xf8 stand simple values, none of which is known, behind 0xf9 to 0xfb floats. */
	if (item.kind == CBOR_SIMPLE && (head & 31) >= 24)
		return false;
	if (!cbor_argument(c, head & 31, &item.n) || !cbor_content(c, &item))
		return false;
	*ret = item;
	return true;
}

/* Of canonical keys the encodings sort as the keys do: the kind is in the first bits, the length in the next. */
static bool cbor_key_take(struct cbor *c, struct cbor_key *k, struct cbor_item *ret)
{
	const uint8_t *from = c->p;
	if (!cbor_next(c, ret) || ret->kind > CBOR_TEXT)
		return false;
	size_t n = (size_t)(c->p - from), least = n < k->n ? n : k->n;
	int order = least ? memcmp(k->p, from, least) : 0;
	if (k->n && (order > 0 || (order == 0 && k->n >= n)))
		return false;
	*k = (struct cbor_key){from, n};
	return true;
}

/* Over the elements that stand open at each depth, without recursion. */
bool cbor_skip(struct cbor *c, unsigned depth)
{
	struct {
		uint64_t left; /* items, keys among them */
		bool map;
		struct cbor_key key;
	} open[CBOR_DEPTH_MAX + 1] = {{.left = 1}};
	unsigned at = 0;
	if (depth > CBOR_DEPTH_MAX)
		return false;
	for (;;) {
		struct cbor_item item;
		while (open[at].left == 0) {
			if (at-- == 0)
				return true;
		}
		bool key = open[at].map && open[at].left % 2 == 0;
		open[at].left--;
		if (key ? !cbor_key_take(c, &open[at].key, &item) : !cbor_next(c, &item))
			return false;
		if (item.kind != CBOR_ARRAY && item.kind != CBOR_MAP)
			continue;
		if (at++ == depth)
			return false;
		bool map = item.kind == CBOR_MAP;
		open[at].left = map ? 2 * item.n : item.n;
		open[at].map = map;
		open[at].key = (struct cbor_key){NULL, 0};
	}
}

static bool cbor_integer(const struct cbor_item *item, int64_t *ret)
{
	if (item->kind > CBOR_NEGATIVE || item->n > INT64_MAX)
		return false;
	*ret = item->kind == CBOR_UINT ? (int64_t)item->n : -1 - (int64_t)item->n;
	return true;
}

bool cbor_int(struct cbor *c, int64_t *ret)
{
	struct cbor_item item;
	return cbor_next(c, &item) && cbor_integer(&item, ret);
}

bool cbor_bytes(struct cbor *c, const uint8_t **ret, size_t *ret_n)
{
	struct cbor_item item;
	if (!cbor_next(c, &item) || item.kind != CBOR_BYTES)
		return false;
	*ret = item.p;
	*ret_n = (size_t)item.n;
	return true;
}

bool cbor_text(struct cbor *c, const char **ret, size_t *ret_n)
{
	struct cbor_item item;
	if (!cbor_next(c, &item) || item.kind != CBOR_TEXT)
		return false;
	*ret = (const char *)item.p;
	*ret_n = (size_t)item.n;
	return true;
}

static bool cbor_container(struct cbor *c, enum cbor_kind kind, size_t *ret)
{
	struct cbor_item item;
	if (!cbor_next(c, &item) || item.kind != kind)
		return false;
	*ret = (size_t)item.n;
	return true;
}

bool cbor_array(struct cbor *c, size_t *ret_n)
{
	return cbor_container(c, CBOR_ARRAY, ret_n);
}

bool cbor_map(struct cbor *c, size_t *ret_pairs)
{
	return cbor_container(c, CBOR_MAP, ret_pairs);
}

bool cbor_key_int(struct cbor *c, struct cbor_key *k, int64_t *ret)
{
	struct cbor_item item;
	return cbor_key_take(c, k, &item) && cbor_integer(&item, ret);
}

bool cbor_key_text(struct cbor *c, struct cbor_key *k, const char **ret, size_t *ret_n)
{
	struct cbor_item item;
	if (!cbor_key_take(c, k, &item) || item.kind != CBOR_TEXT)
		return false;
	*ret = (const char *)item.p;
	*ret_n = (size_t)item.n;
	return true;
}

bool cbor_key_is(struct cbor *c, struct cbor_key *k, const char *name)
{
	struct cbor ahead = *c;
	struct cbor_key key = *k;
	const char *s;
	size_t n;
	if (!cbor_key_text(&ahead, &key, &s, &n) || n != strlen(name) || memcmp(s, name, n) != 0)
		return false;
	*c = ahead;
	*k = key;
	return true;
}
