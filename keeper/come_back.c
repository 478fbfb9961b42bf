#include "config.h"

#include "keeper/approval.h"
#include "keeper/come_back.h"
#include <stdio.h>
#include <string.h>

static const char approve[] = "approve-";

static bool approval_rest(const char *rest, char *ret, size_t cap)
{
	char token[APPROVAL_TOKEN + 1];
	if (!approval_token(rest, token))
		return false;
	snprintf(ret, cap, "/approve/%s", token);
	return true;
}

static const struct {
	const char *word;
	bool (*path)(const char *rest, char *ret, size_t cap);
} places[] = {{approve, approval_rest}};

bool come_back_path(const char *cookie, char ret[static COME_BACK_MAX])
{
	for (size_t i = 0; cookie && i < sizeof places / sizeof *places; i++) {
		size_t n = strlen(places[i].word);
		if (!strncmp(cookie, places[i].word, n))
			return places[i].path(cookie + n, ret, COME_BACK_MAX);
	}
	return false;
}

void come_back_approval(const char *token, char ret[static COME_BACK_MAX])
{
	snprintf(ret, COME_BACK_MAX, "%s%s", approve, token);
}
