#include "config.h"

#include "fido/report.h"
#include "fido/request.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

static struct wire_msg msg;

static void inside(const uint8_t *p, size_t n, const uint8_t *data, size_t len)
{
	CHECK(p >= data && n <= len && p + n <= data + len);
}

/* What a device says it is, and what the module asks for. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct request r;

	(void)report_is_key(data, n);
	if (wire_parse(data, n, &msg) != ERR_NONE || request_read(&msg, &r) != ERR_NONE)
		return 0;
	CHECK(r.n > 0 && r.n <= REQUEST_ALLOW_MAX && r.seconds > 0 && r.seconds <= REQUEST_SECONDS_MAX);
	CHECK(r.rp_id[0] != '\0' && strlen(r.rp_id) <= REQUEST_RP_MAX);
	inside(r.hash, REQUEST_HASH_LEN, data, n);
	for (size_t i = 0; i < r.n; i++) {
		CHECK(r.allow[i].n > 0 && r.allow[i].n <= REQUEST_ID_MAX);
		inside(r.allow[i].p, r.allow[i].n, data, n);
	}
	return 0;
}
