#include "config.h"

#include "keeper/failures.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOLD_MOST 16
#define TOLD_AGE  86400
#define TOLD_WORD 40

struct failures {
	pthread_mutex_t lock; /* of all below */
	struct failure kept[FAILURES_KEPT];
	size_t n;
	bool writing; /* one thread at a time: none is written twice */
	int64_t hour;
	size_t written; /* in this hour */
};

struct failures *failures_new(void)
{
	struct failures *f = calloc(1, sizeof *f);
	if (f)
		pthread_mutex_init(&f->lock, NULL);
	return f;
}

void failures_free(struct failures *f)
{
	if (!f)
		return;
	pthread_mutex_destroy(&f->lock);
	free(f);
}

/* [locked] The oldest goes if there is no room. */
static void push(struct failures *f, const struct failure *one)
{
	if (f->n == FAILURES_KEPT)
		memmove(f->kept, f->kept + 1, --f->n * sizeof *f->kept);
	f->kept[f->n++] = *one;
}

void failures_add(const struct keeper *k, const struct failure *one)
{
	if (!k->failures)
		return;
	pthread_mutex_lock(&k->failures->lock);
	push(k->failures, one);
	pthread_mutex_unlock(&k->failures->lock);
}

/* [locked] How many may be written now. */
static size_t allowed(struct failures *f, int64_t now)
{
	if (f->hour != now / 3600) {
		f->hour = now / 3600;
		f->written = 0;
	}
	size_t left = FAILURES_HOUR > f->written ? FAILURES_HOUR - f->written : 0;
	return f->n < left ? f->n : left;
}

static enum err write_all(struct store *st, const struct failure *f, size_t n)
{
	enum err e = store_begin(st);
	if (e)
		return e;
	for (size_t i = 0; i < n && !e; i++) {
		char detail[sizeof f->id + sizeof f->what];
		snprintf(detail, sizeof detail, "%s %s", f[i].id, f[i].what);
		const struct audit row = {.time = f[i].time,
					  .person = f[i].person,
					  .event = STORE_AUDIT_FAILURE,
					  .door = "web",
					  .address = f[i].address,
					  .detail = detail};
		e = store_audit(st, &row);
	}
	if (!e)
		return store_commit(st);
	store_rollback(st);
	return e;
}

void failures_write(const struct keeper *k, struct store *st, int64_t now)
{
	struct failures *f = k->failures;
	struct failure *some = NULL;
	if (!f || !st)
		return;
	pthread_mutex_lock(&f->lock);
	size_t n = f->writing || !f->n ? 0 : allowed(f, now);
	if (n)
		some = malloc(n * sizeof *some);
	if (some) {
		memcpy(some, f->kept, n * sizeof *some);
		memmove(f->kept, f->kept + n, (f->n - n) * sizeof *f->kept);
		f->n -= n;
		f->writing = true;
	}
	pthread_mutex_unlock(&f->lock);
	if (!some)
		return;
	bool done = !write_all(st, some, n);
	pthread_mutex_lock(&f->lock);
	f->writing = false;
	if (done)
		f->written += n;
	for (size_t i = 0; i < n && !done; i++)
		push(f, &some[i]);
	pthread_mutex_unlock(&f->lock);
	free(some);
}

/* ---- what kosmo-enrolld tells ---- */

/* The next word of a line and what is behind it; false: there is none, or it is too long. */
static bool word(const char **s, char ret[static TOLD_WORD])
{
	size_t n = strcspn(*s, " \n");
	if (!n || n >= TOLD_WORD)
		return false;
	memcpy(ret, *s, n);
	ret[n] = '\0';
	*s += n + ((*s)[n] == ' ');
	return true;
}

static bool told(const char *line, int64_t now, bool (*known)(const char *action), struct failure *ret)
{
	char id[TOLD_WORD], time[TOLD_WORD], action[TOLD_WORD], why[TOLD_WORD];
	char *end;
	if (!word(&line, id) || !word(&line, time) || !word(&line, action) || !word(&line, why))
		return false;
	long long at = strtoll(time, &end, 10);
	enum failure_why w = failure_of(why, strlen(why));
	if (*end || at <= now - TOLD_AGE || at > now + 60 || !failure_id_form(id) || w == FAILURE_NONE ||
	    !known(action))
		return false;
	*ret = (struct failure){.time = at};
	memcpy(ret->id, id, sizeof ret->id);
	snprintf(ret->what, sizeof ret->what, "%s: %s", action, failure_sentence(w));
	return true;
}

void failures_told(const struct keeper *k, const char *lines, int64_t now, bool (*known)(const char *action))
{
	struct failure one;
	for (int i = 0; i < TOLD_MOST && *lines; i++) {
		if (told(lines, now, known, &one))
			failures_add(k, &one);
		lines += strcspn(lines, "\n");
		lines += *lines == '\n';
	}
}
