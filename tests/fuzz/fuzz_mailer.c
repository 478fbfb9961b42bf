/* What kosmo-mailer makes of a mail and of a relay's words: nothing is told on that could do harm. */
#include "config.h"

#include "enroll/mailer.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

static void words(const char *s)
{
	struct mailer_result r;
	mailer_result(&r, MAILER_TEMPORARY, mailer_refusal(s, strlen(s)), s);
	CHECK(strlen(r.reason) < sizeof r.reason && !strchr(r.reason, '@'));
	for (const char *p = r.reason; *p; p++)
		CHECK(*p >= ' ' && *p <= '~');
	CHECK(r.code == 0 || (r.code >= 400 && r.code <= 599));
	(void)mailer_is_policy(s);
}

static void lines(const uint8_t *data, size_t n)
{
	AUTO_BUF once = BUF_INIT;
	AUTO_BUF twice = BUF_INIT;
	mailer_lines(&once, data, n, "\r\n");
	mailer_lines(&twice, once.data, once.len, "\r\n");
	CHECK(!once.failed && once.len == twice.len && (n == 0 || !memcmp(once.data, twice.data, once.len)));
	for (size_t i = 0; i < once.len; i++)
		CHECK(once.data[i] == '\r' ? once.data[i + 1] == '\n'
					   : once.data[i] != '\n' || once.data[i - 1] == '\r');
	CHECK(n == 0 || once.data[once.len - 1] == '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char id[128], *s = malloc(n + 1);
	CHECK(s);
	memcpy(s, data, n);
	s[n] = '\0';
	words(s);
	lines(data, n);
	mailer_message_id(data, n, id, sizeof id);
	for (const char *p = id; *p; p++)
		CHECK(*p >= ' ' && *p <= '~');
	free(s);
	return 0;
}
