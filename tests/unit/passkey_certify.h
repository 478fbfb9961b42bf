/* Makes what authenticators are attested with: certificates under a root and one below it, and statements that carry
 * them; whole, or with something wrong. */
#ifndef KOSMO_PASSKEY_CERTIFY_H
#define KOSMO_PASSKEY_CERTIFY_H

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

struct certify {
	struct leaf leaf;
	enum chain chain;
	int64_t alg; /* in the statement; 0: the leaf's */
	bool bad_signature;
	struct splice area, info;   /* of a TPM's */
	bool stale;		    /* of a phone's: its certificate is for other bytes */
	bool no_extension, surplus; /* bytes in it that do not belong there */
};

/* For make.attest, make.how being a struct certify or NULL: */
make_attest certify_packed, certify_u2f, certify_tpm, certify_android, certify_apple;

/* PEM of the root, of the CA below it. */
void certify_root(struct buf *ret);
void certify_ca(struct buf *ret);
void certify_free(void);

#endif
