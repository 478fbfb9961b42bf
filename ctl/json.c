#include "config.h"

#include "common/text.h"
#include "ctl/json.h"
#include <inttypes.h>
#include <string.h>

static void json_text(struct json *j, const char *s)
{
	bool valid = text_utf8_valid(s, strlen(s));
	(void)fputc('"', j->f);
	for (; *s; s++) {
		unsigned char ch = (unsigned char)*s;
		if (ch == '"' || ch == '\\')
			(void)fprintf(j->f, "\\%c", ch);
		else if (ch < 0x20 || ch == 0x7f)
			(void)fprintf(j->f, "\\u%04x", ch);
		else if (ch >= 0x80 && !valid)
			(void)fputs("\\ufffd", j->f);
		else
			(void)fputc(ch, j->f);
	}
	(void)fputc('"', j->f);
}

static void json_key(struct json *j, const char *key)
{
	uint32_t bit = UINT32_C(1) << j->depth;
	if (j->begun & bit)
		(void)fputc(',', j->f);
	if (j->depth)
		(void)fprintf(j->f, "\n%*s", (int)j->depth, "");
	j->begun |= bit;
	if (key) {
		json_text(j, key);
		(void)fputs(": ", j->f);
	}
}

static void json_open(struct json *j, const char *key, char bracket)
{
	json_key(j, key);
	(void)fputc(bracket, j->f);
	j->depth++;
	j->begun &= ~(UINT32_C(1) << j->depth);
}

void json_object(struct json *j, const char *key)
{
	json_open(j, key, '{');
}

void json_array(struct json *j, const char *key)
{
	json_open(j, key, '[');
}

void json_end(struct json *j, char bracket)
{
	bool some = j->begun & (UINT32_C(1) << j->depth);
	j->depth--;
	if (some)
		(void)fprintf(j->f, "\n%*s", (int)j->depth, "");
	(void)fputc(bracket, j->f);
	if (!j->depth)
		(void)fputc('\n', j->f);
}

void json_str(struct json *j, const char *key, const char *s)
{
	json_key(j, key);
	if (s)
		json_text(j, s);
	else
		(void)fputs("null", j->f);
}

void json_int(struct json *j, const char *key, int64_t v)
{
	json_key(j, key);
	(void)fprintf(j->f, "%" PRId64, v);
}

void json_bool(struct json *j, const char *key, bool v)
{
	json_key(j, key);
	(void)fputs(v ? "true" : "false", j->f);
}
