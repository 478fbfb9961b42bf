/* One action of the browser door on its way through the keeper: who asks, what they sent, the view that goes back. What
 * the flows (flow_*.c) have in common lives here; the table of actions is in door_web.c. */
#ifndef KOSMO_CALL_H
#define KOSMO_CALL_H

#include "common/wire.h"
#include "keeper/attempt.h"
#include "keeper/come_back.h"
#include "keeper/keeper.h"
#include "keeper/mail.h"
#include "keeper/require.h"
#include "keeper/scratch.h"
#include "keeper/token.h"

#define STEP_UP_LIFE 600  /* seconds for which a proven factor opens changes of authenticators */
#define HALF_LIFE    900  /* seconds to type the code after the password, and for each step of a forgotten one */
#define LOST_LIFE    3600 /* seconds after a recovery code for saying that the phone was lost, and registering another */

#define HOME_PATH	"/auth/next"	       /* another name of "/" */
#define HOME_BY_PASSKEY "/auth/next?n=passkey" /* for a place that nothing but a passkey opens */

#define RESET_FACTOR_PATH   "/forgot/factor"
#define RESET_BIRTH_PATH    "/forgot/birth-date"
#define RESET_PASSWORD_PATH "/forgot/new"

struct action;

/* Work for the time after the view was sent. */
struct later {
	void (*run)(struct keeper *k, struct store *st, void *arg); /* NULL: none */
	void (*free_arg)(void *arg);
	void *arg;
};

struct call {
	struct keeper *k;
	struct store *st;
	const struct wire_msg *m;
	const struct action *action;
	const char *lang;
	int64_t now;
	const char *address, *agent; /* "" if none */

	char token[TOKEN_TEXT + 1]; /* of the session, or of a visitor without one (kept nowhere) */
	enum { KEEP_AS_BEFORE, KEEP_YES, KEEP_NO } keep; /* sessions that begin: a login says what its form asks */
	struct {			    /* begun by session_start: counts once its transaction is committed */
		char token[TOKEN_TEXT + 1]; /* "": none */
		struct session session;
	} next;
	char device[TOKEN_TEXT + 1]; /* of the device cookie; one that was made here if the browser has none */
	char back[COME_BACK_PATH];   /* where they wanted to go before they had to log in; "": nowhere */
	char leave[COME_BACK_MAX];   /* the cookie that says so, to be set; */
	bool post;
	bool expired;	   /* a POST that came too late: its page is shown again, as for a GET */
	bool token_new;	   /* must be set as cookie */
	bool arrived;	   /* that one (back) is to be cleared */
	bool device_known; /* learned by this call: must be set as cookie */
	bool in;	   /* session, person and facts are valid */
	bool half;	   /* a factor is due before anything else */
	bool anew;	   /* and it is to be registered anew: a SESSION_ANEW */
	bool late;	   /* in by the password alone, and the enrolment's deadline is past: nothing goes on */
	bool reset;	   /* not in, but session, person and facts are valid: who forgot the password is on the way */
	struct session session;
	struct person person;
	struct facts facts;
	const struct requirement *unmet; /* first one; NULL: none */

	struct buf view;
	const struct attempt *attempt; /* within one: whose factor was right */
	struct later later;
	int errors;
	bool decided;	     /* page or redirect was said */
	bool password_right; /* typed in this call: of sessions that begin */
	bool mailed;	     /* a mail waits: the outbox is told after the commit */
};

/* ---- what came in ---- */
/* A field of the form; "" if absent or not text. Valid UTF-8 without NUL. */
const char *call_field(const struct call *c, const char *name);
bool call_has(const struct call *c, const char *name);

