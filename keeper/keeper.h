/* What every part of the keeper sees: the configuration, the keys, and one worker's view of a request. */
#ifndef KOSMO_KEEPER_H
#define KOSMO_KEEPER_H

#include "common/conf.h"
#include "keeper/hasher.h"
#include "keeper/health.h"
#include "keeper/seal.h"
#include "keeper/store/store.h"
#include "keeper/terms_print.h"
#include <semaphore.h>

/* Every door has its own places for hashing, so that a flood at one never shuts the other. */
struct hash_gate {
	sem_t places;
	struct hashers *behind; /* who computes; NULL: whoever asks */
};

struct mail_site;
struct passkey_trust;
struct failures;
struct skews;

struct keeper {
	const struct conf *conf;
	struct seal *seal;
	struct mail_site *mails;     /* the site's own texts; NULL: the house's alone */
	char terms[TERMS_PRINT + 1]; /* which words people agree to; "": not known */
	struct passkey_trust *trust; /* of passkey.attestation = require; else NULL */
	struct failures *failures;   /* on their way into the audit log */
	struct skews *skews;	     /* of clocks of phones that may be off */
	char db_path[4096];
	struct hash_gate web_gate, auth_gate;
	struct health health;
	void (*wake_outbox)(void *); /* a mail was queued */
	void *wake_arg;
};

/* ERR_CORRUPT and the like with a sentence. Loads key and configuration's derived values; the store is opened by each
 * worker. */
enum err keeper_open(struct keeper *k, const struct conf *conf, struct errmsg *m);
void keeper_close(struct keeper *k);

enum err keeper_store(const struct keeper *k, struct store **ret, struct errmsg *m);

/* crypt(3) behind a gate: see keeper/password.h. */
bool gate_password_check(struct hash_gate *g, const char *hash, const char *nfkc, bool *ret_upgrade);
enum err gate_password_hash(struct hash_gate *g, const char *nfkc, char ret[static PASSWORD_HASH_MAX]);

#endif
