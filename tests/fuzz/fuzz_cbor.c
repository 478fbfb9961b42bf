/* Any bytes as CBOR: what is taken is written anew, item by item, to the same bytes; what is taken at some depth is
 * taken at every greater one; nothing reads behind the end. */
#include "config.h"

#include "keeper/cbor.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

/* The one head of this kind and number (RFC 8949 3, 4.2.1). */
static size_t head(const struct cbor_item *item, uint8_t ret[static 9])
{
	unsigned width = item->n < 24 ? 0 : item->n < 0x100 ? 1 : item->n < 0x10000 ? 2 : item->n < 0x100000000 ? 4 : 8;
	unsigned info = width == 0 ? (unsigned)item->n : width == 1 ? 24 : width == 2 ? 25 : width == 4 ? 26 : 27;
	ret[0] = (uint8_t)((unsigned)item->kind << 5 | info);
	for (unsigned i = 0; i < width; i++)
		ret[1 + i] = (uint8_t)(item->n >> 8 * (width - 1 - i));
	return 1 + width;
}

/* All items that are read, one after the other, without regard to what is in what. */
static void walk(struct cbor c)
{
	struct cbor_item item;
	for (const uint8_t *from = c.p; cbor_next(&c, &item); from = c.p) {
		uint8_t want[9];
		size_t n = head(&item, want);
		CHECK(memcmp(from, want, n) == 0);
		bool string = item.kind == CBOR_BYTES || item.kind == CBOR_TEXT;
		CHECK(c.p == from + n + (string ? item.n : 0) && c.p <= c.end);
		CHECK(!string || item.p == from + n);
	}
}

static void kinds(const uint8_t *data, size_t n)
{
	struct cbor c[5];
	const uint8_t *p;
	const char *s;
	size_t len, taken = 0;
	int64_t v;
	for (size_t i = 0; i < 5; i++)
		c[i] = cbor_over(data, n);
	taken += cbor_int(&c[0], &v);
	taken += cbor_bytes(&c[1], &p, &len);
	taken += cbor_text(&c[2], &s, &len);
	taken += cbor_array(&c[3], &len);
	taken += cbor_map(&c[4], &len);
	CHECK(taken <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	bool before = false;
	const uint8_t *end = NULL;
	for (unsigned depth = 0; depth <= CBOR_DEPTH_MAX; depth++) {
		struct cbor c = cbor_over(data, n);
		bool ok = cbor_skip(&c, depth);
		CHECK(ok || !before);
		CHECK(!ok || (c.p > data && c.p <= data + n));
		CHECK(!before || c.p == end);
		before = ok;
		end = c.p;
	}
	walk(cbor_over(data, n));
	kinds(data, n);
	return 0;
}
