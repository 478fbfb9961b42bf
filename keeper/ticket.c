#include "config.h"

#include "common/base64url.h"
#include "common/secret.h"
#include "keeper/ticket.h"
#include <string.h>

#define SAYS (8 + 1)

static enum err mac(const struct seal *s, const struct person *p, const char *service, const uint8_t says[static SAYS],
		    uint8_t ret[static DIGEST_LEN])
{
	const struct seal_part part[] = {
	    {p->id.b, ID_LEN}, {p->password, strlen(p->password)}, {service, strlen(service)}, {says, SAYS}};
	return seal_mac(s, SEAL_TICKET, part, sizeof part / sizeof *part, ret);
}

enum err ticket_make(const struct seal *s, const struct person *p, const char *service, bool password_asked,
		     int64_t now, struct ticket *ret)
{
	uint8_t b[SAYS + DIGEST_LEN];
	AUTO_BUF text = BUF_INIT;
	for (int i = 0; i < 8; i++)
		b[i] = (uint8_t)((uint64_t)now >> (56 - 8 * i));
	b[8] = password_asked;
	enum err e = mac(s, p, service, b, b + SAYS);
	if (e)
		return e;
	base64url_encode(&text, b, sizeof b);
	if (text.failed || text.len != TICKET_TEXT)
		return ERR_NOMEM;
	memcpy(ret->text, text.data, TICKET_TEXT + 1);
	return ERR_NONE;
}

bool ticket_good(const struct seal *s, const struct person *p, const char *service, const char *text, int64_t now,
		 bool *ret_password_asked)
{
	uint8_t want[DIGEST_LEN];
	uint64_t when = 0;
	AUTO_BUF b = BUF_INIT;
	if (!text || strlen(text) != TICKET_TEXT || base64url_decode(&b, text, TICKET_TEXT) || b.failed ||
	    b.len != SAYS + DIGEST_LEN || mac(s, p, service, b.data, want) ||
	    !secret_equal(want, DIGEST_LEN, b.data + SAYS, DIGEST_LEN))
		return false;
	for (int i = 0; i < 8; i++)
		when = when << 8 | b.data[i];
	if ((int64_t)when > now || now - (int64_t)when >= TICKET_LIFE)
		return false;
	if (ret_password_asked)
		*ret_password_asked = b.data[8] == 1;
	return true;
}
