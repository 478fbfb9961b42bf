/* A login at a terminal that its owner approves in the browser with a passkey. The terminal shows everybody an address;
 * the page behind it shows its details to their owner alone, and after the passkey six digits, which are typed into
 * that terminal: an approval without them admits nobody, and none but the dialogue that asked takes them. */
#ifndef KOSMO_APPROVAL_H
#define KOSMO_APPROVAL_H

#include "keeper/attempt.h"

#define APPROVAL_TOKEN	  16  /* symbols of 5 bits */
#define APPROVAL_SHOWN	  19  /* the same in groups of four */
#define APPROVAL_LIFE	  100 /* seconds, */
#define APPROVAL_DIALOGUE 115 /* but not for longer than this from the dialogue's begin: sshd gives up after 120 */
#define APPROVAL_CODE	  6   /* digits */

/* What a dialogue holds of its request. */
struct approval_request {
	struct id id;
	char token[APPROVAL_TOKEN + 1];
	int64_t created, expires;
};

enum err approval_request(int64_t begun, int64_t now, struct approval_request *ret);
/* The page's address as people read and type it; and as a QR code holds it, in the capitals that make it small. */
void approval_url(const struct conf *c, const struct approval_request *r, struct buf *ret);
void approval_url_qr(const struct conf *c, const struct approval_request *r, struct buf *ret);
/* What stands in the page's address, however it was typed: in capitals, without hyphens. */
bool approval_token(const char *typed, char ret[static APPROVAL_TOKEN + 1]);
void approval_token_shown(const char token[static APPROVAL_TOKEN + 1], char ret[static APPROVAL_SHOWN + 1]);

/* What this host is called where its logins are told of: printable ASCII. */
void approval_host(const struct conf *c, char *ret, size_t cap);

/* [tx] Writes the request: the person's whom a asks for, if they may be asked (the password was right or `alone`, and
 * they have a passkey); else nobody's, at the same cost. */
enum err approval_put(struct keeper *k, struct store *st, struct attempt *a, const struct approval_request *r,
		      const char *service, bool alone);

/* What the passkey signs: SHA-256 over a label, the nonce, the request, the user, the host and the service, each behind
 * its length. */
enum err approval_challenge(const struct approval *a, uint8_t ret[static 32]);
/* The digits, which the browser session that approved may be shown again: made from the request and that session. */
enum err approval_code(const struct seal *s, const struct approval *a, const uint8_t session[static DIGEST_LEN],
		       char ret[static APPROVAL_CODE + 1]);
/* Does the configuration refuse an approval from this address (as the browser's door was told it)? Where the terminal's
 * client is in passkey.same_address it must be the same one. */
bool approval_elsewhere(const struct conf *c, const struct approval *a, const char *address);

#endif
