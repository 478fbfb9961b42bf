/* Any bytes as clientDataJSON: what is taken is UTF-8 and lies in the struct's text; white space around it, or a mark
 * before it, changes nothing; a byte behind it does. */
#include "config.h"

#include "common/text.h"
#include "keeper/client_data.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

static struct client_data c, again;

static void look(const struct client_data *d, struct passkey_bytes b)
{
	CHECK(b.p >= d->text && b.p + b.n <= d->text + sizeof d->text);
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] == 0)
			return; /* "\u0000" is valid, and what no text of ours is equal to */
	CHECK(text_utf8_valid(b.p, b.n));
}

static bool same(struct passkey_bytes a, struct passkey_bytes b)
{
	return a.n == b.n && (!a.p) == (!b.p) && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* With s before it and one byte behind. */
static bool framed(const uint8_t *data, size_t n, const char *s, char behind)
{
	static uint8_t text[PASSKEY_CLIENT_MAX + 8];
	size_t k = strlen(s);
	memcpy(text, s, k);
	memcpy(text + k, data, n);
	text[k + n] = (uint8_t)behind;
	return client_data_parse((struct passkey_bytes){text, k + n + 1}, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	bool ok = client_data_parse((struct passkey_bytes){data, n}, &c);
	CHECK(!ok || n <= PASSKEY_CLIENT_MAX);
	if (!ok)
		return 0;
	look(&c, c.type);
	look(&c, c.challenge);
	look(&c, c.origin);
	if (c.top_origin.p)
		look(&c, c.top_origin);
	if (n + 4 > PASSKEY_CLIENT_MAX)
		return 0;
	bool mark = data[0] == 0xef;
	CHECK(framed(data, n, mark ? "" : "\xef\xbb\xbf", '\n'));
	CHECK(same(c.type, again.type) && same(c.challenge, again.challenge) && same(c.origin, again.origin));
	CHECK(same(c.top_origin, again.top_origin) && c.cross_origin == again.cross_origin);
	CHECK(mark || framed(data, n, " \t", ' '));
	CHECK(!framed(data, n, "", '}') && !framed(data, n, "", ','));
	return 0;
}
