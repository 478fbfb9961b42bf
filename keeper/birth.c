#include "config.h"

#include "keeper/birth.h"
#include "keeper/limits.h"

enum err birth_try(struct store *st, const struct seal *s, const struct quota *q, const struct person *p,
		   struct date typed, int64_t now, bool *ret_right)
{
	int64_t wait;
	enum err e = limits_take(st, s, q, &p->id, now, false, &wait);
	if (e)
		return e;
	bool right =
	    p->birth.year && typed.year == p->birth.year && typed.month == p->birth.month && typed.day == p->birth.day;
	if (right)
		e = limits_forget(st, s, q, &p->id);
	if (!e)
		*ret_right = right;
	return e;
}
