/* A security key at the console: Enter at the code's question leads to it first, where the module says that somebody
 * sits in front of the machine. Everybody gets the same words; for whom there is no such passkey, unknown or not, one
 * is made up, which no key has. */
#include "config.h"

#include "common/daemon.h"
#include "common/i18n.h"
#include "common/secret.h"
#include "keeper/ceremony.h"
#include "keeper/dialogue.h"
#include "keeper/passkey_form.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define KEY_ALLOW_MAX	16
#define KEY_SECONDS	"30" /* for a touch */
#define KEY_DECOYS	2
#define KEY_DECOY_PARTS 2 /* of DIGEST_LEN bytes */

/* What stood in the way, by the module's word for it (fido/status.h). It says what the person saw, and nothing of who
 * they are. NULL: they know. */
static const struct {
	const char *status, *text;
} key_statuses[] = {
    {"none", N_("No security key is plugged in.")},
    {"nocredential", N_("The security key has no passkey for this login.")},
    {"cancelled", NULL},
    {"timeout", N_("The security key was not touched in time.")},
    {"pinwait", N_("Three wrong PINs: unplug the security key and plug it in again before you use it next time.")},
    {"pinblocked", N_("The security key has blocked itself after too many wrong PINs.")},
    {"nopin", N_("The security key has no PIN, or its PIN must be changed first.")},
    {"denied", N_("The security key was told to refuse.")},
};

/* What the module shows itself; it puts a number in the place of {tries}. */
static const struct {
	const char *name, *text;
} key_texts[] = {
    {"text.pin", N_("PIN of your security key (Enter: another way): ")},
    {"text.few", N_("PIN of your security key ({tries} tries left; Enter: another way): ")},
    {"text.wrong", N_("That PIN is wrong, {tries} tries are left. PIN (Enter: another way): ")},
    {"text.last",
     N_("One try is left. If that PIN is wrong, the security key blocks itself for good, and its passkeys are "
	"lost.\nPIN (Enter: another way): ")},
    {"text.touch", N_("Touch your security key now.")},
    {"text.choose", N_("Several security keys are plugged in. Touch the one that you want to use.")},
};

struct key_ids {
	size_t n;
	struct {
		uint8_t b[PASSKEY_ID_MAX];
		size_t n;
	} id[KEY_ALLOW_MAX];
};

static void add(struct key_ids *ids, const uint8_t *p, size_t n)
{
	if (ids->n < KEY_ALLOW_MAX) {
		memcpy(ids->id[ids->n].b, p, n);
		ids->id[ids->n++].n = n;
	}
}

/* May it be on a security key? What browsers say of transports is a hint; where they say none, what is copied from
 * device to device is not. */
static bool on_key(const struct store_passkey *p)
{
	return p->transports ? p->transports & (TRANSPORT_USB | TRANSPORT_NFC | TRANSPORT_BLE | TRANSPORT_CARD)
			     : !p->credential.eligible;
}

/* Those of the person that may be on one. */
static enum err own_ids(struct store *st, const struct attempt *asking, int64_t now, struct key_ids *ids)
{
	static const struct id nobody;
	struct store_passkey all[AUTHENTICATORS_MAX];
	struct attempt a = *asking;
	struct person p;
	size_t n = 0;
	memset(&p, 0, sizeof p);
	enum err e = attempt_find(st, &a, now, &p);
	if (!e)
		e = store_passkeys(st, a.found ? &a.person : &nobody, all, AUTHENTICATORS_MAX, &n);
	if (e == ERR_NOTFOUND && !a.found)
		e = ERR_NONE;
	for (size_t i = 0; !e && i < n; i++)
		if (on_key(&all[i]))
			add(ids, all[i].credential.id, all[i].credential.id_len);
	store_passkey_wipe(all, n);
	person_wipe(&p);
	attempt_clear(&a);
	return e;
}

