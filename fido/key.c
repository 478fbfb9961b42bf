#include "config.h"

#include "common/clock.h"
#include "common/secret.h"
#include "fido/key.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY_HELLO_MS  2000 /* for each step that needs no person */
#define KEY_PINS_MAX  10   /* a key that always says "wrong" */
#define KEY_TOUCH_MAX 3	   /* of fingerprints that are not recognised */
#define KEY_PIN_MIN   4	   /* characters: shorter ones cost no try */
/* What a request holds beside the ids: the relying party's name, the hash, the PIN's token, map keys. */
#define KEY_MESSAGE_REST 512
#define KEY_ID_REST	 40

/* ---- what libfido2 calls for its reports of 64 bytes (CTAP 2.1, section 11.2.4); a handle is the key ---- */
static struct key *key_opening;

static void *key_io_open(const char *path)
{
	(void)path;
	return key_opening;
}

/* The descriptor is closed in key_close. */
static void key_io_close(void *handle)
{
	(void)handle;
}

static int key_io_read(void *handle, unsigned char *p, size_t n, int ms)
{
	struct key *k = handle;
	int64_t until = ms < 0 ? INT64_MAX : clock_mono_ms() + ms;

	if (!watch_wait(&k->talk->watch, k->fd, until))
		return -1;
	ssize_t got = read(k->fd, p, n);
	return got < 0 || (size_t)got != n ? -1 : (int)got;
}

static int key_io_write(void *handle, const unsigned char *p, size_t n)
{
	const struct key *k = handle;
	ssize_t put = write(k->fd, p, n);

	return put < 0 || (size_t)put != n ? -1 : (int)put;
}

void key_init(void)
{
	fido_init(FIDO_DISABLE_U2F_FALLBACK);
}

/* What it takes at once, as it says itself; 0: it does not say. */
static void key_sizes(struct key *k)
{
	fido_cbor_info_t *info = fido_cbor_info_new();
	uint64_t list = 0, message = 0;

	if (info && fido_dev_get_cbor_info(k->dev, info) == FIDO_OK) {
		list = fido_cbor_info_maxcredcntlst(info);
		message = fido_cbor_info_maxmsgsiz(info);
	}
	fido_cbor_info_free(&info);
	k->list_max = list > 0 && list < REQUEST_ALLOW_MAX ? (size_t)list : REQUEST_ALLOW_MAX;
	k->message_max = message > 0 && message < INT_MAX ? (size_t)message : 1024;
}

bool key_open(struct key *k, int fd, struct talk *t)
{
	static const fido_dev_io_t io = {key_io_open, key_io_close, key_io_read, key_io_write};

	*k = (struct key){.fd = fd, .dev = fido_dev_new(), .talk = t};
	key_opening = k;
	if (!k->dev || fido_dev_set_io_functions(k->dev, &io) != FIDO_OK ||
	    fido_dev_set_timeout(k->dev, KEY_HELLO_MS) != FIDO_OK || fido_dev_open(k->dev, "") != FIDO_OK ||
	    !fido_dev_is_fido2(k->dev)) {
		key_close(k);
		return false;
	}
	key_sizes(k);
	return true;
}

void key_close(struct key *k)
{
	if (k->dev)
		fido_dev_close(k->dev);
	fido_dev_free(&k->dev);
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
}

void key_cancel(struct key *k)
{
	(void)fido_dev_cancel(k->dev);
}

/* ---- assertions ---- */
struct asked {
	bool touch, verify; /* wait for a touch; verify by itself */
	const char *pin;    /* or NULL */
	size_t from, n;	    /* which ids */
};

/* Without a touch the hash is of nothing: nobody's challenge is ever signed by a key that lies there untouched. */
static int key_assert(struct key *k, const struct request *q, const struct asked *a, fido_assert_t **ret)
{
	static const uint8_t nothing[REQUEST_HASH_LEN];
	fido_assert_t *f = fido_assert_new();
	int r = f ? fido_assert_set_rp(f, q->rp_id) : FIDO_ERR_INTERNAL;

	if (r == FIDO_OK)
		r = fido_assert_set_clientdata_hash(f, a->touch ? q->hash : nothing, REQUEST_HASH_LEN);
	for (size_t i = a->from; r == FIDO_OK && i < a->from + a->n; i++)
		r = fido_assert_allow_cred(f, q->allow[i].p, q->allow[i].n);
	if (r == FIDO_OK && !a->touch)
		r = fido_assert_set_up(f, FIDO_OPT_FALSE);
	if (r == FIDO_OK && a->verify)
		r = fido_assert_set_uv(f, FIDO_OPT_TRUE);
	if (r == FIDO_OK)
		r = fido_dev_get_assert(k->dev, f, a->pin);
	if (r == FIDO_OK && fido_assert_count(f) != 1)
		r = FIDO_ERR_NO_CREDENTIALS;
	if (r == FIDO_OK) {
		*ret = f;
		return r;
	}
	fido_assert_free(&f);
	return r;
}

