/* One A4 sheet a letter, after a text (common/letter_text.h) in one language. */
#ifndef KOSMO_LETTERS_SHEET_H
#define KOSMO_LETTERS_SHEET_H

#include "common/letter_text.h"
#include "letters/face.h"

#define SHEET_WIDTH  595.276 /* points */
#define SHEET_HEIGHT 841.89

/* What stands on every letter; kept by the caller. */
struct sheet_house {
	const char *organisation, *contact;
	cairo_surface_t *logo; /* NULL: none */
};

struct sheet_letter {
	const char *name, *login, *password; /* password: grouped, as it is printed */
	const char *url;		     /* the login page, as people type it */
	const char *link;		     /* the same with the user ID, for the code */
	const char *valid;		     /* the last day, in words */
};

struct sheet;
/* f, house and text stay the caller's and live longer. ERR_INVALID: the text has a character that no font has; m says
 * which. */
enum err sheet_open(const struct faces *f, const char *lang, const struct letter_text *text,
		    const struct sheet_house *house, struct sheet **ret, struct errmsg *m);
void sheet_close(struct sheet *s);

/* Draws onto a page, and ends it. ERR_INVALID: this one cannot be printed (why, for the admin), and nothing was drawn.
 */
enum err sheet_print(struct sheet *s, cairo_t *cr, const struct sheet_letter *letter, struct errmsg *why);

#endif
