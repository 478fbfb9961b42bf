/* Limits on guessing: counted before the check, kept in the store, waits as not-before times (design.md, "Limits").
 * A key names what is counted (person or bucket of unknown names, factor kind). */
#ifndef KOSMO_LIMITS_H
#define KOSMO_LIMITS_H

#include "keeper/store/store.h"

#define LIMITS_BUCKETS 65536 /* unknown names share these */

struct limit {
	uint8_t key[DIGEST_LEN];
	struct counter counter; /* as of limits_count */
};

/* The counter of a person's factor kind. */
enum err limits_for_person(const struct seal *s, const struct id *person, enum factor_kind kind, struct limit *ret);
/* The counter that a name nobody has falls into: the same waits and writes. FACTOR_NONE stands for the password. */
enum err limits_for_unknown(const struct seal *s, const char *login, enum factor_kind kind, struct limit *ret);
/* [tx] Counts one attempt as if it were wrong. ERR_DENIED: before its not-before time, nothing was counted; the attempt
 * must not be checked. */
enum err limits_count(struct store *st, struct limit *l, int64_t now);
/* [tx] The attempt was wrong: sets the wait. */
enum err limits_wrong(struct store *st, const struct limit *l, int64_t now);
/* [tx] The attempt was right. */
enum err limits_clear(struct store *st, const struct limit *l);
/* Seconds to wait after n failures in a row. */
int64_t limits_wait(int64_t failures);

/* Things allowed n times in a window (birth dates: 5 a day; mails: 5 an hour, 60 s apart). name tells what. */
struct quota {
	const char *name;
	int64_t most, window, apart; /* apart: seconds between two, 0 none */
};
extern const struct quota quota_birth, quota_address, quota_guard /* mails */, quota_guard_hour,
    quota_guard_day /* tries */;
/* [tx] Takes one. ERR_DENIED: none left; *ret_wait: seconds until the next (also on success: until the one after). */
enum err limits_take(struct store *st, const struct seal *s, const struct quota *q, const struct id *person,
		     int64_t now, bool ignore_apart, int64_t *ret_wait);
/* Seconds until one may be taken, 0: now. Reads only. */
enum err limits_look(struct store *st, const struct seal *s, const struct quota *q, const struct id *person,
		     int64_t now, int64_t *ret_wait);
/* [tx] Forgets what was taken. */
enum err limits_forget(struct store *st, const struct seal *s, const struct quota *q, const struct id *person);

#endif
