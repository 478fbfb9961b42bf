#include "config.h"

#include "common/clock.h"
#include "enroll/log.h"
#include "enroll/trouble.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct trouble {
	uint64_t count; /* the how manieth it is */
	int64_t time;
	const char *action;
	enum failure_why why;
	char id[FAILURE_LEN + 1];
};

struct troubles {
	pthread_mutex_t lock; /* of all below */
	struct trouble kept[TROUBLE_KEPT];
	size_t n;
	uint64_t count;
	bool taken;
	int64_t minute;
	unsigned in_minute;
};

struct troubles *troubles_new(void)
{
	struct troubles *t = calloc(1, sizeof *t);

	if (t)
		pthread_mutex_init(&t->lock, NULL);
	return t;
}

void troubles_free(struct troubles *t)
{
	if (!t)
		return;
	pthread_mutex_destroy(&t->lock);
	free(t);
}

/* Drops the n oldest. */
static void troubles_drop(struct troubles *t, size_t n)
{
	memmove(t->kept, t->kept + n, (t->n - n) * sizeof *t->kept);
	t->n -= n;
}

static bool troubles_enough(struct troubles *t)
{
	int64_t minute = clock_mono_ms() / 60000;

	if (t->minute != minute)
		t->in_minute = 0;
	t->minute = minute;
	return t->in_minute++ >= TROUBLE_MINUTE;
}

bool trouble_note(struct troubles *t, enum failure_why why, const char *action, char ret[static FAILURE_LEN + 1])
{
	struct trouble one = {.time = clock_now(), .action = action, .why = why};
	bool enough;

	if (failure_id(one.id) != ERR_NONE)
		return false;
	pthread_mutex_lock(&t->lock);
	enough = troubles_enough(t);
	if (!enough) {
		one.count = ++t->count;
		if (t->n == TROUBLE_KEPT)
			troubles_drop(t, 1);
		t->kept[t->n++] = one;
	}
	pthread_mutex_unlock(&t->lock);
	if (enough)
		return false;
	log_error("failure %s: %s: %s", one.id, action, failure_sentence(why));
	memcpy(ret, one.id, sizeof one.id);
	return true;
}

uint64_t trouble_take(struct troubles *t, struct buf *ret)
{
	uint64_t taken = 0;

	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; !t->taken && i < t->n && i < TROUBLE_TOLD; i++) {
		const struct trouble *one = &t->kept[i];

		buf_addf(ret, "%s %lld %s %s\n", one->id, (long long)one->time, one->action, failure_word(one->why));
		taken = one->count;
	}
	t->taken = t->taken || taken;
	pthread_mutex_unlock(&t->lock);
	return taken;
}

void trouble_settle(struct troubles *t, uint64_t taken, bool told)
{
	size_t n = 0;

	pthread_mutex_lock(&t->lock);
	while (told && n < t->n && t->kept[n].count <= taken)
		n++;
	troubles_drop(t, n);
	t->taken = false;
	pthread_mutex_unlock(&t->lock);
}
