/* The dialogue with the module, in frames of common/wire over one socket:
 *
 *   get {rp_id, hash, seconds, allow.N} ->
 *        <- pin {tries, wrong}      pin {pin}, or without: another way, please ->
 *        <- touch {choose}          before a touch is waited for; choose: of one of several keys
 *   <- done {status, id, authdata, signature}
 *
 * tries: how many wrong PINs the key still takes before it blocks itself for good. */
#ifndef KOSMO_FIDO_TALK_H
#define KOSMO_FIDO_TALK_H

#include "common/buf.h"
#include "common/wire.h"
#include "fido/request.h"
#include "fido/watch.h"

#define TALK_PIN_MAX 63 /* bytes (CTAP 2.1, section 6.5.1) */

struct talk {
	struct watch watch;
	struct buf in, out;
	struct wire_msg msg; /* of in */
};

/* What the key signed; authdata without CBOR around it. */
struct answer {
	struct buf id, authdata, signature;
};
void answer_free(struct answer *a);

/* fd is the module's socket. The request points into *request, which the caller frees, and lives as long as t. */
enum err talk_request(struct talk *t, int fd, struct buf *request, struct request *ret);
/* Asks for the PIN, however long that takes: our deadline stands still meanwhile. KEY_OK: it was given. */
enum key_status talk_pin(struct talk *t, int tries, bool wrong, struct buf *ret_pin);
/* False if it could not be said: then nothing may be waited for. */
bool talk_touch(struct talk *t, bool choose);
void talk_done(struct talk *t, enum key_status s, const struct answer *a);

#endif
