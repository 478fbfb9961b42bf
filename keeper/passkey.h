/* What a relying party must check of a passkey: Web Authentication Level 3, sections 7.1 (registration) and 7.2
 * (assertion). Pure functions over bytes: they read no clock, no store and no configuration, keep nothing, and allocate
 * nothing whose size outside bytes choose. Each check is a value of enum passkey_check, in the order of the standard's
 * steps; the first one that fails is returned. What the standard leaves to the caller (the challenge's single use, is
 * the credential registered to nobody, does it belong to the person, what to do about a counter) is said at each
 * function. */
#ifndef KOSMO_PASSKEY_H
#define KOSMO_PASSKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PASSKEY_ID_MAX	   1023 /* bytes of a credential id (7.1 step 25) */
#define PASSKEY_KEY_MAX	   600	/* bytes of a COSE_Key: RSA of 4096 bits and room */
#define PASSKEY_USER_LEN   64	/* bytes of user.id, our user handle */
#define PASSKEY_AAGUID_LEN 16
#define PASSKEY_CLIENT_MAX 4096	 /* bytes of clientDataJSON */
#define PASSKEY_AUTH_MAX   4096	 /* bytes of authenticatorData */
#define PASSKEY_ATTEST_MAX 16384 /* bytes of an attestationObject */
#define PASSKEY_SIG_MAX	   1024	 /* bytes of a signature */

/* COSE algorithms (RFC 9053): what pubKeyCredParams offers, in this order. */
#define PASSKEY_EDDSA (-8)
#define PASSKEY_ES256 (-7)
#define PASSKEY_RS256 (-257)
#define PASSKEY_ES384 (-35) /* these are verified, but not offered */
#define PASSKEY_ES512 (-36)
#define PASSKEY_ED448 (-53)

struct passkey_bytes {
	const uint8_t *p;
	size_t n;
};

enum passkey_check {
	PASSKEY_UNDECIDED = 0, /* never returned: zero means nothing */
	PASSKEY_OK = 0x51,
	PASSKEY_CLIENT_FORM,   /* clientDataJSON: too long, no UTF-8, no JSON object, a key twice, a member missing */
	PASSKEY_TYPE,	       /* not webauthn.create / webauthn.get */
	PASSKEY_CHALLENGE,     /* another challenge, or not strict base64url */
	PASSKEY_ORIGIN,	       /* not one of the allowed origins, byte by byte */
	PASSKEY_CROSS_ORIGIN,  /* in a frame of another origin, and that is not expected */
	PASSKEY_TOP_ORIGIN,    /* ... of one that is not expected */
	PASSKEY_OBJECT_FORM,   /* attestationObject: no CBOR map of fmt, attStmt, authData alone; bytes behind it */
	PASSKEY_AUTH_FORM,     /* authenticatorData: too short, flags that contradict its length, bytes behind it */
	PASSKEY_RP,	       /* rpIdHash is another relying party's */
	PASSKEY_UP,	       /* nobody was present */
	PASSKEY_UV,	       /* nobody was verified, and that is required */
	PASSKEY_BACKUP,	       /* backed up without being eligible (BS without BE) */
	PASSKEY_NO_CREDENTIAL, /* no attested credential data in a registration */
	PASSKEY_ID_LENGTH,     /* credential id: empty or over PASSKEY_ID_MAX */
	PASSKEY_KEY_FORM,      /* COSE_Key: malformed, with surplus or missing members, over PASSKEY_KEY_MAX */
	PASSKEY_ALG,	       /* an algorithm that was not offered, or a key that does not fit it */
	PASSKEY_POINT,	       /* a point that is not on its curve; an RSA modulus or exponent that is not sane */
	PASSKEY_EXTENSIONS,    /* extension data that is no well-formed CBOR map */
	PASSKEY_ATT_FORMAT,    /* an attestation format that is not known, or not accepted here */
	PASSKEY_ATT_STATEMENT, /* its statement is malformed, or does not fit what it attests ("none": not empty) */
	PASSKEY_ATT_SIGNATURE, /* its signature is wrong */
	PASSKEY_ATT_CHAIN,     /* its certificates do not lead to a root that is trusted here, or break a rule */
	PASSKEY_AAGUID,	       /* a model that is not on the list */
	PASSKEY_NOT_ASKED,     /* the credential is none of those that were asked for */
	PASSKEY_USER_HANDLE,   /* another person's; or none, where the person was unknown */
	PASSKEY_ELIGIBILITY,   /* BE is not what it was when the credential was registered */
	PASSKEY_SIGNATURE,     /* the signature is wrong */
	PASSKEY_INTERNAL,      /* memory, or libcrypto: nothing is known */
	PASSKEY_CHECK__MAX
};

