/* One security key, through libfido2 over a descriptor that is open already. */
#ifndef KOSMO_FIDO_KEY_H
#define KOSMO_FIDO_KEY_H

#include "fido/talk.h"
#include <fido.h>

#define KEYS_MAX 8

enum key_has {
	KEY_HAS_NOT,
	KEY_MAY_HAVE, /* it would say only to its owner, verified (CTAP 2.1, section 12.1: credProtect level 3) */
	KEY_HAS
};

struct key {
	int fd;
	fido_dev_t *dev;
	struct talk *talk;
	size_t list_max, message_max; /* how many ids, how many bytes it takes at once */
	size_t from, count;	      /* which of the request's ids are asked for */
};

/* Once, before any key: no logging, no U2F, which verifies nobody. */
void key_init(void);
/* Says hello; false if it is no FIDO2 key. fd is the key's from here on, in either case. Until key_close *k stays where
 * it is: libfido2 keeps its address. */
bool key_open(struct key *k, int fd, struct talk *t);
void key_close(struct key *k);
/* Asks it silently, without a touch: which of these credentials does it have? */
enum key_has key_find(struct key *k, const struct request *q);
/* Its owner is verified, by a fingerprint or the like if it can, else by the PIN; touches it, and it signs. */
enum key_status key_sign(struct key *k, const struct request *q, struct answer *ret);
/* It need not go on blinking. */
void key_cancel(struct key *k);

#endif
