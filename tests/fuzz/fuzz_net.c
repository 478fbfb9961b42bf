/* Addresses, networks and noted heads as they come from configuration, sshd, proxies and the journal: what is taken is
 * written and read again as the same. */
#include "config.h"

#include "common/net.h"
#include "keeper/store/store.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

static void range(const char *s)
{
	struct net_range r, again;
	char text[NET_TEXT];
	if (!net_parse_range(s, &r))
		return;
	net_text(&r, text);
	CHECK(net_parse_range(text, &again) && again.bits == r.bits &&
	      !memcmp(&again.address, &r.address, sizeof r.address));
	CHECK(net_within(&r, &r.address) && net_listed(text, &r.address));
}

static void note(char *s)
{
	struct audit_note n;
	char *colon = strchr(s, ':'), text[2 * AUDIT_NOTE_LEN + 1];
	if (!colon)
		return;
	*colon = '\0';
	if (!audit_note_parse(s, colon + 1, &n))
		return;
	audit_note_text(n.mac, text);
	CHECK(n.seq > 0 && !strncasecmp(text, colon + 1, sizeof text - 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct net_address one = {{[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1}};
	char *s = malloc(n + 1);
	struct net_address a;
	CHECK(s);
	memcpy(s, data, n);
	s[n] = '\0';
	if (net_parse(s, &a))
		CHECK(!strpbrk(s, "/ "));
	range(s);
	(void)net_listed(s, &one);
	note(s);
	free(s);
	return 0;
}
