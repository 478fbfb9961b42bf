/* Where somebody wanted to go who had to log in first: kept by their browser, in a cookie that names one of a few
 * places of ours and lives for minutes. */
#ifndef KOSMO_COME_BACK_H
#define KOSMO_COME_BACK_H

#include <stdbool.h>

#define COME_BACK_MAX 64

/* The path that a cookie's text stands for; false: for none of ours. */
bool come_back_path(const char *cookie, char ret[static COME_BACK_MAX]);
/* The cookie's text for the page of an approval; token: as approval_token makes it. */
void come_back_approval(const char *token, char ret[static COME_BACK_MAX]);

#endif
