#include "config.h"

#include "common/secret.h"
#include "ctl/import.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#define IMPORT_HASH_THREADS 16

struct import_hash {
	struct row *const *row;
	size_t n;
	atomic_size_t next;
	atomic_int failed; /* enum err */
};

static void *import_hash_work(void *arg)
{
	struct import_hash *h = arg;
	size_t i;
	while ((i = atomic_fetch_add(&h->next, 1)) < h->n && !atomic_load(&h->failed)) {
		struct row *r = h->row[i];
		char hash[PASSWORD_HASH_MAX];
		enum err e = password_hash(r->password, hash);
		if (e) {
			atomic_store(&h->failed, (int)e);
			break;
		}
		secret_wipe(r->password, sizeof r->password);
		memcpy(r->password, hash, sizeof hash);
		r->hashed = true;
	}
	return NULL;
}

enum err import_hash(struct row *const *r, size_t n)
{
	struct import_hash h = {.row = r, .n = n};
	pthread_t thread[IMPORT_HASH_THREADS];
	cpu_set_t set;
	size_t cores = sched_getaffinity(0, sizeof set, &set) == 0 ? (size_t)CPU_COUNT(&set) : 1, started = 0;
	if (cores > IMPORT_HASH_THREADS)
		cores = IMPORT_HASH_THREADS;
	while (started + 1 < cores && started + 1 < n &&
	       pthread_create(&thread[started], NULL, import_hash_work, &h) == 0)
		started++;
	(void)import_hash_work(&h);
	for (size_t i = 0; i < started; i++)
		(void)pthread_join(thread[i], NULL);
	return (enum err)atomic_load(&h.failed);
}
