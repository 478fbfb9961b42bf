/* Lanes, waits, closing, blocks of addresses: in a time of our own. */
#include "config.h"

#include "keeper/limits.h"
#include "store.h"

static char exempt[] = "198.51.100.0/24";
static const struct conf conf = {.limits_exempt = exempt};

#define HOUR 3600
#define DAY  86400

static struct origin at(const char *address)
{
	struct origin o;

	origin_terminal(&o, &conf, address);
	return o;
}

static struct origin with_device(const struct fixture *f, const char *token)
{
	struct origin o = at("192.0.2.1");

	OK(origin_device(&o, f->seal, token));
	return o;
}

/* One transaction for a whole test: thousands of attempts without waiting for the disk. */
static void begin(struct fixture *f)
{
	enum err e = store_begin(f->st);

	assert_true(e == ERR_NONE || e == ERR_INTERNAL);
}

/* One attempt, and what came of it: LIMITS_FREE if it was looked at. */
static struct limit attempt(struct fixture *f, const struct origin *o, const struct person *p, enum factor_kind kind,
			    bool right, int64_t now)
{
	struct limit l;
	enum err e;

	begin(f);
	OK(limits_for(f->st, f->seal, o, p ? &p->id : NULL, "nobody", kind, now, &l));
	e = limits_count(f->st, &l, now);
	assert_true(e == ERR_NONE || e == ERR_DENIED);
	assert_int_equal(e == ERR_DENIED, l.why != LIMITS_FREE);
	if (e == ERR_NONE)
		OK(right ? limits_right(f->st, &l, now) : limits_wrong(f->st, &l, now));
	return l;
}

static enum limits_why wrong(struct fixture *f, const struct origin *o, const struct person *p, int64_t now)
{
	return attempt(f, o, p, FACTOR_NONE, false, now).why;
}

static enum limits_why right(struct fixture *f, const struct origin *o, const struct person *p, int64_t now)
{
	return attempt(f, o, p, FACTOR_NONE, true, now).why;
}

static void learn(struct fixture *f, const struct origin *o, const struct person *p, int64_t now)
{
	struct learned new;

	begin(f);
	OK(limits_learn(f->st, f->seal, o, &p->id, now, &new));
}

static int lane_of(struct fixture *f, const struct origin *o, const struct person *p, int64_t now)
{
	struct limit l;

	OK(limits_for(f->st, f->seal, o, p ? &p->id : NULL, "nobody", FACTOR_NONE, now, &l));
	return l.key.lane;
}

/* So many wrong ones, each as early as it is looked at: the time when the next one is. */
static int64_t fail_times(struct fixture *f, const struct origin *o, const struct person *p, enum factor_kind kind,
			  int n, int64_t now)
{
	while (n > 0) {
		struct limit l = attempt(f, o, p, kind, false, now);

		if (l.why == LIMITS_FREE)
			n--;
		else
			assert_true(l.why == LIMITS_WAIT && l.wait >= 1 && l.wait <= 10);
		now += l.why == LIMITS_FREE ? 1 : l.wait;
	}
	return now;
}

static void each_wait_of_the_table(void **state)
{
	struct fixture *f = *state;
	const struct person p = person_add(f, "taro");
	const struct origin o = at("127.0.0.1"), key = {.own_uid = true};
	const struct {
		const struct person *person;
		const struct origin *origin;
	} who[] = {{&p, &o}, {NULL, &o}, {&p, &key}};

	for (size_t w = 0; w < COUNT(who); w++) {
		int64_t now = NOW;

		for (int n = 1; n <= 100; n++) {
			int64_t wait = n < 3 ? 1 : n < 9 ? 3 : n < 25 ? 5 : n < 100 ? 10 : DAY;
			struct limit l = attempt(f, who[w].origin, who[w].person, FACTOR_NONE, false, now);

			assert_int_equal(l.why, LIMITS_FREE);
			assert_int_equal(l.closed, n == 100);
			l = attempt(f, who[w].origin, who[w].person, FACTOR_NONE, true, now + wait - 1);
			assert_int_equal(l.why, n < 100 ? LIMITS_WAIT : LIMITS_CLOSED);
			assert_int_equal(l.wait, 1);
			now += wait;
		}
		/* open again for ten */
		for (int n = 1; n <= 10; n++, now += 10)
			assert_int_equal(wrong(f, who[w].origin, who[w].person, now), LIMITS_FREE);
		assert_int_equal(wrong(f, who[w].origin, who[w].person, now + HOUR), LIMITS_CLOSED);
		now += DAY;
		assert_int_equal(right(f, who[w].origin, who[w].person, now), LIMITS_FREE);
		assert_int_equal(wrong(f, who[w].origin, who[w].person, now), LIMITS_FREE);
		assert_int_equal(right(f, who[w].origin, who[w].person, now + 1), LIMITS_FREE);
	}
}

