#include "config.h"

#include "common/alphabet.h"
#include "common/net.h"
#include "common/secret.h"
#include "keeper/approval.h"
#include <ctype.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char label[] = "kosmo approval 1";

enum err approval_request(int64_t begun, int64_t now, struct approval_request *ret)
{
	struct approval_request r = {.created = now, .expires = now + APPROVAL_LIFE};
	if (r.expires > begun + APPROVAL_DIALOGUE)
		r.expires = begun + APPROVAL_DIALOGUE;
	enum err e = id_new(&r.id);
	if (!e)
		e = alphabet_fill("xxxxxxxxxxxxxxxx", r.token);
	if (!e)
		*ret = r;
	return e;
}

void approval_token_shown(const char token[static APPROVAL_TOKEN + 1], char ret[static APPROVAL_SHOWN + 1])
{
	snprintf(ret, APPROVAL_SHOWN + 1, "%.4s-%.4s-%.4s-%.4s", token, token + 4, token + 8, token + 12);
}

bool approval_token(const char *typed, char ret[static APPROVAL_TOKEN + 1])
{
	char t[APPROVAL_TOKEN + 1];
	size_t n = 0;
	for (const char *p = typed; *p; p++) {
		char c = (char)tolower((unsigned char)*p);
		if (c == '-')
			continue;
		if (n == APPROVAL_TOKEN)
			return false;
		t[n++] = c == 'o' ? '0' : c;
	}
	t[n] = '\0';
	if (n != APPROVAL_TOKEN || !alphabet_only(t))
		return false;
	memcpy(ret, t, sizeof t);
	return true;
}

void approval_url(const struct conf *c, const struct approval_request *r, struct buf *ret)
{
	char shown[APPROVAL_SHOWN + 1];
	approval_token_shown(r->token, shown);
	buf_addf(ret, "%s/approve/%s", c->url, shown);
	secret_wipe(shown, sizeof shown);
}

void approval_url_qr(const struct conf *c, const struct approval_request *r, struct buf *ret)
{
	size_t from = ret->len;
	buf_addf(ret, "%s/approve/%s", c->url, r->token);
	for (size_t i = from; !ret->failed && i < ret->len; i++)
		ret->data[i] = (uint8_t)toupper(ret->data[i]);
}

/* Outside bytes, and an administrator's: printable ASCII, the rest as '?'. */
static void clean(char *ret, size_t cap, const char *s)
{
	size_t n = 0;
	for (; s[n] && n + 1 < cap; n++)
		ret[n] = isgraph((unsigned char)s[n]) ? s[n] : '?';
	ret[n] = '\0';
}

void approval_host(const struct conf *c, char *ret, size_t cap)
{
	char name[256];
	if (!c->passkey_host[0] && gethostname(name, sizeof name))
		snprintf(name, sizeof name, "?");
	name[sizeof name - 1] = '\0';
	clean(ret, cap, c->passkey_host[0] ? c->passkey_host : name);
}

/* [tx] Is it somebody who can approve something? */
static enum err can_approve(struct store *st, const struct person *p, bool *ret)
{
	struct authenticator au[AUTHENTICATORS_MAX];
	size_t n = 0;
	enum err e = factor_confirmed(st, &p->id, au, &n);
	if (e)
		return e;
	*ret = false;
	for (size_t i = 0; i < n; i++)
		*ret = *ret || au[i].kind == FACTOR_PASSKEY;
	authenticator_wipe(au, n);
	return ERR_NONE;
}

enum err approval_put(struct keeper *k, struct store *st, struct attempt *a, const struct approval_request *r,
		      const char *service, bool alone)
{
	struct person p;
	struct id whose;
	bool can = false;
	struct approval row = {.id = r->id, .created = r->created, .expires = r->expires};
	memset(&p, 0, sizeof p);
	enum err e = attempt_find(st, a, r->created, &p);
	bool known = !e && a->found && (a->password_right || alone);
	if (known)
		e = can_approve(st, &p, &can);
	if (!e)
		e = limits_bucket(k->seal, a->login, &whose);
	if (!e)
		e = secret_random(row.nonce, sizeof row.nonce);
	if (known && can)
		row.person = whose = p.id;
	/* what was typed as a name that nobody has is never stored: people type passwords there */
	memset(row.user, 'x', strlen(a->login));
	if (known && can)
		memcpy(row.user, a->login, sizeof row.user);
	approval_host(k->conf, row.host, sizeof row.host);
	clean(row.service, sizeof row.service, service);
	clean(row.from, sizeof row.from, a->origin.shown);
	if (!e)
		e = store_approval_put(st, &row, r->token, &whose);
	if (e == ERR_DENIED) /* a store that is not upgraded yet: the other ways work */
		e = ERR_NONE;
	secret_wipe(&row, sizeof row);
	person_wipe(&p);
	return e;
}

static void part(struct buf *b, const void *p, size_t n)
{
	buf_add_u32(b, (uint32_t)n);
	buf_add(b, p, n);
}

enum err approval_challenge(const struct approval *a, uint8_t ret[static 32])
{
	AUTO_BUF b = BUF_INIT;
	part(&b, label, sizeof label - 1);
	part(&b, a->nonce, sizeof a->nonce);
	part(&b, a->id.b, ID_LEN);
	part(&b, a->user, strlen(a->user));
	part(&b, a->host, strlen(a->host));
	part(&b, a->service, strlen(a->service));
	if (b.failed)
		return ERR_NOMEM;
	SHA256(b.data, b.len, ret);
	return ERR_NONE;
}

enum err approval_code(const struct seal *s, const struct approval *a, const uint8_t session[static DIGEST_LEN],
		       char ret[static APPROVAL_CODE + 1])
{
	const struct seal_part parts[] = {
	    {label, sizeof label - 1}, {a->id.b, ID_LEN}, {a->nonce, sizeof a->nonce}, {session, DIGEST_LEN}};
	uint8_t d[DIGEST_LEN];
	uint64_t v = 0;
	enum err e = seal_mac(s, SEAL_CODE, parts, sizeof parts / sizeof *parts, d);
	for (size_t i = 0; i < sizeof v; i++)
		v = v << 8 | d[i];
	if (!e)
		snprintf(ret, APPROVAL_CODE + 1, "%06u", (unsigned)(v % 1000000));
	secret_wipe(d, sizeof d);
	secret_wipe(&v, sizeof v);
	return e;
}

bool approval_elsewhere(const struct conf *c, const struct approval *a, const char *address)
{
	struct net_address from, at;
	if (!net_parse(a->from, &from) || !net_listed(c->passkey_same_address, &from))
		return false;
	return !net_parse(address, &at) || memcmp(&from, &at, sizeof from) != 0;
}
