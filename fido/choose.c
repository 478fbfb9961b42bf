#include "config.h"

#include "common/clock.h"
#include "fido/choose.h"

#define CHOOSE_LOOK_MS 50 /* at one key, before the next */

/* Those that have one of the credentials, or if none has, those that would not say, where they are; the rest is closed.
 */
static size_t choose_candidates(const struct request *q, struct key *keys, size_t n, struct key *ret[static KEYS_MAX])
{
	enum key_has has[KEYS_MAX], best = KEY_HAS_NOT;
	size_t left = 0;

	for (size_t i = 0; i < n; i++) {
		has[i] = key_find(&keys[i], q);
		best = has[i] > best ? has[i] : best;
	}
	for (size_t i = 0; i < n; i++)
		if (best != KEY_HAS_NOT && has[i] == best)
			ret[left++] = &keys[i];
		else
			key_close(&keys[i]);
	return left;
}

/* The one that is touched; n: none. */
static size_t choose_touched(struct talk *t, struct key *const *keys, size_t n)
{
	size_t chosen = n;
	bool asked[KEYS_MAX];

	for (size_t i = 0; i < n; i++)
		asked[i] = fido_dev_get_touch_begin(keys[i]->dev) == FIDO_OK;
	for (size_t i = 0; chosen == n && !t->watch.stopped; i = (i + 1) % n) {
		int touched = 0;

		if (!asked[i]) { /* nothing to wait for: not in a circle without end either */
			watch_wait(&t->watch, -1, clock_mono_ms() + CHOOSE_LOOK_MS);
			continue;
		}
		if (fido_dev_get_touch_status(keys[i]->dev, &touched, CHOOSE_LOOK_MS) != FIDO_OK)
			asked[i] = false;
		else if (touched)
			chosen = i;
	}
	for (size_t i = 0; i < n; i++)
		if (i != chosen)
			key_cancel(keys[i]);
	return chosen;
}

static enum key_status choose_one(struct talk *t, const struct request *q, struct key *const *keys, size_t n,
				  size_t *ret)
{
	int64_t all = t->watch.deadline, ours = clock_mono_ms() + q->seconds * 1000;

	if (!talk_touch(t, true))
		return KEY_CANCELLED;
	t->watch.deadline = ours < all ? ours : all;
	*ret = choose_touched(t, keys, n);
	t->watch.deadline = all;
	return *ret < n ? KEY_OK : t->watch.why;
}

enum key_status choose_sign(struct talk *t, const struct request *q, struct key *keys, size_t n, struct answer *ret)
{
	enum key_status s = n == 0 ? KEY_NONE : KEY_NOCREDENTIAL;
	struct key *left[KEYS_MAX];
	size_t which = 0;

	n = choose_candidates(q, keys, n, left);
	if (n > 0)
		s = n == 1 ? KEY_OK : choose_one(t, q, left, n, &which);
	if (n > 0 && s == KEY_OK)
		s = key_sign(left[which], q, ret);
	for (size_t i = 0; i < n; i++)
		key_close(left[i]);
	return t->watch.stopped && s != KEY_OK ? t->watch.why : s;
}
