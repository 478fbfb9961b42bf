#include "config.h"

#include "enroll/proxies.h"
#include <arpa/inet.h>
#include <string.h>

static void address_from4(const struct in_addr *v4, struct address *ret)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	memcpy(ret->a.s6_addr, mapped, sizeof mapped);
	memcpy(ret->a.s6_addr + 12, v4, 4);
}

bool address_of(const struct sockaddr *sa, struct address *ret)
{
	if (sa && sa->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, sa, sizeof in);
		address_from4(&in.sin_addr, ret);
		return true;
	}
	if (sa && sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, sa, sizeof in6);
		ret->a = in6.sin6_addr;
		return true;
	}
	return false;
}

static bool address_plain(const char *s, struct address *ret)
{
	struct in_addr v4;

	if (inet_pton(AF_INET, s, &v4) == 1) {
		address_from4(&v4, ret);
		return true;
	}
	return inet_pton(AF_INET6, s, &ret->a) == 1;
}

static bool address_port(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n >= 1 && n <= 5 && s[n] == '\0';
}

bool address_parse(const char *s, size_t n, struct address *ret)
{
	char b[INET6_ADDRSTRLEN + 8], *p;
	struct address a;

	if (n == 0 || n >= sizeof b || memchr(s, '\0', n))
		return false;
	memcpy(b, s, n);
	b[n] = '\0';
	if (b[0] == '[') {
		p = strchr(b, ']');
		if (!p || (p[1] != '\0' && (p[1] != ':' || !address_port(p + 2))))
			return false;
		*p = '\0';
		if (inet_pton(AF_INET6, b + 1, &a.a) != 1)
			return false;
	} else {
		p = strchr(b, ':');
		if (p && !strchr(p + 1, ':')) { /* one colon: IPv4 with a port */
			if (!address_port(p + 1))
				return false;
			*p = '\0';
		}
		if (!address_plain(b, &a))
			return false;
	}
	*ret = a;
	return true;
}

void address_text(const struct address *a, char ret[static INET6_ADDRSTRLEN])
{
	bool v4 = IN6_IS_ADDR_V4MAPPED(&a->a);

	if (!inet_ntop(v4 ? AF_INET : AF_INET6, a->a.s6_addr + (v4 ? 12 : 0), ret, INET6_ADDRSTRLEN))
		ret[0] = '\0';
}

enum err proxies_parse(const char *list, struct proxies *ret, struct errmsg *m)
{
	struct proxies p = {0};

	for (list += strspn(list, " "); *list; list += strspn(list, " ")) {
		char word[INET6_ADDRSTRLEN] = "";
		size_t n = strcspn(list, " ");

		if (p.n == PROXIES_MAX)
			return err_set(m, ERR_TOOBIG, "web.trusted_proxies: at most %d addresses", PROXIES_MAX);
		if (n < sizeof word)
			memcpy(word, list, n);
		if (!address_plain(word, &p.a[p.n++]))
			return err_set(m, ERR_INVALID, "web.trusted_proxies: \"%.*s\" is not an IP address", (int)n,
				       list);
		list += n;
	}
	*ret = p;
	return ERR_NONE;
}

bool proxies_trusts(const struct proxies *p, const struct address *a)
{
	for (size_t i = 0; i < p->n; i++)
		if (memcmp(&p->a[i], a, sizeof *a) == 0)
			return true;
	return false;
}

bool proxies_client(const struct proxies *p, const struct address *peer, const char *forwarded, struct address *ret)
{
	bool known = peer != NULL;
	struct address client = {0};
	const char *end;

	if (known)
		client = *peer;
	if (known && !proxies_trusts(p, peer))
		forwarded = NULL;
	end = forwarded ? forwarded + strlen(forwarded) : NULL;
	while (end && (!known || proxies_trusts(p, &client))) {
		const char *from = end, *to = end;
		struct address a;

		while (from > forwarded && from[-1] != ',')
			from--;
		end = from > forwarded ? from - 1 : NULL;
		while (from < to && (*from == ' ' || *from == '\t'))
			from++;
		while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
			to--;
		if (!address_parse(from, (size_t)(to - from), &a))
			break;
		client = a;
		known = true;
	}
	if (known)
		*ret = client;
	return known;
}
