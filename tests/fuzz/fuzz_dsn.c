/* A delivery report, as anybody on the network may send one: whatever it holds, what comes out is a row's id, one of
 * three actions and words that are fit to be shown; the same twice. */
#include "config.h"

#include "keeper/dsn.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

static void look(const struct dsn *d)
{
	CHECK(d->action >= DSN_FAILED && d->action <= DSN_OTHER);
	CHECK(d->reason[0] >= '2' && d->reason[0] <= '5' && d->reason[1] == '.');
	CHECK(strlen(d->reason) <= DSN_REASON_MAX && !strchr(d->reason, '@'));
	for (const char *p = d->reason; *p; p++)
		CHECK(*p >= ' ' && *p <= '~');
	CHECK(d->domain[0] && strspn(d->domain, "abcdefghijklmnopqrstuvwxyz0123456789.-") == strlen(d->domain));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct dsn first, again;
	struct errmsg m = {""};
	memset(&first, 0, sizeof first);
	memset(&again, 0, sizeof again);
	enum err e = dsn_parse(data, n, &first, &m);
	CHECK(e == ERR_NONE || e == ERR_NOTFOUND || e == ERR_TOOBIG);
	CHECK((e == ERR_NONE) == (m.text[0] == '\0'));
	CHECK(dsn_parse(data, n, &again, &m) == e && memcmp(&first, &again, sizeof first) == 0);
	if (e == ERR_NONE)
		look(&first);
	return 0;
}