static void the_lane_is_the_first_that_fits(void **state)
{
	struct fixture *f = *state;
	const struct person a = person_add(f, "a"), b = person_add(f, "b");
	struct origin o = with_device(f, "token"), other = with_device(f, "other token");

	assert_int_equal(lane_of(f, &o, &a, NOW), LANE_STRANGER);
	learn(f, &o, &a, NOW);
	assert_int_equal(lane_of(f, &o, &a, NOW), LANE_DEVICE);
	assert_int_equal(lane_of(f, &o, &b, NOW), LANE_STRANGER); /* a's device, a's address */
	assert_int_equal(lane_of(f, &o, NULL, NOW), LANE_STRANGER);
	assert_int_equal(lane_of(f, &other, &a, NOW), LANE_ADDRESS);
	learn(f, &o, &b, NOW); /* a family's browser */
	assert_int_equal(lane_of(f, &o, &b, NOW), LANE_DEVICE);
	assert_int_equal(lane_of(f, &o, &a, NOW), LANE_DEVICE);
	struct origin link = at("203.0.113.7"); /* blocked or not: a mail's reader is no stranger */
	link.has_link = true;
	memset(link.link, 7, sizeof link.link);
	assert_int_equal(lane_of(f, &link, &a, NOW), LANE_LINK);
	for (int i = 0; i < 200; i++)
		(void)wrong(f, &(const struct origin){.has_from = true, .remote = true, .from = link.from}, NULL,
			    NOW + i);
	assert_int_equal(wrong(f, &link, &a, NOW + 200), LIMITS_FREE);
	OK(origin_key(&other, f->seal, "ssh-ed25519 AAAA", 16));
	assert_int_equal(lane_of(f, &other, &a, NOW), LANE_KEY);
	OK(origin_key(&o, f->seal, "ssh-ed25519 AAAA", 16));
	assert_int_equal(lane_of(f, &o, &a, NOW), LANE_DEVICE);
	const struct origin mapped = at("::ffff:192.0.2.1"), name = at("host.example.jp"), office = at("198.51.100.9"),
			    own = {.own_uid = true}, console = {.local = true, .teaches = true};
	assert_int_equal(lane_of(f, &mapped, &a, NOW), LANE_ADDRESS);
	assert_int_equal(lane_of(f, &mapped, &a, NOW + 30 * DAY), LANE_STRANGER);
	assert_int_equal(lane_of(f, &o, &b, NOW + 30 * DAY), LANE_DEVICE);
	assert_int_equal(lane_of(f, &name, &a, NOW), LANE_STRANGER);
	assert_int_equal(lane_of(f, &office, &a, NOW), LANE_EXEMPT);
	assert_int_equal(lane_of(f, &own, &a, NOW), LANE_UID);
	assert_int_equal(lane_of(f, &console, &a, NOW), LANE_LOCAL);
	struct origin mute = with_device(f, "mute");
	mute.teaches = false;
	learn(f, &mute, &a, NOW);
	assert_int_equal(lane_of(f, &mute, &a, NOW + 31 * DAY), LANE_STRANGER);
	/* used again, kept again */
	learn(f, &mapped, &a, NOW + 2 * DAY);
	assert_int_equal(lane_of(f, &mapped, &a, NOW + 31 * DAY), LANE_ADDRESS);
}

