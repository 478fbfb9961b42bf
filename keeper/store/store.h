/* The domain's operations on the store: what programs may do with it, in their words. SQL is in store/sql.h, drivers
 * are behind store/db.h. A struct store belongs to one thread at a time. Every function returns ERR_BUSY when the
 * database is locked for longer than STORE_BUSY_MS, ERR_IO or ERR_CORRUPT when it fails: never "no row" for an error.
 */
#ifndef KOSMO_STORE_H
#define KOSMO_STORE_H

#include "common/text.h"
#include "keeper/passkey.h"
#include "keeper/password.h"
#include "keeper/seal.h"

#define STORE_SCHEMA	    5
#define STORE_SCHEMA_OLDEST 3 /* what this program can work on without `kosmoctl store upgrade` */
#define STORE_BUSY_MS	    2000
#define AUTHENTICATORS_MAX  16

struct store;
struct conf;

/* Makes an empty store with the present schema (0600); ERR_EXISTS if there is one. */
enum err store_create(const char *path, const struct seal *seal, struct errmsg *m);
/* ERR_NOTFOUND, ERR_CORRUPT (not ours), ERR_DENIED (schema neither ours nor the neighbouring ones). */
enum err store_open(const char *path, const struct seal *seal, struct store **ret, struct errmsg *m);
void store_close(struct store *st);
/* Reads the whole file for damage, without a look at what is in it; writers go on meanwhile. ERR_CORRUPT: m has the
 * first complaint. */
enum err store_file_check(struct store *st, struct errmsg *m);
/* For a program that a terminal can stop, before it opens a store: hold(true) comes before each call that may take one
 * of the database's locks, hold(false) behind it. Who stands still between two of them, in the middle of merely
 * reading, keeps everybody out. They do not nest. */
void store_hold(void (*hold)(bool on));
/* Before a job: ERR_NONE, or why this handle must be closed: the files it writes are no longer those at its path. */
enum err store_intact(struct store *st, struct errmsg *m);
/* After a job: what failed first in the database since this was asked last, as a sentence for the log; after
 * ERR_CORRUPT the handle must be closed. *ret_worked: something was committed meanwhile. */
enum err store_health(struct store *st, bool *ret_worked, struct errmsg *m);
/* For a job of many rows (import, drop): more memory, fewer checkpoints, and a pause before each transaction, so that
 * other processes' logins get their turn. Keep transactions at about 10 ms. */
void store_bulk(struct store *st);

/* Writes the log back into the file when it has grown. For a thread that serves nobody, every few seconds: else some
 * login must do it. Outside transactions. */
void store_tidy(struct store *st);

/* One write transaction (BEGIN IMMEDIATE; within a process writers queue fairly). commit may fail: then nothing is done
 * and the transaction is over. rollback is always safe, also after commit. Functions marked [tx] need one. */
enum err store_begin(struct store *st);
enum err store_commit(struct store *st);
void store_rollback(struct store *st);

/* All that is read until look_end is of one moment, and read more cheaply. No write transaction in between. After a
 * failed look nothing is to be ended. */
enum err store_look(struct store *st);
void store_look_end(struct store *st);

/* ---- people (store/person.c) ---- */

enum role { ROLE_MEMBER = 1, ROLE_STAFF = 2 };
enum factor_kind { FACTOR_NONE = 0, FACTOR_TOTP = 1, FACTOR_RECOVERY = 2, FACTOR_MAILCODE = 3, FACTOR_PASSKEY = 4 };

struct person {
	struct id id;
	char login[LOGIN_MAX + 1];
	enum role role;
	bool disabled;
	int64_t expires; /* seconds; 0: never */
	char locale[8];	 /* "ja", "en" or "" */
	char name[NAME_MAX_BYTES + 1];
	struct date birth; /* year 0: unknown */
	char email[EMAIL_MAX + 1];
	bool email_verified;
	char password[PASSWORD_HASH_MAX]; /* own password's hash, "" if none */
	bool has_initial;
	uint8_t initial[DIGEST_LEN];
	int64_t initial_from; /* when it was published (of a batch: the batch's time, whatever add was given); its life
			       * counts from here */
	bool initial_used;    /* wizard begun: it was typed once */
	bool birth_confirmed;
	int64_t terms;		 /* the version accepted, 0 none */
	enum factor_kind method; /* chosen in the wizard */
	int64_t password_set;	 /* when the own password was chosen or imported; 0: none, or set before schema 2 */
	bool password_expired;	 /* the admin wants another one at the next login */
	bool email_optional;	 /* this one need not have an address, whatever the configuration says */
	int64_t frozen; /* when the owner said by a mailed link "this was not me"; 0: not. As good as disabled */
	int64_t created, last_login;
	struct id batch; /* of the import that brought it; zero: none */
};
void person_wipe(struct person *p);
/* Another password of their own, "" for none, set now: whatever stood against the old one is over. hash is shorter than
 * PASSWORD_HASH_MAX. The same password hashed anew is no other one. */
