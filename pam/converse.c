#include "config.h"

#include "common/secret.h"
#include "pam/converse.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Strict (RFC 3629): no overlong forms, no surrogates, nothing over U+10FFFF. common/text.h has one too, but the module
 * links nothing that would bring libunistring into sshd. */
static bool converse_utf8(const char *text)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	const unsigned char *s = (const unsigned char *)text;
	while (*s != '\0') {
		size_t more = *s < 0x80 ? 0 : *s >> 5 == 0x06 ? 1 : *s >> 4 == 0x0e ? 2 : *s >> 3 == 0x1e ? 3 : 4;
		if (more == 4)
			return false;
		uint32_t c = more == 0 ? *s : *s & (0x3fU >> more);
		s++;
		for (size_t i = 0; i < more; i++, s++) { /* the final NUL is no continuation byte either */
			if ((*s & 0xc0) != 0x80)
				return false;
			c = c << 6 | (*s & 0x3f);
		}
		if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
			return false;
	}
	return true;
}

/* One message, one reply; NULL for an application that fails, and for one that returns nothing. */
static char *converse(pam_handle_t *pamh, int style, const char *text)
{
	const void *item = NULL;
	if (pam_get_item(pamh, PAM_CONV, &item) != PAM_SUCCESS || item == NULL)
		return NULL;
	const struct pam_conv *conv = item;
	if (conv->conv == NULL)
		return NULL;
	const struct pam_message msg = {.msg_style = style, .msg = text};
	const struct pam_message *msgs = &msg;
	struct pam_response *resp = NULL;
	/* After a failure *resp is undefined: it is not ours to free. */
	if (conv->conv(1, &msgs, &resp, conv->appdata_ptr) != PAM_SUCCESS || resp == NULL)
		return NULL;
	char *reply = resp->resp;
	free(resp);
	return reply;
}

char *converse_ask(pam_handle_t *pamh, const char *text, bool echo)
{
	char *reply = converse(pamh, echo ? PAM_PROMPT_ECHO_ON : PAM_PROMPT_ECHO_OFF, text);
	if (reply == NULL)
		return NULL;
	if (strlen(reply) <= CONVERSE_REPLY_MAX && converse_utf8(reply))
		return reply;
	secret_free_str(reply);
	return NULL;
}

void converse_tell(pam_handle_t *pamh, const char *text, bool error)
{
	secret_free_str(converse(pamh, error ? PAM_ERROR_MSG : PAM_TEXT_INFO, text));
}
