#include "config.h"

#include "keeper/limits.h"
#include <string.h>

/* Under this many failures the wait begins when the attempt proved wrong, so that two logins at one instant do not shut
 * each other out; from here on it begins when the attempt is counted, so that a burst gains nothing. */
#define FREE_BURST 3

const struct quota quota_birth = {.name = "birth", .most = 5, .window = 86400};
const struct quota quota_address = {.name = "address", .most = 5, .window = 3600, .apart = 60};
const struct quota quota_guard = {.name = "guard", .most = 5, .window = 3600, .apart = 60};
const struct quota quota_guard_hour = {.name = "guard-hour", .most = 5, .window = 3600};
const struct quota quota_guard_day = {.name = "guard-day", .most = 20, .window = 86400};

static enum err key_make(const struct seal *s, const char *what, const void *who, size_t n, int kind,
			 uint8_t ret[static DIGEST_LEN])
{
	const uint8_t k = (uint8_t)kind;
	const struct seal_part part[] = {{what, strlen(what)}, {who, n}, {&k, 1}};
	return seal_mac(s, SEAL_COUNTER, part, 3, ret);
}

enum err limits_for_person(const struct seal *s, const struct id *person, enum factor_kind kind, struct limit *ret)
{
	memset(ret, 0, sizeof *ret);
	return key_make(s, "person", person->b, ID_LEN, kind, ret->key);
}

enum err limits_for_unknown(const struct seal *s, const char *login, enum factor_kind kind, struct limit *ret)
{
	uint8_t d[DIGEST_LEN];
	memset(ret, 0, sizeof *ret);
	enum err e = key_make(s, "name", login, strlen(login), 0, d);
	if (e)
		return e;
	unsigned bucket = ((unsigned)d[0] << 8 | d[1]) % LIMITS_BUCKETS;
	return key_make(s, "bucket", &bucket, sizeof bucket, kind, ret->key);
}

/* Never longer than the last wait: while one counter serves everybody who types a name, a longer one would let any
 * stranger lock its owner out. */
int64_t limits_wait(int64_t failures)
{
	static const struct {
		int64_t under, wait;
	} table[] = {{1, 0}, {3, 1}, {9, 3}, {25, 5}, {INT64_MAX, 10}};
	size_t i = 0;
	while (failures >= table[i].under)
		i++;
	return table[i].wait;
}

enum err limits_count(struct store *st, struct limit *l, int64_t now)
{
	enum err e = store_counter_get(st, l->key, &l->counter);
	if (e)
		return e;
	if (now < l->counter.seen) { /* the clock was ahead: what it noted must not bind until it is there again */
		int64_t latest = now + limits_wait(l->counter.failures);
		l->counter.seen = now;
		if (l->counter.not_before > latest)
			l->counter.not_before = latest;
		e = store_counter_set(st, l->key, &l->counter);
		if (e)
			return e;
	}
	if (now < l->counter.not_before)
		return ERR_DENIED;
	l->counter.failures++;
	l->counter.seen = now;
	if (l->counter.failures >= FREE_BURST)
		l->counter.not_before = now + limits_wait(l->counter.failures);
	return store_counter_set(st, l->key, &l->counter);
}

enum err limits_wrong(struct store *st, const struct limit *l, int64_t now)
{
	struct counter c;
	enum err e = store_counter_get(st, l->key, &c);
	if (e)
		return e;
	if (c.failures < l->counter.failures) /* a right one cleared it meanwhile: this one still counts */
		c.failures++;
	c.seen = now;
	int64_t until = now + limits_wait(c.failures);
	if (c.not_before < until)
		c.not_before = until;
	return store_counter_set(st, l->key, &c);
}

enum err limits_clear(struct store *st, const struct limit *l)
{
	return store_counter_clear(st, l->key);
}

/* counter.seen is the window's start, failures what was taken in it, not_before the next one's time. */
static enum err quota_load(struct store *st, const struct seal *s, const struct quota *q, const struct id *person,
			   int64_t now, uint8_t key[static DIGEST_LEN], struct counter *c)
{
	enum err e = key_make(s, q->name, person->b, ID_LEN, 0, key);
	if (!e)
		e = store_counter_get(st, key, c);
	if (!e && (now >= c->seen + q->window || now < c->seen))
		*c = (struct counter){.seen = now};
	return e;
}

static int64_t quota_wait(const struct quota *q, const struct counter *c, int64_t now, bool ignore_apart)
{
	if (c->failures >= q->most)
		return c->seen + q->window - now;
	return !ignore_apart && now < c->not_before ? c->not_before - now : 0;
}

enum err limits_take(struct store *st, const struct seal *s, const struct quota *q, const struct id *person,
		     int64_t now, bool ignore_apart, int64_t *ret_wait)
{
	uint8_t key[DIGEST_LEN];
	struct counter c;
	enum err e = quota_load(st, s, q, person, now, key, &c);
	if (e)
		return e;
	int64_t wait = quota_wait(q, &c, now, ignore_apart);
	if (wait > 0) {
		*ret_wait = wait;
		return ERR_DENIED;
	}
	c.failures++;
	c.not_before = now + q->apart;
	e = store_counter_set(st, key, &c);
	if (!e)
		*ret_wait = quota_wait(q, &c, now, false);
	return e;
}

enum err limits_look(struct store *st, const struct seal *s, const struct quota *q, const struct id *person,
		     int64_t now, int64_t *ret_wait)
{
	uint8_t key[DIGEST_LEN];
	struct counter c;
	enum err e = quota_load(st, s, q, person, now, key, &c);
	if (!e)
		*ret_wait = quota_wait(q, &c, now, false);
	return e;
}

enum err limits_forget(struct store *st, const struct seal *s, const struct quota *q, const struct id *person)
{
	uint8_t key[DIGEST_LEN];
	enum err e = key_make(s, q->name, person->b, ID_LEN, 0, key);
	return e ? e : store_counter_clear(st, key);
}
