#include "config.h"

#include "common/base64url.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_BUF bytes = BUF_INIT, text = BUF_INIT, again = BUF_INIT;

	/* What is taken is the only text for its bytes. */
	if (base64url_decode(&bytes, (const char *)data, n) == ERR_NONE) {
		base64url_encode(&text, bytes.data, bytes.len);
		CHECK(text.len == n && (n == 0 || memcmp(text.data, data, n) == 0));
	} else
		CHECK(bytes.len == 0);
	buf_wipe(&bytes);
	buf_wipe(&text);
	if (base32_decode(&bytes, (const char *)data, n) == ERR_NONE) {
		base32_encode(&text, bytes.data, bytes.len);
		CHECK(base32_decode(&again, buf_str(&text), text.len) == ERR_NONE);
		CHECK(again.len == bytes.len && (again.len == 0 || memcmp(again.data, bytes.data, again.len) == 0));
	} else
		CHECK(bytes.len == 0);
	buf_wipe(&text);
	buf_wipe(&again);
	base64url_encode(&text, data, n);
	CHECK(base64url_decode(&again, buf_str(&text), text.len) == ERR_NONE);
	CHECK(again.len == n && (n == 0 || memcmp(again.data, data, n) == 0));
	buf_wipe(&text);
	buf_wipe(&again);
	base32_encode(&text, data, n);
	CHECK(base32_decode(&again, buf_str(&text), text.len) == ERR_NONE);
	CHECK(again.len == n && (n == 0 || memcmp(again.data, data, n) == 0));
	return 0;
}