/* So many ids from there on as it takes at once. */
static size_t key_chunk(const struct key *k, const struct request *q, size_t from, size_t end)
{
	size_t n = 0, bytes = KEY_MESSAGE_REST + strlen(q->rp_id);

	while (from + n < end && n < k->list_max) {
		bytes += q->allow[from + n].n + KEY_ID_REST;
		if (n > 0 && bytes > k->message_max)
			break;
		n++;
	}
	return n;
}

/* Which of a's ids it signed with. Where it was asked for one alone it may leave that out. */
static size_t key_which(const fido_assert_t *f, const struct request *q, const struct asked *a)
{
	const uint8_t *id = fido_assert_id_ptr(f, 0);
	size_t n = fido_assert_id_len(f, 0);

	if (n == 0 && a->n == 1)
		return a->from;
	for (size_t i = a->from; i < a->from + a->n; i++)
		if (n > 0 && n == q->allow[i].n && memcmp(id, q->allow[i].p, n) == 0)
			return i;
	return q->n;
}

/* Silently; FIDO_OK: k->from is the one it has. */
static int key_probe(struct key *k, const struct request *q, const char *pin)
{
	size_t end = k->from + k->count;

	for (size_t from = k->from, n; from < end; from += n) {
		n = key_chunk(k, q, from, end);
		const struct asked a = {.pin = pin, .from = from, .n = n};
		fido_assert_t *f = NULL;
		int r = key_assert(k, q, &a, &f);
		size_t which = r == FIDO_OK ? key_which(f, q, &a) : q->n;

		fido_assert_free(&f);
		if (which < q->n) {
			k->from = which;
			k->count = 1;
			return FIDO_OK;
		}
		if (r != FIDO_OK && r != FIDO_ERR_NO_CREDENTIALS && r != FIDO_ERR_INVALID_CREDENTIAL)
			return r;
	}
	return FIDO_ERR_NO_CREDENTIALS;
}

enum key_has key_find(struct key *k, const struct request *q)
{
	k->from = 0;
	k->count = q->n;
	switch (key_probe(k, q, NULL)) {
	case FIDO_OK:
		return KEY_HAS;
	case FIDO_ERR_NO_CREDENTIALS:
		return fido_dev_supports_cred_prot(k->dev) && (fido_dev_has_pin(k->dev) || fido_dev_has_uv(k->dev))
			   ? KEY_MAY_HAVE
			   : KEY_HAS_NOT;
	case FIDO_ERR_PIN_REQUIRED: /* some always want to know who it is */
	case FIDO_ERR_UNSUPPORTED_OPTION:
	case FIDO_ERR_UP_REQUIRED:
		return KEY_MAY_HAVE;
	default:
		return KEY_HAS_NOT;
	}
}

static const struct {
	int r;
	enum key_status status;
} key_results[] = {
    {FIDO_OK, KEY_OK},
    {FIDO_ERR_NO_CREDENTIALS, KEY_NOCREDENTIAL},
    {FIDO_ERR_INVALID_CREDENTIAL, KEY_NOCREDENTIAL},
    {FIDO_ERR_ACTION_TIMEOUT, KEY_TIMEOUT},
    {FIDO_ERR_USER_ACTION_TIMEOUT, KEY_TIMEOUT},
    {FIDO_ERR_TIMEOUT, KEY_TIMEOUT},
    {FIDO_ERR_OPERATION_DENIED, KEY_DENIED},
    {FIDO_ERR_NOT_ALLOWED, KEY_DENIED},
    {FIDO_ERR_KEEPALIVE_CANCEL, KEY_CANCELLED},
    {FIDO_ERR_PIN_AUTH_BLOCKED, KEY_PINWAIT},
    {FIDO_ERR_PIN_BLOCKED, KEY_PINBLOCKED},
    {FIDO_ERR_PIN_NOT_SET, KEY_NOPIN},
    {FIDO_ERR_PIN_POLICY_VIOLATION, KEY_NOPIN}, /* it must be changed first */
};

static enum key_status key_result(const struct key *k, int r)
{
	if (r != FIDO_OK && k->talk->watch.stopped)
		return k->talk->watch.why;
	for (size_t i = 0; i < sizeof key_results / sizeof *key_results; i++)
		if (key_results[i].r == r)
			return key_results[i].status;
	return KEY_ERROR;
}

