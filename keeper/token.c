#include "config.h"

#include "common/base64url.h"
#include "common/secret.h"
#include "keeper/token.h"
#include <string.h>

enum err token_text(const uint8_t bytes[static 32], char ret[static TOKEN_TEXT + 1])
{
	AUTO_BUF b = BUF_INIT;
	base64url_encode(&b, bytes, 32);
	if (b.failed || b.len != TOKEN_TEXT)
		return ERR_NOMEM;
	memcpy(ret, b.data, TOKEN_TEXT + 1);
	return ERR_NONE;
}

enum err token_new(char ret[static TOKEN_TEXT + 1])
{
	uint8_t r[32];
	enum err e = secret_random(r, sizeof r);
	if (!e)
		e = token_text(r, ret);
	secret_wipe(r, sizeof r);
	return e;
}

enum err token_link(const struct conf *conf, char ret[static TOKEN_TEXT + 1], struct buf *ret_url)
{
	enum err e = token_new(ret);
	if (e)
		return e;
	buf_addf(ret_url, "%s/mail/%s", conf->url, ret);
	return buf_str(ret_url) ? ERR_NONE : ERR_NOMEM;
}
