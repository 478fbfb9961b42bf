#include "config.h"

#include "keeper/scratch.h"
#include <string.h>

static const char *const words[] = {
    [SCRATCH_CODES] = "codes\n", [SCRATCH_ASK] = "ask\n", [SCRATCH_LOST] = "lost\n", [SCRATCH_ANEW] = "anew\n"};
#define WORDS (sizeof words / sizeof *words)

static bool is(const struct session *s, size_t kind)
{
	size_t n = strlen(words[kind]);
	return s->scratch.len >= n && !memcmp(s->scratch.data, words[kind], n);
}

enum scratch_kind scratch_kind(const struct session *s)
{
	for (size_t i = SCRATCH_NONE + 1; i < WORDS; i++)
		if (is(s, i))
			return (enum scratch_kind)i;
	return SCRATCH_NONE;
}

const char *scratch_text(const struct session *s)
{
	enum scratch_kind kind = scratch_kind(s);
	const char *text = kind ? buf_str(&s->scratch) : NULL;
	return text ? text + strlen(words[kind]) : "";
}

bool scratch_id(const struct session *s, struct id *ret)
{
	enum scratch_kind kind = scratch_kind(s);
	size_t at = kind ? strlen(words[kind]) : 0;
	if (!kind || s->scratch.len != at + ID_LEN)
		return false;
	memcpy(ret->b, s->scratch.data + at, ID_LEN);
	return true;
}

static enum err set(struct session *s, enum scratch_kind kind, const void *p, size_t n)
{
	buf_wipe(&s->scratch);
	if (kind == SCRATCH_NONE)
		return ERR_NONE;
	buf_adds(&s->scratch, words[kind]);
	buf_add(&s->scratch, p, n);
	return s->scratch.failed ? ERR_NOMEM : ERR_NONE;
}

enum err scratch_set(struct session *s, enum scratch_kind kind, const char *text)
{
	return set(s, kind, text, text ? strlen(text) : 0);
}

enum err scratch_set_id(struct session *s, enum scratch_kind kind, const struct id *id)
{
	return set(s, kind, id->b, ID_LEN);
}
