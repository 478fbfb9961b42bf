/* A growable byte buffer that wipes itself: on free, and the old block whenever it grows. Secrets live in these. */
#ifndef KOSMO_BUF_H
#define KOSMO_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data; /* NULL while empty; one NUL byte always follows the last byte */
	size_t len;
	size_t cap;
	bool failed; /* an append ran out of memory; stays set, later appends do nothing; check once at the end */
};

#define BUF_INIT                                                                                                       \
	{                                                                                                              \
		0                                                                                                      \
	}
#define AUTO_BUF __attribute__((cleanup(buf_free))) struct buf

void buf_free(struct buf *b); /* wipes, frees, zeroes; NULL is fine */
void buf_wipe(struct buf *b); /* wipes and sets len to 0, keeps the block */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_add_u16(struct buf *b, uint16_t v); /* big-endian */
void buf_add_u32(struct buf *b, uint32_t v);
void buf_add_u64(struct buf *b, uint64_t v);
/* Room for n more bytes at data+len, len unchanged; NULL when out of memory (failed is set). */
uint8_t *buf_room(struct buf *b, size_t n);
/* The bytes as a C string: "" while empty, NULL if the buffer failed or holds a NUL byte. */
const char *buf_str(const struct buf *b);

#endif
