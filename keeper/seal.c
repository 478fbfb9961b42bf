#include "config.h"

#include "common/base64url.h"
#include "common/secret.h"
#include "keeper/seal.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_LEN	     32
#define KEY_TEXT     43 /* KEY_LEN bytes in base64url */
#define KEY_WORD     "kosmo-key "
#define KEYS_MAX     16
#define KEY_FILE_MAX 4096
#define NONCE_LEN    12
#define TAG_LEN	     16

/* Never change one: every value in every store hangs on them. */
static const char *const purpose_name[SEAL_PURPOSES] = {
    [SEAL_INITIAL] = "initial",	  [SEAL_CODE] = "code",	  [SEAL_LINK] = "link",	    [SEAL_SESSION] = "session",
    [SEAL_CSRF] = "csrf",	  [SEAL_INDEX] = "index", [SEAL_PERSON] = "person", [SEAL_AUDIT] = "audit",
    [SEAL_COUNTER] = "counter",	  [SEAL_DECOY] = "decoy", [SEAL_TICKET] = "ticket", [SEAL_NAME] = "name",
    [SEAL_CEREMONY] = "ceremony",
};

struct key {
	uint8_t id;
	uint8_t master[KEY_LEN]; /* wiped once box and mac are derived */
	uint8_t box[KEY_LEN];
	uint8_t mac[SEAL_PURPOSES][KEY_LEN];
};

struct seal {
	uint64_t serial; /* which seal a thread's contexts belong to: an address could be used again */
	EVP_CIPHER *gcm;
	EVP_MAC *hmac;
	size_t n;
	struct key key[KEYS_MAX]; /* the first one seals */
};

/* ---- contexts: made once a thread, since making one costs more than using it ---- */

struct contexts {
	uint64_t serial;
	EVP_CIPHER_CTX *box, *unbox[KEYS_MAX];
	EVP_MAC_CTX *mac[SEAL_PURPOSES];
};

static pthread_once_t contexts_once = PTHREAD_ONCE_INIT;
static pthread_key_t contexts_key;
static bool contexts_ready;
static _Atomic uint64_t last_serial;

static void contexts_empty(struct contexts *c)
{
	EVP_CIPHER_CTX_free(c->box); /* OpenSSL wipes the keys in them */
	for (size_t i = 0; i < KEYS_MAX; i++)
		EVP_CIPHER_CTX_free(c->unbox[i]);
	for (size_t i = 0; i < SEAL_PURPOSES; i++)
		EVP_MAC_CTX_free(c->mac[i]);
	memset(c, 0, sizeof(*c));
}

static void contexts_end(void *p)
{
	contexts_empty(p);
	free(p);
}

static void contexts_init(void)
{
	contexts_ready = pthread_key_create(&contexts_key, contexts_end) == 0;
}

static struct contexts *contexts_of(const struct seal *s)
{
	(void)pthread_once(&contexts_once, contexts_init);
	if (!contexts_ready)
		return NULL;
	struct contexts *c = pthread_getspecific(contexts_key);
	if (!c) {
		c = calloc(1, sizeof(*c));
		if (!c || pthread_setspecific(contexts_key, c) != 0) {
			free(c);
			return NULL;
		}
	}
	if (c->serial != s->serial) {
		contexts_empty(c);
		c->serial = s->serial;
	}
	return c;
}

static EVP_CIPHER_CTX *context_box(const struct seal *s, EVP_CIPHER_CTX **slot, const struct key *k, int seals)
{
	if (*slot)
		return *slot;
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	if (ctx && EVP_CipherInit_ex2(ctx, s->gcm, k->box, NULL, seals, NULL) == 1)
		return *slot = ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

/* Ready for the first update. */
static EVP_MAC_CTX *context_mac(const struct seal *s, EVP_MAC_CTX **slot, enum seal_purpose p)
{
	static char digest[] = "SHA256";
	const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
				     OSSL_PARAM_construct_end()};

	if (*slot)
		return EVP_MAC_init(*slot, NULL, 0, NULL) == 1 ? *slot : NULL;
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(s->hmac);
	if (ctx && EVP_MAC_init(ctx, s->key[0].mac[p], KEY_LEN, params) == 1)
		return *slot = ctx;
	EVP_MAC_CTX_free(ctx);
	return NULL;
}