/* libfido2 1.12 gives authenticatorData as the CBOR byte string (RFC 8949, section 3.1) that it came in. */
static bool key_bytes(const uint8_t *p, size_t n, struct buf *ret)
{
	size_t head = n == 0 ? 0 : p[0] == 0x58 ? 2 : p[0] == 0x59 ? 3 : (p[0] & 0xe0) == 0x40 && p[0] < 0x58 ? 1 : 0;

	if (head == 0 || head > n)
		return false;
	size_t len = head == 1 ? p[0] & 0x1fu : head == 2 ? p[1] : (size_t)p[1] << 8 | p[2];
	if (len != n - head)
		return false;
	buf_add(ret, p + head, len);
	return !ret->failed;
}

static enum key_status key_answer(const struct request *q, const struct asked *a, const fido_assert_t *f,
				  struct answer *ret)
{
	size_t which = key_which(f, q, a);

	if (which == q->n || !key_bytes(fido_assert_authdata_ptr(f, 0), fido_assert_authdata_len(f, 0), &ret->authdata))
		return KEY_ERROR;
	buf_add(&ret->id, q->allow[which].p, q->allow[which].n);
	buf_add(&ret->signature, fido_assert_sig_ptr(f, 0), fido_assert_sig_len(f, 0));
	return ret->id.failed || ret->signature.failed || ret->signature.len == 0 ? KEY_ERROR : KEY_OK;
}

/* The step that waits for the person, who has been told. */
static int key_touched(struct key *k, const struct request *q, const char *pin, struct answer *ret,
		       enum key_status *ret_status)
{
	struct watch *w = &k->talk->watch;
	int64_t all = w->deadline, ours = clock_mono_ms() + q->seconds * 1000;
	const struct asked a = {.touch = true,
				.verify = !pin,
				.pin = pin,
				.from = k->from,
				.n = key_chunk(k, q, k->from, k->from + k->count)};
	fido_assert_t *f = NULL;

	w->deadline = ours < all ? ours : all;
	(void)fido_dev_set_timeout(k->dev, -1); /* the watch ends it */
	int r = key_assert(k, q, &a, &f);
	(void)fido_dev_set_timeout(k->dev, KEY_HELLO_MS);
	if (w->stopped)
		key_cancel(k);
	w->deadline = all;
	*ret_status = r == FIDO_OK ? key_answer(q, &a, f, ret) : key_result(k, r);
	fido_assert_free(&f);
	return r;
}

/* True: that is the end. False: by its PIN, then. */
static bool key_sign_itself(struct key *k, const struct request *q, struct answer *ret, enum key_status *ret_status)
{
	for (int i = 0; i < KEY_TOUCH_MAX; i++) {
		*ret_status = KEY_CANCELLED;
		if (!talk_touch(k->talk, false))
			return true;
		switch (key_touched(k, q, NULL, ret, ret_status)) {
		case FIDO_ERR_UV_INVALID:
			continue;
		case FIDO_ERR_UV_BLOCKED:
		case FIDO_ERR_PIN_REQUIRED:
		case FIDO_ERR_UNSUPPORTED_OPTION:
		case FIDO_ERR_INVALID_OPTION:
			return false;
		default:
			return true;
		}
	}
	return false;
}

static size_t key_characters(const char *utf8)
{
	size_t n = 0;

	for (; *utf8 != '\0'; utf8++)
		n += (*utf8 & 0xc0) != 0x80;
	return n;
}

/* Asks until it is right. It is tried without a touch, so that nobody touches the key in vain; k->from is then the
 * credential that it has. */
static enum key_status key_right_pin(struct key *k, const struct request *q, struct buf *ret_pin)
{
	bool wrong = false;

	for (int i = 0; i < KEY_PINS_MAX; i++) {
		int tries = 0, r = fido_dev_get_retry_count(k->dev, &tries);

		if (r != FIDO_OK || tries <= 0)
			return r != FIDO_OK ? key_result(k, r) : KEY_PINBLOCKED;
		enum key_status s = talk_pin(k->talk, tries, wrong, ret_pin);
		if (s != KEY_OK)
			return s;
		const char *pin = buf_str(ret_pin);
		if (!pin)
			return KEY_ERROR;
		wrong = true;
		if (key_characters(pin) < KEY_PIN_MIN)
			continue;
		r = key_probe(k, q, pin);
		if (r != FIDO_ERR_PIN_INVALID)
			return key_result(k, r);
	}
	return KEY_CANCELLED;
}

enum key_status key_sign(struct key *k, const struct request *q, struct answer *ret)
{
	AUTO_BUF pin = BUF_INIT;
	enum key_status s = KEY_NOPIN;

	if (fido_dev_has_uv(k->dev) && key_sign_itself(k, q, ret, &s))
		return s;
	if (!fido_dev_has_pin(k->dev))
		return KEY_NOPIN;
	s = key_right_pin(k, q, &pin);
	if (s == KEY_OK && !talk_touch(k->talk, false))
		s = KEY_CANCELLED;
	if (s == KEY_OK)
		(void)key_touched(k, q, buf_str(&pin), ret, &s);
	return s;
}
