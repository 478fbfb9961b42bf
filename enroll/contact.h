/* Whom to ask, as HTML: each line of the text on its own, what can be called or written to as a link. */
#ifndef KOSMO_ENROLL_CONTACT_H
#define KOSMO_ENROLL_CONTACT_H

#include "common/buf.h"

/* Telephone numbers (0 or + and 9 to 15 digits, with hyphens, brackets, blanks, full-width too) become tel:, mail
 * addresses mailto:, https: addresses links. */
void contact_html(const char *text, struct buf *ret);

#endif
