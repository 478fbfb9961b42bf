/* Who the client is, when trusted proxies stand between. */
#ifndef KOSMO_ENROLL_PROXIES_H
#define KOSMO_ENROLL_PROXIES_H

#include "common/err.h"
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define PROXIES_MAX 32

/* An address in one form for both families: IPv4 as ::ffff:a.b.c.d. */
struct address {
	struct in6_addr a;
};

struct proxies {
	size_t n;
	struct address a[PROXIES_MAX];
};

/* "127.0.0.1 ::1": separated by blanks, as common/conf.h has them. */
enum err proxies_parse(const char *list, struct proxies *ret, struct errmsg *m);
bool proxies_trusts(const struct proxies *p, const struct address *a);
/* false for other families (a Unix socket). */
bool address_of(const struct sockaddr *sa, struct address *ret);
/* "192.0.2.1", "2001:db8::1", "[2001:db8::1]:443", "192.0.2.1:443"; n bytes. */
bool address_parse(const char *s, size_t n, struct address *ret);
/* As people write it, IPv4 without the prefix. */
void address_text(const struct address *a, char ret[static INET6_ADDRSTRLEN]);

/* The client's address: the peer, unless it is trusted (peer NULL: a Unix socket, always trusted); then the right-most
 * entry of forwarded (all X-Forwarded-For lines joined by commas; NULL: none) that is not trusted itself. An entry that
 * is no address ends the walk: whoever wrote it is the client. false: unknown (a Unix socket without usable entry). */
bool proxies_client(const struct proxies *p, const struct address *peer, const char *forwarded, struct address *ret);

#endif
