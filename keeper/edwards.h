/* Points of the two Edwards curves of RFC 8032 as they are encoded: OpenSSL takes any bytes for a public key of these.
 */
#ifndef KOSMO_EDWARDS_H
#define KOSMO_EDWARDS_H

#include "keeper/passkey.h"

enum edwards_curve { EDWARDS_25519, EDWARDS_448, EDWARDS__MAX };

/* PASSKEY_OK: p (32 or 57 bytes) is the one encoding of a point of the curve (RFC 8032 5.1.3, 5.2.3) whose order is not
 * small: under a point of small order signatures can be made by anybody. PASSKEY_POINT otherwise. PASSKEY_INTERNAL. */
enum passkey_check edwards_point_sane(enum edwards_curve curve, const uint8_t *p);

#endif