static void strangers_do_not_shut_the_owner_out(void **state)
{
	struct fixture *f = *state;
	const struct person p = person_add(f, "taro");
	const struct origin home = with_device(f, "home"), ssh = at("203.0.113.5"), own = {.own_uid = true};
	struct origin bad = at("127.0.0.1"), key = at("127.0.0.2"), key2 = key;

	learn(f, &home, &p, NOW);
	learn(f, &ssh, &p, NOW);
	OK(origin_key(&key, f->seal, "one", 3));
	OK(origin_key(&key2, f->seal, "two", 3));
	int64_t now = fail_times(f, &bad, &p, FACTOR_NONE, 100, NOW);
	assert_int_equal(right(f, &bad, &p, now + 20), LIMITS_CLOSED);
	assert_int_equal(right(f, &home, &p, now), LIMITS_FREE);
	assert_int_equal(right(f, &ssh, &p, now), LIMITS_FREE);
	assert_int_equal(right(f, &own, &p, now), LIMITS_FREE);
	assert_int_equal(right(f, &key, &p, now), LIMITS_FREE);
	now = fail_times(f, &key, &p, FACTOR_NONE, 100, now);
	assert_int_equal(right(f, &key, &p, now + 20), LIMITS_CLOSED);
	assert_int_equal(right(f, &key2, &p, now), LIMITS_FREE);
	/* success clears its own lane only */
	assert_int_equal(right(f, &bad, &p, now), LIMITS_CLOSED);
}

static void a_device_is_forgotten_after_ten(void **state)
{
	struct fixture *f = *state;
	const struct person p = person_add(f, "taro");
	const struct origin home = with_device(f, "home"), there = at("192.0.2.1");

	learn(f, &home, &p, NOW);
	int64_t now = fail_times(f, &home, &p, FACTOR_NONE, 9, NOW);
	assert_int_equal(lane_of(f, &home, &p, now), LANE_DEVICE);
	now = fail_times(f, &home, &p, FACTOR_NONE, 1, now);
	assert_int_equal(lane_of(f, &home, &p, now), LANE_ADDRESS);
	now = fail_times(f, &there, &p, FACTOR_NONE, 10, now);
	assert_int_equal(lane_of(f, &home, &p, now), LANE_STRANGER);
	/* learned again, it begins anew */
	learn(f, &home, &p, now);
	assert_int_equal(lane_of(f, &home, &p, now), LANE_DEVICE);
	now = fail_times(f, &home, &p, FACTOR_NONE, 9, now);
	assert_int_equal(lane_of(f, &home, &p, now), LANE_DEVICE);
}

static bool disabled(struct fixture *f, const struct person *p)
{
	bool d = false;

	OK(limits_disabled(f->st, &p->id, FACTOR_TOTP, &d));
	return d;
}

static void codes_of_all_lanes_together_disable_the_factor(void **state)
{
	struct fixture *f = *state;
	const struct person p = person_add(f, "taro");
	const struct origin a = at("127.0.0.1"), own = {.own_uid = true};
	struct origin key = at("");

	OK(origin_key(&key, f->seal, "k", 1));
	int64_t now = fail_times(f, &a, &p, FACTOR_TOTP, 50, NOW);
	now = fail_times(f, &own, &p, FACTOR_TOTP, 49, now);
	assert_false(disabled(f, &p));
	struct limit l = attempt(f, &key, &p, FACTOR_TOTP, false, now);
	assert_true(l.disabled && l.why == LIMITS_FREE);
	assert_true(disabled(f, &p));
	/* everywhere, for as long as it takes; a recovery code is taken */
	const struct origin *all[] = {&a, &own, &key};
	for (size_t i = 0; i < COUNT(all); i++) {
		l = attempt(f, all[i], &p, FACTOR_TOTP, true, now + 400 * DAY);
		assert_int_equal(l.why, LIMITS_DISABLED);
		assert_int_equal(l.wait, 0);
	}
	OK(store_commit(f->st));
	OK(store_sweep(f->st, now + 400 * DAY, 1000, NULL));
	assert_true(disabled(f, &p));
	assert_int_equal(attempt(f, &a, &p, FACTOR_RECOVERY, true, now).why, LIMITS_FREE);
	assert_int_equal(right(f, &a, &p, now), LIMITS_FREE); /* nor is the password's lane touched */
	begin(f);
	OK(limits_enable(f->st, &p.id, FACTOR_TOTP));
	assert_false(disabled(f, &p));
	assert_int_equal(attempt(f, &a, &p, FACTOR_TOTP, true, now).why, LIMITS_FREE);
}

