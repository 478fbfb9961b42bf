#include "config.h"

#include "keeper/limits.h"
#include <string.h>

/* Under this many failures the wait begins when the attempt proved wrong, so that two logins at one instant do not shut
 * each other out; from here on it begins when the attempt is counted, so that a burst gains nothing. */
#define FREE_BURST 3

#define KIND_ADDRESS  33 /* beside enum factor_kind */
#define EXEMPT_ROOM   10
#define PREFIX_V4     128 /* /32 */
#define PREFIX_V6     64
#define ADDRESS_DECAY 30  /* seconds in which an address's counter falls by one */
#define ADDRESS_MOST  260 /* it grows no further: it has decayed within 130 minutes */
#define LANE_KEPT     (30 * 86400)
#define REOPENED      90   /* what a lane counts from once it is open again: ten tries a day */
#define REPORT_EVERY  3600 /* a row in the audit for the refusals of so many seconds */
#define LEARN_AGAIN   86400
#define FOREVER	      INT64_MAX

/* ---- keys ---- */

/* Keyed digests of what must not stand in the store, bound to whom it is kept for (NULL: nobody). */
static enum err digest(const struct seal *s, const char *name, const struct id *person, const void *p, size_t n,
		       struct id *ret)
{
	uint8_t d[DIGEST_LEN];
	const struct seal_part part[] = {
	    {name, strlen(name)}, {person ? person->b : NULL, person ? ID_LEN : 0}, {p, n}};
	enum err e = seal_mac(s, SEAL_COUNTER, part, 3, d);
	if (!e)
		memcpy(ret->b, d, ID_LEN);
	return e;
}

enum err limits_bucket(const struct seal *s, const char *login, struct id *ret)
{
	struct id d = {{0}};
	enum err e = digest(s, "name", NULL, login, strlen(login), &d);
	unsigned n = ((unsigned)d.b[0] << 8 | d.b[1]) % LIMITS_BUCKETS;
	return e ? e : digest(s, "bucket", NULL, &n, sizeof n, ret);
}

static enum err device_of(const struct seal *s, const struct origin *o, const struct id *person, struct id *ret)
{
	return digest(s, "device", person, o->device, sizeof o->device, ret);
}

static enum err address_of(const struct seal *s, const struct origin *o, const struct id *person, struct id *ret)
{
	return digest(s, "address", person, o->from.b, sizeof o->from.b, ret);
}

/* ---- lanes ---- */

static enum err known(struct store *st, struct counter_key *k, enum known_kind kind, enum lane lane, int64_t now)
{
	int64_t seen;
	enum err e = store_known_is(st, &k->owner, kind, &k->what, now, &seen);
	if (!e)
		k->lane = lane;
	return e == ERR_NOTFOUND ? ERR_NONE : e;
}

/* The lookups are the same for a bucket, which never knows anybody. */
static enum err choose(struct store *st, const struct seal *s, const struct origin *o, struct counter_key *k,
		       int64_t now)
{
	enum err e = ERR_NONE;
	if (o->has_device) {
		e = device_of(s, o, &k->owner, &k->what);
		if (!e)
			e = known(st, k, KNOWN_DEVICE, LANE_DEVICE, now);
	}
	if (!e && !k->lane && o->has_link) {
		k->lane = LANE_LINK;
		memcpy(k->what.b, o->link, ID_LEN);
	}
	if (!e && !k->lane && o->has_key) {
		k->lane = LANE_KEY;
		memcpy(k->what.b, o->key, ID_LEN);
	}
	if (!e && !k->lane && o->has_from) {
		e = address_of(s, o, &k->owner, &k->what);
		if (!e)
			e = known(st, k, KNOWN_ADDRESS, LANE_ADDRESS, now);
	}
	if (!e && !k->lane) {
		k->lane = o->own_uid ? LANE_UID : o->local ? LANE_LOCAL : o->exempt ? LANE_EXEMPT : LANE_STRANGER;
		k->what = (struct id){{0}};
	}
	return e;
}

