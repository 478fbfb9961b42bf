#include "config.h"

#include "keeper/passkey_attest.h"
#include <string.h>

static bool format_is(struct passkey_bytes format, const char *name)
{
	return format.n == strlen(name) && memcmp(format.p, name, format.n) == 0;
}

/* Section 8.7. */
static enum passkey_check attest_none(struct passkey_bytes statement)
{
	struct cbor c = cbor_over(statement.p, statement.n);
	size_t pairs;
	return cbor_map(&c, &pairs) && pairs == 0 && cbor_at_end(&c) ? PASSKEY_OK : PASSKEY_ATT_STATEMENT;
}

enum passkey_check passkey_attest(const struct passkey_trust *t, int64_t now, struct passkey_bytes format,
				  struct passkey_bytes statement, const struct passkey_attested *a)
{
	(void)now, (void)a;
	if (format_is(format, "none") && !t)
		return attest_none(statement);
	return PASSKEY_ATT_FORMAT;
}