/* The owner comes by on another way again and again: what was guessed from an address of theirs stays counted. */
static void codes_stay_counted_where_an_address_is_learned_again(void **state)
{
	struct fixture *f = *state;
	const struct person p = person_add(f, "taro");
	const struct origin shared = at("127.0.0.1");
	int64_t now = NOW;

	for (int i = 0; i < 100 && !disabled(f, &p); i++) {
		learn(f, &shared, &p, now);
		assert_int_equal(lane_of(f, &shared, &p, now), LANE_ADDRESS);
		now = fail_times(f, &shared, &p, FACTOR_TOTP, 1, now) + 10;
		assert_true(i < 99 || disabled(f, &p));
	}
	assert_true(disabled(f, &p));
}

static void a_right_code_begins_the_count_of_its_lane_anew(void **state)
{
	struct fixture *f = *state;
	const struct person p = person_add(f, "taro");
	const struct origin a = at("127.0.0.1"), own = {.own_uid = true};
	int64_t now = NOW;

	for (int i = 0; i < 3; i++) {
		now = fail_times(f, &a, &p, FACTOR_TOTP, 60, now) + 10;
		assert_int_equal(attempt(f, &a, &p, FACTOR_TOTP, true, now).why, LIMITS_FREE);
	}
	/* the other lane's stay */
	now = fail_times(f, &own, &p, FACTOR_TOTP, 60, now) + 10;
	assert_int_equal(attempt(f, &a, &p, FACTOR_TOTP, true, now).why, LIMITS_FREE);
	now = fail_times(f, &own, &p, FACTOR_TOTP, 40, now);
	assert_true(disabled(f, &p));
}

static void recovery_codes_wait_but_are_never_shut_out(void **state)
{
	struct fixture *f = *state;
	const struct person p = person_add(f, "taro");
	const struct origin a = at("127.0.0.1");
	int64_t now = fail_times(f, &a, &p, FACTOR_RECOVERY, 300, NOW);

	assert_int_equal(attempt(f, &a, &p, FACTOR_RECOVERY, true, now).why, LIMITS_WAIT);
	assert_int_equal(attempt(f, &a, &p, FACTOR_RECOVERY, true, now + 10).why, LIMITS_FREE);
}

/* Wrong ones against many people from one address, one a second: when the first one is blocked, and for how long. */
static int64_t spray(struct fixture *f, const struct origin *o, const struct person *p, size_t n, int64_t now,
		     int64_t *ret_wait)
{
	for (size_t i = 0;; i++) {
		struct limit l = attempt(f, o, &p[i % n], FACTOR_NONE, false, now);

		if (l.why == LIMITS_ADDRESS) {
			*ret_wait = l.wait;
			return (int64_t)i;
		}
		assert_true(i < 1000);
	}
}