void person_set_password(struct person *p, const char *hash, int64_t now);

/* Published people only. The MAC over row and authenticators is verified: ERR_CORRUPT if it does not fit. */
enum err store_person_by_login(struct store *st, const char *login, struct person *ret);
enum err store_person_by_id(struct store *st, const struct id *id, struct person *ret);
/* The work of loading somebody, for a name that nobody has: who measures shall not see the difference. */
enum err store_person_nobody(struct store *st);
/* Everyone with this address (blind index); *ret_n at most max. */
enum err store_person_by_email(struct store *st, const char *email, struct id *ret, size_t max, size_t *ret_n);
/* Is there somebody of this login whose batch is not published? */
enum err store_person_hidden(struct store *st, const char *login, bool *ret);
/* [tx] id, created must be set (id_new); ERR_EXISTS if the login is taken. */
enum err store_person_add(struct store *st, const struct person *p);
/* [tx] Writes every column and the MAC anew. The caller has loaded p within this transaction. */
enum err store_person_save(struct store *st, const struct person *p);
/* [tx] Sets last_login alone: cheaper than a save. */
enum err store_person_seen(struct store *st, const struct id *id, int64_t now);
/* [tx] With everything that is theirs (audit rows stay). */
enum err store_person_delete(struct store *st, const struct id *id);
/* In order of login, after `after` ("" = from the start), up to max; includes the disabled, not the unpublished. */
enum err store_person_page(struct store *st, const char *after, struct person *ret, size_t max, size_t *ret_n);
enum err store_person_count(struct store *st, int64_t *ret);

/* ---- batches of an import (store/batch.c) ---- */
enum err store_batch_new(struct store *st, struct id *ret); /* [tx] */
enum err store_batch_publish(struct store *st, const struct id *batch,
			     int64_t now); /* [tx] one row: all become visible at once */
/* Deletes up to max people of unpublished batches in one transaction of its own; *ret_left: more remain. */
enum err store_batch_drop(struct store *st, size_t max, bool *ret_left, int64_t *ret_dropped);

/* ---- until when an enrolment must be finished (store/deadline.c, from schema 5 on) ---- */
#define DEADLINE_NONE INT64_MAX
/* The end of a day that the admin gave one person, or DEADLINE_NONE (before schema 5: for everybody); ERR_NOTFOUND:
 * only the configuration counts. */
enum err store_deadline_get(struct store *st, const struct id *person, int64_t *ret);
/* [tx] 0: from now on only the configuration counts. ERR_DENIED before schema 5. */
enum err store_deadline_put(struct store *st, const struct id *person, int64_t until);
/* Walks over everybody in the order of their ids, behind *after, looking at up to `most` rows: those with an address,
 * neither disabled, frozen nor expired, who have no confirmed authenticator. *after moves on; *ret_end: nobody is left.
 * Some may not be published. ret has room for `most`. */
enum err store_unfinished_page(struct store *st, int64_t now, struct id *after, size_t most, struct id *ret,
			       size_t *ret_n, bool *ret_end);
/* How many of those published have none, whether they have an address or not. */
enum err store_unfinished_count(struct store *st, int64_t now, int64_t *ret);
/* What this person was last reminded of: the deadline, and the mark (days before it). ERR_NOTFOUND: never. */
enum err store_reminder_get(struct store *st, const struct id *person, int64_t *ret_until, int64_t *ret_mark);
/* [tx] They are reminded of this deadline at this mark: one conditional write. ERR_EXISTS: they were, at this mark or a
 * later one. ERR_DENIED before schema 5. */
enum err store_reminder_take(struct store *st, const struct id *person, int64_t until, int64_t mark);

/* ---- authenticators (store/authenticator.c) ---- */

