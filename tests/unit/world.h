/* One member of staff with an app, in a store of their own, for tests of the attempt and of what follows from it. */
#ifndef KOSMO_UNIT_WORLD_H
#define KOSMO_UNIT_WORLD_H

#include "keeper/attempt.h"
#include "keeper/totp.h"
#include "tests/unit/unit.h"

#define NOW 1700000010

struct world {
	char *folder;
	struct conf conf;
	struct keeper k;
	struct store *st;
	struct person p;
	struct authenticator a;
	char hash[PASSWORD_HASH_MAX];
};

static char language[] = "en", no[] = "no", nothing[] = "", sender[] = "no-reply@example.jp";

static inline void in_transaction(struct world *w, enum err e)
{
	assert_int_equal(e, ERR_NONE);
	assert_int_equal(store_commit(w->st), ERR_NONE);
}

static inline int world_new(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	void *folder = NULL;
	if (!w || unit_folder(&folder))
		return -1;
	w->folder = folder;
	w->conf.state_dir = w->folder;
	w->conf.initial_password_days = 90;
	w->conf.terms_version = 1;
	w->conf.hash_slots = 2;
	w->conf.language = language;
	w->conf.organisation = w->conf.contact = w->conf.mail_list_unsubscribe = w->conf.passkey_host = nothing;
	w->conf.mail_code_in_subject = no;
	w->conf.mail_from = sender;
	assert_int_equal(seal_key_create(unit_path(w->folder, "key"), NULL), ERR_NONE);
	assert_int_equal(keeper_open(&w->k, &w->conf, NULL), ERR_NONE);
	assert_int_equal(store_create(w->k.db_path, w->k.seal, NULL), ERR_NONE);
	assert_int_equal(keeper_store(&w->k, &w->st, NULL), ERR_NONE);
	assert_int_equal(password_hash("right horse", w->hash), ERR_NONE);

	w->p.role = ROLE_STAFF;
	w->p.created = NOW;
	strcpy(w->p.login, "taro");
	strcpy(w->p.name, "Taro");
	memcpy(w->p.password, w->hash, sizeof w->hash);
	assert_int_equal(id_new(&w->p.id), ERR_NONE);
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_person_add(w->st, &w->p));

	w->a = (struct authenticator){.person = w->p.id,
				      .kind = FACTOR_TOTP,
				      .confirmed = true,
				      .algorithm = TOTP_SHA1,
				      .digits = 6,
				      .period = 30,
				      .secret_len = 20,
				      .last_step = -1,
				      .created = NOW};
	memcpy(w->a.secret, "12345678901234567890", 20);
	assert_int_equal(id_new(&w->a.id), ERR_NONE);
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, store_authenticator_add(w->st, &w->a));
	*state = w;
	return 0;
}

static inline int world_gone(void **state)
{
	struct world *w = *state;
	store_close(w->st);
	keeper_close(&w->k);
	void *folder = w->folder;
	unit_folder_gone(&folder);
	free(w);
	return 0;
}

static inline bool password(struct world *w, struct attempt *a, const char *text, int64_t now)
{
	assert_int_equal(attempt_password(&w->k, w->st, &w->k.auth_gate, a, text, strlen(text), now), ERR_NONE);
	assert_int_equal(store_begin(w->st), ERR_NONE);
	in_transaction(w, attempt_password_settle(&w->k, w->st, a, now));
	return a->password_right;
}

static inline const char *code_at(struct world *w, int64_t now)
{
	static char code[9];
	const struct totp t = {TOTP_SHA1, 6, 30, w->a.secret, w->a.secret_len};
	assert_int_equal(totp_code(&t, (uint64_t)now / 30, code), ERR_NONE);
	return code;
}

static inline enum verdict factor(struct world *w, struct attempt *a, const char *text, int64_t now)
{
	return attempt_factor(&w->k, w->st, a, text, strlen(text), now, NULL, NULL, NULL);
}

static const struct conf world_conf;

static inline void start(struct attempt *a, const char *login, enum door door)
{
	struct origin o;
	origin_terminal(&o, &world_conf, "192.0.2.1");
	attempt_init(a, door, door == DOOR_PAM ? "pam:test" : "web", &o, login);
}

#endif
