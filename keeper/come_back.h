/* Where somebody wanted to go who had to log in first: kept by their browser, in a cookie that lives for minutes. It
 * names an approval, or a path of the portal behind us; each is looked at when it is taken and again when it is used.
 */
#ifndef KOSMO_COME_BACK_H
#define KOSMO_COME_BACK_H

#include "common/text.h"
#include <stdbool.h>

#define COME_BACK_PATH (TEXT_LOCAL_PATH + 1)		  /* bytes of a path with its NUL */
#define COME_BACK_MAX  (8 + 4 * (COME_BACK_PATH / 3 + 1)) /* bytes of a cookie's text with its NUL */

/* The path that a cookie's text stands for; false: for none where somebody may be led. */
bool come_back_path(const char *cookie, char ret[static COME_BACK_PATH]);
/* The cookie's text for the page of an approval; token: as approval_token makes it. */
void come_back_approval(const char *token, char ret[static COME_BACK_MAX]);
/* The cookie's text for a path of the portal, with its query; false: it is none (come_back_may). */
bool come_back_portal(const char *path, char ret[static COME_BACK_MAX]);
/* A path of our origin (text_local_path) that is none of our own pages, has no dot segments, and no escaped bytes that
 * could make it another one. */
bool come_back_may(const char *path);

#endif
