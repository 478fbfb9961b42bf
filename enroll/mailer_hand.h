/* The mailer's hand: a process of its own that starts sendmail, because the mailer locks itself in and what it starts
 * would be locked in with it (a set-group-ID postdrop could not write its queue). It reads nothing but what the mailer
 * sends it, starts nothing but the one program, and ends with the mailer. */
#ifndef KOSMO_MAILER_HAND_H
#define KOSMO_MAILER_HAND_H

#include "common/err.h"
#include <stddef.h>
#include <stdint.h>

#define HAND_MS	   60000 /* a mail; then the program and what it started are killed */
#define HAND_WORDS 300

enum { HAND_KILLED = -1, HAND_LATE = -2 };

/* What the program did, written to the socket that came with the mail. */
struct hand_result {
	int32_t exit;		/* its exit status, or HAND_KILLED: a signal ended it, or HAND_LATE: HAND_MS did */
	char words[HAND_WORDS]; /* what it said; NUL-terminated */
};

/* Before any thread and before the sandbox. *ret: the socket to the hand; it becomes readable when the hand is gone. */
enum err hand_start(const char *program, int *ret, struct errmsg *why);
/* One mail, whole or not at all. *ret: where one struct hand_result comes; closing it gives the mail up. */
enum err hand_send(int hand, const char *from, const char *to, const uint8_t *message, size_t len, int *ret);

#endif
