#include "config.h"

#include "common/base64url.h"
#include "common/own_paths.h"
#include "common/text.h"
#include "keeper/approval.h"
#include "keeper/come_back.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char approve[] = "approve-", portal[] = "path-";

static bool approval_rest(const char *rest, char *ret)
{
	char token[APPROVAL_TOKEN + 1];
	if (!approval_token(rest, token))
		return false;
	snprintf(ret, COME_BACK_PATH, "/approve/%s", token);
	return true;
}

/* ".", "..", also as %2e: the browser would go elsewhere than what is read here. */
static bool is_dots(const char *segment, size_t n)
{
	size_t dots = 0;
	while (n > 0) {
		size_t step = *segment == '.' ? 1 : n >= 3 && !strncasecmp(segment, "%2e", 3) ? 3 : 0;
		if (!step)
			return false;
		segment += step;
		n -= step;
		dots++;
	}
	return dots == 1 || dots == 2;
}

/* Escapes that some proxy might resolve into another line, or into a second slash in front. */
static bool is_sly(const char *path)
{
	if (!strncasecmp(path, "/%2f", 4) || !strncasecmp(path, "/%5c", 4))
		return true;
	for (const char *p = strchr(path, '%'); p; p = strchr(p + 1, '%'))
		if (p[1] == '0' || p[1] == '1' || !strncasecmp(p, "%7f", 3))
			return true;
	return false;
}

bool come_back_may(const char *path)
{
	if (!text_local_path(path) || strchr(path, '#') || own_path(path) || path[1] == '\0' || path[1] == '?' ||
	    is_sly(path))
		return false;
	for (const char *p = path; *p == '/';) {
		size_t n = strcspn(p + 1, "/?");
		if (is_dots(p + 1, n))
			return false;
		p += 1 + n;
	}
	return true;
}

static bool portal_rest(const char *rest, char *ret)
{
	AUTO_BUF path = BUF_INIT;
	size_t n = strlen(rest);
	bool good = n < COME_BACK_MAX && !base64url_decode(&path, rest, n) && path.len < COME_BACK_PATH &&
		    buf_str(&path) && strlen(buf_str(&path)) == path.len && come_back_may(buf_str(&path));
	if (good)
		snprintf(ret, COME_BACK_PATH, "%s", buf_str(&path));
	return good;
}

static const struct {
	const char *word;
	bool (*path)(const char *rest, char *ret);
} places[] = {{approve, approval_rest}, {portal, portal_rest}};

bool come_back_path(const char *cookie, char ret[static COME_BACK_PATH])
{
	for (size_t i = 0; cookie && i < sizeof places / sizeof *places; i++) {
		size_t n = strlen(places[i].word);
		if (!strncmp(cookie, places[i].word, n))
			return places[i].path(cookie + n, ret);
	}
	return false;
}

void come_back_approval(const char *token, char ret[static COME_BACK_MAX])
{
	snprintf(ret, COME_BACK_MAX, "%s%s", approve, token);
}

bool come_back_portal(const char *path, char ret[static COME_BACK_MAX])
{
	AUTO_BUF text = BUF_INIT;
	bool good = path && come_back_may(path);
	if (good) {
		buf_adds(&text, portal);
		base64url_encode(&text, path, strlen(path));
		good = buf_str(&text) && text.len < COME_BACK_MAX;
	}
	if (good)
		snprintf(ret, COME_BACK_MAX, "%s", buf_str(&text));
	return good;
}
