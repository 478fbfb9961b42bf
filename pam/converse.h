/* The PAM conversation: one message at a time, nothing of a reply left behind. */
#ifndef KOSMO_PAM_CONVERSE_H
#define KOSMO_PAM_CONVERSE_H

#include <security/pam_modules.h>
#include <stdbool.h>

#define CONVERSE_REPLY_MAX 512 /* bytes; PAM_MAX_RESP_SIZE of Linux-PAM */

/* Asks and returns the reply, which the caller wipes and frees (secret_free_str); NULL if the application gave none, or
 * one that is over CONVERSE_REPLY_MAX or not UTF-8: such a reply is wiped and freed here. */
char *converse_ask(pam_handle_t *pamh, const char *text, bool echo);
/* Shows a text. That it could not be shown is no reason to refuse anyone: nothing is returned. */
void converse_tell(pam_handle_t *pamh, const char *text, bool error);

#endif
