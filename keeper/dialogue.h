/* One connection of auth.sock, which is one PAM phase: what door_auth.c (begin, auth, account) and door_change.c
 * (password) share. */
#ifndef KOSMO_DIALOGUE_H
#define KOSMO_DIALOGUE_H

#include "keeper/approval.h"
#include "keeper/policy.h"
#include "keeper/server.h"
#include "keeper/ticket.h"

enum dialogue_phase {
	DIALOGUE_AUTH,
	DIALOGUE_ACCOUNT,
	DIALOGUE_CHECK, /* may the password be changed here? no questions */
	DIALOGUE_CHANGE,
	DIALOGUE__PHASES
};

enum dialogue_waiting { /* for the answer to what was asked last */
			WAITING_BEGIN,
			WAITING_PASSWORD,
			WAITING_CODE,
			WAITING_KEY,	  /* what a security key said, not a text */
			WAITING_MAILED,	  /* a code that was mailed, a recovery code, or an approval's digits */
			WAITING_APPROVAL, /* an approval's digits in the password's place, or Enter */
			WAITING_NEW,
			WAITING_AGAIN,
			WAITING_NOTHING
};

struct dialogue {
	enum dialogue_phase phase;
	enum dialogue_waiting waiting;
	bool trusted; /* the peer */
	struct policy_pam policy;
	struct attempt attempt;
	char service[64];
	bool seat;			  /* somebody sits in front of the machine, and may have a security key, */
	bool key_tried;			  /* which is asked once, */
	uint8_t key_hash[DIGEST_LEN];	  /* for a signature over this */
	bool alone;			  /* a passkey may take the password's place */
	int64_t begun;			  /* 0: by a clock that cannot be read */
	enum qr_form qr;		  /* what its terminal is drawn with */
	struct approval_request approval; /* the last one that was shown */
	int typed;			  /* codes at the last question that may be asked again */
	struct {			  /* DIALOGUE_CHANGE */
		bool only_expired;	  /* PAM_CHANGE_EXPIRED_AUTHTOK (of DIALOGUE_CHECK too) */
		bool needs_code;
		int refused;			 /* new passwords so far */
		char present[PASSWORD_HASH_MAX]; /* the hash that is to be replaced */
		struct buf current, fresh;	 /* as typed, in NFKC */
	} change;
};

/* Each answers the request. told: a sentence shown before the question or the end, already translated; NULL: none.
 * What is asked is translated here. */
void dialogue_ask(const struct keeper *k, struct request *r, const char *told, const char *msgid);
/* What stands above, which ends with a line end, is part of the question: sudo shows no other (PAM_SILENT). It is
 * translated already. */
void dialogue_ask_below(const struct keeper *k, struct request *r, const struct buf *above, const char *msgid);
void dialogue_end(struct request *r, const char *told, enum verdict v, const struct ticket *t /* or NULL */);
/* May this peer's refusal be a line of the log? What strangers say is rationed, for all of them together: the journal
 * drops what a program says too often, also what others did. */
bool dialogue_may_log(bool trusted);
/* The one line of a decision. Unknown names are never in it: people type passwords there. */
void dialogue_log(const struct dialogue *d, enum verdict v, const char *how);
/* An error of the store or of ours. */
enum verdict dialogue_verdict(enum err e);

/* Does anything stand against this account at the terminal? ALLOW: nothing; *ret is the person. IGNORE: not ours
 * (members are nobody here). */
enum verdict dialogue_standing(struct keeper *k, struct store *st, struct attempt *a, int64_t now, struct person *ret);
/* The present password was typed: counted, hashed, settled. ALLOW: see attempt.password_right. */
enum verdict dialogue_password(struct keeper *k, struct store *st, struct dialogue *d, const struct wire_field *text,
			       int64_t now);

/* ---- door_change.c ---- */
void door_change_begin(struct keeper *k, struct store *st, struct request *r, struct dialogue *d, int64_t now);
/* text: valid UTF-8, to the question that d->waiting names. */
void door_change_answer(struct keeper *k, struct store *st, struct request *r, struct dialogue *d, const char *text,
			int64_t now);

/* ---- door_mail.c: after these the request is answered, and neither it nor d may be touched any more ---- */
/* The question for the code. st may be NULL. */
void door_mail_ask(struct keeper *k, struct store *st, struct request *r, struct dialogue *d, int64_t now);
/* Enter was typed there: the second question, and a mail to whom one is due; a passkey may approve. why: a sentence (a
 * msgid) that is said first, NULL: none. */
void door_mail_enter(struct keeper *k, struct store *st, struct request *r, struct dialogue *d, int64_t now,
		     const char *why);
/* The first question of passkey=alone: a passkey may approve, or Enter leads to the password. st may be NULL. */
void door_mail_alone(struct keeper *k, struct store *st, struct request *r, struct dialogue *d, int64_t now);
/* What was typed at one of these two was wrong: the question is put once more, to everybody alike. */
bool door_mail_again(struct keeper *k, struct request *r, struct dialogue *d);

/* ---- door_key.c ---- */
/* Enter was typed at a seat: the module is to ask a security key. False: it could not be said, nothing is answered. */
bool door_key_enter(struct keeper *k, struct store *st, struct request *r, struct dialogue *d, int64_t now);
/* The module's answer: what the key signed, in m; or why it did not, as a msgid (NULL: no words needed). */
bool door_key_signed(const struct wire_msg *m, struct passkey_assertion *ret);
const char *door_key_why(const struct wire_msg *m);

/* ---- door_approve.c ---- */
/* A new request, which d takes from here on, and what is shown of it: a line, the address, the QR code. Nothing where
 * passkeys approve nothing. */
void door_approve_show(const struct keeper *k, struct dialogue *d, int64_t now, const char *msgid, struct buf *ret);

#endif
