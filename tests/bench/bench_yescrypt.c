/* What yescrypt alone allows: THREADS threads check the same password for SECONDS. Prints checks a second. */
#include "config.h"

#include "common/clock.h"
#include "keeper/password.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static char hash[PASSWORD_HASH_MAX];
static atomic_long checks;
static int64_t end_ms;

static void *work(void *arg)
{
	(void)arg;
	while (clock_mono_ms() < end_ms) {
		bool upgrade;

		if (!password_check(hash, "right horse", &upgrade))
			abort();
		atomic_fetch_add(&checks, 1);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	long threads = argc > 1 ? strtol(argv[1], NULL, 10) : 2, seconds = argc > 2 ? strtol(argv[2], NULL, 10) : 5;
	pthread_t t[64];

	if (argc > 3 || threads < 1 || threads > 64 || seconds < 1 || seconds > 600) {
		fprintf(stderr, "usage: bench_yescrypt [THREADS [SECONDS]]\n");
		return 2;
	}
	if (password_hash("right horse", hash) != ERR_NONE)
		return 1;
	end_ms = clock_mono_ms() + seconds * 1000;
	for (long i = 0; i < threads; i++)
		if (pthread_create(&t[i], NULL, work, NULL))
			return 1;
	for (long i = 0; i < threads; i++)
		pthread_join(t[i], NULL);
	printf("%.1f\n", (double)atomic_load(&checks) / (double)seconds);
	return 0;
}