struct authenticator {
	struct id id, person;
	enum factor_kind kind;
	bool confirmed; /* counts only then */
	char name[NAME_MAX_BYTES + 1];
	int algorithm, digits, period; /* TOTP */
	uint8_t secret[64];
	size_t secret_len;
	int64_t last_step; /* TOTP: newest step accepted; -1 none */
	int64_t created, last_used;
};
void authenticator_wipe(struct authenticator *a, size_t n);

enum err store_authenticators(struct store *st, const struct id *person, struct authenticator *ret, size_t max,
			      size_t *ret_n);
/* [tx] All four re-MAC the person. ERR_TOOBIG over AUTHENTICATORS_MAX. */
enum err store_authenticator_add(struct store *st, const struct authenticator *a);
enum err store_authenticator_confirm(struct store *st, const struct id *person, const struct id *id, const char *name);
enum err store_authenticator_rename(struct store *st, const struct id *person, const struct id *id, const char *name);
enum err store_authenticator_remove(struct store *st, const struct id *person, const struct id *id);
/* [tx] Sets last_used alone, which no MAC covers. */
enum err store_authenticator_used(struct store *st, const struct id *id, int64_t now);
/* [tx] One conditional write: last_step < step. ERR_EXISTS = replay. Sets last_used. */
enum err store_totp_consume(struct store *st, const struct id *id, uint64_t step, int64_t now);

/* ---- passkeys (store/passkey.c) ---- */

/* An authenticator of kind FACTOR_PASSKEY: its secret is the digest of what does not change of the credential, so that
 * the person's MAC covers the public key too. A store that still has schema 3 has none, and takes none (ERR_DENIED). */
struct store_passkey {
	struct authenticator as; /* name, when it was made and last used; sealed digest as secret */
	struct passkey credential;
	uint8_t user[PASSKEY_USER_LEN]; /* the user handle that it was made for */
	unsigned transports; /* TRANSPORT_USB and its like (keeper/passkey_form.h), as a hint for the browser */
};
void store_passkey_wipe(struct store_passkey *p, size_t n);
/* [tx] Confirmed at once. as.secret is made here. ERR_EXISTS: somebody, whoever it is, has this credential; ERR_TOOBIG
 * over AUTHENTICATORS_MAX. */
enum err store_passkey_add(struct store *st, const struct store_passkey *p);
/* A person's, in the order in which they were made. *ret_n at most max. */
enum err store_passkeys(struct store *st, const struct id *person, struct store_passkey *ret, size_t max,
			size_t *ret_n);
/* Whoever's it is, published or not; ERR_NOTFOUND. */
enum err store_passkey_find(struct store *st, const uint8_t *credential, size_t n, struct store_passkey *ret);
/* [tx] After a right assertion: counter and backup state as they are now, last_used. One conditional write: ERR_EXISTS
 * if the counter is no longer p's: another assertion came in between. */
enum err store_passkey_used(struct store *st, const struct store_passkey *p, const struct passkey_used *used,
			    int64_t now);
/* [tx] What must not count twice (a ceremony's challenge) is worth nothing from here on: ERR_EXISTS if it was before.
 * Forgotten after expires, when it counts no more anyhow. */
enum err store_spend(struct store *st, const uint8_t digest[static DIGEST_LEN], int64_t expires);

/* ---- logins at a terminal that a passkey is to approve in the browser (store/approval.c) ---- */

#define APPROVAL_TRIES 3 /* codes that may be typed */
enum approval_state {
	APPROVAL_WAITING = 1,
	APPROVAL_APPROVED = 2, /* a code is to be typed into the terminal */
	APPROVAL_DENIED = 3,
	APPROVAL_USED = 4
};
struct approval {
	struct id id, person; /* person zero: nobody's, for the look of it */
	enum approval_state state;
	int64_t created, expires;
	bool has_code; /* APPROVAL_APPROVED */
	uint8_t code[DIGEST_LEN];
	/* sealed: */
	uint8_t nonce[32];
	char user[LOGIN_MAX + 1], host[256], service[64], from[64]; /* from: the client's address, "" if none */
};
/* [tx] A new one, in the place of the one that was asked for `whose` (the person, or the bucket of a name that nobody
 * has) from the same address. token: what stands in the page's address. */
