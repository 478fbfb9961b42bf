/* Writing JSON (RFC 8259) as a stream: a million bad lines need no tree in memory. Nesting and commas are kept here. */
#ifndef KOSMO_CTL_JSON_H
#define KOSMO_CTL_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *f;
	unsigned depth;
	uint32_t begun; /* a bit a level: something was written there */
};

/* key NULL: an item of an array, or the outermost value. At most 31 levels. */
void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
void json_end(struct json *j, char bracket);		       /* '}' or ']'; the outermost is followed by a newline */
void json_str(struct json *j, const char *key, const char *s); /* NULL: null; bytes that are no UTF-8 become U+FFFD */
void json_int(struct json *j, const char *key, int64_t v);
void json_bool(struct json *j, const char *key, bool v);

#endif
