#include "config.h"

#include "fido/report.h"

#define ITEM_LONG	0xfe
#define ITEM_KIND	0xfc /* without the two bits of its length */
#define ITEM_PAGE	0x04
#define ITEM_COLLECTION 0xa0
#define PAGE_FIDO	0xf1d0u

/* Little-endian. */
static uint32_t item_value(const uint8_t *p, size_t n)
{
	uint32_t v = 0;
	while (n > 0)
		v = v << 8 | p[--n];
	return v;
}

bool report_is_key(const uint8_t *p, size_t n)
{
	bool key = false;

	for (size_t at = 0; at < n;) {
		uint8_t head = p[at++];
		size_t len = head & 3;

		if (head == ITEM_LONG) {
			if (n - at < 2)
				return false;
			len = 2 + (size_t)p[at];
		} else if (len == 3) {
			len = 4;
		}
		if (len > n - at)
			return false;
		if (head != ITEM_LONG && (head & ITEM_KIND) == ITEM_PAGE)
			key = item_value(p + at, len) == PAGE_FIDO;
		if (head != ITEM_LONG && (head & ITEM_KIND) == ITEM_COLLECTION)
			return key;
		at += len;
	}
	return false;
}
