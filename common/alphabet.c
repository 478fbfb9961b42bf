#include "config.h"

#include "common/alphabet.h"
#include "common/secret.h"
#include <stdint.h>
#include <string.h>

void alphabet_shape(const char *shape, const uint8_t *random, char *ret)
{
	size_t n = strlen(shape);

	for (size_t i = 0; i < n; i++)
		ret[i] = shape[i] == 'x' ? ALPHABET[random[i] & 31] : shape[i];
	ret[n] = '\0';
}

enum err alphabet_fill(const char *shape, char *ret)
{
	uint8_t random[32];
	size_t n = strlen(shape);

	if (n > sizeof(random))
		return ERR_INVALID;
	enum err r = secret_random(random, n);
	if (r != ERR_NONE)
		return r;
	alphabet_shape(shape, random, ret);
	secret_wipe(random, sizeof(random));
	return ERR_NONE;
}

bool alphabet_only(const char *s)
{
	return s[strspn(s, ALPHABET)] == '\0';
}