enum err limits_for(struct store *st, const struct seal *s, const struct origin *o, const struct id *person,
		    const char *login, enum factor_kind kind, int64_t now, struct limit *ret)
{
	struct limit l = {.key.kind = kind, .person = person != NULL, .address_room = o->exempt ? EXEMPT_ROOM : 1};
	enum err e = ERR_NONE;
	if (person)
		l.key.owner = *person;
	else
		e = limits_bucket(s, login, &l.key.owner);
	if (!e)
		e = choose(st, s, o, &l.key, now);
	l.room = l.key.lane == LANE_EXEMPT ? EXEMPT_ROOM : 1;
	if (!e && o->remote && l.key.lane >= LANE_ADDRESS && l.key.lane != LANE_UID && l.key.lane != LANE_LOCAL &&
	    l.key.lane != LANE_LINK) {
		struct net_address from = o->from;
		net_mask(&from, net_v4(&from) ? PREFIX_V4 : PREFIX_V6);
		l.counts = true;
		l.address.kind = KIND_ADDRESS;
		l.address.lane = LANE_ALL;
		e = digest(s, "network", NULL, from.b, sizeof from.b, &l.address.owner);
	}
	if (!e)
		*ret = l;
	return e;
}

bool limits_known(struct store *st, const struct limit *l, int64_t now)
{
	struct counter c;
	return !store_counter_get(st, &l->key, &c) && now >= c.not_before && l->person &&
	       l->key.lane != LANE_STRANGER && l->key.lane != LANE_EXEMPT;
}

/* ---- waits ---- */

struct step {
	int64_t under, wait;
};

static int64_t step_wait(const struct step *s, int64_t n)
{
	while (n >= s->under)
		s++;
	return s->wait;
}

int64_t limits_wait(int64_t failures)
{
	static const struct step table[] = {{1, 0}, {3, 1}, {9, 3}, {25, 5}, {INT64_MAX, 10}};
	return step_wait(table, failures);
}

/* Recovery codes are too long to be guessed: they may have to wait, but they are the way out, and stay open. */
static bool closes(const struct limit *l, int64_t failures)
{
	return l->key.kind != FACTOR_RECOVERY && failures >= LIMITS_CLOSES * l->room;
}

static int64_t lane_wait(const struct limit *l, int64_t failures)
{
	int64_t n = failures / l->room;
	return closes(l, failures) ? LIMITS_CLOSED_FOR : limits_wait(n ? n : failures > 0);
}

static int64_t address_wait(const struct limit *l, int64_t failures)
{
	static const struct step table[] = {{40, 0}, {60, 5}, {80, 30}, {120, 120}, {200, 300}, {INT64_MAX, 900}};
	return step_wait(table, failures / l->address_room);
}

/* The clock was ahead: what it noted must not bind until it is there again. */
static void clock_back(struct counter *c, int64_t wait, int64_t now)
{
	if (c->seen <= now)
		return;
	c->seen = now;
	if (c->not_before > now + wait)
		c->not_before = now + wait;
	if (c->refused_from > now)
		c->refused_from = now;
}

/* ---- refusals: the audit gets the first one, and their number when an hour is over ---- */

static int64_t refused(struct counter *c, int64_t now)
{
	int64_t n = c->refused;
	c->refused++;
	if (n && now < c->refused_from + REPORT_EVERY && now >= c->refused_from)
		return 0;
	c->refused = 1;
	c->refused_from = now;
	return n > 1 ? n : 1;
}

/* ---- the address ---- */

static enum err address_load(struct store *st, const struct limit *l, int64_t now, struct counter *was,
			     struct counter *c)
{
	enum err e = store_counter_get(st, &l->address, was);
	if (e)
		return e;
	*c = *was;
	clock_back(c, address_wait(l, c->failures), now);
	int64_t fallen = (now - c->seen) * l->address_room / ADDRESS_DECAY;
	if (fallen < c->failures) {
		c->failures -= fallen;
		c->seen += fallen * ADDRESS_DECAY / l->address_room; /* the rest counts: a busy address decays too */
	} else {
		c->failures = 0;
		c->seen = now;
	}
	return ERR_NONE;
}

/* A wait once set stands: more attempts lengthen the next one. wrong false: nothing is added, but as much is written.
 */
static enum err address_save(struct store *st, const struct limit *l, const struct counter *was, struct counter *c,
			     bool wrong, int64_t now)
{
	if (wrong && c->failures < ADDRESS_MOST * l->address_room)
		c->failures++;
	if (wrong && now >= c->not_before)
		c->not_before = now + address_wait(l, c->failures);
	c->expires = now + (ADDRESS_MOST + 1) * ADDRESS_DECAY;
	enum err e = store_counter_set(st, &l->address, was, c);
	return e == ERR_EXISTS ? ERR_NONE : e; /* others count at the same time: one less of many */
}

