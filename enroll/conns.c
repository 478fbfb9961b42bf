#include "config.h"

#include "common/clock.h"
#include "enroll/conns.h"
#include <errno.h>
#include <linux/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define CONNS_TICK_MS 500
#define CONNS_BUCKETS 1024

/* How many of an address there are. */
struct tally {
	struct tally *next;
	struct address a;
	unsigned n;
};

struct conn {
	struct conn *next, *prev;
	int fd;
	bool counted, idle;
	struct address a;
	int64_t deadline; /* INT64_MAX: none */
	uint64_t seen;	  /* bytes that had come when it became idle */
};

struct conns {
	pthread_t thread;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t wake;
	bool stopping;
	struct conn *first;
	struct tally *bucket[CONNS_BUCKETS];
};

/* An IPv6 client owns a /64. */
static struct address conns_key(const struct address *a)
{
	struct address k = *a;

	if (!IN6_IS_ADDR_V4MAPPED(&k.a))
		memset(k.a.s6_addr + 8, 0, 8);
	return k;
}

static struct tally **conns_tally(struct conns *cs, const struct address *key)
{
	uint32_t h = 2166136261u;
	struct tally **t;

	for (size_t i = 0; i < 16; i++)
		h = (h ^ key->a.s6_addr[i]) * 16777619u;
	t = &cs->bucket[(h ^ h >> 16) % CONNS_BUCKETS];
	while (*t && memcmp(&(*t)->a, key, sizeof *key) != 0)
		t = &(*t)->next;
	return t;
}

static bool conns_count(struct conns *cs, const struct address *key)
{
	struct tally **t = conns_tally(cs, key);

	if (!*t) {
		*t = calloc(1, sizeof **t);
		if (!*t)
			return false;
		(*t)->a = *key;
	}
	(*t)->n++;
	return true;
}

static void conns_uncount(struct conns *cs, const struct address *key)
{
	struct tally **t = conns_tally(cs, key), *gone = *t;

	if (!gone || --gone->n > 0)
		return;
	*t = gone->next;
	free(gone);
}

bool conns_room(struct conns *cs, const struct address *a)
{
	struct address key = conns_key(a);
	struct tally *t;
	bool room;

	pthread_mutex_lock(&cs->lock);
	t = *conns_tally(cs, &key);
	room = !t || t->n < CONNS_ADDRESS_MAX;
	pthread_mutex_unlock(&cs->lock);
	return room;
}

bool conns_enter(struct conns *cs, const struct address *a)
{
	struct address key = conns_key(a);
	struct tally *t;
	bool entered;

	pthread_mutex_lock(&cs->lock);
	t = *conns_tally(cs, &key);
	entered = (!t || t->n < CONNS_ADDRESS_MAX) && conns_count(cs, &key);
	pthread_mutex_unlock(&cs->lock);
	return entered;
}

void conns_leave(struct conns *cs, const struct address *a)
{
	struct address key = conns_key(a);

	pthread_mutex_lock(&cs->lock);
	conns_uncount(cs, &key);
	pthread_mutex_unlock(&cs->lock);
}

/* Bytes that have come over a connection; 0 where the kernel does not say (a Unix socket: there a proxy stands in
 * front, which passes on whole heads). */
static uint64_t conns_bytes(int fd)
{
	struct tcp_info info = {0};
	socklen_t n = sizeof info;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) < 0)
		return 0;
	return info.tcpi_bytes_received;
}

/* ---- deadlines ---- */

static void conns_check(struct conn *c, int64_t now)
{
	if (c->idle) {
		uint64_t bytes = conns_bytes(c->fd);

		if (bytes > c->seen) { /* a request line has begun to come */
			c->idle = false;
			c->deadline = now + CONNS_REQUEST_MS;
		}
	}
	if (c->deadline <= now) {
		/* libmicrohttpd sees the end of the stream and cleans up; it closes the descriptor after conns_remove.
		 */
		shutdown(c->fd, SHUT_RDWR);
		c->deadline = INT64_MAX;
	}
}

