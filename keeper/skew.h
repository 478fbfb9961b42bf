/* Is the clock of the phone off that shows an app's codes? A wrong code is compared with the steps around those that
 * are accepted. What is found is remembered in memory, beside the session, until the next code (RFC 4226 section 7.4
 * asks for two in a row, too): one guess alone never learns whether it would have been right at another time. */
#ifndef KOSMO_SKEW_H
#define KOSMO_SKEW_H

#include "keeper/store/store.h"

#define SKEW_AROUND 900 /* seconds before and after now that are looked at */
#define SKEW_KEPT   256 /* sessions remembered, the newest */

struct skews;

struct skews *skews_new(void); /* NULL: out of memory */
void skews_free(struct skews *s);

/* A wrong code of this session, canonical, compared with all TOTP authenticators of a[0..n): the same work whatever it
 * is. True: this code and the session's last one are codes of one authenticator at two different times, by one clock;
 * *ret_seconds is how far that is ahead of ours (negative: behind). s NULL: nothing is remembered, false. */
bool skew_agrees(struct skews *s, const uint8_t session[static DIGEST_LEN], const struct authenticator *a, size_t n,
		 const char *code, int64_t now, int64_t *ret_seconds);
/* The same without a memory, for a key that opens nothing yet. */
bool skew_once(const struct authenticator *a, const char *code, int64_t now, int64_t *ret_seconds);

#endif
