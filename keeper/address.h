/* A person's email address gives way to another one, and what can be done about it from the former address. */
#ifndef KOSMO_ADDRESS_H
#define KOSMO_ADDRESS_H

#include "keeper/keeper.h"

#define FREEZE_LIFE (7 * 86400) /* seconds for which the former address may say "this was not me" */

/* [tx] This confirmed address is p's from here on: saved, audited, both addresses are told, and what was mailed to the
 * former one is worth nothing. by says when and where. */
enum err address_replace(struct keeper *k, struct store *st, struct person *p, const char *email,
			 const struct audit *by, bool *ret_mailed);
/* [tx] The address of before (a confirmed one) is told that it is p's no longer, with the link that freezes. */
enum err address_farewell(struct keeper *k, struct store *st, const struct person *p, const char *former, int64_t now,
			  bool *ret_mailed);

/* [tx] The link was pressed: nobody is p at any door until the admin says so. All sessions end, what was mailed is
 * worth nothing, no device or address is known any more; both addresses are told. code and token: of the link, which is
 * kept as a mark of the former address and opens nothing else than the page that says so. */
enum err address_freeze(struct keeper *k, struct store *st, struct person *p, const struct code *code,
			const char *token, const struct audit *by, bool *ret_mailed);
/* The address from where p was frozen; ERR_NOTFOUND. */
enum err address_former(struct store *st, const struct person *p, int64_t now, char ret[static EMAIL_MAX + 1]);

#endif
