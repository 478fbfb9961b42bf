/* What a browser says of itself: nothing of it comes through. */
#include "config.h"

#include "common/text.h"
#include "keeper/agent.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_BUF b = BUF_INIT, again = BUF_INIT;
	char *s = malloc(n + 1);
	CHECK(s);
	memcpy(s, data, n);
	s[n] = '\0';
	agent_words("en", s, &b);
	CHECK(buf_str(&b) && b.len >= 3 && b.len < 64);
	for (size_t i = 0; i < b.len; i++)
		CHECK(strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ! ", b.data[i]));
	agent_words("ja", s, &again);
	CHECK(buf_str(&again) && again.len < 96 && text_utf8_valid(again.data, again.len));
	free(s);
	return 0;
}