static void addresses_are_blocked_and_forgiven(void **state)
{
	struct fixture *f = *state;
	static struct person p[500];
	const struct origin o = at("203.0.113.9"), same = at("::ffff:203.0.113.9"), other = at("203.0.113.10"),
			    local = at("127.0.0.1"), v6 = at("2001:db8::1"), v6b = at("2001:db8::ffff:0:0:1"),
			    v6c = at("2001:db8:0:1::1"), office = at("198.51.100.1");
	struct origin home = o;
	int64_t wait, now = NOW;

	begin(f);
	for (size_t i = 0; i < COUNT(p); i++) {
		char login[32];

		snprintf(login, sizeof login, "p%zu", i);
		p[i] = person_make(login);
		OK(store_person_add(f->st, &p[i]));
	}
	OK(origin_device(&home, f->seal, "home"));
	learn(f, &home, &p[499], now);
	assert_int_equal(spray(f, &o, p, COUNT(p), now, &wait), 40);
	assert_int_equal(wait, 5);
	/* whoever is asked for, known to nobody or not; but not from a browser, a neighbour, the machine itself */
	assert_int_equal(right(f, &same, &p[400], now + 4), LIMITS_ADDRESS);
	assert_int_equal(right(f, &o, NULL, now + 4), LIMITS_ADDRESS);
	assert_int_equal(right(f, &home, &p[499], now + 4), LIMITS_FREE);
	assert_int_equal(right(f, &other, &p[400], now + 4), LIMITS_FREE);
	for (int i = 0; i < 3; i++)
		assert_int_equal(right(f, &local, &p[400], now + 4), LIMITS_FREE);
	/* blocks grow, the one that runs stays as it is told, and none is longer than 15 minutes */
	int64_t longest = 0;
	for (int i = 0; i < 400; i++) {
		struct limit l = attempt(f, &o, &p[i % 400], FACTOR_NONE, false, now);

		if (l.why == LIMITS_ADDRESS) {
			longest = l.wait > longest ? l.wait : longest;
			for (int k = 0; k < 40; k++) {
				struct limit again = attempt(f, &o, &p[k], FACTOR_NONE, false, now + l.wait - 1);

				assert_int_equal(again.why, LIMITS_ADDRESS);
				assert_int_equal(again.wait, 1);
			}
			now += l.wait;
		}
	}
	assert_int_equal(longest, 900);
	assert_int_equal(right(f, &o, &p[450], now + 900), LIMITS_FREE);
	/* they decay */
	assert_int_equal(spray(f, &o, p, COUNT(p), now + 3 * HOUR, &wait), 40);
	/* of IPv6 the first 64 bits */
	assert_int_equal(spray(f, &v6, p, COUNT(p), now + 4 * HOUR, &wait), 40);
	assert_int_equal(right(f, &v6b, &p[450], now + 4 * HOUR), LIMITS_ADDRESS);
	assert_int_equal(right(f, &v6c, &p[450], now + 4 * HOUR), LIMITS_FREE);
	/* ten times the room, not none */
	assert_int_equal(spray(f, &office, p, COUNT(p), now + 5 * HOUR, &wait), 400);
	OK(store_commit(f->st));
	OK(store_sweep(f->st, now + 8 * HOUR, 10000, NULL));
	assert_int_equal(raw(f, "UPDATE counter SET seen = seen WHERE kind = 33"), 0);
}

static struct person *people(struct fixture *f, size_t n)
{
	static struct person p[100];

	begin(f);
	for (size_t i = 0; i < n; i++) {
		char login[32];

		snprintf(login, sizeof login, "p%zu", i);
		p[i] = person_make(login);
		OK(store_person_add(f->st, &p[i]));
	}
	return p;
}

/* Whoever is there all the time does not keep the block alive. */
static void a_busy_address_is_forgiven_too(void **state)
{
	struct fixture *f = *state;
	const struct origin o = at("203.0.113.9");
	struct person *p = people(f, 100);
	int64_t wait, now = NOW;

	assert_int_equal(spray(f, &o, p, 100, now, &wait), 40);
	now += wait;
	for (int i = 0; i < 150; i++, now += 10) /* 25 minutes: 41 and one more, of which 50 are forgotten */
		assert_int_equal(right(f, &o, &p[i % 100], now), LIMITS_FREE);
	assert_int_equal(spray(f, &o, p, 100, now, &wait), 40);
}

