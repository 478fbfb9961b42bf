/* The strict reading of what a browser sends: forms, queries, cookies, hosts. Pure functions over the caller's bytes.
 */
#ifndef KOSMO_ENROLL_REQUEST_H
#define KOSMO_ENROLL_REQUEST_H

#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>

#define REQUEST_FIELDS	  32
#define REQUEST_NAME_MAX  32
#define REQUEST_VALUE_MAX 24576 /* an attestation with its certificates, in base64url */
#define REQUEST_TOKEN_MAX 128
#define REQUEST_BACK_MAX  1400 /* the cookie that says where a login leads back to (keeper/come_back.h) */

struct form {
	size_t n;
	struct form_field {
		const char *name, *value; /* into the parsed bytes, both C strings */
		size_t len;		  /* of value */
	} field[REQUEST_FIELDS];
};

/* Decodes application/x-www-form-urlencoded (WHATWG URL 5.1) in place. allowed: names separated by blanks. An unknown
 * name is ERR_INVALID if strict (a form), and passed over if not (a query: people's links grow parameters). A repeated
 * name, NUL, a cut or wrong escape and bytes that are not UTF-8 are ERR_INVALID, too many or too long ones ERR_TOOBIG.
 * s[n] must be writable. */
enum err request_form(char *s, size_t n, const char *allowed, bool strict, struct form *ret);
/* NULL if absent. */
const char *form_get(const struct form *f, const char *name);

/* The value of a cookie (RFC 6265 4.2.1) if it stands there once, is 1..cap-1 bytes of [A-Za-z0-9_-]: then true. */
bool request_cookie(const char *header, const char *name, char *ret, size_t cap);
/* Could it be such a cookie's value? cap as above. */
bool request_cookie_value(const char *s, size_t cap);
/* [A-Za-z0-9_-]{16,REQUEST_TOKEN_MAX}: what a link's token looks like. */
bool request_token(const char *s);
/* Is it application/x-www-form-urlencoded, without a charset but UTF-8? */
bool request_is_form(const char *content_type);
/* Is the Host header the one of url (an origin)? The scheme's own port may stand or not. */
bool request_host_is(const char *host, const char *url);
/* A decimal number without sign. ERR_INVALID otherwise. */
enum err request_length(const char *s, size_t *ret);

#endif