enum err store_approval_put(struct store *st, const struct approval *a, const char *token, const struct id *whose);
/* Somebody's, unexpired, in whatever state; ERR_NOTFOUND. */
enum err store_approval_find(struct store *st, const char *token, int64_t now, struct approval *ret);
/* Is this the code that an approved one waits for? */
enum err store_approval_code_is(struct store *st, const struct approval *a, const char *code, bool *ret);
/* [tx] From waiting to approved; ERR_EXISTS: it waits no more. */
enum err store_approval_approve(struct store *st, const struct approval *a, const char *code, int64_t now);
/* [tx] From waiting or approved to denied; ERR_EXISTS: it is neither. */
enum err store_approval_deny(struct store *st, const struct id *id, int64_t now);
/* [tx] Counts, checks, consumes: ERR_NONE = right and now used; ERR_DENIED = wrong (counted; caller must commit);
 * ERR_NOTFOUND = it is not approved, or over, or was tried too often. */
enum err store_approval_try(struct store *st, const struct id *id, const struct id *person, const char *code,
			    int64_t now);

/* ---- recovery codes (store/recovery.c) ---- */
enum err store_recovery_replace(struct store *st, const struct id *person, const char *const *codes,
				size_t n); /* [tx] canonical texts */
enum err store_recovery_left(struct store *st, const struct id *person, size_t *ret);
/* [tx] ERR_DENIED if none of the unused ones matches (all are compared). */
enum err store_recovery_consume(struct store *st, const struct id *person, const char *canonical, int64_t now);

/* ---- one-time codes and links by mail (store/code.c) ---- */
#define CODE_TRIES 5 /* wrong ones that a code bears */
enum code_purpose {
	CODE_VERIFY_EMAIL = 1, /* of the enrolment */
	CODE_GUARD = 2,	       /* instead of a factor while an enrolment is unfinished */
	CODE_LOGIN = 3,	       /* the factor: FACTOR_MAILCODE */
	CODE_RESET = 4,	       /* forgotten password */
	CODE_NEW_EMAIL = 5,    /* change of the address: address is the new one */
	CODE_FREEZE = 6,       /* "this was not me", to the address of before; several of a person may live */
	CODE_ADMIN = 7	       /* lost phone: the code that kosmoctl user recover prints, kept as link */
};
struct code {
	struct id id, person;
	enum code_purpose purpose;
	char address[EMAIL_MAX + 1]; /* sealed */
	int pair;		     /* 10..99: the number that the first screen shows */
	int64_t created, expires;
	int tries;	/* wrong ones so far */
	struct id mail; /* outbox row, for the page's true words */
	bool bound;	/* only the browser of this digest may use it: */
	uint8_t binding[DIGEST_LEN];
};
#define CODES_BOUND_MAX 32 /* of a person and purpose: the oldest give way */
/* [tx] Replaces this person's codes of the same purpose (a bound one those of its browser alone), but of CODE_FREEZE.
 * code: six digits, or "" for one that only its link opens; link: the token's text or NULL. */
enum err store_code_put(struct store *st, const struct code *c, const char *code, const char *link);
/* The live (unused, unexpired) one of a purpose, the newest; ERR_NOTFOUND. */
enum err store_code_live(struct store *st, const struct id *person, enum code_purpose p, int64_t now, struct code *ret);
/* The same among those bound to one browser; NULL: among all. */
enum err store_code_live_in(struct store *st, const struct id *person, enum code_purpose p, const uint8_t *binding,
			    int64_t now, struct code *ret);
enum err store_code_by_link(struct store *st, const char *link, int64_t now, struct code *ret);
/* [tx] Counts, checks, consumes: ERR_NONE = right and now used; ERR_DENIED = wrong (counted; caller must commit);
 * ERR_TOOBIG = five wrong already; ERR_NOTFOUND = none alive. */
enum err store_code_try(struct store *st, const struct id *person, enum code_purpose p, const char *canonical,
			int64_t now);
/* [tx] The same of the one bound to this browser: of a purpose that has several alive. */
enum err store_code_try_in(struct store *st, const struct id *person, enum code_purpose p, const uint8_t *binding,
			   const char *canonical, int64_t now);
/* [tx] The link's button: consumes it whole. */
enum err store_code_consume(struct store *st, const struct id *id, int64_t now);
/* [tx] A wrong pair number counts like a wrong code. */
enum err store_code_miss(struct store *st, const struct id *id);
/* [tx] Those of one purpose are worth nothing any more. */
enum err store_code_drop(struct store *st, const struct id *person, enum code_purpose p);
/* [tx] Nothing that was mailed to this person is worth anything any more. */
enum err store_code_void(struct store *st, const struct id *person);