/* Whoever shares an address with somebody must not read from the block who is known there. */
static void a_block_does_not_tell_who_is_known_there(void **state)
{
	struct fixture *f = *state;
	const struct origin o = at("203.0.113.9"), office = at("198.51.100.9");
	struct person *p = people(f, 100);
	struct person *home = &p[99];
	int64_t wait, now = NOW;

	learn(f, &o, home, now);
	/* what is guessed for them counts as for everybody */
	assert_int_equal(wrong(f, &o, home, now), LIMITS_FREE);
	assert_int_equal(spray(f, &o, p, 99, now, &wait), 39);
	struct limit stranger = attempt(f, &o, &p[80], FACTOR_NONE, false, now + 1),
		     known = attempt(f, &o, home, FACTOR_NONE, false, now + 1), nobody;
	assert_int_equal(stranger.why, LIMITS_ADDRESS);
	assert_int_equal(stranger.blocked, 4);
	assert_int_equal(known.why, LIMITS_FREE);
	assert_int_equal(known.blocked, 4);
	nobody = attempt(f, &o, NULL, FACTOR_NONE, false, now + 1);
	assert_int_equal(nobody.blocked, 4);
	/* within a wait of their own as well */
	known = attempt(f, &o, home, FACTOR_NONE, false, now + 1);
	assert_int_equal(known.why, LIMITS_WAIT);
	assert_int_equal(known.blocked, 4);
	assert_int_equal(right(f, &o, home, now + 4), LIMITS_FREE);
	/* one room for an address, whoever comes from there */
	learn(f, &office, home, now);
	assert_int_equal(spray(f, &office, p, 99, now, &wait), 400);
	assert_true(attempt(f, &office, home, FACTOR_NONE, false, now).blocked > 0);
}

static void the_exempted_have_ten_times_the_room(void **state)
{
	struct fixture *f = *state;
	const struct person p = person_add(f, "taro");
	const struct origin office = at("198.51.100.1"), bad = at("127.0.0.1");
	int64_t now = NOW;

	/* a stranger's closed lane is not theirs */
	(void)fail_times(f, &bad, &p, FACTOR_NONE, 100, now);
	for (int n = 1; n <= 30; n++)
		assert_int_equal(wrong(f, &office, &p, now + n), LIMITS_FREE);
	assert_int_equal(wrong(f, &office, &p, now + 32), LIMITS_WAIT);
	for (int n = 31; n <= 1000; n++) {
		now += 60;
		if (n % 300 == 0)
			now += 5 * HOUR;
		assert_int_equal(wrong(f, &office, &p, now), LIMITS_FREE);
	}
	assert_int_equal(right(f, &office, &p, now + HOUR), LIMITS_CLOSED);
}

static void a_clock_that_jumps_back_binds_for_the_wait_alone(void **state)
{
	struct fixture *f = *state;
	static struct person p[100];
	const struct origin o = at("127.0.0.1");

	for (size_t i = 0; i < COUNT(p); i++)
		p[i] = person_make((char[]){(char)('a' + i % 26), (char)('a' + i / 26), '\0'});
	(void)fail_times(f, &o, p, FACTOR_NONE, 10, NOW + 400 * DAY);
	struct limit l = attempt(f, &o, p, FACTOR_NONE, true, NOW);
	assert_int_equal(l.why, LIMITS_WAIT);
	assert_int_equal(l.wait, 5);
	assert_int_equal(attempt(f, &o, p, FACTOR_NONE, true, NOW + 4).wait, 1);
	assert_int_equal(right(f, &o, p, NOW + 5), LIMITS_FREE);
	(void)fail_times(f, &o, p, FACTOR_NONE, 100, NOW + 800 * DAY);
	assert_int_equal(attempt(f, &o, p, FACTOR_NONE, true, NOW).wait, DAY);
	assert_int_equal(right(f, &o, p, NOW + DAY), LIMITS_FREE);
	/* an address as well */
	const struct origin far = at("203.0.113.9");
	int64_t wait;
	assert_int_equal(spray(f, &far, p + 1, 99, NOW + 400 * DAY, &wait), 40);
	assert_int_equal(right(f, &far, &p[50], NOW), LIMITS_ADDRESS);
	assert_int_equal(right(f, &far, &p[50], NOW + 5), LIMITS_FREE);
}

/* Two at one instant, both right, do not shut each other out; a burst gains nothing. */
static void bursts(void **state)
{
	struct fixture *f = *state;
	const struct person p = person_add(f, "taro");
	const struct origin o = at("127.0.0.1");
	struct limit l[8];
	size_t looked_at = 0;

	begin(f);
	for (size_t i = 0; i < COUNT(l); i++) {
		OK(limits_for(f->st, f->seal, &o, &p.id, "taro", FACTOR_NONE, NOW, &l[i]));
		enum err e = limits_count(f->st, &l[i], NOW);
		looked_at += e == ERR_NONE;
	}
	OK(limits_right(f->st, &l[0], NOW));
	OK(limits_wrong(f->st, &l[1], NOW));
	assert_int_equal(looked_at, 3);
	/* the one that was wrong counts, though the right one cleared what it had counted */
	assert_int_equal(right(f, &o, &p, NOW), LIMITS_WAIT);
	assert_int_equal(right(f, &o, &p, NOW + 1), LIMITS_FREE);
}

