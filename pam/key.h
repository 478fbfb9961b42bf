/* A security key at the console: what the keeper wants signed goes to kosmo-fido2, whose questions to the person. */
#ifndef KOSMO_PAM_KEY_H
#define KOSMO_PAM_KEY_H

#include "common/wire.h"
#include <security/pam_modules.h>

#define KEY_HELPER  LIBEXECDIR "/kosmo-fido2"
#define KEY_WAIT_MS 65000 /* of the helper, without the time that the person types; it takes 60 s itself */

/* Runs helper for m, a message "key {rp_id, hash, seconds, allow.N, text.pin, text.few, text.wrong, text.last,
 * text.touch, text.choose}", and writes the keeper's answer into *out: "key {status, id, authdata, signature}".
 * Whatever goes wrong is the status "error": nothing is decided here. ERR_NOMEM, ERR_TOOBIG: not even that could be
 * written. */
enum err key_run(pam_handle_t *pamh, const char *helper, const struct wire_msg *m, uint32_t id, struct buf *out);

#endif