/* ---- what goes back (each text is translated by the caller's T) ---- */
#define T(c, id) i18n((c)->lang, id)
void view_page(struct call *c, const char *page);
void view_redirect(struct call *c, const char *path);
void view_status(struct call *c, int status);
void view_put(struct call *c, const char *name, const char *value); /* v.NAME */
void view_num(struct call *c, const char *name, int64_t value);
void view_item(struct call *c, const char *list, size_t i, const char *name, const char *value); /* v.LIST.I.NAME */
void view_error(struct call *c, const char *field, const char *text);				 /* e.FIELD */
/* A page that says what happened and leads on. */
void view_trouble(struct call *c, int status, const char *title, const char *text, const char *button,
		  const char *href);
/* Something failed that is not the person's doing: ERR_BUSY and ERR_IO are 503, the rest 500; noted with a number that
 * the page shows (keeper/failures.h). */
void view_failure(struct call *c, enum err e, const char *what);
/* Too many are here at once: no failure, and nothing is noted. */
void view_busy(struct call *c);
/* The name of the action, "unknown" if it is none; and the page that one comes back to after it. */
const char *call_action(const struct call *c);
const char *call_page(const struct call *c);
/* The login leads back to the page of this approval; NULL: they are there. */
void call_come_back(struct call *c, const char *token);
/* Where this person has to go now. */
const char *call_next(const struct call *c);
/* The page that leads there: "/", but where a portal may have that one for itself. */
const char *call_home(const struct call *c);
/* 32 lower-case hex digits; ret: 33 bytes. */
void id_hex(const struct id *id, char ret[static 2 * ID_LEN + 1]);

/* Where this call's attempts come from: the address that enrolld tells, the device cookie. */
enum err call_origin(struct call *c, struct origin *ret);
/* "10 seconds", "5 minutes", "24 hours": never shorter than it is. */
void call_wait(const struct call *c, int64_t seconds, struct buf *ret);
/* A text with {wait} in it, and behind it the time of day that this will be, where it is minutes. */
void call_wait_text(const struct call *c, int64_t seconds, const char *text, struct buf *ret);

/* ---- sessions (keeper/session.c) ---- */
/* Could this be one of our tokens? */
bool session_token_form(const char *s);
/* A fresh token as cookie value. */
enum err session_token(char ret[static TOKEN_TEXT + 1]);
enum err session_digest(const struct call *c, const char *token, uint8_t ret[static DIGEST_LEN]);
enum err session_csrf(const struct call *c, char ret[static TOKEN_TEXT + 1]);
/* Fills token, in, session, person, facts, half, unmet. An unknown or ended session is no error: in is false then. */
enum err session_load(struct call *c);
/* The same, writing nothing and making no token for whoever has none. */
enum err session_look(struct call *c);
/* Is it time to note in the store that the session is in use? Not at each request. */
bool session_used(const struct session *s, int64_t now);
/* Notes it, in a transaction of its own. ERR_NOTFOUND: the session has ended. */
enum err session_seen(struct store *st, const uint8_t digest[static DIGEST_LEN], int64_t now);
/* [tx] As session_load, within the transaction that is to change something: ERR_DENIED and a redirect if meanwhile the
 * session ended, or the action is not (or no longer) this person's to call. */
enum err session_again(struct call *c);
/* [tx] A new session with a new token for this person; the old one ends. factor: what was proven just now, or
 * FACTOR_NONE. What a step-up proved before, scratch, the wish to be kept logged in, and from FULL to FULL when it
 * began and ends, carry over where the old session was the same person's. session_settle must follow the transaction:
 * only then is the call in the new one, and the cookie set by door_web. */
enum err session_start(struct call *c, const struct id *person, enum session_level level, enum factor_kind factor);
/* [tx] The same, begun by this one-time proof: the new token comes of it, the old token and our key. */
enum err session_start_by(struct call *c, const struct id *person, enum session_level level, const char *proof);
/* A form that went out twice (a double click, whose first answer the browser throws away, cookie and all): did this
 * proof begin a session of this level from this browser's token a moment ago, which has gone no further? Then the call
 * leads into that one; nothing else is done. */
