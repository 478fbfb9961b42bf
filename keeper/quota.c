/* Things allowed so many times in a window: kept among the counters. */
#include "config.h"

#include "keeper/limits.h"
#include <string.h>

#define KIND_QUOTA 32 /* beside enum factor_kind */

const struct quota quota_birth = {.name = "birth", .most = 5, .window = 86400};
const struct quota quota_address = {.name = "address", .most = 5, .window = 3600, .apart = 60};

static enum err key_of(const struct seal *s, const struct quota *q, const struct id *person, struct counter_key *ret)
{
	uint8_t d[DIGEST_LEN];
	const struct seal_part part[] = {{"quota", 5}, {q->name, strlen(q->name)}};
	enum err e = seal_mac(s, SEAL_COUNTER, part, 2, d);
	*ret = (struct counter_key){.owner = *person, .kind = KIND_QUOTA, .lane = LANE_ALL};
	memcpy(ret->what.b, d, ID_LEN);
	return e;
}

/* counter.seen is the window's start, failures what was taken in it, not_before the next one's time. */
static enum err load(struct store *st, const struct seal *s, const struct quota *q, const struct id *person,
		     int64_t now, struct counter_key *key, struct counter *was, struct counter *c)
{
	enum err e = key_of(s, q, person, key);
	if (!e)
		e = store_counter_get(st, key, was);
	if (e)
		return e;
	*c = *was;
	if (now >= c->seen + q->window || now < c->seen)
		*c = (struct counter){.seen = now};
	return ERR_NONE;
}

static int64_t wait_of(const struct quota *q, const struct counter *c, int64_t now, bool ignore_apart)
{
	if (c->failures >= q->most)
		return c->seen + q->window - now;
	return !ignore_apart && now < c->not_before ? c->not_before - now : 0;
}

enum err limits_take(struct store *st, const struct seal *s, const struct quota *q, const struct id *person,
		     int64_t now, bool ignore_apart, int64_t *ret_wait)
{
	struct counter_key key;
	struct counter was, c;
	enum err e = load(st, s, q, person, now, &key, &was, &c);
	if (e)
		return e;
	int64_t wait = wait_of(q, &c, now, ignore_apart);
	if (wait > 0) {
		*ret_wait = wait;
		return ERR_DENIED;
	}
	c.failures++;
	c.not_before = now + q->apart;
	c.expires = c.seen + q->window;
	e = store_counter_set(st, &key, &was, &c);
	if (!e)
		*ret_wait = wait_of(q, &c, now, false);
	return e == ERR_EXISTS ? ERR_BUSY : e; /* two at one instant: one of them again */
}

enum err limits_look(struct store *st, const struct seal *s, const struct quota *q, const struct id *person,
		     int64_t now, int64_t *ret_wait)
{
	struct counter_key key;
	struct counter was, c;
	enum err e = load(st, s, q, person, now, &key, &was, &c);
	if (!e)
		*ret_wait = wait_of(q, &c, now, false);
	return e;
}

enum err limits_forget(struct store *st, const struct seal *s, const struct quota *q, const struct id *person)
{
	struct counter_key key;
	enum err e = key_of(s, q, person, &key);
	return e ? e : store_counter_clear(st, &key);
}