/* ---- sessions (store/session.c) ---- */
enum session_level {
	SESSION_HALF = 1, /* password right, factor due */
	SESSION_WIZARD = 2,
	SESSION_FULL = 3,
	SESSION_ANEW = 4, /* password and the admin's one-time code: may only register anew */
	/* a forgotten password, no login at all: what was mailed is proven, and then what else is due */
	SESSION_RESET = 5,
	SESSION_RESET_READY = 6
};
struct session {
	uint8_t digest[DIGEST_LEN]; /* seal_mac(SEAL_SESSION, token) */
	struct id person;
	enum session_level level;
	int64_t created, seen, expires; /* expires: absolute end */
	int64_t stepped_up;		/* when a factor was last proven in it; 0 never */
	bool kept;			/* "keep me logged in": no idle time ends it once it is FULL */
	char agent[256], address[64];	/* sealed */
	enum factor_kind
	    factor;	    /* sealed: what stepped_up it; FACTOR_NONE also of sessions begun before this was kept */
	bool password;	    /* sealed: the password was typed in this login too */
	struct buf scratch; /* sealed; what must survive a reload (keeper/scratch.h) */
};
void session_clear(struct session *s);
void sessions_clear(struct session *s, size_t n);
#define SESSIONS_MAX 50 /* of a person and level: those not seen for longest give way */
enum err store_session_add(struct store *st, const struct session *s); /* [tx] */
/* ERR_NOTFOUND also when it is past expires or idle for longer than idle. */
enum err store_session_get(struct store *st, const uint8_t digest[static DIGEST_LEN], int64_t now, int64_t idle,
			   struct session *ret);
/* A person's live ones of SESSION_FULL, last seen first; *ret_n at most max, to be cleared. ret's rows are written on
 * failure too, and hold nothing then. */
enum err store_session_list(struct store *st, const struct id *person, int64_t now, int64_t idle, struct session *ret,
			    size_t max, size_t *ret_n);
enum err store_session_save(struct store *st, const struct session *s); /* [tx] by digest */
enum err store_session_seen(struct store *st, const uint8_t digest[static DIGEST_LEN], int64_t now); /* [tx] */
enum err store_session_end(struct store *st, const uint8_t digest[static DIGEST_LEN]);		     /* [tx] */
/* [tx] Logins that are half done. */
enum err store_session_end_half(struct store *st, const struct id *person);
/* [tx] All of a person's but `except` (NULL: all). */
enum err store_session_end_all(struct store *st, const struct id *person, const uint8_t *except);

/* ---- outgoing mail (store/outbox.c) ---- */
enum mail_state { MAIL_WAITING = 1, MAIL_SENT = 2, MAIL_REFUSED = 3 /* for good */, MAIL_EXPIRED = 4 };
struct mail {
	struct id id, person;
	enum mail_state state;
	bool urgent; /* somebody waits for it: before all that are not */
	int64_t created, next_try, expires, sent;
	int tries;
	char reason[256];	       /* the server's last words, when it did not take it */
	char recipient[EMAIL_MAX + 1]; /* sealed with the message */
	struct buf message;	       /* RFC 5322 bytes, CRLF; wiped once sent or given up */
};
void mail_clear(struct mail *m);
enum err store_mail_put(struct store *st, const struct mail *m); /* [tx] */
enum err store_mail_next(
    struct store *st, int64_t now,
    struct mail *ret); /* earliest due of the urgent ones, then of the others, waiting, with its message; ERR_NOTFOUND.
			* ERR_CORRUPT: it cannot be read, ret->id alone tells which: settle it, for it stays first */
/* [tx] Takes m->tries and m->next_try over, if the mail still waits and has the ones given, as they were read: whoever
 * got there sends it. ERR_NOTFOUND: somebody else did, or it is gone. */
enum err store_mail_claim(struct store *st, const struct mail *m, int tries, int64_t next_try);
/* [tx] Of one that waits: state, next_try, sent, tries, reason; wipes the message unless it waits on. ERR_NOTFOUND. */
enum err store_mail_settle(struct store *st, const struct mail *m);
enum err store_mail_status(struct store *st, const struct id *id, struct mail *ret); /* without message */
/* When the next one of these is due; ERR_NOTFOUND. */
enum err store_mail_next_time(struct store *st, bool urgent, int64_t *ret);
/* Those that were not simply sent (a sent one with a reason was reported late), in order of age, after `after` (zeroes:
 * from the start), up to max, without message; the recipient only of those that wait. One that cannot be read has its
 * id and the state 0. */
