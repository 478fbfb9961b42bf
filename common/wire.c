#include "config.h"

#include "common/clock.h"
#include "common/secret.h"
#include "common/wire.h"
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define NAME_MAX_LEN 63
#define COUNT(array) (sizeof(array) / sizeof *(array))
#define KIND_AT	     (WIRE_HEAD + 4)
#define LEAST	     (4 + 3 + 2) /* id, a name of one byte, no fields */

/* While a message is written its count also remembers what went wrong; both are over WIRE_FIELDS. */
#define COUNT_BAD 0xffffu /* a bad or repeated name */
#define COUNT_BIG 0xfffeu

static uint16_t get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)get_u16(p) << 16 | get_u16(p + 2);
}

static void set_u16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static bool name_valid(const void *name, size_t n)
{
	const uint8_t *p = name;

	if (n < 1 || n > NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < n; i++) {
		uint8_t c = p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
			return false;
	}
	return true;
}

/* Finds repeated names in a message of many fields without comparing each with each. */
struct seen {
	const uint8_t *base;
	uint32_t slot[2 * WIRE_FIELDS]; /* where a name stands behind base, 0: free; never more than half full */
};

static bool seen_before(struct seen *s, const uint8_t *name)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (const uint8_t *p = name; *p; p++)
		hash = (hash ^ *p) * 16777619u;
	for (size_t i = hash % COUNT(s->slot);; i = (i + 1) % COUNT(s->slot)) {
		if (s->slot[i] == 0) {
			s->slot[i] = (uint32_t)(name - s->base);
			return false;
		}
		if (strcmp((const char *)s->base + s->slot[i], (const char *)name) == 0)
			return true;
	}
}

static void add_name(struct buf *b, const char *name, size_t n)
{
	buf_addc(b, (char)n);
	buf_add(b, name, n + 1);
}

/* Where the count of fields stands in a message that wire_begin began; NULL if there is no such message. */
static uint8_t *count_at(const struct buf *b)
{
	if (b->failed || b->len < WIRE_HEAD + LEAST)
		return NULL;
	return b->data + KIND_AT + 1 + b->data[KIND_AT] + 1;
}

void wire_begin(struct buf *b, uint32_t id, const char *kind)
{
	size_t n = strlen(kind);
	bool good = name_valid(kind, n);

	buf_wipe(b);
	buf_add_u32(b, 0);
	buf_add_u32(b, id);
	add_name(b, good ? kind : "x", good ? n : 1);
	buf_add_u16(b, good ? 0 : COUNT_BAD);
}

void wire_put(struct buf *b, const char *name, const void *data, size_t len)
{
	uint8_t *count = count_at(b);
	size_t n = strlen(name);
	unsigned fields;

	if (!count)
		return;
	fields = get_u16(count);
	if (fields > WIRE_FIELDS)
		return;
	if (!name_valid(name, n)) {
		set_u16(count, COUNT_BAD);
		return;
	}
	if (fields == WIRE_FIELDS || len > WIRE_MAX || b->len + n + len > WIRE_HEAD + WIRE_MAX) {
		set_u16(count, COUNT_BIG);
		return;
	}
	set_u16(count, fields + 1); /* before the appends: they may move the block */
	add_name(b, name, n);
	buf_add_u32(b, (uint32_t)len);
	buf_add(b, data, len);
	buf_addc(b, '\0');
}

void wire_puts(struct buf *b, const char *name, const char *s)
{
	if (s)
		wire_put(b, name, s, strlen(s));
}

void wire_puti(struct buf *b, const char *name, int64_t v)
{
	char t[24];

	if (snprintf(t, sizeof t, "%" PRId64, v) < 0)
		b->failed = true;
	else
		wire_puts(b, name, t);
}

/* Of a whole message; its fields begin at p. */
static bool names_repeat(const struct buf *b, const uint8_t *p)
{
	struct seen seen = {.base = b->data};

	while (p < b->data + b->len) {
		if (seen_before(&seen, p + 1))
			return true;
		p += 1 + (size_t)p[0] + 1;
		p += 4 + (size_t)get_u32(p) + 1;
	}
	return false;
}

enum err wire_end(struct buf *b)
{
	uint8_t *count = count_at(b);
	size_t len;

