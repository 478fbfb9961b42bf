#include "config.h"

#include "common/base64url.h"
#include "common/secret.h"
#include "keeper/ceremony.h"
#include <stdio.h>
#include <string.h>

#define END_LEN	   8
#define SAID_LEN   24 /* end and random bytes */
#define RANDOM_LEN (SAID_LEN - END_LEN)

static enum err mac(const struct seal *s, enum ceremony what, const char *token, const struct id *person,
		    const struct challenge *c, uint8_t ret[static DIGEST_LEN])
{
	const uint8_t purpose = (uint8_t)what;
	const struct seal_part part[] = {
	    {&purpose, 1}, {token, strlen(token)}, {person ? person->b : NULL, person ? ID_LEN : 0}, {c->b, SAID_LEN}};
	return seal_mac(s, SEAL_CEREMONY, part, sizeof part / sizeof *part, ret);
}

static int64_t ends(const struct challenge *c)
{
	uint64_t v = 0;
	for (size_t i = 0; i < END_LEN; i++)
		v = v << 8 | c->b[i];
	return (int64_t)v;
}

enum err challenge_new(const struct seal *s, enum ceremony what, const char *token, const struct id *person,
		       int64_t now, struct challenge *ret)
{
	struct challenge c;
	uint64_t end = (uint64_t)(now + CEREMONY_LIFE);
	for (size_t i = 0; i < END_LEN; i++)
		c.b[i] = (uint8_t)(end >> 8 * (END_LEN - 1 - i));
	enum err e = secret_random(c.b + END_LEN, RANDOM_LEN);
	if (!e)
		e = mac(s, what, token, person, &c, c.b + SAID_LEN);
	if (!e)
		*ret = c;
	return e;
}

enum err challenge_text(const struct challenge *c, char ret[static CHALLENGE_TEXT + 1])
{
	AUTO_BUF b = BUF_INIT;
	base64url_encode(&b, c->b, sizeof c->b);
	if (b.failed || b.len != CHALLENGE_TEXT)
		return ERR_NOMEM;
	memcpy(ret, b.data, CHALLENGE_TEXT + 1);
	return ERR_NONE;
}

enum err challenge_open(const struct seal *s, enum ceremony what, const char *token, const struct id *person,
			const char *text, int64_t now, struct challenge *ret)
{
	struct challenge c;
	uint8_t want[DIGEST_LEN];
	AUTO_BUF b = BUF_INIT;
	enum err e = strlen(text) == CHALLENGE_TEXT ? base64url_decode(&b, text, CHALLENGE_TEXT) : ERR_INVALID;
	if (e == ERR_NOMEM)
		return e;
	if (e || b.len != sizeof c.b)
		return ERR_DENIED;
	memcpy(c.b, b.data, sizeof c.b);
	e = mac(s, what, token, person, &c, want);
	if (e)
		return e;
	if (!secret_equal(want, sizeof want, c.b + SAID_LEN, DIGEST_LEN))
		return ERR_DENIED;
	/* one from a clock that was ahead has no more life than others */
	if (now >= ends(&c) || ends(&c) > now + CEREMONY_LIFE)
		return ERR_TIMEOUT;
	*ret = c;
	return ERR_NONE;
}

enum err challenge_spend(struct store *st, const struct challenge *c)
{
	return store_spend(st, c->b + SAID_LEN, ends(c));
}

void relying_party(const struct conf *conf, struct relying_party *ret)
{
	const char *list = conf->passkey_origins;
	size_t n = 0, at = 0;
	memset(ret, 0, sizeof *ret);
	if (conf->passkey_rp_id[0])
		snprintf(ret->id, sizeof ret->id, "%s", conf->passkey_rp_id);
	else
		conf_url_host(conf->url, ret->id, sizeof ret->id);
	ret->origin[n++] = conf->url;
	while (n <= CONF_ORIGINS_MAX && at < sizeof ret->text &&
	       conf_word(&list, ret->text + at, sizeof ret->text - at)) {
		ret->origin[n++] = ret->text + at;
		at += strlen(ret->text + at) + 1;
	}
}

enum err ceremony_user(struct store *st, const struct seal *s, const struct id *person,
		       uint8_t ret[static PASSKEY_USER_LEN])
{
	static const char *const half[] = {"user 1", "user 2"};
	struct store_passkey pk[AUTHENTICATORS_MAX];
	uint8_t user[PASSKEY_USER_LEN];
	size_t n = 0;
	enum err e = store_passkeys(st, person, pk, AUTHENTICATORS_MAX, &n);
	for (size_t i = 0; i < 2 && !e; i++) {
		const struct seal_part part[] = {{half[i], strlen(half[i])}, {person->b, ID_LEN}};
		e = seal_mac(s, SEAL_CEREMONY, part, 2, user + i * DIGEST_LEN);
	}
	if (!e)
		memcpy(ret, n ? pk[0].user : user, sizeof user);
	store_passkey_wipe(pk, n);
	return e;
}
