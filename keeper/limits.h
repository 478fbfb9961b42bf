/* Limits on guessing: counted before the check, kept in the store, waits as not-before times (design.md, "Limits").
 * Counters are per person, factor kind and lane. Names that nobody has share buckets, with the same waits and as many
 * writes. */
#ifndef KOSMO_LIMITS_H
#define KOSMO_LIMITS_H

#include "keeper/origin.h"
#include "keeper/store/store.h"

#define LIMITS_BUCKETS	  65536 /* unknown names share these */
#define LIMITS_CLOSES	  100	/* failures in a row that close a lane, and code failures that disable the factor */
#define LIMITS_CLOSED_FOR 86400
#define LIMITS_KNOWN	  10 /* failures in a row after which a device or an address is not known any more */

/* Which counter an attempt of a person moves: the first of these that its origin is. */
enum lane {
	LANE_DEVICE = 1,   /* one counter a device cookie */
	LANE_KEY = 2,	   /* one a key that sshd verified */
	LANE_ADDRESS = 3,  /* one an address from where this person fully logged in */
	LANE_UID = 4,	   /* the account's own uid on auth.sock, or as the caller of sudo or su */
	LANE_LOCAL = 5,	   /* at the host itself, as root's program says: console, su of others */
	LANE_EXEMPT = 6,   /* all of the networks of limits.exempt: ten times the room */
	LANE_STRANGER = 7, /* everybody else: one for all */
	LANE_ALL = 8,	   /* no lane: the row that says that a factor is disabled */
	LANE_LINK = 9	   /* one a mailed link that was opened, in the browser that asked for it */
};

/* Why an attempt is not looked at. */
enum limits_why {
	LIMITS_FREE = 0,
	LIMITS_WAIT,	/* the lane: soon again */
	LIMITS_CLOSED,	/* the lane: LIMITS_CLOSES failures in a row */
	LIMITS_ADDRESS, /* the address, whoever is asked for */
	LIMITS_DISABLED /* the factor, in all lanes: until a recovery code or the admin */
};

struct limit {
	struct counter_key key;
	struct counter counter; /* as of limits_count */
	int64_t room;		/* times the usual failures */
	bool person;		/* somebody's, no bucket */
	bool counts;		/* against the address too, which binds all lanes but the known address's, */
	struct counter_key address;
	int64_t address_room;
	int64_t total; /* code: failures in a row over all lanes, before this one */
	/* of a refusal */
	enum limits_why why;
	int64_t wait;	 /* seconds until it may be tried again; 0: not by waiting */
	int64_t blocked; /* seconds that the address has to wait, also where that does not bind: to strangers it must
			  * not show who is known there */
	int64_t refused; /* to be audited: so many were refused; 0: nothing to be said yet */
	/* done by this attempt, to be audited */
	bool closed, disabled;
};

/* Whose counters a name's are that nobody has. */
enum err limits_bucket(const struct seal *s, const char *login, struct id *ret);
/* The counter that an attempt moves. person NULL: a name nobody has. FACTOR_NONE stands for the password. */
enum err limits_for(struct store *st, const struct seal *s, const struct origin *o, const struct id *person,
		    const char *login, enum factor_kind kind, int64_t now, struct limit *ret);
/* Is its lane one that no stranger from elsewhere has, and has it not to wait? Reads as much for a bucket. */
bool limits_known(struct store *st, const struct limit *l, int64_t now);
/* [tx] Counts one attempt as if it were wrong. ERR_DENIED: before its not-before time, nothing was counted but a
 * refusal; the attempt must not be checked, see why. */
enum err limits_count(struct store *st, struct limit *l, int64_t now);
/* [tx] The attempt was wrong: sets the wait, and counts against the address. */
enum err limits_wrong(struct store *st, struct limit *l, int64_t now);
/* [tx] The attempt was right: clears its lane. */
enum err limits_right(struct store *st, struct limit *l, int64_t now);
/* [tx] A full login: the device and the address are known from here on; *ret_new says which were not before. */
struct learned {
	bool device, address;
};
enum err limits_learn(struct store *st, const struct seal *s, const struct origin *o, const struct id *person,
		      int64_t now, struct learned *ret_new);
/* Is this factor of a person disabled? */
enum err limits_disabled(struct store *st, const struct id *person, enum factor_kind kind, bool *ret);
/* [tx] Enables it again: its failures are forgotten in all lanes. */
enum err limits_enable(struct store *st, const struct id *person, enum factor_kind kind);
/* Seconds to wait after n failures in a row, as long as the lane is open. */
int64_t limits_wait(int64_t failures);

/* Things allowed n times in a window (birth dates: 5 a day; mails: 5 an hour, 60 s apart). name tells what. */
struct quota {
	const char *name;
	int64_t most, window, apart; /* apart: seconds between two, 0 none */
};
extern const struct quota quota_birth, quota_address /* mails to an address that is to be confirmed */;
/* [tx] Takes one. ERR_DENIED: none left; *ret_wait: seconds until the next (also on success: until the one after). */
enum err limits_take(struct store *st, const struct seal *s, const struct quota *q, const struct id *person,
		     int64_t now, bool ignore_apart, int64_t *ret_wait);
/* Seconds until one may be taken, 0: now. Reads only. */
enum err limits_look(struct store *st, const struct seal *s, const struct quota *q, const struct id *person,
		     int64_t now, int64_t *ret_wait);
/* [tx] Forgets what was taken. */
enum err limits_forget(struct store *st, const struct seal *s, const struct quota *q, const struct id *person);

#endif