bool session_twice(struct call *c, const char *proof, enum session_level level);
void session_settle(struct call *c, bool committed);
enum err session_end(struct call *c); /* [tx] */
void session_left(struct call *c);    /* after it: the browser is a stranger's, with a fresh token */
bool session_stepped_up(const struct call *c);
/* Within LOST_LIFE. */
bool session_proven_lately(const struct call *c);
/* Seconds for which the browser is to keep the cookie of a session that is kept; 0: until it is closed. */
int64_t session_keeps(const struct call *c);
/* What a page calls a session by: nothing that opens it or finds it in the store. */
enum err session_name(const struct call *c, const struct session *s, char ret[static 2 * ID_LEN + 1]);

/* [tx] One audit row of this call's person (or of nobody). */
enum err call_audit(struct call *c, const char *event, const char *detail);

/* The same in a transaction of its own. */
enum err call_audit_alone(struct call *c, const char *event, const char *detail);

/* Runs f in one transaction after session_again, p being the person as they are now; commits if it returns ERR_NONE. */
typedef enum err (*call_change)(struct call *c, struct person *p, void *arg);
enum err call_transact(struct call *c, call_change f, void *arg);
/* The same for what is no step of a session (logging in and out, a mailed link): p is NULL. */
enum err call_transact_any(struct call *c, call_change f, void *arg);
/* Leads elsewhere if the call's action is not (or no longer, or not yet) this person's to call (door_web.c). */
bool call_allowed(struct call *c);

/* [tx] mail_queue for this call's language; the outbox wakes after the commit. */
enum err call_mail(struct call *c, const struct person *p, const char *to, enum mail_text text,
		   const struct fill *values, int64_t life, struct id *ret_id);
/* [tx] The owner is told of a change, if an address of theirs is verified. */
enum err call_notice(struct call *c, const struct person *p, enum mail_text text, const char *name);
void call_wake(struct call *c);

/* What depends on whether somebody exists is done when the answer is out, so that its time tells nothing: run is called
 * once, by the same worker with its store, outside of transactions; not if the view failed or could not be written. The
 * request, its message and the call are gone then: arg holds copies of all that run needs. free_arg(arg) follows in any
 * case. One a call: a second one takes the first's place. */
void call_later(struct call *c, void (*run)(struct keeper *k, struct store *st, void *arg), void *arg,
		void (*free_arg)(void *arg));
/* Runs what was left for later (not if drop), frees its argument. st may be NULL: then it is dropped too. */
void later_settle(struct later *l, struct keeper *k, struct store *st, bool drop);

/* ---- the flows ---- */
void flow_home(struct call *c);
void flow_login(struct call *c);
void flow_code(struct call *c);
void flow_guard(struct call *c);
void flow_guard_again(struct call *c);
void flow_email_none(struct call *c);
void flow_sheet(struct call *c);
void flow_lost_help(struct call *c);
void flow_lost(struct call *c);
void flow_lost_which(struct call *c);
void flow_lost_new(struct call *c);
void flow_lost_stop(struct call *c);
void flow_login_mail(struct call *c);
void flow_login_mail_again(struct call *c);
void flow_another(struct call *c);
void flow_confirm_mail(struct call *c);
void flow_confirm_mail_again(struct call *c);
void flow_confirm_another(struct call *c);
void flow_mailcode(struct call *c);
void flow_mailcode_again(struct call *c);
void flow_logout(struct call *c);
void flow_logout_ask(struct call *c);
void flow_birth(struct call *c);
void flow_terms(struct call *c);
void flow_late(struct call *c);
void flow_email(struct call *c);
void flow_email_sent(struct call *c);
void flow_email_code(struct call *c);
void flow_email_again(struct call *c);
void flow_email_state(struct call *c);
void flow_address(struct call *c);
void flow_address_sent(struct call *c);
void flow_address_code(struct call *c);
void flow_address_again(struct call *c);
void flow_address_state(struct call *c);
void flow_method(struct call *c);
void flow_own_password(struct call *c);
void flow_done(struct call *c);
void flow_link(struct call *c);
void flow_link_confirm(struct call *c);
void flow_freeze(struct call *c);
void flow_approve_page(struct call *c);
void flow_approve(struct call *c);
void flow_approve_deny(struct call *c);
void flow_approve_other(struct call *c);
void flow_passkey(struct call *c);
void flow_login_passkey(struct call *c);
void flow_factor_passkey(struct call *c);
void flow_confirm_passkey(struct call *c);
void flow_reset_passkey(struct call *c);
void flow_app(struct call *c);
void flow_app_qr(struct call *c);
void flow_app_cancel(struct call *c);
void flow_recovery(struct call *c);
void flow_recovery_new(struct call *c);
void flow_account(struct call *c);
void flow_logins(struct call *c);
void flow_not_me(struct call *c);
void flow_language(struct call *c);
void flow_rename(struct call *c);
void flow_remove(struct call *c);
void flow_password(struct call *c);
void flow_confirm(struct call *c);
void flow_forgot_password(struct call *c);
void flow_forgot_code(struct call *c);
void flow_forgot_link(struct call *c);
void flow_forgot_id(struct call *c);
void flow_reset_factor(struct call *c);
void flow_reset_birth(struct call *c);
void flow_reset_password(struct call *c);
void flow_sessions(struct call *c);
void flow_session_end(struct call *c);
void flow_sessions_end(struct call *c);