enum err store_mail_page(struct store *st, const struct id *after, struct mail *ret, size_t max, size_t *ret_n);
/* [tx] All that wait are due now, but those whose next try is less than `near` seconds away: they may be on their way.
 * *ret_n: how many were not. */
enum err store_mail_retry(struct store *st, int64_t now, int64_t near, int64_t *ret_n);
/* [tx] Of one that was sent: what a mail server reports later: m's state (MAIL_SENT: it is late) and reason.
 * ERR_NOTFOUND. */
enum err store_mail_report(struct store *st, const struct mail *m);
/* How many wait and how many were refused for good, and the newest of both that has a reason, without message
 * (ERR_NOTFOUND: none has; the numbers are set). */
enum err store_mail_summary(struct store *st, int64_t *ret_waiting, int64_t *ret_refused, struct mail *ret);

/* ---- letters: initial passwords that wait to be printed (store/letter.c) ---- */
#define LETTER_TEXT_MAX 32 /* bytes of a password as it is printed */
struct store_letter {
	struct id person, id; /* id: of this letter, another one for each password */
	char login[LOGIN_MAX + 1];
	int64_t expires;		/* not after the password ends */
	char text[LETTER_TEXT_MAX + 1]; /* sealed */
};
/* Whether the store's schema has them. */
bool store_has_letters(const struct store *st);
void store_letters_wipe(struct store_letter *l, size_t n);
/* [tx] In the place of the person's former one. ERR_DENIED: the store's schema has no letters yet. */
enum err store_letter_put(struct store *st, const struct id *person, const char *text, int64_t expires);
/* Those of published people, by login, after `after` ("": from the start), up to max. */
enum err store_letter_page(struct store *st, const char *after, struct store_letter *ret, size_t max, size_t *ret_n);
/* How many there are, of unpublished people too. */
enum err store_letter_count(struct store *st, int64_t *ret);
/* One person's; ERR_NOTFOUND. */
enum err store_letter_of(struct store *st, const struct id *person, struct store_letter *ret);
/* [tx] It is on paper: this letter goes, and not one that has taken its place. */
enum err store_letter_taken(struct store *st, const struct store_letter *l);
/* [tx] A person's, if there is one: its password is none any more. store_person_save does it once there is a password
 * of one's own. */
enum err store_letter_void(struct store *st, const struct id *person);

/* ---- counters of the limits (store/limit.c) ---- */
struct counter_key {
	struct id owner; /* a person, a bucket of unknown names, a network */
	int kind, lane;	 /* enum factor_kind and enum lane of keeper/limits.h, and more of their like */
	struct id what;	 /* the one device, address or key it is for; zeroes: none */
};
struct counter {
	int64_t failures, not_before, seen;
	int64_t refused, refused_from; /* before not_before, and since when: for the audit */
	int64_t expires;	       /* worth nothing from then on: swept */
};
/* All zeroes if there is none. */
enum err store_counter_get(struct store *st, const struct counter_key *k, struct counter *ret);
/* [tx] One conditional write: only if failures, not_before and seen still are was's (or there is no such counter).
 * ERR_EXISTS: somebody else wrote meanwhile. */
enum err store_counter_set(struct store *st, const struct counter_key *k, const struct counter *was,
			   const struct counter *c);
enum err store_counter_clear(struct store *st, const struct counter_key *k); /* [tx] no write if there is none */
/* [tx] All of an owner's counters, of a kind or (kind < 0) at all. *ret_n (may be NULL): how many. */
enum err store_counter_clear_all(struct store *st, const struct id *owner, int kind, int64_t *ret_n);
/* Failures of all lanes but k's, and k's not_before (0: no such row). */
enum err store_counter_total(struct store *st, const struct counter_key *k, int64_t *ret_sum, int64_t *ret_not_before);
struct counter_row {
	struct counter_key key;
	struct counter counter;
};
/* Of one owner, by kind and lane. *ret_n at most max. */
enum err store_counter_list(struct store *st, const struct id *owner, struct counter_row *ret, size_t max,
			    size_t *ret_n);

