/* What kosmoctl says about a person, and how it makes one. */
#ifndef KOSMO_CTL_PERSON_H
#define KOSMO_CTL_PERSON_H

#include "ctl/ctl.h"
#include "ctl/json.h"
#include "ctl/row.h"

#define PERSON_INITIAL 20 /* bytes of an initial password as printed, with NUL */

/* One word: disabled, expired, active (has a password of their own), begun (initial password used), waiting (not yet
 * used), lapsed (too old), nopassword. */
const char *person_state(const struct person *p, const struct conf *c, int64_t now);
const char *person_role(enum role r);
const char *person_method(enum factor_kind k);

/* A fresh initial password: its text, and its keyed digest into p. p->id must be set. */
enum err person_initial(const struct seal *seal, struct person *p, int64_t now, char ret[static PERSON_INITIAL]);
/* A new person from a checked row whose password, if any, is hashed. initial: written if one is made, else "". */
enum err person_from_row(const struct seal *seal, const struct row *r, int64_t now, struct person *ret,
			 char initial[static PERSON_INITIAL]);
/* With --letters: whether the store can keep them; says if not. Where they are, for the end. */
enum ctl_exit person_letters_ready(const struct ctl *c, const struct args *a);
void person_letters_say(int64_t n);
/* [tx] Its initial password waits to be printed, until it ends. */
enum err person_letter(const struct ctl *c, const struct person *p, const char *initial);
/* [tx] The authenticator that a row's totp_secret makes, called as the wizard suggests; nothing without one. */
enum err person_add_totp(const struct ctl *c, const struct row *r, const struct person *p);

#endif