/* The same ones for a name each time, as long as keys make them. */
static enum err decoys(const struct seal *s, const char *login, struct key_ids *ids)
{
	static const size_t lengths[] = {32, 48, 48, 64};
	uint8_t b[KEY_DECOYS][KEY_DECOY_PARTS][DIGEST_LEN];
	for (uint8_t i = 0; i < KEY_DECOYS; i++)
		for (uint8_t k = 0; k < KEY_DECOY_PARTS; k++) {
			const uint8_t which[] = {i, k};
			const struct seal_part parts[] = {
			    {"passkey", 7}, {login, strlen(login)}, {which, sizeof which}};
			enum err e = seal_mac(s, SEAL_DECOY, parts, 3, b[i][k]);
			if (e)
				return e;
		}
	/* the second one's first bytes, which no key is asked for if there is only one, choose */
	size_t n = 1 + (b[1][0][0] & 1), len = lengths[b[1][0][1] % (sizeof lengths / sizeof *lengths)];
	for (size_t i = 0; i < n; i++)
		add(ids, b[i][0], len);
	return ERR_NONE;
}

/* What the key signs: never said before, and over who wants to go where. */
static enum err hash(const struct seal *s, struct dialogue *d)
{
	uint8_t nonce[32];
	char host[256] = "";
	const struct attempt *a = &d->attempt;
	(void)gethostname(host, sizeof host - 1);
	enum err e = secret_random(nonce, sizeof nonce);
	const struct seal_part parts[] = {{"console", 7},
					  {nonce, sizeof nonce},
					  {a->login, strlen(a->login)},
					  {host, strlen(host)},
					  {d->service, strlen(d->service)}};
	return e ? e : seal_mac(s, SEAL_CEREMONY, parts, sizeof parts / sizeof *parts, d->key_hash);
}

static enum err ask(const struct keeper *k, struct request *r, const struct dialogue *d, const struct key_ids *ids)
{
	AUTO_BUF b = BUF_INIT;
	struct relying_party rp;
	relying_party(k->conf, &rp);
	wire_begin(&b, r->msg.id, "key");
	wire_puts(&b, "rp_id", rp.id);
	wire_put(&b, "hash", d->key_hash, sizeof d->key_hash);
	wire_puts(&b, "seconds", KEY_SECONDS);
	for (size_t i = 0; i < ids->n && i < KEY_ALLOW_MAX; i++) {
		char name[32];
		snprintf(name, sizeof name, "allow.%zu", i);
		wire_put(&b, name, ids->id[i].b, ids->id[i].n);
	}
	for (size_t i = 0; i < sizeof key_texts / sizeof *key_texts; i++)
		wire_puts(&b, key_texts[i].name, i18n(k->conf->pam_language, key_texts[i].text));
	enum err e = wire_end(&b);
	if (!e)
		server_reply(r, &b, false);
	return e;
}

bool door_key_enter(struct keeper *k, struct store *st, struct request *r, struct dialogue *d, int64_t now)
{
	struct key_ids *ids = calloc(1, sizeof *ids);
	bool asked = false;
	d->key_tried = true;
	enum err e = ids ? own_ids(st, &d->attempt, now, ids) : ERR_NOMEM;
	if (!e && !ids->n)
		e = decoys(k->seal, d->attempt.login, ids);
	if (!e)
		e = hash(k->seal, d);
	if (!e) {
		d->waiting = WAITING_KEY; /* once it is said, the answer may come at once */
		asked = !ask(k, r, d, ids);
	}
	if (!asked && dialogue_may_log(d->trusted))
		daemon_log(LOG_AUTHPRIV | LOG_ERR, "a security key could not be asked: %s", err_text(e));
	free(ids);
	return asked;
}

static bool bytes(const struct wire_msg *m, const char *name, size_t most, struct passkey_bytes *ret)
{
	const struct wire_field *f = wire_get(m, name);
	if (!f || !f->len || f->len > most)
		return false;
	*ret = (struct passkey_bytes){f->data, f->len};
	return true;
}

bool door_key_signed(const struct wire_msg *m, struct passkey_assertion *ret)
{
	struct passkey_assertion a = {.user_handle = {NULL, 0}};
	const char *status = wire_str(m, "status");
	if (!status || strcmp(status, "ok") != 0 || !bytes(m, "id", PASSKEY_ID_MAX, &a.id) ||
	    !bytes(m, "authdata", PASSKEY_AUTH_MAX, &a.auth_data) ||
	    !bytes(m, "signature", PASSKEY_SIG_MAX, &a.signature))
		return false;
	*ret = a;
	return true;
}

const char *door_key_why(const struct wire_msg *m)
{
	const char *status = wire_str(m, "status");
	for (size_t i = 0; status && i < sizeof key_statuses / sizeof *key_statuses; i++)
		if (!strcmp(key_statuses[i].status, status))
			return key_statuses[i].text;
	return N_("The security key could not be used.");
}
