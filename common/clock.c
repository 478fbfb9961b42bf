#include "config.h"

#include "common/clock.h"
#include <stdatomic.h>
#include <time.h>

static _Atomic int64_t fixed = -1;

void clock_fix(int64_t now)
{
	atomic_store(&fixed, now);
}

static int64_t clock_read_ms(clockid_t id)
{
	struct timespec ts = {0};

	/* These clocks always exist on Linux; where a filter forbids the call all the same, 0. */
	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_now_ms(void)
{
	int64_t f = atomic_load(&fixed);

	return f >= 0 ? f * 1000 : clock_read_ms(CLOCK_REALTIME);
}

int64_t clock_now(void)
{
	return clock_now_ms() / 1000;
}

int64_t clock_mono_ms(void)
{
	return clock_read_ms(CLOCK_MONOTONIC);
}
