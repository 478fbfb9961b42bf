/* Certificates of authenticators, under a root and a CA below it; whole, or with something wrong. */
#ifndef KOSMO_PASSKEY_CHAIN_H
#define KOSMO_PASSKEY_CHAIN_H

#include "tests/unit/passkey_make.h"
#include <openssl/x509.h>

#define CERTIFY_NOW 1700000000 /* all are valid for a day before and behind it */

enum chain {
	CHAIN_WHOLE,	  /* the leaf and the CA between */
	CHAIN_WITH_ROOT,  /* the root too */
	CHAIN_LEAF,	  /* the leaf alone: nothing leads from it to the root */
	CHAIN_SELF,	  /* a leaf that signed itself */
	CHAIN_FOREIGN,	  /* of another root */
	CHAIN_LEAF_AS_CA, /* a leaf that signs another one */
	CHAIN_CUT,	  /* the CA's bytes end early */
	CHAIN_GARBAGE,	  /* bytes behind the leaf */
	CHAIN_LONG	  /* more certificates than anybody needs */
};

/* What is wrong with the leaf. */
struct leaf {
	const char *unit;    /* OU; NULL: as it must be */
	const char *missing; /* short name of a part of the subject */
	bool subject;	     /* of a TPM's: not empty */
	long version;	     /* 0: 3 */
	bool ca, unconstrained;
	const char *aaguid; /* value of the extension, 18 bytes; NULL: none */
	bool aaguid_critical, aaguid_twice;
	bool no_names, no_manufacturer; /* of a TPM's SAN */
	const char *use;		/* of a TPM's EKU; "" none */
	int days;			/* it begins so many days later */
	int32_t alg;			/* of its key; 0: ES256 */
	bool credential_key;		/* it is the credential's */
};

/* PEM of the root, of the CA below it. */
void chain_root(struct buf *ret);
void chain_ca(struct buf *ret);
/* What was made of them once for all. */
void chain_free(void);

/* A leaf's key, new unless it is the credential's; the caller frees it. */
EVP_PKEY *chain_key(const struct leaf *l, const struct make *m);
/* A leaf that chain_sign makes valid; the caller frees it. days: it begins so many later. */
X509 *chain_begin(EVP_PKEY *key, enum chain chain, int days);
void chain_subject(X509 *x, const struct leaf *l);
/* Version, basic constraints and AAGUID. */
void chain_constrain(X509 *x, const struct leaf *l);
void chain_tpm_names(X509 *x, bool no_manufacturer);
void chain_extend(X509 *x, int nid, const char *value);
void chain_extend_raw(X509 *x, const char *oid, bool critical, const void *p, size_t n);
void chain_sign(X509 *x, EVP_PKEY *own, enum chain chain);
/* "x5c" and its array. */
void chain_put(struct buf *b, X509 *leaf, EVP_PKEY *key, enum chain chain);

#endif
