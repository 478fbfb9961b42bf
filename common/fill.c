#include "config.h"

#include "common/fill.h"
#include <string.h>

static const char *value_of(const struct fill *values, const char *name, size_t n)
{
	for (const struct fill *v = values; v && v->name; v++)
		if (strlen(v->name) == n && !memcmp(v->name, name, n))
			return v->value;
	return NULL;
}

void fill(struct buf *b, const char *text, const struct fill *values)
{
	while (*text) {
		size_t plain = strcspn(text, "{");
		buf_add(b, text, plain);
		text += plain;
		if (!*text)
			break;
		const char *end = strchr(text, '}');
		const char *v = end ? value_of(values, text + 1, (size_t)(end - text - 1)) : NULL;
		if (v) {
			buf_adds(b, v);
			text = end + 1;
		} else {
			buf_addc(b, *text++);
		}
	}
}
