/* Makes WebAuthn ceremonies, whole or with something wrong in them: bytes may be put in place of others at each stage,
 * before what comes after (lengths, hashes, signatures) is made over them. What is wrong is then one thing alone. */
#ifndef KOSMO_PASSKEY_MAKE_H
#define KOSMO_PASSKEY_MAKE_H

#include "common/buf.h"
#include "keeper/passkey.h"
#include <openssl/evp.h>

#define MAKE_RP	       "example.org"
#define MAKE_ORIGIN    "https://login.example.org"
#define MAKE_CHALLENGE "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" /* the bytes 0 to 31 */
#define MAKE_COUNT     7

enum part {
	PART_NONE,
	PART_CLIENT,
	PART_ID,
	PART_KEY,	/* COSE_Key */
	PART_AUTH,	/* authenticatorData; attested data begin at 37, the id at 55 */
	PART_STATEMENT, /* attStmt */
	PART_OBJECT,	/* attestationObject */
	PART_SIGNATURE
};

/* At a byte (negative: from the end) drop bytes go and others come. */
struct splice {
	enum part part;
	int at;
	size_t drop;
	const char *put;
	size_t n;
};
#define PUT(part, at, drop, s)                                                                                         \
	{                                                                                                              \
		part, at, drop, s, sizeof(s) - 1                                                                       \
	}
#define MAKE_END  0x7fffffff /* at: behind all */
#define MAKE_REST SIZE_MAX   /* drop: to the end */

struct make;
/* Appends attStmt, for the bytes that attestation is over. */
typedef void make_attest(const struct make *m, const struct buf *auth, const struct buf *client,
			 const struct buf *signed_bytes, struct buf *ret);

struct make {
	int32_t alg;	  /* 0: ES256 */
	const char *type; /* NULL: the kind's own */
	const char *challenge, *origin;
	const char *more; /* further members, ",\"a\":1" */
	bool cross;	  /* crossOrigin */
	const char *json; /* all of it */
	const char *rp_id;
	uint8_t flags;	    /* 0: UP and UV, and AT in a registration */
	uint32_t count;	    /* 0: MAKE_COUNT */
	const char *format; /* NULL: none */
	make_attest *attest;
	const void *how;  /* attest's own */
	EVP_PKEY *signer; /* NULL: the credential's key */
	struct splice splice[4];
};

struct made {
	struct buf client, id, key, auth, object, signature;
};

EVP_PKEY *make_key(int32_t alg); /* made once; stays */
void make_keys_free(void);
void make_cose(int32_t alg, EVP_PKEY *key, struct buf *ret);
void make_sign(int32_t alg, EVP_PKEY *key, const void *p, size_t n, struct buf *ret);
void make_registration(const struct make *m, struct made *ret);
void make_assertion(const struct make *m, struct made *ret);
void made_free(struct made *m);
make_attest make_packed_self;

/* CBOR, canonical as long as the keys come in order. */
void make_head(struct buf *b, unsigned kind, uint64_t n);
void make_text(struct buf *b, const char *s);
void make_bytes(struct buf *b, const void *p, size_t n);
void make_int(struct buf *b, int64_t v);

struct passkey_bytes make_view(const struct buf *b);
void make_splice(const struct make *m, enum part part, struct buf *b);

#endif