	if (b->failed)
		return ERR_NOMEM;
	if (!count || get_u16(count) == COUNT_BAD)
		return ERR_INVALID;
	len = b->len - WIRE_HEAD;
	if (get_u16(count) > WIRE_FIELDS || len > WIRE_MAX)
		return ERR_TOOBIG;
	if (names_repeat(b, count + 2))
		return ERR_INVALID;
	set_u16(b->data, (unsigned)(len >> 16));
	set_u16(b->data + 2, (unsigned)(len & 0xffff));
	return ERR_NONE;
}

size_t wire_length(const uint8_t head[static WIRE_HEAD])
{
	uint32_t len = get_u32(head);

	return len < LEAST || len > WIRE_MAX ? 0 : len;
}

struct reader {
	const uint8_t *p;
	size_t left;
};

/* The next n bytes, or NULL if there are fewer. */
static const uint8_t *take(struct reader *r, size_t n)
{
	const uint8_t *p = r->p;

	if (n > r->left)
		return NULL;
	r->p += n;
	r->left -= n;
	return p;
}

static const char *take_name(struct reader *r)
{
	const uint8_t *n = take(r, 1);
	const uint8_t *name = n ? take(r, (size_t)*n + 1) : NULL;

	if (!name || name[*n] != '\0' || !name_valid(name, *n))
		return NULL;
	return (const char *)name;
}

static bool take_field(struct reader *r, struct wire_msg *m, struct seen *seen)
{
	const char *name = take_name(r);
	const uint8_t *len = name ? take(r, 4) : NULL;
	size_t n = len ? get_u32(len) : 0;
	const uint8_t *data = len && n < r->left ? take(r, n + 1) : NULL;

	if (!data || data[n] != '\0' || seen_before(seen, (const uint8_t *)name))
		return false;
	m->field[m->n++] = (struct wire_field){.name = name, .data = data, .len = n};
	return true;
}

enum err wire_parse(const uint8_t *p, size_t len, struct wire_msg *ret)
{
	struct reader r = {p, len};
	struct seen seen = {.base = p};
	const uint8_t *id = take(&r, 4);
	const uint8_t *count;
	unsigned fields;

	ret->n = 0;
	ret->kind = id ? take_name(&r) : NULL;
	count = ret->kind ? take(&r, 2) : NULL;
	if (!count || len > WIRE_MAX)
		return ERR_INVALID;
	ret->id = get_u32(id);
	fields = get_u16(count);
	if (fields > WIRE_FIELDS)
		return ERR_INVALID;
	while (ret->n < fields)
		if (!take_field(&r, ret, &seen))
			return ERR_INVALID;
	return r.left == 0 ? ERR_NONE : ERR_INVALID;
}

const struct wire_field *wire_get(const struct wire_msg *m, const char *name)
{
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->field[i].name, name) == 0)
			return &m->field[i];
	return NULL;
}

const char *wire_str(const struct wire_msg *m, const char *name)
{
	const struct wire_field *f = wire_get(m, name);

	if (!f || memchr(f->data, '\0', f->len))
		return NULL;
	return (const char *)f->data;
}

enum err wire_int(const struct wire_msg *m, const char *name, int64_t *ret)
{
	const struct wire_field *f = wire_get(m, name);
	bool minus;
	int64_t v = 0;

	if (!f)
		return ERR_NOTFOUND;
	minus = f->len > 0 && f->data[0] == '-';
	if (f->len == minus)
		return ERR_INVALID;
	/* Summed up below zero, where INT64_MIN fits. */
	for (size_t i = minus; i < f->len; i++) {
		uint8_t c = f->data[i];

		if (c < '0' || c > '9' || __builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, c - '0', &v))
			return ERR_INVALID;
	}
	if (!minus && v == INT64_MIN)
		return ERR_INVALID;
	*ret = minus ? v : -v;
	return ERR_NONE;
}

/* Milliseconds, 0 if it has passed. A clock that cannot be read (it says 0) leaves no time: nobody waits for ever. */
static int64_t time_left(int64_t deadline_ms)
{
	int64_t now = clock_mono_ms();

	return now == 0 || now >= deadline_ms ? 0 : deadline_ms - now;
}

static enum err wait_ready(int fd, short events, int64_t deadline_ms)
{
	struct pollfd p = {.fd = fd, .events = events};

