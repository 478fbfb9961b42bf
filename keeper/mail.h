/* Finished mails: texts in the person's language as RFC 5322 bytes, into the outbox. */
#ifndef KOSMO_MAIL_H
#define KOSMO_MAIL_H

#include "common/fill.h"
#include "common/i18n.h"
#include "keeper/keeper.h"

/* What each says and fills in: the table in keeper/mail_text.c. */
enum mail_text {
	MAIL_VERIFY = 1, /* address link and code */
	MAIL_GUARD,	 /* guards an unfinished enrolment */
	MAIL_CODE,	 /* the one-time code of a login */
	MAIL_WAY_ADDED,
	MAIL_WAY_REMOVED,
	MAIL_PASSWORD_CHANGED,
	MAIL_RECOVERY_USED,
	MAIL_SHEET,
	MAIL_LOST,
	MAIL_RECOVER_MADE,
	MAIL_RECOVER_DONE,
	MAIL_RESET,	     /* link and code for a new password */
	MAIL_RESET_SHARED,   /* why there are none */
	MAIL_IDS,	     /* the user IDs of an address */
	MAIL_TEST,	     /* kosmoctl mail test */
	MAIL_ADDRESS_FORMER, /* to the address of before: another one is confirmed */
	MAIL_ADDRESS_NEW,
	MAIL_FROZEN,
	MAIL_NEW_BROWSER,
	MAIL_NEW_PLACE, /* the same at the terminal */
	MAIL_LANE_CLOSED,
	MAIL_FACTOR_DISABLED,
	MAIL_FACTOR_ENABLED,
	MAIL_PASSKEY_COPY,   /* a signature counter went back */
	MAIL_PASSKEY_STORED, /* it is synced now, or no longer */
	MAIL_REMIND,	     /* the enrolment is to be finished, */
	MAIL_REMIND_LETTER,  /* or begun, while the letter's password is good */
	MAIL_TEXTS
};

/* [tx] Composes and queues; *ret_id (may be NULL) is the outbox row. life: seconds until it is given up. */
enum err mail_queue(struct keeper *k, struct store *st, const struct id *person, const char *to, const char *lang,
		    enum mail_text text, const struct fill *values, int64_t now, int64_t life, struct id *ret_id);

/* [tx] Tells the owner of a change, if an address of theirs is verified (*ret_queued; else nothing is done). name and
 * left may be NULL. lang NULL: the person's, or the site's. */
enum err mail_notice(struct keeper *k, struct store *st, const struct person *p, const char *lang, enum mail_text text,
		     const char *name, const char *left, int64_t now, bool *ret_queued);
/* [tx] The person's news to any address of theirs, in their language or the site's, with values of its own (NULL: none;
 * {time} is filled in). life as above. */
enum err mail_tell(struct keeper *k, struct store *st, const struct person *p, const char *to, enum mail_text text,
		   const struct fill *values, int64_t now, int64_t life, struct id *ret_id);
#define MAIL_NEWS_LIFE 86400 /* seconds after which news is no news */
const char *mail_language(const struct keeper *k, const struct person *p);

#define MAIL_TIME I18N_TIME
/* "2026-11-22 21:30", in Japanese "2026年11月22日 21時30分"; local time. */
void mail_time(const char *lang, int64_t t, char ret[static MAIL_TIME]);

/* Why a mail was not taken. */
enum mail_why {
	MAIL_WHY_REFUSED = 0, /* nothing more is known */
	MAIL_WHY_NO_MAILBOX,
	MAIL_WHY_NO_DOMAIN,
	MAIL_WHY_CLOSED,
	MAIL_WHY_FULL,
	MAIL_WHY_TOO_LONG,
	MAIL_WHY_SENDER,
	MAIL_WHY_POLICY, /* spam, or not from outside */
	MAIL_WHY_UNREACHABLE,
	MAIL_WHY_INSECURE, /* TLS */
	MAIL_WHY_AUTH,	   /* our own login at the relay */
	MAIL_WHY_BUSY,
	MAIL_WHY_TOO_LATE,
	MAIL_WHY_NOT_RUNNING /* kosmo-mailer */
};

/* reason: struct mail's, the relay's or our own words: "[550 ]5.1.1 ..." (RFC 5321, RFC 3463). */
enum mail_why mail_reason_why(const char *reason);
/* The same for people who never heard of a mail server: appends half a sentence in "ja" or "en" to b. */
void mail_reason_words(const char *lang, const char *reason, struct buf *b);

/* The bytes of a mail alone, as mail_queue puts them into its row id. site: the texts of a site's own, may be NULL. */
struct mail_site;
enum err mail_make(struct mail_site *site, const struct conf *conf, enum mail_text text, const char *lang,
		   const struct fill *values, const char *to, const struct id *id, int64_t now, struct buf *ret);

#endif
