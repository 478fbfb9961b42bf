/* RFC 4648 section 5 without padding, strict, and section 6 (base32) for TOTP keys. */
#ifndef KOSMO_BASE64URL_H
#define KOSMO_BASE64URL_H

#include "common/buf.h"
#include "common/err.h"

void base64url_encode(struct buf *b, const void *p, size_t n);
/* Appends the decoded bytes. ERR_INVALID for padding, white space, other alphabets, or nonzero trailing bits. */
enum err base64url_decode(struct buf *b, const char *s, size_t n);
void base32_encode(struct buf *b, const void *p, size_t n); /* upper case, no padding */
/* Case, spaces and hyphens are ignored, padding at the end is accepted. ERR_INVALID otherwise. */
enum err base32_decode(struct buf *b, const char *s, size_t n);

#endif