static void unknown_names_cost_as_much(void **state)
{
	struct fixture *f = *state;
	const struct person p = person_add(f, "taro");
	const struct origin origins[] = {at("203.0.113.9"), at("127.0.0.1"), at(""), at("198.51.100.1"),
					 with_device(f, "any")};
	static const enum factor_kind kinds[] = {FACTOR_NONE, FACTOR_RECOVERY};

	for (size_t o = 0; o < COUNT(origins); o++) {
		for (size_t k = 0; k < COUNT(kinds); k++) {
			int64_t now = NOW + (int64_t)(o * 10 + k) * 10 * DAY;

			for (int i = 0; i < 150; i++) {
				int64_t before = store_writes(f->st);
				struct limit a = attempt(f, &origins[o], &p, kinds[k], false, now);
				int64_t known = store_writes(f->st) - before;
				struct origin away = origins[o];

				away.from.b[14] ^= 1; /* an address of its own that has as much behind it */
				struct limit b = attempt(f, &away, NULL, kinds[k], false, now);
				assert_int_equal(store_writes(f->st) - before, 2 * known);
				assert_int_equal(a.why, b.why);
				assert_int_equal(a.wait, b.wait);
				assert_int_equal(a.refused, b.refused);
				assert_int_equal(a.closed, b.closed);
				now += i % 3 ? a.wait / 2 + 1 : a.wait > 900 ? 900 : a.wait + 3;
			}
		}
	}
}

/* However many are refused, the audit hears of it when it begins and once an hour. */
static void refusals_are_aggregated(void **state)
{
	struct fixture *f = *state;
	const struct person p = person_add(f, "taro");
	const struct origin o = at("127.0.0.1");
	int64_t now = fail_times(f, &o, &p, FACTOR_NONE, 100, NOW), said = 0, sum = 0;

	for (int i = 0; i < 3 * 3600; i++) {
		struct limit l = attempt(f, &o, &p, FACTOR_NONE, false, now + i);

		assert_int_equal(l.why, LIMITS_CLOSED);
		said += l.refused > 0;
		sum += l.refused;
	}
	assert_in_range(said, 3, 4);
	assert_in_range(sum, 2 * 3600, 3 * 3600 + 200);
	/* and of the rest when somebody gets in: each is told of once */
	assert_int_equal(right(f, &o, &p, now + DAY), LIMITS_FREE);
	assert_int_equal(wrong(f, &o, &p, now + DAY), LIMITS_FREE);
	for (int i = sum = 0; i < 7; i++)
		sum += attempt(f, &o, &p, FACTOR_NONE, false, now + DAY).refused;
	assert_int_equal(sum, 1);
	assert_int_equal(attempt(f, &o, &p, FACTOR_NONE, true, now + DAY + 1).refused, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(each_wait_of_the_table),
	    TEST(the_lane_is_the_first_that_fits),
	    TEST(strangers_do_not_shut_the_owner_out),
	    TEST(a_device_is_forgotten_after_ten),
	    TEST(codes_of_all_lanes_together_disable_the_factor),
	    TEST(codes_stay_counted_where_an_address_is_learned_again),
	    TEST(a_right_code_begins_the_count_of_its_lane_anew),
	    TEST(recovery_codes_wait_but_are_never_shut_out),
	    TEST(addresses_are_blocked_and_forgiven),
	    TEST(a_busy_address_is_forgiven_too),
	    TEST(a_block_does_not_tell_who_is_known_there),
	    TEST(the_exempted_have_ten_times_the_room),
	    TEST(a_clock_that_jumps_back_binds_for_the_wait_alone),
	    TEST(bursts),
	    TEST(unknown_names_cost_as_much),
	    TEST(refusals_are_aggregated),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
