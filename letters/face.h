/* The typefaces: one for text, Japanese first, and one for what is typed from the paper, without look-alikes. Of those
 * that are installed the first one of a list is taken; characters that it lacks come from any other. */
#ifndef KOSMO_LETTERS_FACE_H
#define KOSMO_LETTERS_FACE_H

#include "common/err.h"
#include <pango/pangocairo.h>
#include <stdbool.h>

enum face { FACE_TEXT, FACE_TYPED, FACES };

struct faces {
	PangoContext *context[2]; /* Japanese, English: kanji have their language's shapes */
	char family[FACES][128];
};

/* ERR_NOTFOUND: one of them is not installed; m names the Debian package. */
enum err faces_open(struct faces *ret, struct errmsg *m);
void faces_close(struct faces *f);

/* A layout of this size in points, for text in "ja" or "en". The caller unrefs it. */
PangoLayout *face_layout(const struct faces *f, const char *lang, enum face face, double size, bool bold);
/* The first character of text that no font has; 0: they have all. */
gunichar face_lacks(PangoLayout *l);

#endif
