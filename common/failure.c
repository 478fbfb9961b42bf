#include "config.h"

#include "common/alphabet.h"
#include "common/failure.h"
#include "common/text.h"
#include <string.h>

static const struct {
	const char *word, *sentence;
} reasons[FAILURE__MAX] = {
    [FAILURE_NONE] = {"", ""},
    [FAILURE_ABSENT] = {"absent", "no kosmo-keeper was there"},
    [FAILURE_UNSURE] = {"unsure", "kosmo-keeper took the question and gave no answer"},
    [FAILURE_ANSWER] = {"answer", "kosmo-keeper's answer could not be read"},
    [FAILURE_PAGE] = {"page", "kosmo-keeper's answer could not be shown: see kosmo-enrolld's log"},
    [FAILURE_ASKING] = {"asking", "kosmo-enrolld could not ask: out of memory"},
};

enum err failure_id(char ret[static FAILURE_LEN + 1])
{
	return alphabet_fill(FAILURE_SHAPE, ret);
}

bool failure_id_form(const char *s)
{
	char plain[FAILURE_LEN + 1];
	size_t at = strcspn(FAILURE_SHAPE, "-");
	if (strlen(s) != FAILURE_LEN || s[at] != '-')
		return false;
	memcpy(plain, s, sizeof plain);
	plain[at] = ALPHABET[0];
	return alphabet_only(plain);
}

enum err failure_id_read(const char *typed, size_t n, char ret[static FAILURE_LEN + 1])
{
	AUTO_BUF b = BUF_INIT;
	char id[FAILURE_LEN + 1];
	size_t at = strcspn(FAILURE_SHAPE, "-");
	if (text_code(typed, n, &b) || !buf_str(&b) || b.len != FAILURE_LEN - 1)
		return ERR_INVALID;
	memcpy(id, b.data, at);
	id[at] = '-';
	memcpy(id + at + 1, b.data + at, FAILURE_LEN - at);
	if (!failure_id_form(id))
		return ERR_INVALID;
	memcpy(ret, id, sizeof id);
	return ERR_NONE;
}

const char *failure_word(enum failure_why w)
{
	return reasons[w].word;
}

const char *failure_sentence(enum failure_why w)
{
	return reasons[w].sentence;
}

enum failure_why failure_of(const char *word, size_t n)
{
	for (int w = FAILURE_NONE + 1; w < FAILURE__MAX; w++)
		if (strlen(reasons[w].word) == n && !memcmp(reasons[w].word, word, n))
			return (enum failure_why)w;
	return FAILURE_NONE;
}
