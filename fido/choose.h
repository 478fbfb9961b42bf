/* Several keys may be plugged in: the one that has the credential is asked, and only that one. */
#ifndef KOSMO_FIDO_CHOOSE_H
#define KOSMO_FIDO_CHOOSE_H

#include "fido/key.h"

/* Closes the keys. KEY_OK: *ret holds what was signed. */
enum key_status choose_sign(struct talk *t, const struct request *q, struct key *keys, size_t n, struct answer *ret);

#endif
