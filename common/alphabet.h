/* The alphabet of what we make up and people type from paper: 32 symbols, digits and lower case without i, l, o and 1.
 * The zero stays, to make 32 of them: text_code and text_initial take a typed "o" for it. */
#ifndef KOSMO_ALPHABET_H
#define KOSMO_ALPHABET_H

#include "common/err.h"
#include <stdbool.h>
#include <stdint.h>

#define ALPHABET "023456789abcdefghjkmnpqrstuvwxyz"

/* Writes shape with every 'x' replaced by a random symbol (5 bits each), with its NUL: shape's length + 1 bytes. */
enum err alphabet_fill(const char *shape, char *ret);
/* The same from given bytes, one for each character of shape. */
void alphabet_shape(const char *shape, const uint8_t *random, char *ret);
bool alphabet_only(const char *s);

#endif