/* ---- loading ---- */

static enum err key_derive(EVP_KDF *hkdf, const uint8_t master[static KEY_LEN], const char *purpose,
			   uint8_t ret[static KEY_LEN])
{
	enum err r = ERR_INTERNAL;
	char info[32], digest[] = "SHA256";
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(hkdf);

	if (!ctx)
		return ERR_NOMEM;
	int n = snprintf(info, sizeof(info), "kosmo/1/%s", purpose);
	if (n <= 0 || (size_t)n >= sizeof(info))
		goto out;
	const OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
	    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)master, KEY_LEN),
	    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, (size_t)n),
	    OSSL_PARAM_construct_end(),
	};
	if (EVP_KDF_derive(ctx, ret, KEY_LEN, params) == 1)
		r = ERR_NONE;
out:
	EVP_KDF_CTX_free(ctx);
	return r;
}

static enum err seal_derive(struct seal *s)
{
	enum err r = ERR_INTERNAL;
	EVP_KDF *hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);

	if (!hkdf)
		goto out;
	for (size_t i = 0; i < s->n; i++) {
		struct key *k = &s->key[i];
		r = key_derive(hkdf, k->master, "seal", k->box);
		for (size_t p = 0; r == ERR_NONE && p < SEAL_PURPOSES; p++)
			r = key_derive(hkdf, k->master, purpose_name[p], k->mac[p]);
		if (r != ERR_NONE)
			goto out;
		secret_wipe(k->master, sizeof(k->master));
	}
out:
	EVP_KDF_free(hkdf);
	return r;
}

/* EVP_MAC_init without a key starts over only from OpenSSL 3.0.3 on. Before, MACs would be made that fit nothing later.
 */
static enum err seal_self_check(const struct seal *s, struct errmsg *m)
{
	const struct seal_part part = {"kosmo", 5};
	uint8_t a[DIGEST_LEN], b[DIGEST_LEN];
	enum err r = seal_mac(s, SEAL_DECOY, &part, 1, a);

	if (r == ERR_NONE)
		r = seal_mac(s, SEAL_DECOY, &part, 1, b);
	if (r == ERR_NONE && !secret_equal(a, sizeof(a), b, sizeof(b)))
		r = err_set(m, ERR_INTERNAL, "this OpenSSL is too old: 3.0.3 or later is needed");
	return r;
}

/* One line "kosmo-key ID KEY\n"; *p moves past it. */
static enum err key_line(const char **p, const char *end, struct key *ret)
{
	enum err r = ERR_INVALID;
	AUTO_BUF key = BUF_INIT;
	const char *line = *p, *nl = memchr(line, '\n', (size_t)(end - line));
	size_t word = strlen(KEY_WORD);
	unsigned id = 0;

	if (!nl || (size_t)(nl - line) < word || memcmp(line, KEY_WORD, word) != 0)
		goto out;
	line += word;
	if (*line == '0')
		goto out;
	for (; *line >= '0' && *line <= '9' && id <= UINT8_MAX; line++)
		id = id * 10 + (unsigned)(*line - '0');
	if (id < 1 || id > UINT8_MAX || *line++ != ' ' || nl - line != KEY_TEXT)
		goto out;
	r = base64url_decode(&key, line, KEY_TEXT);
	if (r != ERR_NONE)
		goto out;
	r = ERR_INVALID;
	if (key.len != KEY_LEN)
		goto out;
	ret->id = (uint8_t)id;
	memcpy(ret->master, key.data, KEY_LEN);
	*p = nl + 1;
	r = ERR_NONE;
out:
	return r;
}

static enum err key_lines(struct seal *s, const char *text, size_t n, struct errmsg *m)
{
	const char *p = text, *end = text + n;

