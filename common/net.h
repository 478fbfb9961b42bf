/* Addresses and networks in one form for both families: an IPv4 address is its mapped one, ::ffff:a.b.c.d. */
#ifndef KOSMO_NET_H
#define KOSMO_NET_H

#include <stdbool.h>
#include <stdint.h>

#define NET_TEXT 56 /* bytes of one in words, with length and NUL */

struct net_address {
	uint8_t b[16];
};

struct net_range {
	struct net_address address;
	unsigned bits; /* of 128 */
};

/* "192.0.2.1", "2001:db8::1": numeric, nothing else. */
bool net_parse(const char *s, struct net_address *ret);
/* "10.0.0.0/8", "2001:db8::/32", or an address alone. No bit may stand behind the length. */
bool net_parse_range(const char *s, struct net_range *ret);
/* As inet_ntop writes it, "ADDRESS/LENGTH" unless the length is the whole. */
void net_text(const struct net_range *r, char ret[static NET_TEXT]);

bool net_within(const struct net_range *r, const struct net_address *a);
/* Is a in one of the ranges of list (separated by blanks, each as net_parse_range takes it; NULL: none)? */
bool net_listed(const char *list, const struct net_address *a);
bool net_loopback(const struct net_address *a);
bool net_v4(const struct net_address *a);
/* Everything behind the first n bits becomes 0. */
void net_mask(struct net_address *a, unsigned bits);

#endif
