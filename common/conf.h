/* /etc/kosmo/kosmo.conf and kosmo.conf.d/NAME.conf: one option table, strict. libinih reads; every unknown or repeated
 * key, cut line or bad value is an error with file and line. A later drop-in overrides an earlier file. */
#ifndef KOSMO_CONF_H
#define KOSMO_CONF_H

#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONF_DEFAULT "/etc/kosmo/kosmo.conf" /* the programs use SYSCONFDIR "/kosmo/kosmo.conf" */

#define CONF_RELAYS_MAX	     8	/* in mail.smtp */
#define CONF_ORIGINS_MAX     4	/* in passkey.origins: browsers need take no more than 5 in all */
#define CONF_DAYS_MAX	     8	/* in enrol.remind */
#define CONF_CONNECTIONS_MAX 16 /* mail.connections: what kosmo-mailer serves at once */

struct conf {
	char *file; /* the real path it was read from */
	/* general */
	char *url;	 /* public origin: https://host[:port], or http:// for localhost only; no path */
	char *language;	 /* default for the browser: ja, en */
	char *state_dir; /* key and database; its owner is who the keeper runs as */
	char *run_dir;	 /* auth.sock, web.sock, mail.sock */
	char *site_dir;	 /* terms.LANG.txt, mail/NAME.LANG.txt */
	char *organisation, *contact;
	/* web */
	char *web_listen;	   /* 127.0.0.1:8480, [::1]:8480 or unix:/path */
	char *web_trusted_proxies; /* addresses whose X-Forwarded-For is believed, separated by spaces */
	/* where people land once they are logged in: a path of url's origin; "": their account */
	char *portal_url;
	/* sessions, seconds */
	int64_t session_idle, session_max, session_keep /* of those who ask to be kept logged in; 0: not offered */;
	/* passwords */
	int64_t password_min, password_max_days /* 0: no age is too old */, initial_password_days;
	int64_t terms_version; /* 0: no terms asked */
	char *terms_date;      /* of that version, "2026-12-01"; "": not said */
	/* until when an enrolment must be finished (keeper/enrol.h) */
	int64_t enrol_days; /* from the letter; 0: no such limit */
	int64_t enrol_by;   /* the end of the day for all, in seconds; 0: none */
	char *enrol_remind; /* days before it, greatest first, separated by spaces; "": no mails */
	/* audit */
	int64_t audit_keep_days; /* 0: for ever */
	/* keeper */
	int64_t hash_slots; /* 0: one per core */
	/* limits */
	char *limits_exempt; /* networks with ten times the room, "10.0.0.0/8 2001:db8::/32" */
	/* pam */
	char *pam_language;	     /* ja, en: the words at the terminal */
	char *pam_change_needs_code; /* yes, no: is the code asked when a password is changed at the terminal? */
	char *pam_key_services;	     /* services whose SSH_AUTH_INFO_0 is believed, separated by spaces */
	/* yes, no: may somebody remove (or replace by less) their last app or passkey while mailed codes or a code
	 * sheet are left? */
	char *policy_remove_last_strong;
	char *email; /* required, optional: must everybody have an address? */
	/* one-time codes by mail, where they are registered: allowed, last (only who has nothing better), forbidden */
	char *mailcode_web, *mailcode_pam;
	char *notice_new_login;
	/* passkeys */
	char *passkey_web;	    /* allowed, forbidden: are new ones registered, may they log in alone? */
	char *passkey_pam;	    /* allowed, forbidden: approves logins at the terminal */
	char *passkey_same_address; /* networks whose terminals only the same address may approve */
	char *passkey_host;	    /* this host's name on the page that approves; "": as it calls itself */
	char *passkey_rp_id;	    /* WebAuthn's RP ID: url's host or a parent domain of it; "": url's host */
	char *passkey_origins;	    /* related origins (WebAuthn 5.11), separated by spaces */
	char *passkey_both_factors; /* yes, no: is one that verified its user a login without a password? */
	char *passkey_console;	    /* yes, no: may a security key be used by who sits in front of a machine? */
	char *passkey_counter;	    /* note, refuse: a signature counter that went back */
	char *passkey_attestation;  /* none, require */
	char *passkey_roots;	    /* PEM file or folder, with attestation */
	char *passkey_models;	    /* AAGUIDs, separated by spaces; "": any */
	/* mail */
	char *mail_transport; /* smtp, sendmail, maildir */
	char *mail_from;      /* address */
	char *mail_maildir;   /* folder; for maildir */
	char *mail_sendmail;  /* the program; for sendmail */
	int64_t mail_connections;
	char *mail_smtp;     /* host:port, one or more, in the order in which they are tried */
	char *mail_smtp_tls; /* starttls, tls, none */
	char *mail_smtp_user, *mail_smtp_password_file, *mail_smtp_ca_file;
	char *mail_code_in_subject;  /* yes, no */
	char *mail_list_unsubscribe; /* a mailto: or https: URI for notices; "": none */
};

enum conf_type {
	CONF_STRING,
	CONF_NUMBER,
	CONF_SECONDS,
	CONF_PATH,
	CONF_URL,
	CONF_CHOICE,
	CONF_EMAIL,
	CONF_HOSTPORTS,
	CONF_LISTEN,
	CONF_ADDRESSES,
	CONF_NETWORKS,
	CONF_URLS,
	CONF_RP_ID,
	CONF_LOCAL,	  /* a path of url's origin, or the whole address of one */
	CONF_DATE,	  /* 2026-12-01 */
	CONF_UNSUBSCRIBE, /* one mailto: or https: URI */
	CONF_DAY,	  /* "2027-03-31"; kept as the second at which it has ended in Japan, 0 without a value */
	CONF_DAYS	  /* numbers from 1 to 366, separated by spaces */
};

struct conf_option {
	const char *name; /* as in the file: "mail.smtp"; a [mail] section with "smtp" is the same key */
	enum conf_type type;
	size_t offset;
	const char *preset;  /* as it would be written; NULL: must be given */
	const char *choices; /* CONF_CHOICE: separated by '|' */
	int64_t min, max;    /* CONF_NUMBER, CONF_SECONDS ("30m", "10h", "30d", plain seconds) */
};

/* "KEY =" without a value is for STRING, ADDRESSES, NETWORKS and whatever is preset to nothing. Ends with a NULL name.
 * man page kosmo.conf(5) is held against it by a test. */
extern const struct conf_option conf_options[];

/* Reads path and its drop-ins. m says "FILE:LINE: what is wrong; what to do". */
enum err conf_load(const char *path, struct conf **ret, struct errmsg *m);
void conf_free(struct conf *c);
/* The next word of a list's value, NUL-terminated and cut to cap; *at moves behind it. False: there is none. */
bool conf_word(const char **at, char *ret, size_t cap);
/* The host of an origin as CONF_URL stores it, without its port; cut to cap. */
void conf_url_host(const char *url, char *ret, size_t cap);
/* Whether HOST:PORT is on this machine by its very words. */
bool conf_hostport_here(const char *hostport);
/* An option's value as it would be written, for `kosmoctl config show`. b: at least 512 bytes. */
void conf_show(const struct conf *c, const struct conf_option *o, char *b, size_t cap);

#endif
