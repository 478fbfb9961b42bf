/* A passkey's ceremony with a browser: who we are in it, and its challenge. Nothing is stored of a challenge until it
 * is used: it is a MAC over what it is for, the browser's token, the person and its end, and comes back with the form.
 */
#ifndef KOSMO_CEREMONY_H
#define KOSMO_CEREMONY_H

#include "common/conf.h"
#include "keeper/store/store.h"

#define CEREMONY_LIFE  120 /* seconds */
#define CHALLENGE_LEN  56  /* when it ends (8), random (16), MAC (32) */
#define CHALLENGE_TEXT 75  /* in base64url */

enum ceremony { CEREMONY_REGISTER = 1, CEREMONY_LOGIN = 2, CEREMONY_PROOF = 3 /* by somebody who is known */ };

struct challenge {
	uint8_t b[CHALLENGE_LEN];
};

/* token: the browser's, of its session or of a visitor; person: NULL where nobody is known yet. */
enum err challenge_new(const struct seal *s, enum ceremony what, const char *token, const struct id *person,
		       int64_t now, struct challenge *ret);
enum err challenge_text(const struct challenge *c, char ret[static CHALLENGE_TEXT + 1]);
/* What a form brought back. ERR_DENIED: not one of ours for this browser, person and purpose; ERR_TIMEOUT: it was, and
 * its time is over. */
enum err challenge_open(const struct seal *s, enum ceremony what, const char *token, const struct id *person,
			const char *text, int64_t now, struct challenge *ret);
/* [tx] ERR_EXISTS: it was used before. */
enum err challenge_spend(struct store *st, const struct challenge *c);

/* Who asks, as passkey_expected wants it: url first, then passkey.origins. */
struct relying_party {
	char id[256];
	const char *origin[CONF_ORIGINS_MAX + 2]; /* ends with NULL */
	char text[2048];			  /* where they stand */
};
void relying_party(const struct conf *conf, struct relying_party *ret);

/* 64 bytes that stand for a person towards their devices (user.id, 5.4.3), and tell nothing: those of the passkeys that
 * they have, else made from their id and our key. */
enum err ceremony_user(struct store *st, const struct seal *s, const struct id *person,
		       uint8_t ret[static PASSKEY_USER_LEN]);

#endif
