#include "config.h"

#include "common/secret.h"
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void secret_wipe(void *p, size_t n)
{
	if (p && n)
		explicit_bzero(p, n);
}

void secret_free_str(char *s)
{
	if (s)
		secret_wipe(s, strlen(s));
	free(s);
}

bool secret_equal(const void *a, size_t alen, const void *b, size_t blen)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t diff = 0;

	if (alen != blen)
		return false;
	for (size_t i = 0; i < alen; i++)
		diff |= x[i] ^ y[i];
	return diff == 0;
}

enum err secret_random(void *p, size_t n)
{
	uint8_t *to = p;

	while (n > 0) {
		ssize_t got = getrandom(to, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return ERR_IO;
		to += got;
		n -= (size_t)got;
	}
	return ERR_NONE;
}

enum err secret_uniform(unsigned bound, unsigned *ret)
{
	/* Numbers under 2^32 mod bound are thrown away, so that what is left divides evenly. */
	uint32_t v, least;
	enum err e;

	if (bound == 0)
		return ERR_INVALID;
	least = (uint32_t)-bound % bound;
	do {
		e = secret_random(&v, sizeof v);
		if (e != ERR_NONE)
			return e;
	} while (v < least);
	*ret = v % bound;
	return ERR_NONE;
}
