/* Where an attempt comes from, as far as it is believed: what chooses its lane (design.md, "Limits") and what a full
 * login makes known. Each door fills it from what it believes of its peer and of nothing else. */
#ifndef KOSMO_ORIGIN_H
#define KOSMO_ORIGIN_H

#include "common/conf.h"
#include "common/net.h"
#include "keeper/seal.h"

struct origin {
	char shown[64];		 /* the client's address for log and audit, as the door was told; "" if none */
	struct net_address from; /* if has_from: numeric, and not the keeper's own side of a proxy */
	bool has_from;
	bool remote; /* from is no loopback address: attempts count against it too */
	bool exempt; /* of a network that limits.exempt names */
	bool has_device, has_key;
	uint8_t device[DIGEST_LEN]; /* of the device cookie: known to the person or not */
	uint8_t key[DIGEST_LEN];    /* of the public key that sshd verified */
	bool has_link;		    /* the person's own mail led here: */
	uint8_t link[DIGEST_LEN];   /* of what the mail opened */
	bool own_uid; /* asked by the account's own uid: a peer of no trust, of which nothing else is believed, or
		       * somebody in sudo or su, as root's program says */
	bool local;   /* root's program says that it is no remote host */
	bool teaches; /* a full login makes device and address known */
};

/* The terminal: address is PAM_RHOST ("" if unset or not believed). */
void origin_terminal(struct origin *o, const struct conf *conf, const char *address);
/* The browser: address as kosmo-enrolld tells it ("" if unknown). One that is loopback or a trusted proxy's is
 * nobody's: many may come from there. */
void origin_browser(struct origin *o, const struct conf *conf, const char *address);
/* The cookie's text; the line of SSH_AUTH_INFO_0 from the key's type on. */
enum err origin_device(struct origin *o, const struct seal *s, const char *token);
enum err origin_key(struct origin *o, const struct seal *s, const char *key, size_t n);

#endif