static enum err address_count(struct store *st, const struct limit *l, bool wrong, int64_t now)
{
	struct counter was, c;
	if (!l->counts)
		return ERR_NONE;
	enum err e = address_load(st, l, now, &was, &c);
	return e ? e : address_save(st, l, &was, &c, wrong, now);
}

/* ERR_DENIED: it is blocked. */
static enum err address_check(struct store *st, struct limit *l, int64_t now)
{
	struct counter was, c;
	if (!l->counts)
		return ERR_NONE;
	enum err e = address_load(st, l, now, &was, &c);
	if (e || now >= c.not_before)
		return e;
	l->blocked = c.not_before - now;
	if (l->key.lane == LANE_ADDRESS)
		return ERR_NONE;
	l->why = LIMITS_ADDRESS;
	l->wait = l->blocked;
	l->refused = refused(&c, now);
	e = address_save(st, l, &was, &c, true, now);
	return e ? e : ERR_DENIED;
}

/* ---- the factor in all lanes ---- */

static struct counter_key all_lanes(const struct id *person, int kind)
{
	return (struct counter_key){.owner = *person, .kind = kind, .lane = LANE_ALL};
}

enum err limits_disabled(struct store *st, const struct id *person, enum factor_kind kind, bool *ret)
{
	const struct counter_key k = all_lanes(person, (int)kind);
	struct counter c;
	enum err e = store_counter_get(st, &k, &c);
	if (!e)
		*ret = c.not_before == FOREVER;
	return e;
}

enum err limits_enable(struct store *st, const struct id *person, enum factor_kind kind)
{
	return store_counter_clear_all(st, person, (int)kind, NULL);
}

/* Short codes: what is long enough is not guessed. */
static bool disables(int kind)
{
	return kind == FACTOR_TOTP || kind == FACTOR_MAILCODE;
}

/* What all lanes counted so far; ERR_DENIED: the factor is disabled. A bucket has it looked up too. */
static enum err all_check(struct store *st, struct limit *l, int64_t now)
{
	const struct counter_key all = all_lanes(&l->key.owner, l->key.kind);
	int64_t latest = 0;
	if (!disables(l->key.kind))
		return ERR_NONE;
	enum err e = store_counter_total(st, &all, &l->total, &latest);
	if (e || latest != FOREVER)
		return e;
	struct counter was, c;
	e = store_counter_get(st, &all, &was);
	if (e)
		return e;
	c = was;
	l->why = LIMITS_DISABLED;
	l->refused = refused(&c, now);
	e = store_counter_set(st, &all, &was, &c);
	if (!e || e == ERR_EXISTS)
		e = address_count(st, l, true, now);
	return e ? e : ERR_DENIED;
}

static enum err all_disable(struct store *st, struct limit *l, int64_t now)
{
	const struct counter_key all = all_lanes(&l->key.owner, l->key.kind);
	const struct counter none = {0},
			     c = {.failures = l->total + 1, .not_before = FOREVER, .seen = now, .expires = FOREVER};
	enum err e = store_counter_set(st, &all, &none, &c);
	l->disabled = !e;
	return e == ERR_EXISTS ? ERR_NONE : e;
}

/* ---- counting ---- */

static enum err lane_refuse(struct store *st, struct limit *l, const struct counter *was, int64_t now)
{
	struct counter c = l->counter;
	l->wait = c.not_before - now;
	l->why = closes(l, c.failures) ? LIMITS_CLOSED : LIMITS_WAIT;
	l->refused = refused(&c, now);
	enum err e = store_counter_set(st, &l->key, was, &c);
	if (!e || e == ERR_EXISTS)
		e = address_count(st, l, true, now);
	return e ? e : ERR_DENIED;
}

/* ERR_EXISTS: somebody else counted meanwhile. */
static enum err lane_count(struct store *st, struct limit *l, int64_t now)
{
	struct counter was, c;
	enum err e = store_counter_get(st, &l->key, &was);
	if (e)
		return e;
	c = was;
	clock_back(&c, lane_wait(l, c.failures), now);
	l->counter = c;
	if (now < c.not_before)
		return lane_refuse(st, l, &was, now);
	if (closes(l, c.failures))
		c.failures = REOPENED * l->room;
	c.failures++;
	c.seen = now;
	if (c.failures >= FREE_BURST * l->room)
		c.not_before = now + lane_wait(l, c.failures);
	c.expires = now + LANE_KEPT;
	l->counter = c;
	return store_counter_set(st, &l->key, &was, &c);
}