	for (; p < end; s->n++) {
		if (s->n == KEYS_MAX)
			return err_set(m, ERR_INVALID, "more than %d keys", KEYS_MAX);
		struct key *k = &s->key[s->n];
		enum err r = key_line(&p, end, k);
		if (r == ERR_INVALID)
			return err_set(m, r, "line %zu is not \"kosmo-key NUMBER KEY\" with a key of %d characters",
				       s->n + 1, KEY_TEXT);
		if (r != ERR_NONE)
			return r;
		for (size_t i = 0; i < s->n; i++)
			if (s->key[i].id == k->id)
				return err_set(m, ERR_INVALID, "line %zu repeats the number %d", s->n + 1, k->id);
	}
	return s->n > 0 ? ERR_NONE : err_set(m, ERR_INVALID, "it is empty");
}

enum err seal_parse(const char *text, size_t n, struct seal **ret, struct errmsg *m)
{
	struct errmsg why = {""};
	struct seal *s = calloc(1, sizeof(*s));
	enum err r = ERR_NOMEM;

	if (!s)
		goto out;
	s->serial = atomic_fetch_add(&last_serial, 1) + 1;
	r = key_lines(s, text, n, &why);
	if (r != ERR_NONE)
		goto out;
	s->gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	s->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	r = s->gcm && s->hmac ? seal_derive(s) : ERR_INTERNAL;
	if (r == ERR_NONE)
		r = seal_self_check(s, &why);
	if (r != ERR_NONE)
		goto out;
	*ret = s;
	s = NULL;
out:
	if (r != ERR_NONE)
		(void)err_set(m, r, "%s", why.text[0] ? why.text : err_text(r));
	seal_free(s);
	return r;
}

void seal_free(struct seal *s)
{
	if (!s)
		return;
	if (contexts_ready) {
		struct contexts *c = pthread_getspecific(contexts_key);
		if (c && c->serial == s->serial)
			contexts_empty(c);
	}
	EVP_CIPHER_free(s->gcm);
	EVP_MAC_free(s->hmac);
	secret_wipe(s, sizeof(*s));
	free(s);
}

/* ---- the file ---- */

static enum err key_file_open(const char *path, int *ret, struct errmsg *m)
{
	struct stat st;
	/* O_NONBLOCK: a FIFO must not hold us up before fstat refuses it. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	enum err r = ERR_NONE;

	if (fd < 0 && errno == ENOENT)
		return err_set(
		    m, ERR_NOTFOUND,
		    "%s: no such key file; restore it from the backup (of a new instance kosmoctl init makes it)",
		    path);
	if (fd < 0 && errno == ELOOP)
		return err_set(m, ERR_DENIED, "%s: the key file must not be a symbolic link", path);
	if (fd < 0)
		return err_set(m, ERR_IO, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) != 0)
		r = err_set(m, ERR_IO, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		r = err_set(m, ERR_DENIED, "%s: the key file must be a regular file", path);
	else if ((st.st_mode & 07777 & ~0640U) != 0)
		r = err_set(m, ERR_DENIED, "%s: the key file's mode is %04o; chmod it to 0600 or 0640", path,
			    (unsigned)(st.st_mode & 07777));
	else if (st.st_uid != 0 && st.st_uid != geteuid())
		r = err_set(m, ERR_DENIED, "%s: the key file belongs to uid %u, who may change it; chown it to root",
			    path, (unsigned)st.st_uid);
	if (r == ERR_NONE)
		*ret = fd;
	else
		(void)close(fd);
	return r;
}

enum err seal_load(const char *path, struct seal **ret, struct errmsg *m)
{
	char text[KEY_FILE_MAX + 1];
	struct errmsg why = {""};
	size_t n = 0;
	int fd = -1;
	enum err r = key_file_open(path, &fd, m);

	if (r != ERR_NONE)
		return r;
	while (n < sizeof(text)) {
		ssize_t got = read(fd, text + n, sizeof(text) - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			r = err_set(m, ERR_IO, "%s: %s", path, strerror(errno));
			goto out;
		}
		if (got == 0)
			break;
		n += (size_t)got;
	}
	r = n > KEY_FILE_MAX ? err_set(&why, ERR_INVALID, "it is over %d bytes", KEY_FILE_MAX)
			     : seal_parse(text, n, ret, &why);
	if (r != ERR_NONE)
		(void)err_set(m, r, "%s: not a key file: %s; restore it from the backup", path, why.text);
out:
	(void)close(fd);
	secret_wipe(text, sizeof(text));
	return r;
}

static bool write_all(int fd, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t put = write(fd, p, n);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		p += put;
		n -= (size_t)put;
	}
	return true;
}

/* Opens the folder that path lies in. */
static int folder_open(const char *path)
{
	char *dir = strdup(path);
	int fd = -1;

	if (!dir)
		return -1;
	char *slash = strrchr(dir, '/');
	if (slash)
		slash[slash == dir ? 1 : 0] = '\0';
	fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	return fd;
}

enum err seal_key_create(const char *path, struct errmsg *m)
{
	AUTO_BUF text = BUF_INIT;
	uint8_t key[KEY_LEN];
	int fd = -1, dir = -1;
	enum err r = secret_random(key, sizeof(key));

