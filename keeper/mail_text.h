/* The mails' texts: one table, in English; Japanese is in po/ja.po. A site may have its own (keeper/mail_template.h).
 */
#ifndef KOSMO_MAIL_TEXT_H
#define KOSMO_MAIL_TEXT_H

#include "keeper/mail.h"

struct mail_text_row {
	const char *name;	    /* of the site's own file, mail/NAME.LANG.txt */
	const char *needs;	    /* {placeholders} without which it is of no use, separated by spaces */
	const char *may;	    /* those that a text may leave out */
	bool urgent;		    /* somebody waits for it */
	const char *subject, *body; /* the body ends with a line's end */
};

/* By enum mail_text; the first row is none. */
extern const struct mail_text_row mail_texts[MAIL_TEXTS];

#endif
