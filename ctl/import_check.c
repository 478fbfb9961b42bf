/* The first pass of an import. Memory: 16 bytes a row for the duplicates, 4 a bad line, and the window of the sheet. */
#include "config.h"

#include "common/secret.h"
#include "ctl/import.h"
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

/* 96 bits of a keyed hash of the login, and the line. Sorted, the same logins stand side by side, first line first. */
struct import_seen {
	uint32_t hash[3], line;
};

struct import_dups {
	EVP_MAC *mac;
	EVP_MAC_CTX *ctx;
	uint8_t key[16];
	struct import_seen *seen;
	size_t n, cap;
};

static void import_dups_free(struct import_dups *d)
{
	EVP_MAC_CTX_free(d->ctx);
	EVP_MAC_free(d->mac);
	free(d->seen);
	*d = (struct import_dups){0};
}

static enum err import_dups_begin(struct import_dups *d)
{
	enum err e = secret_random(d->key, sizeof d->key);
	if (e)
		return e;
	d->mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	d->ctx = d->mac ? EVP_MAC_CTX_new(d->mac) : NULL;
	return d->ctx ? ERR_NONE : ERR_INTERNAL;
}

static enum err import_dups_add(struct import_dups *d, const struct row *r)
{
	size_t size = 16, len;
	uint8_t out[16];
	OSSL_PARAM p[] = {OSSL_PARAM_construct_size_t("size", &size), OSSL_PARAM_construct_end()};
	if (d->n == d->cap) {
		size_t cap = d->cap ? d->cap + d->cap / 2 : 4096;
		struct import_seen *s = realloc(d->seen, cap * sizeof *s);
		if (!s)
			return ERR_NOMEM;
		d->seen = s;
		d->cap = cap;
	}
	if (!EVP_MAC_init(d->ctx, d->key, sizeof d->key, p) ||
	    !EVP_MAC_update(d->ctx, (const uint8_t *)r->login, strlen(r->login)) ||
	    !EVP_MAC_final(d->ctx, out, &len, sizeof out) || len != sizeof out)
		return ERR_INTERNAL;
	memcpy(d->seen[d->n].hash, out, sizeof d->seen[d->n].hash);
	d->seen[d->n++].line = r->line;
	return ERR_NONE;
}

static bool import_seen_less(const struct import_seen *a, const struct import_seen *b)
{
	for (int i = 0; i < 3; i++)
		if (a->hash[i] != b->hash[i])
			return a->hash[i] < b->hash[i];
	return a->line < b->line;
}

static void import_seen_sink(struct import_seen *a, size_t i, size_t n)
{
	struct import_seen x = a[i];
	for (size_t k; (k = 2 * i + 1) < n; i = k) {
		if (k + 1 < n && import_seen_less(&a[k], &a[k + 1]))
			k++;
		if (!import_seen_less(&x, &a[k]))
			break;
		a[i] = a[k];
	}
	a[i] = x;
}

/* Heapsort: glibc's qsort would take as much memory again. */
static void import_seen_sort(struct import_seen *a, size_t n)
{
	for (size_t i = n / 2; i-- > 0;)
		import_seen_sink(a, i, n);
	for (size_t end = n; end-- > 1;) {
		struct import_seen x = a[0];
		a[0] = a[end];
		a[end] = x;
		import_seen_sink(a, 0, end);
	}
}

static enum err import_bad_add(struct import *im, uint32_t line)
{
	if (im->n_bad == im->cap_bad) {
		size_t cap = im->cap_bad ? im->cap_bad * 2 : 256;
		uint32_t *p = realloc(im->bad, cap * sizeof *p);
		if (!p)
			return ERR_NOMEM;
		im->bad = p;
		im->cap_bad = cap;
	}
	im->bad[im->n_bad++] = line;
	return ERR_NONE;
}

static int import_line_order(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

/* The second and later rows of a login are bad lines. Their list takes the place of the sorted array: line, first line.
 */
static size_t import_dups_list(struct import_seen *s, size_t n)
{
	size_t k = 0;
	struct import_seen head = {0};
	for (size_t i = 0; i < n; i++) {
		struct import_seen x = s[i];
		if (i && memcmp(x.hash, head.hash, sizeof x.hash) == 0)
			s[k++] = (struct import_seen){.hash = {x.line, head.line}};
		else
			head = x;
	}
	import_seen_sort(s, k);
	return k;
}

static enum err import_dups_report(struct import *im, struct import_dups *d)
{
	import_seen_sort(d->seen, d->n);
	size_t n = import_dups_list(d->seen, d->n);
	for (size_t i = 0; i < n; i++) {
		enum err e = import_bad_add(im, d->seen[i].hash[0]);
		if (e)
			return e;
		import_report_bad(im, d->seen[i].hash[0], NULL, d->seen[i].hash[1]);
	}
	if (im->n_bad)
		qsort(im->bad, im->n_bad, sizeof *im->bad, import_line_order);
	return ERR_NONE;
}

/* A rule for new people only: whoever is in the store already passes. */
static enum err import_check_new(struct import *im, const struct row *r, const char **ret_why)
{
	struct person p;
	const char *why = row_check_new(&im->rules, r);
	*ret_why = NULL;
	if (!why)
		return ERR_NONE;
	enum err e = store_person_by_login(im->c->st, r->login, &p);
	if (e == ERR_NOTFOUND) {
		*ret_why = why;
		return ERR_NONE;
	}
	if (!e)
		person_wipe(&p);
	return e;
}

static enum ctl_exit import_check_header(struct import *im)
{
	struct sheet_row s;
	char text[512];
	const char *why = "it is empty";
	enum sheet_result r = sheet_next(im->sheet, &s, &why);
	if (r == SHEET_FAILED)
		return ctl_failed(ERR_IO, im->file, NULL);
	if (r == SHEET_END)
		s.line = 1;
	if (r != SHEET_ROW || !row_header(&s, &im->columns, text)) {
		import_report_bad(im, s.line, r == SHEET_ROW ? text : why, 0);
		return CTL_INPUT;
	}
	return CTL_OK;
}

static enum err import_check_rows(struct import *im, struct import_dups *d)
{
	struct sheet_row s;
	struct row row;
	const char *why;
	enum sheet_result r;
	enum err e = ERR_NONE;
	while (!e && !ctl_stopped() && (r = sheet_next(im->sheet, &s, &why)) != SHEET_END) {
		if (r == SHEET_FAILED)
			return ERR_IO;
		if (r == SHEET_ROW)
			why = row_check(&im->columns, &im->rules, &s, &row);
		if (!why)
			e = import_check_new(im, &row, &why);
		if (!e && why) {
			import_report_bad(im, s.line, why, 0);
			e = import_bad_add(im, s.line);
		} else if (!e) {
			im->n_rows++;
			e = import_dups_add(d, &row);
		}
		progress_at(&im->bar, sheet_position(im->sheet));
	}
	row_wipe(&row);
	return e;
}

enum ctl_exit import_check(struct import *im)
{
	struct import_dups d = {0};
	enum ctl_exit r = import_check_header(im);
	if (r)
		return r;
	progress_begin(&im->bar, "checking ", im->size);
	enum err e = import_dups_begin(&d);
	if (!e)
		e = import_check_rows(im, &d);
	if (!e && !ctl_stopped())
		e = import_dups_report(im, &d);
	import_dups_free(&d);
	progress_end(&im->bar);
	if (e)
		return ctl_failed(e, im->file, NULL);
	if (ctl_stopped()) {
		ctl_say("stopped; nothing was imported");
		return CTL_FAILED;
	}
	return CTL_OK;
}