/* ---- shared between flows ---- */
/* [tx] The address of this code, which was typed or pressed just now, is the person's from here on. */
enum err email_confirmed(struct call *c, struct person *p, const struct code *code);
/* [tx] Mails the guard's code if the quota allows; a refusal by the quota is no error. */
enum err guard_send(struct call *c, const struct person *p);
/* [tx] Fresh recovery codes in place of all there are; the session's scratch shows them. */
enum err recovery_make(struct call *c, const struct person *p);
/* The text of an id as id_hex writes it. */
bool hex_id(const char *s, struct id *ret);

/* What is to be done about a lost phone in this session: SCRATCH_ASK, SCRATCH_LOST, SCRATCH_ANEW, or SCRATCH_NONE. */
enum scratch_kind lost_state(const struct call *c);
/* [tx] A recovery code was right: what the next page asks. Before session_start. */
enum err lost_ask(struct call *c);
/* [tx] The admin's code was right: a session that may only register anew. */
enum err lost_begin_anew(struct call *c);
/* Does the admin's code that this session began with still live? */
enum err lost_anew_lives(struct call *c, bool *ret);
/* [tx] `fresh` was confirmed just now, before session_start: where it takes a lost one's place, that one goes, and all
 * that it may have opened. The new recovery codes, but of a sheet's own, are in the session's scratch then. */
enum err lost_replaced(struct call *c, const struct person *p, const struct authenticator *fresh);

/* In place of a lost device only what is as good, unless the configuration allows less. */
bool lost_allows(const struct call *c, enum factor_kind kind);
/* [tx] A key or sheet that waited since before this session proved a factor: somebody else may have seen it. */
enum err lost_drop_older(struct call *c, const struct person *p);

/* What the wizard's pages say of the deadline: the text deadline, and deadline_near if it is near. */
void deadline_view(struct call *c);
/* Of who logs out before that: the deadline, 0 if there is none to be said; the login page then says it. */
int64_t deadline_of(const struct call *c);
void deadline_redirect(struct call *c, const char *path, int64_t until);
void deadline_view_out(struct call *c);
/* The page that says that the letter's password has ended. */
void lapsed_page(struct call *c, int64_t ended);

/* May this person have no address? */
bool email_may_be_none(const struct call *c);
/* Their mailed codes go to the address that the admin gave: who has shown nothing but a password confirms that one. */
bool email_is_given(const struct call *c);
/* [tx] The sheet that waits for one of its codes is there. */
enum err sheet_prepare(struct call *c, const struct person *p);
/* [tx] This way was registered and proven just now: what it replaces goes, recovery codes are made if there are none,
 * and the session is a full one. */
