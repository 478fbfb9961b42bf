#include "config.h"

#include "enroll/template.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

/* Markers that only an unescaped value could leave in the output. */
static const char hostile[] = "<\x01>\"'&\x02";

static const char *same(const char *lang, const char *msgid)
{
	(void)lang;
	return msgid;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct templates *ts = templates_new();
	struct values vs = VALUES_INIT;
	AUTO_BUF out = BUF_INIT;
	struct errmsg m;

	CHECK(ts);
	values_add(&vs, "x", hostile);
	values_add(&vs, "zero", "0");
	for (size_t i = 0; i < 3; i++) {
		values_add_item(&vs, "l", i, "x", hostile);
		values_add_item(&vs, "l", i, "m.0.y", hostile);
	}
	CHECK(values_seal(&vs) == ERR_NONE);
	CHECK(templates_add(ts, "part", "{{x}}{{#l}}{{y}}{{/l}}", 22, &m) == ERR_NONE);
	if (memchr(data, 1, n) || memchr(data, 2, n) ||
	    templates_add(ts, "page", (const char *)data, n, &m) != ERR_NONE || templates_check(ts, &m) != ERR_NONE)
		goto out;
	if (template_render(ts, "page", &vs, "en", same, &out) == ERR_NONE && out.len) {
		CHECK(!memmem(out.data, out.len, "<\x01", 2));
		CHECK(!memmem(out.data, out.len, "\x01>", 2));
		CHECK(!memmem(out.data, out.len, "&\x02", 2));
	}
out:
	values_free(&vs);
	templates_free(ts);
	return 0;
}
