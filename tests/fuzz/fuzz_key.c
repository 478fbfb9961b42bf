/* A key file is taken only if it is written as we write it, and what it seals comes back. */
#include "config.h"

#include "keeper/seal.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct seal_where w = {.table = "t", .column = "c"};
	const struct seal_part part = {data, n};
	uint8_t a[DIGEST_LEN], b[DIGEST_LEN];
	struct seal *s = NULL, *again = NULL;
	struct errmsg m = {""};
	AUTO_BUF box = BUF_INIT;
	AUTO_BUF out = BUF_INIT;

	if (seal_parse((const char *)data, n, &s, &m) != ERR_NONE) {
		CHECK(!s && m.text[0]);
		return 0;
	}
	CHECK(n >= 56 && memcmp(data, "kosmo-key ", 10) == 0 && data[n - 1] == '\n' && !memchr(data, '\0', n));
	CHECK(seal_parse((const char *)data, n, &again, &m) == ERR_NONE);
	CHECK(seal_box(s, &w, data, n, &box) == ERR_NONE && box.len == n + SEAL_OVERHEAD);
	CHECK(seal_unbox(again, &w, box.data, box.len, &out) == ERR_NONE);
	CHECK(out.len == n && memcmp(out.data, data, n) == 0);
	CHECK(seal_mac(s, SEAL_CODE, &part, 1, a) == ERR_NONE && seal_mac(again, SEAL_CODE, &part, 1, b) == ERR_NONE);
	CHECK(memcmp(a, b, sizeof(a)) == 0);
	seal_free(s);
	seal_free(again);
	return 0;
}