	if (r != ERR_NONE) {
		(void)err_set(m, r, "no random bytes from the kernel");
		goto out;
	}
	buf_adds(&text, KEY_WORD "1 ");
	base64url_encode(&text, key, sizeof(key));
	buf_addc(&text, '\n');
	if (text.failed) {
		r = err_set(m, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
		goto out;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		r = err_set(m, errno == EEXIST ? ERR_EXISTS : ERR_IO, "%s: %s", path, strerror(errno));
		goto out;
	}
	dir = folder_open(path);
	if (dir < 0 || fchmod(fd, 0600) != 0 || !write_all(fd, text.data, text.len) || fsync(fd) != 0 ||
	    fsync(dir) != 0) {
		r = err_set(m, ERR_IO, "%s: %s", path, strerror(errno));
		(void)unlink(path);
	}
out:
	if (fd >= 0)
		(void)close(fd);
	if (dir >= 0)
		(void)close(dir);
	secret_wipe(key, sizeof(key));
	return r;
}

/* ---- sealing ---- */

#define AAD_HEAD 192

static size_t put_u32(uint8_t *p, size_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
	return 4;
}

static size_t put_part(uint8_t *p, const void *data, size_t n)
{
	put_u32(p, n);
	memcpy(p + 4, data, n);
	return 4 + n;
}

/* Every part with its length before it, so that they never run together. extra goes in by itself. */
static enum err aad(EVP_CIPHER_CTX *ctx, const struct seal_where *w)
{
	uint8_t head[AAD_HEAD];
	size_t table = strlen(w->table), column = strlen(w->column), n = 0;
	int len;

	if (table > 64 || column > 64 || w->extra_len > INT_MAX)
		return ERR_INVALID;
	n += put_part(head + n, w->table, table);
	n += put_part(head + n, w->column, column);
	n += put_part(head + n, w->row.b, ID_LEN);
	n += put_part(head + n, w->owner.b, ID_LEN);
	n += put_u32(head + n, w->extra_len);
	if (EVP_CipherUpdate(ctx, NULL, &len, head, (int)n) != 1)
		return ERR_INTERNAL;
	if (w->extra_len > 0 && EVP_CipherUpdate(ctx, NULL, &len, w->extra, (int)w->extra_len) != 1)
		return ERR_INTERNAL;
	return ERR_NONE;
}

/* A box: key id, nonce, ciphertext, tag. A key may seal 2^32 values before two random nonces are likely to be the same
 * one with more than 2^-32 (NIST SP 800-38D section 8.3). */
enum err seal_box(const struct seal *s, const struct seal_where *w, const void *plain, size_t n, struct buf *ret)
{
	struct contexts *c = contexts_of(s);
	EVP_CIPHER_CTX *ctx = c ? context_box(s, &c->box, &s->key[0], 1) : NULL;
	int len;

	if (!ctx)
		return ERR_NOMEM;
	if (n > INT_MAX - SEAL_OVERHEAD)
		return ERR_TOOBIG;
	uint8_t *to = buf_room(ret, n + SEAL_OVERHEAD + 1);
	if (!to)
		return ERR_NOMEM;
	to[0] = s->key[0].id;
	enum err r = secret_random(to + 1, NONCE_LEN);
	if (r == ERR_NONE && EVP_CipherInit_ex2(ctx, NULL, NULL, to + 1, 1, NULL) != 1)
		r = ERR_INTERNAL;
	if (r == ERR_NONE)
		r = aad(ctx, w);
	if (r != ERR_NONE)
		return r;
	uint8_t *body = to + 1 + NONCE_LEN;
	if ((n > 0 && EVP_CipherUpdate(ctx, body, &len, plain, (int)n) != 1) ||
	    EVP_CipherFinal_ex(ctx, body + n, &len) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, body + n) != 1)
		return ERR_INTERNAL;
	body[n + TAG_LEN] = '\0';
	ret->len += n + SEAL_OVERHEAD;
	return ERR_NONE;
}

enum err seal_unbox(const struct seal *s, const struct seal_where *w, const void *box, size_t n, struct buf *ret)
{
	const uint8_t *from = box;
	size_t k = 0;
	int len;