	for (;;) {
		int64_t left = time_left(deadline_ms);
		int n;

		if (left == 0)
			return ERR_TIMEOUT;
		n = poll(&p, 1, left > INT_MAX ? INT_MAX : (int)left);
		if (n > 0)
			return ERR_NONE; /* an error or hang-up comes out of the transfer itself */
		if (n < 0 && errno != EINTR)
			return ERR_IO;
	}
}

/* What to do after a transfer that moved nothing: wait and try again (ERR_NONE), or give up. */
static enum err retry(int fd, short events, int64_t deadline_ms)
{
	if (errno == EINTR)
		return time_left(deadline_ms) > 0 ? ERR_NONE : ERR_TIMEOUT;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return wait_ready(fd, events, deadline_ms);
	return ERR_IO;
}

enum err wire_send(int fd, const struct buf *frame, int64_t deadline_ms)
{
	size_t done = 0;

	if (frame->failed || frame->len < WIRE_HEAD || wire_length(frame->data) != frame->len - WIRE_HEAD)
		return ERR_INVALID;
	while (done < frame->len) {
		ssize_t n = send(fd, frame->data + done, frame->len - done, MSG_NOSIGNAL | MSG_DONTWAIT);
		enum err e = ERR_NONE;

		if (n > 0)
			done += (size_t)n;
		else /* 0 is nothing that send says, but the deadline holds for it too */
			e = n < 0 ? retry(fd, POLLOUT, deadline_ms) : wait_ready(fd, POLLOUT, deadline_ms);
		if (e != ERR_NONE)
			return e;
	}
	return ERR_NONE;
}

static enum err receive(int fd, uint8_t *p, size_t n, int64_t deadline_ms)
{
	while (n > 0) {
		ssize_t got = recv(fd, p, n, MSG_DONTWAIT);
		enum err e;

		if (got == 0) {
			errno = ECONNRESET;
			return ERR_IO;
		}
		e = got < 0 ? retry(fd, POLLIN, deadline_ms) : ERR_NONE;
		if (e != ERR_NONE)
			return e;
		if (got > 0) {
			p += got;
			n -= (size_t)got;
		}
	}
	return ERR_NONE;
}

enum err wire_recv(int fd, struct buf *ret, int64_t deadline_ms)
{
	uint8_t head[WIRE_HEAD], *to;
	size_t len;
	enum err e = receive(fd, head, sizeof head, deadline_ms);

	if (e != ERR_NONE)
		return e;
	len = wire_length(head);
	if (len == 0)
		return ERR_INVALID;
	to = buf_room(ret, len);
	if (!to)
		return ERR_NOMEM;
	e = receive(fd, to, len, deadline_ms);
	if (e != ERR_NONE) {
		int saved = errno;

		secret_wipe(to, len);
		errno = saved;
		return e;
	}
	to[len] = '\0';
	ret->len += len;
	return ERR_NONE;
}

/* A Unix connect never says EINPROGRESS: with a full backlog it blocks, for SO_SNDTIMEO at most. */
static enum err connect_until(int fd, const struct sockaddr_un *sa, int64_t deadline_ms)
{
	for (;;) {
		int64_t left = time_left(deadline_ms);
		struct timeval tv = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};

		if (left == 0)
			return ERR_TIMEOUT;
		if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv) < 0)
			return ERR_IO;
		if (connect(fd, (const struct sockaddr *)sa, sizeof *sa) == 0 || errno == EISCONN)
			return ERR_NONE;
		if (errno != EINTR && errno != EAGAIN)
			return ERR_IO;
	}
}

enum err wire_connect(const char *path, int64_t deadline_ms, int *ret_fd)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	const struct timeval none = {0};
	size_t n = strlen(path);
	enum err e;
	int fd, saved;

	if (n == 0 || n >= sizeof sa.sun_path)
		return ERR_INVALID;
	memcpy(sa.sun_path, path, n + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ERR_IO;
	e = connect_until(fd, &sa, deadline_ms);
	if (e == ERR_NONE && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none) < 0)
		e = ERR_IO;
	if (e != ERR_NONE) {
		saved = errno;
		close(fd);
		errno = saved;
		return e;
	}
	*ret_fd = fd;
	return ERR_NONE;
}