/* ---- devices and addresses from where a person fully logged in (store/known.c) ---- */
enum known_kind { KNOWN_DEVICE = 1, KNOWN_ADDRESS = 2 };
#define KNOWN_MAX 50 /* of a kind and person: the oldest give way */
/* When it was last used; ERR_NOTFOUND also when that is too long ago. digest: keyed, bound to the person. */
enum err store_known_is(struct store *st, const struct id *person, enum known_kind kind, const struct id *digest,
			int64_t now, int64_t *ret_seen);
enum err store_known_add(struct store *st, const struct id *person, enum known_kind kind, const struct id *digest,
			 int64_t now); /* [tx] or used again */
enum err store_known_end(struct store *st, const struct id *person, enum known_kind kind,
			 const struct id *digest);			 /* [tx] */
enum err store_known_end_all(struct store *st, const struct id *person); /* [tx] */

/* ---- recent logins (store/login.c) ---- */
/* Kept apart, so that none of them pushes the others out. */
enum login_what {
	LOGIN_NOBODY = 0, /* of no person: written where there is none, so that it costs the same */
	LOGIN_IN = 1,
	LOGIN_INSIDE = 2, /* su, sudo: by who had logged in to that host already */
	LOGIN_WRONG = 3	  /* the first step was right, the code was not */
};
#define LOGINS_KEPT 10 /* of a person and what */
/* Sealed, but for whose it is and what. */
struct store_login {
	struct id id, person;
	enum login_what what;
	int64_t time;
	enum factor_kind kind;	       /* what was proven; of a wrong one, what was asked for */
	bool password;		       /* and the password */
	char name[NAME_MAX_BYTES + 1]; /* of the authenticator at that time, "" if unknown */
	char place[72], host[64];      /* as struct attempt has it; the host's name, "" in the browser */
	char address[64], agent[256];  /* "" if none */
	struct id device;	       /* the beginning of struct origin's; zero: none */
};
void store_login_wipe(struct store_login *l, size_t n);
/* [tx] Takes the place of the oldest where there are LOGINS_KEPT; the id is chosen here. A store of before schema 5
 * keeps none. */
enum err store_login_add(struct store *st, const struct store_login *l);
/* Newest first. */
enum err store_logins(struct store *st, const struct id *person, enum login_what what, struct store_login *ret,
		      size_t max, size_t *ret_n);
bool store_logins_kept(const struct store *st); /* false: of before schema 5 */

/* ---- audit (store/audit.c) ---- */
struct audit {
	int64_t seq, time;
	struct id person;    /* zero: nobody known */
	const char *event;   /* "login.allow", "totp.replay", "import.publish", ... [a-z0-9._-] */
	const char *door;    /* "web", "pam:sshd", "ctl" */
	const char *address; /* client, "" if none */
	const char *detail;  /* no secret, no unknown name; sealed */
};
#define STORE_AUDIT_FAILURE "failure" /* the event of an unexpected failure; its detail begins with its number */
/* [tx] Appends with the chain's next MAC = HMAC(previous MAC, all columns). */
enum err store_audit(struct store *st, const struct audit *a);
/* Newest first, before seq `before` (0: from the newest); person zero = all. Strings live until the next call. */
enum err store_audit_page(struct store *st, const struct id *person, int64_t before, struct audit *ret, size_t max,
			  size_t *ret_n);
/* The same of one event. The whole log is looked through. */
enum err store_audit_of(struct store *st, const char *event, int64_t before, struct audit *ret, size_t max,
			size_t *ret_n);
