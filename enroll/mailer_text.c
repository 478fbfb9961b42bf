/* What comes in from outside as text: a mail's lines, a relay's words. */
#include "config.h"

#include "enroll/mailer.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

void mailer_result(struct mailer_result *r, enum mailer_state state, int code, const char *reason)
{
	size_t n = 0;

	r->state = state;
	r->code = code;
	while (*reason) {
		size_t word = strcspn(reason, " \t\r\n");
		bool address = memchr(reason, '@', word) != NULL;
		const char *from = address ? "(address)" : reason;
		size_t len = address ? strlen(from) : word;
		if (n > 0 && len > 0 && n < sizeof(r->reason) - 1)
			r->reason[n++] = ' ';
		for (size_t i = 0; i < len && n < sizeof(r->reason) - 1; i++)
			r->reason[n++] = (char)(from[i] > ' ' && from[i] <= '~' ? from[i] : '?');
		reason += word;
		reason += strspn(reason, " \t\r\n");
	}
	r->reason[n] = '\0';
}

void mailer_lines(struct buf *ret, const uint8_t *message, size_t len, const char *eol)
{
	for (size_t i = 0; i < len;) {
		size_t n = 0;
		while (i + n < len && message[i + n] != '\r' && message[i + n] != '\n')
			n++;
		buf_add(ret, message + i, n);
		buf_adds(ret, eol);
		i += n;
		if (i + 1 < len && message[i] == '\r' && message[i + 1] == '\n')
			i++;
		i++;
	}
}

void mailer_message_id(const uint8_t *message, size_t len, char *ret, size_t cap)
{
	static const char name[] = "message-id:";
	const char *p = (const char *)message, *end = p + len;
	size_t n = 0;

	(void)snprintf(ret, cap, "(no message id)");
	while (p < end && *p != '\r' && *p != '\n') {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		nl = nl ? nl : end;
		if ((size_t)(nl - p) > sizeof(name) && strncasecmp(p, name, sizeof(name) - 1) == 0) {
			for (p += sizeof(name) - 1; p < nl && n + 1 < cap; p++)
				if (*p > ' ' && *p <= '~')
					ret[n++] = *p;
			ret[n] = '\0';
			return;
		}
		p = nl + 1;
	}
}

int mailer_refusal(const char *line, size_t len)
{
	if (len < 3 || (line[0] != '4' && line[0] != '5'))
		return 0;
	for (size_t i = 1; i < 3; i++)
		if (line[i] < '0' || line[i] > '9')
			return 0;
	return (line[0] - '0') * 100 + (line[1] - '0') * 10 + line[2] - '0';
}

bool mailer_is_policy(const char *line)
{
	return strlen(line) > 8 && (line[3] == ' ' || line[3] == '-') && strncmp(line + 4, "5.7.", 4) == 0;
}
