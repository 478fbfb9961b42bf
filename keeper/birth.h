/* Somebody's birth date, as a proof: counted whatever form it was typed in. */
#ifndef KOSMO_BIRTH_H
#define KOSMO_BIRTH_H

#include "keeper/limits.h"

/* [tx] Is it theirs? Counted in q before it is compared: 5 wrong ones a day for a person; a right one forgets them.
 * ERR_DENIED: too many, it was not compared. */
enum err birth_try(struct store *st, const struct seal *s, const struct quota *q, const struct person *p,
		   struct date typed, int64_t now, bool *ret_right);

#endif
