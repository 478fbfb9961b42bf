#include "config.h"

#include "common/text.h"
#include "enroll/values.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void values_put(struct values *vs, const char *name, const char *text, char *owned)
{
	struct value *v;

	if (!text_utf8_valid(text, strlen(text)))
		vs->failed = true;
	if (vs->n == vs->cap && !vs->failed) {
		size_t cap = vs->cap ? 2 * vs->cap : 64;

		v = reallocarray(vs->v, cap, sizeof *v);
		if (v) {
			vs->v = v;
			vs->cap = cap;
		} else {
			vs->failed = true;
		}
	}
	if (vs->failed) {
		free(owned);
		return;
	}
	vs->v[vs->n] = (struct value){.name = name, .text = text, .owned = owned, .order = vs->n};
	vs->n++;
	vs->sorted = false;
}

void values_add(struct values *vs, const char *name, const char *text)
{
	if (text)
		values_put(vs, name, text, NULL);
}

void values_add_item(struct values *vs, const char *list, size_t i, const char *name, const char *text)
{
	char *owned = NULL;

	if (!text)
		return;
	if (asprintf(&owned, "%s.%zu.%s", list, i, name) < 0) {
		vs->failed = true;
		return;
	}
	values_put(vs, owned, text, owned);
}

static int values_order(const void *a, const void *b)
{
	const struct value *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	return c ? c : (x->order > y->order) - (x->order < y->order);
}

enum err values_seal(struct values *vs)
{
	if (vs->failed)
		return ERR_INVALID;
	if (vs->n)
		qsort(vs->v, vs->n, sizeof *vs->v, values_order);
	vs->sorted = true;
	return ERR_NONE;
}

/* The first whose name, cut to n bytes, is not less than key. */
static size_t values_lower(const struct values *vs, const char *key, size_t n)
{
	size_t low = 0, high = vs->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strncmp(vs->v[mid].name, key, n) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const char *values_get(const struct values *vs, const char *name, size_t n)
{
	size_t i;

	if (!vs->sorted)
		return NULL;
	/* The name itself sorts before every longer one that begins with it. */
	i = values_lower(vs, name, n);
	if (i < vs->n && strncmp(vs->v[i].name, name, n) == 0 && vs->v[i].name[n] == '\0')
		return vs->v[i].text;
	return NULL;
}

bool values_any(const struct values *vs, const char *prefix, size_t n)
{
	size_t i;

	if (!vs->sorted)
		return false;
	i = values_lower(vs, prefix, n);
	return i < vs->n && strncmp(vs->v[i].name, prefix, n) == 0;
}

void values_free(struct values *vs)
{
	if (!vs)
		return;
	for (size_t i = 0; i < vs->n; i++)
		free(vs->v[i].owned);
	free(vs->v);
	*vs = (struct values)VALUES_INIT;
}
