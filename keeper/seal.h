/* The keys and all that is made with them: sealing, digests, the blind index, MACs. One master key file; every purpose
 * has a key of its own by HKDF-SHA256 (RFC 5869), info = "kosmo/1/" purpose. A struct seal is read-only after loading
 * and shared by all threads. */
#ifndef KOSMO_SEAL_H
#define KOSMO_SEAL_H

#include "common/buf.h"
#include "common/err.h"

#define ID_LEN	      16
#define DIGEST_LEN    32
#define SEAL_OVERHEAD (1 + 12 + 16) /* key id, nonce, tag */

/* 48 bits of milliseconds, 80 random bits: chosen before the insert, sorted by time. */
struct id {
	uint8_t b[ID_LEN];
};
enum err id_new(struct id *ret);

struct seal;

/* Writes a new key file (0600, O_EXCL, fsynced with its folder): "kosmo-key 1 BASE64URL(32 bytes)\n" (1 = key id). */
enum err seal_key_create(const char *path, struct errmsg *m);
/* Refuses a file that others may read or write, of wrong form or length. Later lines may hold older keys, which open
 * only. */
enum err seal_load(const char *path, struct seal **ret, struct errmsg *m);
/* The same from the file's bytes. */
enum err seal_parse(const char *text, size_t n, struct seal **ret, struct errmsg *m);
void seal_free(struct seal *s); /* wipes; no other thread may be using it */

/* AES-256-GCM with a random nonce. Both append to *ret. AAD = table, column, row id, owner id and extra (the plain
 * columns that give it meaning). */
struct seal_where {
	const char *table, *column;
	struct id row, owner;
	const void *extra;
	size_t extra_len;
};
enum err seal_box(const struct seal *s, const struct seal_where *w, const void *plain, size_t n, struct buf *ret);
/* ERR_CORRUPT if tag, key id or length are wrong. */
enum err seal_unbox(const struct seal *s, const struct seal_where *w, const void *box, size_t n, struct buf *ret);

/* HMAC-SHA256 with the purpose's key over parts, each preceded by its length (u32), so that parts never run together.
 */
enum seal_purpose {
	SEAL_INITIAL,  /* initial passwords: owner id, canonical text */
	SEAL_CODE,     /* mailed and recovery codes: purpose name, row id, text */
	SEAL_LINK,     /* mailed links and other random tokens (looked up by digest) */
	SEAL_SESSION,  /* session and device cookies (looked up by digest) */
	SEAL_CSRF,     /* the form token of a session */
	SEAL_INDEX,    /* blind index of addresses */
	SEAL_PERSON,   /* the MAC of a person's row */
	SEAL_AUDIT,    /* the audit chain */
	SEAL_COUNTER,  /* buckets of the limits */
	SEAL_DECOY,    /* stable made-up values for unknown names */
	SEAL_TICKET,   /* a login's word for the next phases in its process */
	SEAL_NAME,     /* what a page calls a session by: session digest, owner id */
	SEAL_CEREMONY, /* challenges of passkeys */
	SEAL_PURPOSES
};
struct seal_part {
	const void *p;
	size_t n;
};
enum err seal_mac(const struct seal *s, enum seal_purpose p, const struct seal_part *part, size_t n,
		  uint8_t ret[static DIGEST_LEN]);

#endif
