#include "config.h"

#include "keeper/failures.h"
#include "keeper/keeper.h"
#include "keeper/passkey_attest.h"
#include "keeper/skew.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum err keeper_open(struct keeper *k, const struct conf *conf, struct errmsg *m)
{
	memset(k, 0, sizeof *k);
	k->conf = conf;
	pthread_mutex_init(&k->health.lock, NULL);
	char key[4096];
	if ((size_t)snprintf(key, sizeof key, "%s/key", conf->state_dir) >= sizeof key ||
	    (size_t)snprintf(k->db_path, sizeof k->db_path, "%s/kosmo.db", conf->state_dir) >= sizeof k->db_path)
		return err_set(m, ERR_TOOBIG, "state_dir %s is too long", conf->state_dir);
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned slots = conf->hash_slots > 0 ? (unsigned)conf->hash_slots : cores > 0 ? (unsigned)cores : 1;
	if (sem_init(&k->web_gate.places, 0, slots) || sem_init(&k->auth_gate.places, 0, slots))
		return err_set(m, ERR_INTERNAL, "cannot make semaphores: %s", strerror(errno));
	k->failures = failures_new();
	k->skews = skews_new();
	if (!k->failures || !k->skews)
		return err_set(m, ERR_NOMEM, "out of memory");
	enum err e = seal_load(key, &k->seal, m);
	if (!e && conf->passkey_attestation && !strcmp(conf->passkey_attestation, "require"))
		e = passkey_trust_load(conf->passkey_roots, conf->passkey_models, &k->trust, m);
	return e;
}

void keeper_close(struct keeper *k)
{
	failures_free(k->failures);
	k->failures = NULL;
	skews_free(k->skews);
	k->skews = NULL;
	passkey_trust_free(k->trust);
	k->trust = NULL;
	seal_free(k->seal);
	k->seal = NULL;
	sem_destroy(&k->web_gate.places);
	sem_destroy(&k->auth_gate.places);
	pthread_mutex_destroy(&k->health.lock);
}

enum err keeper_store(const struct keeper *k, struct store **ret, struct errmsg *m)
{
	return store_open(k->db_path, k->seal, ret, m);
}

static void gate_enter(struct hash_gate *g)
{
	while (sem_wait(&g->places) && errno == EINTR)
		;
}

static void gate_run(struct hash_gate *g, void (*f)(void *arg), void *arg)
{
	gate_enter(g);
	if (g->behind)
		hashers_run(g->behind, f, arg);
	else
		f(arg);
	sem_post(&g->places);
}

struct check {
	const char *hash, *nfkc;
	bool *upgrade, right;
};

static void check(void *arg)
{
	struct check *c = arg;
	c->right = password_check(c->hash, c->nfkc, c->upgrade);
}

bool gate_password_check(struct hash_gate *g, const char *hash, const char *nfkc, bool *ret_upgrade)
{
	struct check c = {hash, nfkc, ret_upgrade, false};
	gate_run(g, check, &c);
	return c.right;
}

struct making {
	const char *nfkc;
	char *hash;
	enum err e;
};

static void make(void *arg)
{
	struct making *m = arg;
	m->e = password_hash(m->nfkc, m->hash);
}

enum err gate_password_hash(struct hash_gate *g, const char *nfkc, char ret[static PASSWORD_HASH_MAX])
{
	struct making m = {nfkc, ret, ERR_INTERNAL};
	gate_run(g, make, &m);
	return m.e;
}
