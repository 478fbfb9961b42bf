/* Statements of attestation that carry certificates (passkey_chain.h); whole, or with something wrong. */
#ifndef KOSMO_PASSKEY_CERTIFY_H
#define KOSMO_PASSKEY_CERTIFY_H

#include "tests/unit/passkey_chain.h"

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

#endif
