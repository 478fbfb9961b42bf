#include "config.h"

#include "common/wire.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

static struct wire_msg msg;

/* What is taken is well-formed, and writing it again gives the same bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_BUF b = BUF_INIT;

	if (n >= WIRE_HEAD)
		CHECK(wire_length(data) <= WIRE_MAX);
	if (wire_parse(data, n, &msg) != ERR_NONE)
		return 0;
	CHECK(msg.n <= WIRE_FIELDS);
	wire_begin(&b, msg.id, msg.kind);
	for (size_t i = 0; i < msg.n; i++) {
		const struct wire_field *f = &msg.field[i];
		const char *s = wire_str(&msg, f->name);
		int64_t v;

		CHECK(wire_get(&msg, f->name) == f);
		CHECK(f->data >= data && f->data + f->len < data + n);
		CHECK(!s || strlen(s) == f->len);
		if (wire_int(&msg, f->name, &v) == ERR_NONE)
			CHECK(s && strtoll(s, NULL, 10) == v);
		wire_put(&b, f->name, f->data, f->len);
	}
	CHECK(wire_end(&b) == ERR_NONE);
	CHECK(wire_length(b.data) == n);
	CHECK(b.len == n + WIRE_HEAD && memcmp(b.data + WIRE_HEAD, data, n) == 0);
	return 0;
}