static void *conns_run(void *arg)
{
	struct conns *cs = arg;

	pthread_mutex_lock(&cs->lock);
	while (!cs->stopping) {
		struct timespec t;
		int64_t now;

		if (!cs->first) {
			pthread_cond_wait(&cs->wake, &cs->lock);
			continue;
		}
		clock_gettime(CLOCK_MONOTONIC, &t);
		t.tv_nsec += CONNS_TICK_MS * 1000000L;
		t.tv_sec += t.tv_nsec / 1000000000L;
		t.tv_nsec %= 1000000000L;
		pthread_cond_timedwait(&cs->wake, &cs->lock, &t);
		now = clock_mono_ms();
		for (struct conn *c = cs->first; c; c = c->next)
			conns_check(c, now);
	}
	pthread_mutex_unlock(&cs->lock);
	return NULL;
}

enum err conns_start(struct conns **ret, struct errmsg *m)
{
	struct conns *cs = calloc(1, sizeof *cs);
	pthread_condattr_t attr;
	int error;

	if (!cs)
		return err_set(m, ERR_NOMEM, "out of memory");
	pthread_mutex_init(&cs->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&cs->wake, &attr);
	pthread_condattr_destroy(&attr);
	error = pthread_create(&cs->thread, NULL, conns_run, cs);
	if (error) {
		pthread_cond_destroy(&cs->wake);
		pthread_mutex_destroy(&cs->lock);
		free(cs);
		return err_set(m, ERR_IO, "cannot start the thread of the deadlines: %s", strerror(error));
	}
	*ret = cs;
	return ERR_NONE;
}

void conns_free(struct conns *cs)
{
	if (!cs)
		return;
	pthread_mutex_lock(&cs->lock);
	cs->stopping = true;
	pthread_cond_signal(&cs->wake);
	pthread_mutex_unlock(&cs->lock);
	pthread_join(cs->thread, NULL);
	for (size_t i = 0; i < CONNS_BUCKETS; i++) {
		for (struct tally *t = cs->bucket[i], *next; t; t = next) {
			next = t->next;
			free(t);
		}
	}
	pthread_cond_destroy(&cs->wake);
	pthread_mutex_destroy(&cs->lock);
	free(cs);
}

struct conn *conns_add(struct conns *cs, int fd, const struct address *a)
{
	struct conn *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->fd = fd;
	c->idle = true;
	c->deadline = clock_mono_ms() + CONNS_IDLE_MS;
	if (a)
		c->a = conns_key(a);
	pthread_mutex_lock(&cs->lock);
	c->counted = a && conns_count(cs, &c->a);
	c->next = cs->first;
	if (c->next)
		c->next->prev = c;
	else
		pthread_cond_signal(&cs->wake);
	cs->first = c;
	pthread_mutex_unlock(&cs->lock);
	return c;
}

void conns_remove(struct conns *cs, struct conn *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&cs->lock);
	if (c->counted)
		conns_uncount(cs, &c->a);
	if (c->prev)
		c->prev->next = c->next;
	else
		cs->first = c->next;
	if (c->next)
		c->next->prev = c->prev;
	pthread_mutex_unlock(&cs->lock);
	free(c);
}

void conns_request(struct conns *cs, struct conn *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&cs->lock);
	if (c->idle) /* else its first byte was seen before, and counts */
		c->deadline = clock_mono_ms() + CONNS_REQUEST_MS;
	c->idle = false;
	pthread_mutex_unlock(&cs->lock);
}

static void conns_until(struct conns *cs, struct conn *c, int64_t deadline)
{
	if (!c)
		return;
	pthread_mutex_lock(&cs->lock);
	c->deadline = deadline;
	pthread_mutex_unlock(&cs->lock);
}

void conns_working(struct conns *cs, struct conn *c)
{
	conns_until(cs, c, INT64_MAX);
}

void conns_answer(struct conns *cs, struct conn *c)
{
	conns_until(cs, c, clock_mono_ms() + CONNS_ANSWER_MS);
}

void conns_idle(struct conns *cs, struct conn *c)
{
	uint64_t bytes;

	if (!c)
		return;
	bytes = conns_bytes(c->fd);
	pthread_mutex_lock(&cs->lock);
	c->idle = true;
	c->seen = bytes;
	c->deadline = clock_mono_ms() + CONNS_IDLE_MS;
	pthread_mutex_unlock(&cs->lock);
}
