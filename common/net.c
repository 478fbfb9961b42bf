#include "config.h"

#include "common/net.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

bool net_parse(const char *s, struct net_address *ret)
{
	struct net_address a;
	memcpy(a.b, mapped, sizeof mapped);
	if (inet_pton(AF_INET, s, a.b + sizeof mapped) != 1 && inet_pton(AF_INET6, s, a.b) != 1)
		return false;
	*ret = a;
	return true;
}

bool net_v4(const struct net_address *a)
{
	return memcmp(a->b, mapped, sizeof mapped) == 0;
}

void net_mask(struct net_address *a, unsigned bits)
{
	for (unsigned i = 0; i < sizeof a->b; i++) {
		unsigned kept = bits > 8 * i ? bits - 8 * i : 0;
		if (kept < 8)
			a->b[i] &= (uint8_t)(0xff00U >> kept);
	}
}

bool net_parse_range(const char *s, struct net_range *ret)
{
	char text[NET_TEXT];
	struct net_range r = {.bits = 128};
	const char *slash = strchr(s, '/');
	size_t n = slash ? (size_t)(slash - s) : strlen(s);
	if (n >= sizeof text)
		return false;
	memcpy(text, s, n);
	text[n] = '\0';
	if (!net_parse(text, &r.address))
		return false;
	if (slash) {
		size_t digits = strspn(slash + 1, "0123456789");
		bool v4 = strchr(text, ':') == NULL;
		unsigned long bits = digits && digits <= 3 && !slash[1 + digits] ? strtoul(slash + 1, NULL, 10) : 999;
		if (bits > (v4 ? 32 : 128))
			return false;
		r.bits = (unsigned)bits + (v4 ? 96 : 0);
	}
	struct net_address cut = r.address;
	net_mask(&cut, r.bits);
	if (memcmp(&cut, &r.address, sizeof cut) != 0)
		return false;
	*ret = r;
	return true;
}

void net_text(const struct net_range *r, char ret[static NET_TEXT])
{
	bool v4 = net_v4(&r->address) && r->bits >= 96;
	char a[INET6_ADDRSTRLEN];
	if (!inet_ntop(v4 ? AF_INET : AF_INET6, r->address.b + (v4 ? sizeof mapped : 0), a, sizeof a))
		a[0] = '\0';
	if (r->bits == 128)
		snprintf(ret, NET_TEXT, "%s", a);
	else
		snprintf(ret, NET_TEXT, "%s/%u", a, v4 ? r->bits - 96 : r->bits);
}

bool net_within(const struct net_range *r, const struct net_address *a)
{
	struct net_address cut = *a;
	net_mask(&cut, r->bits);
	return memcmp(&cut, &r->address, sizeof cut) == 0;
}

bool net_listed(const char *list, const struct net_address *a)
{
	for (list += list ? strspn(list, " ") : 0; list && *list; list += strspn(list, " ")) {
		char word[NET_TEXT] = "";
		struct net_range r;
		size_t n = strcspn(list, " ");
		if (n < sizeof word)
			memcpy(word, list, n);
		if (net_parse_range(word, &r) && net_within(&r, a))
			return true;
		list += n;
	}
	return false;
}

bool net_loopback(const struct net_address *a)
{
	static const struct net_address v6 = {{[15] = 1}};
	return memcmp(a, &v6, sizeof v6) == 0 || (net_v4(a) && a->b[12] == 127);
}