	if (n < SEAL_OVERHEAD || n > INT_MAX)
		return ERR_CORRUPT;
	while (k < s->n && s->key[k].id != from[0])
		k++;
	if (k == s->n)
		return ERR_CORRUPT;
	struct contexts *c = contexts_of(s);
	EVP_CIPHER_CTX *ctx = c ? context_box(s, &c->unbox[k], &s->key[k], 0) : NULL;
	n -= SEAL_OVERHEAD;
	uint8_t *to = ctx ? buf_room(ret, n + 1) : NULL;
	if (!to)
		return ERR_NOMEM;
	if (EVP_CipherInit_ex2(ctx, NULL, NULL, from + 1, 0, NULL) != 1)
		return ERR_INTERNAL;
	enum err r = aad(ctx, w);
	if (r != ERR_NONE)
		return r;
	uint8_t tag[TAG_LEN];
	const uint8_t *body = from + 1 + NONCE_LEN;
	memcpy(tag, body + n, TAG_LEN);
	if ((n > 0 && EVP_CipherUpdate(ctx, to, &len, body, (int)n) != 1) ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) != 1 ||
	    EVP_CipherFinal_ex(ctx, to + n, &len) != 1) {
		secret_wipe(to, n + 1);
		return ERR_CORRUPT;
	}
	to[n] = '\0';
	ret->len += n;
	return ERR_NONE;
}

/* ---- MACs ---- */

/* Gathers small parts: an update costs more than the bytes of one. */
struct gather {
	EVP_MAC_CTX *ctx;
	size_t n;
	bool failed;
	uint8_t b[512];
};

static void gather_flush(struct gather *g)
{
	if (g->n > 0 && EVP_MAC_update(g->ctx, g->b, g->n) != 1)
		g->failed = true;
	g->n = 0;
}

static void gather_add(struct gather *g, const void *p, size_t n)
{
	if (n > sizeof(g->b) - g->n)
		gather_flush(g);
	if (n > sizeof(g->b)) {
		if (EVP_MAC_update(g->ctx, p, n) != 1)
			g->failed = true;
	} else if (n > 0) {
		memcpy(g->b + g->n, p, n);
		g->n += n;
	}
}

enum err seal_mac(const struct seal *s, enum seal_purpose p, const struct seal_part *part, size_t n,
		  uint8_t ret[static DIGEST_LEN])
{
	uint8_t mac[DIGEST_LEN], length[4];
	size_t got = 0;

	if ((unsigned)p >= SEAL_PURPOSES)
		return ERR_INVALID;
	for (size_t i = 0; i < n; i++)
		if (part[i].n > UINT32_MAX)
			return ERR_TOOBIG;
	struct contexts *c = contexts_of(s);
	EVP_MAC_CTX *ctx = c ? context_mac(s, &c->mac[p], p) : NULL;
	if (!ctx)
		return ERR_NOMEM;
	struct gather g;
	g.ctx = ctx;
	g.n = 0;
	g.failed = false;
	for (size_t i = 0; i < n; i++) {
		put_u32(length, part[i].n);
		gather_add(&g, length, sizeof(length));
		gather_add(&g, part[i].p, part[i].n);
	}
	gather_flush(&g);
	bool made = !g.failed && EVP_MAC_final(ctx, mac, &got, sizeof(mac)) == 1 && got == DIGEST_LEN;
	if (made)
		memcpy(ret, mac, DIGEST_LEN);
	secret_wipe(&g, sizeof(g));
	return made ? ERR_NONE : ERR_INTERNAL;
}