/* ---- the audit chain (store/chain.c) ---- */
struct audit_head {
	int64_t seq; /* of the newest row; 0: there was none yet */
	uint8_t mac[DIGEST_LEN];
};
/* A head as it was noted outside of the store. */
#define AUDIT_NOTE_LEN 8
struct audit_note {
	int64_t seq;
	uint8_t mac[AUDIT_NOTE_LEN]; /* its MAC's beginning */
};
enum audit_fault {
	AUDIT_FAULT_NONE,
	AUDIT_FAULT_MISSING, /* rows bad to until are not there; those before and after are */
	AUDIT_FAULT_CUT,     /* the same, and none is after them */
	AUDIT_FAULT_CHANGED, /* the row does not fit the one before it: changed, exchanged, or of another store */
	AUDIT_FAULT_SURPLUS, /* from bad on, rows stand behind the head */
	AUDIT_FAULT_MARK,    /* what the store notes of its own head or start is gone, changed, or of another time */
	AUDIT_FAULT_NOTED    /* the row is not the one that was noted outside */
};
struct audit_check {
	enum audit_fault fault; /* the first one in the chain's order */
	int64_t bad, until;	/* the rows it is about */
	int64_t faults;		/* how many there are */
	int64_t rows, first_time, last_time;
	struct audit_head first, last; /* of the rows that are there; first without its MAC */
	int64_t pruned;		       /* the newest row that pruning took away; 0: none */
	size_t notes_fit, notes_pruned;
	int64_t notes_newest; /* the newest that fits */
	int64_t sealed_bad;   /* with `open`: rows whose sealed part does not open */
};
enum err store_audit_head(struct store *st, struct audit_head *ret);
/* Walks the whole chain, in short snapshots, while others write. note: sorted by seq (store_audit_notes_sort). open:
 * also opens what is sealed. An error only if the walk could not be made: what is wrong with the rows is in *ret. */
enum err store_audit_check(struct store *st, const struct audit_note *note, size_t n, bool open,
			   struct audit_check *ret);
void store_audit_notes_sort(struct audit_note *note, size_t n);
/* A MAC's beginning as notes have it, in hexadecimal digits. */
void audit_note_text(const uint8_t mac[static AUDIT_NOTE_LEN], char ret[static 2 * AUDIT_NOTE_LEN + 1]);
/* The number at seq and the digits at mac, whatever follows them; false if there are none. */
bool audit_note_parse(const char *seq, const char *mac, struct audit_note *ret);
/* Takes away up to max of the oldest rows while they are older than `before`, in a transaction of its own, and marks
 * where the chain begins from then on. ERR_CORRUPT: a row among them does not fit; all stay, for the check to show.
 * *ret_more: there may be more. */
enum err store_audit_prune(struct store *st, int64_t before, size_t max, bool *ret_more);

/* ---- the whole store (store/check.c, store/upgrade.c) ---- */
struct store_check {
	int64_t people, codes, sessions, mails, approvals, letters; /* that were looked at */
	int64_t deadlines;
	int64_t logins;	      /* people with recent logins */
	int64_t bad;	      /* of them: do not fit their MAC, or do not open */
	int64_t orphans;      /* rows that belong to nobody */
	struct errmsg damage; /* of the file; "" if it is whole */
	struct audit_check audit;
};
/* Told of each bad row, outside of transactions. what: "person", "code", "session", "mail", "approval", "letter",
 * "logins", "deadline"; who: a login, or a row's id in hexadecimal digits. */
typedef void (*store_check_bad)(void *arg, const char *what, const char *who);
/* Looks at everything: the file, every person with their authenticators, all that is sealed, the audit chain. In short
 * snapshots, while others write. */
enum err store_check(struct store *st, store_check_bad bad, void *arg, struct store_check *ret);
/* A copy as of one moment, beside the store, 0600, checked and on disk; ERR_EXISTS if `to` is there. */
enum err store_backup(struct store *st, const char *to, struct errmsg *m);

struct store_upgraded {
	int64_t from, to;    /* the same: nothing was to be done */
	int64_t people, bad; /* bad: of them, did not fit their MAC before either */
	char backup[4096];   /* "" if nothing was to be done */
};
/* From any older schema to the present one, with the same key, while nobody has the store open (ERR_BUSY), so that no
 * program carries its old view over. First a copy is made at PATH.backup-SCHEMA-stamp; then all is done in one
 * transaction with its audit row, and looked at before it is committed. If it fails, nothing is changed and the copy is
 * taken away again. */
enum err store_upgrade(const char *path, const struct seal *seal, const char *stamp, const struct audit *a,
		       struct store_upgraded *ret, struct errmsg *m);

/* Deletes what is past its time (sessions, codes, counters, known devices and addresses, letters, settled mails after
 * 30 days, what somebody was reminded of), up to max rows each, in a transaction of its own. *ret_more (may be NULL):
 * some kind had max rows, so there may be more. */
enum err store_sweep(struct store *st, int64_t now, size_t max, bool *ret_more);

/* Writing statements that this handle has run: the tests hold known and unknown names to the same number. */
int64_t store_writes(const struct store *st);

#endif
