/* A login on its way, the same for both doors: it takes an answer and tells what comes next, reads fresh state each
 * time, and holds no lock and no transaction while a person types. In the terminal it lives in the connection; in the
 * browser a session row stands for the part after the password. */
#ifndef KOSMO_ATTEMPT_H
#define KOSMO_ATTEMPT_H

#include "common/verdict.h"
#include "keeper/ceremony.h"
#include "keeper/factor.h"
#include "keeper/keeper.h"
#include "keeper/limits.h"
#include "keeper/origin.h"

struct attempt {
	enum door door;
	char place[72]; /* "web", "pam:sshd": for the audit */
	struct origin origin;
	/* canonical; of an unknown name it only picks a bucket and is never stored or logged */
	char login[LOGIN_MAX + 1];
	bool nobody; /* longer than any login: cut short here, it must not become somebody else's */
	bool found;  /* person is set: a usable account of this door */
	struct id person;
	bool password_right; /* or not asked (password=skip) */
	bool initial;	     /* it was the initial password */
	bool no_password;    /* password_right stands for none: a passkey took its place, or PAM asked for it */
	int64_t lapsed;	     /* it would have been, but that has ended: when. Who types it has the letter */
	bool throttled;
	bool step_up;		       /* of someone who is in already: audited as that, not as a login */
	enum mailcode_policy mailcode; /* at this door; the door sets it */
	enum factor_kind asked;	       /* what the next one typed is to be: FACTOR_MAILCODE, or FACTOR_NONE: app or
					* recovery code */
	struct {
		struct id id; /* of the approval whose digits this dialogue takes; zero: none */
		bool alone;   /* it takes the password's place */
		bool used;    /* and it did */
	} approval;
	enum err mailed; /* of a mailed code that was not right, as in struct factor_check */
	int64_t mailed_wait;
	const struct factor *right;	 /* the factor that was right, */
	char used[NAME_MAX_BYTES + 1];	 /* and the authenticator's name; "" if unknown */
	const char *agent;		 /* of a browser: the door sets it; NULL: none */
	bool told;			 /* a notice to the owner is in the outbox: it is woken after the commit */
	struct limit limit;		 /* of the step under way */
	char checked[PASSWORD_HASH_MAX]; /* the hash that the password matched, */
	uint8_t digest[DIGEST_LEN];	 /* or, of an initial one, the digest */
	char upgrade[PASSWORD_HASH_MAX];
};

/* origin as the door filled it; login as typed. At the terminal it is compared byte by byte, in the browser it is made
 * canonical first. */
void attempt_init(struct attempt *a, enum door door, const char *place, const struct origin *origin, const char *login);
void attempt_clear(struct attempt *a);

/* Does it come from where this person is known (a device, an address, a key that sshd verified, their own uid)? Reads
 * only. */
bool attempt_known(struct keeper *k, struct store *st, struct attempt *a, int64_t now);

/* The password: counts (a transaction of its own), then exactly one yescrypt whoever asks. ERR_NONE = checked, see
 * password_right; any error = nothing decided, refuse. attempt_password_settle must follow. */
enum err attempt_password(struct keeper *k, struct store *st, struct hash_gate *g, struct attempt *a, const char *text,
			  size_t n, int64_t now);
/* After a commit: if a notice waits, the outbox hears of it. attempt_factor does so itself. */
void attempt_wake(struct keeper *k, struct attempt *a);

/* [tx] Wait or clear, hash upgrade, audit; attempt_wake follows the commit. The password may have been changed while
 * the hash was computed, the account disabled: then password_right is false from here on. */
enum err attempt_password_settle(struct keeper *k, struct store *st, struct attempt *a, int64_t now);

/* The factor: one transaction counts, checks, consumes and audits. Without password_right the same work is done and the
 * answer is VERDICT_DENY. *ret_factor (may be NULL): which factor was right; untouched unless VERDICT_ALLOW.
 * within: called in the same transaction after a right one, so that what follows from it is as durable (may be NULL).
 */
typedef enum err (*attempt_within)(struct store *st, const struct person *p, void *arg);
enum verdict attempt_factor(struct keeper *k, struct store *st, struct attempt *a, const char *text, size_t n,
			    int64_t now, const struct factor **ret_factor, attempt_within within, void *arg);

/* A passkey as the factor, or as both of them. */
struct assertion {
	const struct passkey_assertion *r;
	struct passkey_bytes challenge; /* as it was issued: */
	const struct challenge *spend;	/* and where nothing else makes it count once: this; else NULL */
	const uint8_t *client_hash;	/* 32 bytes, where there is no browser: passkey_assert_hash; else NULL */
	/* what came out: */
	enum passkey_check check; /* why not */
	bool unknown;		  /* nobody has this credential: the browser may forget it */
	struct passkey_used used;
};
/* One transaction verifies, consumes and audits. With a->login "" it is whoever has the credential (then the user
 * handle must be there), and a->login is set; else it must be one of theirs. password_right as for attempt_factor:
 * whoever takes a passkey for both factors sets it. Its bits are too many to be guessed: no lane is asked or moved.
 * ERR_DENIED from within refuses. */
enum verdict attempt_passkey(struct keeper *k, struct store *st, struct attempt *a, struct assertion *x, int64_t now,
			     attempt_within within, void *arg);

/* Is this text the initial password that the person was sent, whatever it still opens? Constant time. */
bool attempt_initial_matches(const struct keeper *k, const struct person *p, const char *text, size_t n);

/* Who is asked for, as things stand: a->found and a->person are set anew, and *p if found. ERR_NONE also for everyone
 * who may not enter at this door: they are all strangers alike, at the same cost. */
enum err attempt_find(struct store *st, struct attempt *a, int64_t now, struct person *p);

/* May this person use this door now (not disabled, frozen or expired, staff at the terminal)? */
bool attempt_usable(const struct person *p, enum door door, int64_t now);

#endif