enum err way_registered(struct call *c, const struct person *p, const struct authenticator *a, const char *event);
/* What a page that registers a way shows beside it: the wizard's next step, or how to leave it. */
void way_view(struct call *c);
/* Where somebody goes who registered a way: on with the login or the wizard, or to the account, where it began. */
const char *way_next(const struct call *c);
/* The page that says that no more can be added. */
void ways_full(struct call *c);
/* A name for a list: trimmed NFKC text of 1..40 characters without control characters. */
bool name_good(const char *typed, struct buf *ret);
/* [tx] Nothing: a passkey waits nowhere. */
enum err passkey_begin(struct call *c, const struct person *p);
/* May a passkey be all that is asked for? */
bool passkey_logs_in(const struct call *c);
void login_page(struct call *c);
/* attempt_within of a right factor: of a login, of a change, of a new password. */
enum err login_factor_right(struct store *st, const struct person *p, void *arg);
enum err confirm_factor_right(struct store *st, const struct person *p, void *arg);
enum err reset_factor_right(struct store *st, const struct person *p, void *arg);
/* Where a factor is proven once more. */
const char *confirm_path(const struct call *c);
/* [tx] The TOTP key that waits for its first right code is there. */
enum err app_prepare(struct call *c, const struct person *p);
/* The page of a mailed link that resets a password; it consumes nothing. */
void reset_link_page(struct call *c, const char *token, const struct code *code);
/* Where c->reset leads. */
const char *reset_next(const struct call *c);
/* The recent logins as list `logins`: all, or the newest few. */
enum err logins_view(struct call *c, bool all);
/* How many devices this person is logged in on. */
enum err sessions_count(struct call *c, size_t *ret);
/* What is wrong with a birth date as it was typed, in a sentence; NULL: nothing. */
const char *birth_complaint(struct call *c, const char *typed, struct date *ret);
/* Why a code was not taken, as an error of field code. */
void code_refused(struct call *c, enum verdict v, const struct attempt *a);
/* A wrong code of the app, field code: do it and the one before it come from a clock that is off (keeper/skew.h)? Then
 * that is said, as the error of field code. */
bool clock_is_off(struct call *c);
/* The same of one code of an authenticator that is to be registered. */
bool clock_is_off_anew(struct call *c, const struct authenticator *a, const char *code);
/* A new password from fields new and again: puts errors, true if it may be set. current: the present one in NFKC, NULL
 * if there is none. nfkc: its canonical text. */
bool password_acceptable(struct call *c, const struct person *p, const char *current, struct buf *nfkc);
/* [tx] The code of the page where mailed codes are registered as a way to log in, or of the login. As guard_send. */
enum err mailcode_begin(struct call *c, const struct person *p);
enum err login_mail_send(struct call *c, const struct person *p);
/* The code of the form, checked: true if right, and the page led on; else the error is put. asked: FACTOR_MAILCODE, or
 * FACTOR_NONE for the app's; a recovery code is taken in either place. */
bool login_code_right(struct call *c, enum factor_kind asked);
bool confirm_code_right(struct call *c, enum factor_kind asked);
/* Field next, if it is a page of ours that asks for proof; else the account. */
const char *confirm_next(const struct call *c);
/* What a page that asks for proof shows of it: next, onward (to a portal), only_passkey. */
void confirm_view(struct call *c);
/* Says that too many wrong codes switched this factor off; that a mailed one was not right (mailcode_try). */
void factor_off_error(struct call *c, enum factor_kind asked);
void mailcode_error(struct call *c, enum err result, int64_t wait);
/* What is true about a mail, in a sentence. */
void mail_words(struct call *c, const struct id *mail, struct buf *ret);
/* The same as mail_state, and mail_reply: what the relay answered, if it refused. */
void view_mail(struct call *c, const struct id *mail);
/* For the partials mailstate and again: fresh (where the page is looked at anew), resend (the form's), again_in
 * (seconds until that sends), and if that is not now again_text, again_at. */
void view_again(struct call *c, const char *page, const char *resend, int64_t wait);

#endif
