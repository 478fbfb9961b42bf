/* The text of the letter with the initial password: site_dir/letter.LANG.txt, or the house's own. One block a line:
 *
 *     # a comment
 *     .title Our web services
 *     Dear {name}, a paragraph.
 *     .login User ID
 *
 * A line that begins with a full stop is a block of another kind (the table in letter_text.c), an empty line a gap, any
 * other one a paragraph. {placeholders} are those of letter_placeholders. */
#ifndef KOSMO_LETTER_TEXT_H
#define KOSMO_LETTER_TEXT_H

#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>

#define LETTER_TEXT_BYTES_MAX  16384
#define LETTER_TEXT_BLOCKS_MAX 120

enum letter_kind {
	LETTER_GAP,
	LETTER_PARAGRAPH,
	LETTER_TO,   /* whom it is for, at the left above */
	LETTER_LOGO, /* the site's, at the right; no text */
	LETTER_FROM, /* whom it is from, at the right */
	LETTER_TITLE,
	LETTER_HEAD,
	LETTER_STEP,	 /* numbered */
	LETTER_HINT,	 /* beside the passwords in the frame, or a small paragraph */
	LETTER_LOGIN,	 /* its text is the label: of the user ID */
	LETTER_PASSWORD, /* of the initial password */
	LETTER_QR,	 /* below the code of the login page's address */
	LETTER_FOOT,	 /* at the end of the page */
	LETTER_KINDS
};

struct letter_block {
	enum letter_kind kind;
	char *text;
	bool filled; /* it has a placeholder */
};

struct letter_text {
	struct letter_block block[LETTER_TEXT_BLOCKS_MAX];
	size_t n;
};

/* The names, NULL behind them. None of them is the password: that has a block of its own. */
extern const char *const letter_placeholders[];

/* A file's bytes. ERR_INVALID with "FILE:LINE: what is wrong", ERR_NOMEM. */
enum err letter_text_parse(const char *file, const void *p, size_t n, struct letter_text *ret, struct errmsg *m);
void letter_text_free(struct letter_text *t);

#endif
