/* The kinds of characters that text.c and text_date.c tell apart after NFKC. For these two only. */
#ifndef KOSMO_TEXT_CHARS_H
#define KOSMO_TEXT_CHARS_H

#include <stdbool.h>
#include <stdint.h>

static inline bool text_is_space(uint32_t c)
{
	return c == ' ' || (c >= 0x09 && c <= 0x0d) || c == 0x85 || c == 0x1680 || (c >= 0x2000 && c <= 0x200d) ||
	       c == 0x2028 || c == 0x2029 || c == 0x205f || c == 0x2060 || c == 0x3000 || c == 0xfeff;
}

/* What a Japanese keyboard gives for a hyphen: the sign for long vowels, box drawing and minus among them. */
static inline bool text_is_hyphen(uint32_t c)
{
	return c == '-' || c == 0xad || (c >= 0x2010 && c <= 0x2015) || c == 0x2043 || c == 0x2212 || c == 0x2500 ||
	       c == 0x30fc;
}

static inline bool text_is_dot(uint32_t c)
{
	return c == '.' || c == 0xb7 || c == 0x2022 || c == 0x3002 || c == 0x30fb;
}

static inline char text_ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

#endif
