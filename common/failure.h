/* The number of an unexpected failure: the page shows it, the help desk is told it, kosmoctl audit --failure finds it.
 */
#ifndef KOSMO_FAILURE_H
#define KOSMO_FAILURE_H

#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>

#define FAILURE_SHAPE "xxxx-xxxx" /* of the alphabet: 40 bits, which are read out on the telephone */
#define FAILURE_LEN   (sizeof FAILURE_SHAPE - 1)

/* What kosmo-enrolld has failures of its own for: the words that go over the wire and into the audit log. */
enum failure_why {
	FAILURE_NONE,
	FAILURE_ABSENT, /* no keeper */
	FAILURE_UNSURE, /* it took the question and gave no answer */
	FAILURE_ANSWER, /* its answer cannot be read */
	FAILURE_PAGE,	/* its answer cannot be shown */
	FAILURE_ASKING, /* it could not be asked */
	FAILURE__MAX
};

/* A fresh one. ERR_IO: no randomness. */
enum err failure_id(char ret[static FAILURE_LEN + 1]);
/* Exactly as failure_id writes it? */
bool failure_id_form(const char *s);
/* As somebody types it: capitals, blanks and the hyphen do not matter. ERR_INVALID: it is none. */
enum err failure_id_read(const char *typed, size_t n, char ret[static FAILURE_LEN + 1]);
/* One word, as "absent"; and a sentence for an admin. */
const char *failure_word(enum failure_why w);
const char *failure_sentence(enum failure_why w);
/* FAILURE_NONE: no such word. */
enum failure_why failure_of(const char *word, size_t n);

#endif
