/* What kosmoctl says on standard input, a socket, in frames of common/wire.h, and what it hears.
 *
 *   house   text.LANG (letter_text.h), organisation.LANG, contact.LANG, of ja and en
 *   logo    data: a piece of a PNG file; as many as it takes, none: no logo
 *   letter  n (its number), lang, name, login, password, url, link, valid
 *   end
 *
 * Back, behind the end alone but for a failure: each letter that could not be printed as
 *   left    n, why
 * and then
 *   done    pages
 * or at any time failed: why. The PDF goes to standard output. */
#ifndef KOSMO_LETTERS_TALK_H
#define KOSMO_LETTERS_TALK_H

#include "common/buf.h"
#include "common/wire.h"

#define TALK_ID	     1
#define TALK_WAIT_MS 600000 /* for the other side: it reads a store that others write */

struct talk {
	int fd;
	struct buf in, out;
	struct wire_msg msg;
	struct buf left; /* frames, until the end */
};

/* The next frame into t->msg. */
enum err talk_next(struct talk *t);
/* That letter n was left out, and why. */
enum err talk_left(struct talk *t, int64_t n, const char *why);
enum err talk_done(struct talk *t, int64_t pages);
void talk_failed(struct talk *t, const char *why);
void talk_close(struct talk *t);

#endif
