/* kosmo-mailer: finished mails in over mail.sock, out by SMTP or into a Maildir. It keeps nothing: who sent a mail here
 * holds it until the result. */
#ifndef KOSMO_MAILER_H
#define KOSMO_MAILER_H

#include "common/buf.h"
#include "common/conf.h"
#include "common/err.h"
#include <stdatomic.h>

enum mailer_state {
	MAILER_TEMPORARY = 0, /* try again later */
	MAILER_SENT,	      /* the relay or the file system has it */
	MAILER_PERMANENT      /* trying again is useless */
};

struct mailer_result {
	enum mailer_state state;
	int code;	  /* the relay's last reply, 0 if none */
	char reason[201]; /* for people: printable ASCII, without addresses; "" when sent */
};

struct mailer_mail {
	const char *from, *to; /* envelope, checked */
	const uint8_t *message;
	size_t len; /* any line ends, no NUL */
};

struct mailer_relay {
	char *at;		  /* host:port */
	atomic_llong avoid_until; /* clock_mono_ms: it failed, others are tried before it; 0: it works */
};

struct mailer {
	const struct conf *conf;
	const struct mailer_transport *transport;
	char *password; /* at the relays; NULL without mail.smtp_user; wiped at the end */
	struct mailer_relay relays[CONF_RELAYS_MAX];
	size_t n_relays;
	int hand;	      /* to the process that starts sendmail; -1 without one. Readable: it has ended */
	atomic_llong give_up; /* clock_mono_ms after which deliveries under way are broken off; 0: none */
};

/* How mails leave. A carrier belongs to one thread. */
struct mailer_transport {
	const char *name;					   /* of mail.transport */
	enum err (*prepare)(struct mailer *m, struct errmsg *why); /* once, before threads */
	void *(*carrier)(struct mailer *m);			   /* NULL: no memory */
	void (*deliver)(void *carrier, const struct mailer_mail *mail, struct mailer_result *ret);
	void (*carrier_free)(void *carrier); /* NULL is fine */
};

extern const struct mailer_transport mailer_smtp, mailer_sendmail, mailer_maildir;

/* The relays of the configuration and the password there; with what is wrong. */
enum err mailer_relays_load(struct mailer *m, struct errmsg *why);
void mailer_relays_free(struct mailer *m);
/* In which order they are tried now: those that work first, each group as the configuration has it. */
void mailer_relays_order(struct mailer *m, struct mailer_relay *ret[static CONF_RELAYS_MAX]);
void mailer_relay_failed(struct mailer_relay *r, bool failed);

/* Sets the state and a reason made printable: other bytes become '?', what has an @ in it becomes "(address)". */
void mailer_result(struct mailer_result *r, enum mailer_state state, int code, const char *reason);
/* The message with every line end (CRLF, LF, CR) written as eol. */
void mailer_lines(struct buf *ret, const uint8_t *message, size_t len, const char *eol);
/* For the log, which shall hold no address: the Message-ID is of our own making. */
void mailer_message_id(const uint8_t *message, size_t len, char *ret, size_t cap);
/* The code of a reply's line (RFC 5321 4.2) if it is a refusal, else 0. */
int mailer_refusal(const char *line, size_t len);
/* Whether such a line speaks of the relay's policy and not of the mailbox (RFC 3463 3.8): another relay may differ. */
bool mailer_is_policy(const char *line);

#endif
