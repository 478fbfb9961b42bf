/* A strict reader of CBOR (RFC 8949) in the canonical form of CTAP2 (CTAP 2.1 section 8): definite lengths, the
 * shortest form of every number, no tags, no floats, map keys in order and each once, text in UTF-8, at most
 * CBOR_DEPTH_MAX containers within each other. It walks over the caller's bytes: nothing is copied or allocated, and
 * what is returned points into them. After a false the cursor is worth nothing: the whole input is refused. */
#ifndef KOSMO_CBOR_H
#define KOSMO_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CBOR_DEPTH_MAX 4

struct cbor {
	const uint8_t *p, *end;
};

enum cbor_kind {
	CBOR_UINT = 0, /* the major types' own numbers */
	CBOR_NEGATIVE = 1,
	CBOR_BYTES = 2,
	CBOR_TEXT = 3,
	CBOR_ARRAY = 4,
	CBOR_MAP = 5,
	CBOR_SIMPLE = 7
};

struct cbor_item {
	enum cbor_kind kind;
	uint64_t n;	  /* the number; -1-n if negative; bytes; elements; pairs; 20 false, 21 true, 22 null */
	const uint8_t *p; /* CBOR_BYTES, CBOR_TEXT: n bytes */
};

struct cbor cbor_over(const void *p, size_t n);
bool cbor_at_end(const struct cbor *c);
size_t cbor_left(const struct cbor *c);

/* The next item; of a container its head alone. A container that announces more elements than bytes are left is
 * refused here, so n of one that is returned is at most the input's length. */
bool cbor_next(struct cbor *c, struct cbor_item *ret);
/* Over one item with all that is in it, at most depth containers deep. */
bool cbor_skip(struct cbor *c, unsigned depth);

/* The next item, if it is of that kind. */
bool cbor_int(struct cbor *c, int64_t *ret); /* what does not fit is refused */
bool cbor_bytes(struct cbor *c, const uint8_t **ret, size_t *ret_n);
bool cbor_text(struct cbor *c, const char **ret, size_t *ret_n); /* no NUL ends it */
bool cbor_array(struct cbor *c, size_t *ret_n);
bool cbor_map(struct cbor *c, size_t *ret_pairs);

/* A map's keys one after the other: each must sort behind the one before it. Zero it first. */
struct cbor_key {
	const uint8_t *p; /* the last one, encoded */
	size_t n;
};
bool cbor_key_int(struct cbor *c, struct cbor_key *k, int64_t *ret);
bool cbor_key_text(struct cbor *c, struct cbor_key *k, const char **ret, size_t *ret_n);
/* The next key is this one, and is taken; otherwise nothing moves. For maps of known members, in their order. */
bool cbor_key_is(struct cbor *c, struct cbor_key *k, const char *name);

#endif
