/* What opens something to whoever has it: 32 random bytes as text, in a cookie or a mailed link. */
#ifndef KOSMO_TOKEN_H
#define KOSMO_TOKEN_H

#include "common/buf.h"
#include "common/conf.h"

#define TOKEN_TEXT 43 /* 32 bytes in base64url */

enum err token_text(const uint8_t bytes[static 32], char ret[static TOKEN_TEXT + 1]);
enum err token_new(char ret[static TOKEN_TEXT + 1]);
/* A new one, and the address of the page that it opens: appended to ret_url. */
enum err token_link(const struct conf *conf, char ret[static TOKEN_TEXT + 1], struct buf *ret_url);

#endif
