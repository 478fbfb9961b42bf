/* A QR code (ISO/IEC 18004) as lines of text for a terminal, whose colours nobody tells us: what is light in the code
 * is drawn, so that it is right on a dark background, with its quiet zone; on a light one it is inverted. */
#ifndef KOSMO_QR_TEXT_H
#define KOSMO_QR_TEXT_H

#include "common/buf.h"
#include "common/err.h"

#define QR_TEXT_QUIET	2  /* modules of light around */
#define QR_TEXT_COLUMNS 80 /* at most */

enum qr_form {
	QR_AUTO = 0, /* by the terminal's name */
	QR_NONE = 1,
	QR_ASCII = 2, /* two columns and a line a module */
	QR_UTF8 = 3   /* half blocks: a column and half a line a module */
};

/* What a terminal of this name (PAM_TTY) is drawn with: "ssh" and pseudo-terminals are somebody's window; a console may
 * have neither the signs nor the lines. */
enum qr_form qr_form_for(const char *tty);
/* Appends the lines, each with its '\n', at error correction level L. QR_AUTO is none. ERR_TOOBIG if it would be wider
 * than a terminal: nothing is appended then. */
enum err qr_text(const char *text, enum qr_form form, struct buf *ret);

#endif
