/* What a login at the terminal leaves with the process in which it was made, for that process's next phases (account,
 * password): that this person's factors were right there a moment ago. The module keeps it in its PAM handle and sends
 * it along. Nothing is kept here: it is a MAC over what it says and over the person's password, so that it ends with
 * its time and with the next change. Alone it opens nothing. */
#ifndef KOSMO_TICKET_H
#define KOSMO_TICKET_H

#include "keeper/store/store.h"

#define TICKET_TEXT 55	/* 41 bytes in base64url: when, whether the password was asked, MAC */
#define TICKET_LIFE 120 /* seconds */

struct ticket {
	char text[TICKET_TEXT + 1];
};

enum err ticket_make(const struct seal *s, const struct person *p, const char *service, bool password_asked,
		     int64_t now, struct ticket *ret);
/* text may be NULL. *ret_password_asked (may be NULL) is set if it is good. */
bool ticket_good(const struct seal *s, const struct person *p, const char *service, const char *text, int64_t now,
		 bool *ret_password_asked);

#endif