enum err limits_count(struct store *st, struct limit *l, int64_t now)
{
	l->why = LIMITS_FREE;
	l->wait = l->blocked = l->refused = 0;
	enum err e = address_check(st, l, now);
	if (!e)
		e = all_check(st, l, now);
	if (e)
		return e;
	do
		e = lane_count(st, l, now);
	while (e == ERR_EXISTS);
	return e;
}

static enum err lane_wrong(struct store *st, struct limit *l, int64_t now, int64_t *ret_failures)
{
	struct counter was, c;
	enum err e = store_counter_get(st, &l->key, &was);
	if (e)
		return e;
	c = was;
	if (c.failures < l->counter.failures) /* a right one cleared it meanwhile: this one still counts */
		c.failures++;
	c.seen = now;
	int64_t until = now + lane_wait(l, c.failures);
	if (c.not_before < until)
		c.not_before = until;
	c.expires = now + LANE_KEPT;
	*ret_failures = c.failures;
	return store_counter_set(st, &l->key, &was, &c);
}

enum err limits_wrong(struct store *st, struct limit *l, int64_t now)
{
	int64_t n = 0;
	enum err e;
	do
		e = lane_wrong(st, l, now, &n);
	while (e == ERR_EXISTS);
	if (!e)
		e = address_count(st, l, true, now);
	l->closed = !e && n == LIMITS_CLOSES * l->room && closes(l, n);
	if (!e && n >= LIMITS_KNOWN && l->key.lane == LANE_DEVICE)
		e = store_known_end(st, &l->key.owner, KNOWN_DEVICE, &l->key.what);
	if (!e && n >= LIMITS_KNOWN && l->key.lane == LANE_ADDRESS)
		e = store_known_end(st, &l->key.owner, KNOWN_ADDRESS, &l->key.what);
	if (!e && l->person && disables(l->key.kind) && l->total + 1 >= LIMITS_CLOSES)
		e = all_disable(st, l, now);
	return e;
}

enum err limits_right(struct store *st, struct limit *l, int64_t now)
{
	l->refused = l->counter.refused > 1 ? l->counter.refused - 1 : 0; /* the first one has its row */
	enum err e = store_counter_clear(st, &l->key);
	return e ? e : address_count(st, l, false, now);
}

/* ---- learning ---- */

/* The passwords counted in its lane before it was last forgotten begin anew. Codes do not: else whoever knows the
 * password would have ten more, counted nowhere, each time the owner comes by on another way. */
static enum err learn(struct store *st, enum known_kind kind, struct counter_key *k, int64_t now, bool *ret_new)
{
	int64_t seen = 0;
	enum err e = store_known_is(st, &k->owner, kind, &k->what, now, &seen);
	if (!e && seen <= now && now - seen < LEARN_AGAIN)
		return ERR_NONE;
	if (e && e != ERR_NOTFOUND)
		return e;
	*ret_new = e == ERR_NOTFOUND;
	e = store_known_add(st, &k->owner, kind, &k->what, now);
	k->kind = FACTOR_NONE;
	return !e && *ret_new ? store_counter_clear(st, k) : e;
}

enum err limits_learn(struct store *st, const struct seal *s, const struct origin *o, const struct id *person,
		      int64_t now, struct learned *ret_new)
{
	struct counter_key k = {.owner = *person, .lane = LANE_DEVICE};
	enum err e = ERR_NONE;
	*ret_new = (struct learned){false, false};
	if (!o->teaches)
		return ERR_NONE;
	if (o->has_device) {
		e = device_of(s, o, person, &k.what);
		if (!e)
			e = learn(st, KNOWN_DEVICE, &k, now, &ret_new->device);
	}
	if (!e && o->has_from) {
		k.lane = LANE_ADDRESS;
		e = address_of(s, o, person, &k.what);
		if (!e)
			e = learn(st, KNOWN_ADDRESS, &k, now, &ret_new->address);
	}
	return e;
}