/* "origin", "user-handle"; the name in audit rows and of tests/passkey-verdict. */
const char *passkey_check_name(enum passkey_check c);

struct passkey_trust; /* roots and models for attestation: keeper/passkey_attest.h */

/* What was asked for. Strings are compared byte by byte. */
struct passkey_expected {
	const char *rp_id;		/* "example.org" */
	const char *const *origin;	/* "https://login.example.org"; ends with NULL */
	const char *const *top_origin;	/* pages that may hold ours in a frame, ends with NULL; NULL: none may */
	bool cross_origin;		/* a frame is expected too where the browser does not say of which page */
	struct passkey_bytes challenge; /* at least 16 bytes, as issued */
	bool require_uv;
	const int32_t *alg; /* registration: what was offered */
	size_t algs;
	const struct passkey_trust *trust; /* registration; NULL: any attestation will do, see passkey_attest.h */
	int64_t now;			   /* with trust: the time, in seconds, that certificates must be valid at */
};

/* A credential as a registration gives it and as the store keeps it. */
struct passkey {
	uint8_t id[PASSKEY_ID_MAX];
	size_t id_len;
	uint8_t key[PASSKEY_KEY_MAX]; /* COSE_Key, as it came */
	size_t key_len;
	int32_t alg;
	uint32_t sign_count;
	bool eligible;	     /* BE: may be copied to other devices (never changes) */
	bool backed_up;	     /* BS: is copied, as of the last use */
	bool uv_initialized; /* a user was verified with it once */
	uint8_t aaguid[PASSKEY_AAGUID_LEN];
};

/* What the browser sent for a registration: AuthenticatorAttestationResponse, decoded from base64url. */
struct passkey_attestation {
	struct passkey_bytes client_data; /* clientDataJSON, its raw bytes */
	struct passkey_bytes attestation; /* attestationObject */
};
/* Section 7.1. PASSKEY_OK: *ret is the new credential; else it is untouched. The caller must then see that the
 * challenge was its own, unexpired and unused, and that no one has this credential id (step 26). */
enum passkey_check passkey_register(const struct passkey_expected *x, const struct passkey_attestation *r,
				    struct passkey *ret);

/* What the browser, or a security key through libfido2, sent for a login: AuthenticatorAssertionResponse. */
struct passkey_assertion {
	struct passkey_bytes id;	  /* rawId */
	struct passkey_bytes client_data; /* its raw bytes */
	struct passkey_bytes auth_data;	  /* authenticatorData */
	struct passkey_bytes signature;	  /* ES256, ES384: DER (section 6.5.5) */
	struct passkey_bytes user_handle; /* p NULL: none was sent */
};
struct passkey_used {
	uint32_t sign_count;
	bool backed_up, user_verified;
	bool counter_back; /* one of both counters is not 0 and the new one is not greater (7.2 step 22): a copy? */
	bool backup_flip;  /* BS is not what it was */
};
/* Section 7.2 for the stored credential, which the caller has found by the assertion's id. user: the stored user
 * handle; handle_required: who is logging in was not known before (7.2 step 6). PASSKEY_OK: *ret says what the store
 * must write, in one transaction with the challenge's single use; else it is untouched. */
enum passkey_check passkey_assert(const struct passkey_expected *x, const struct passkey *stored,
				  const uint8_t user[static PASSKEY_USER_LEN], bool handle_required,
				  const struct passkey_assertion *r, struct passkey_used *ret);
/* The same where there is no clientDataJSON of a browser's: the console's security key signs over this hash of ours
 * (CTAP 2.1, authenticatorGetAssertion). x->origin and x->challenge are not looked at. */
enum passkey_check passkey_assert_hash(const struct passkey_expected *x, const struct passkey *stored,
				       const uint8_t client_hash[static 32], const struct passkey_assertion *r,
				       struct passkey_used *ret);

#endif
