#include "config.h"

#include "common/buf.h"
#include "common/secret.h"
#include "common/text.h"
#include "ctl/sheet.h"
#include <csv.h>
#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHEET_WINDOW 65536

struct sheet {
	int fd;
	struct stat st;
	bool mark, cp932;
	iconv_t iconv;
	struct csv_parser csv;
	uint8_t *win;	      /* SHEET_WINDOW bytes; secrets pass through */
	size_t row, pos, end; /* where the row in work begins, what the parser has seen, how much is read */
	int64_t base;	      /* file offset of win[0] */
	bool eof;
	uint32_t line, row_line;
	/* the row that the parser puts together */
	struct buf text;
	size_t n, start[SHEET_CELLS + 1];
	bool done, many;
};

/* ---- which encoding ---- */

/* One byte at a time, so that lines may be of any length. */
struct sheet_scan {
	unsigned need;	   /* continuation bytes still due */
	uint8_t low, high; /* range of the next one */
	bool bad, wide;	   /* this line: no UTF-8; has a sequence of three bytes or more */
	uint64_t lines, n_bad, n_wide;
};

static void sheet_scan_lead(struct sheet_scan *s, uint8_t ch)
{
	s->low = ch == 0xe0 ? 0xa0 : ch == 0xf0 ? 0x90 : 0x80;
	s->high = ch == 0xed ? 0x9f : ch == 0xf4 ? 0x8f : 0xbf;
	s->need = ch < 0xc2 || ch > 0xf4 ? 0 : ch < 0xe0 ? 1 : ch < 0xf0 ? 2 : 3;
	if (!s->need)
		s->bad = true;
	if (s->need > 1)
		s->wide = true;
}

static void sheet_scan_line(struct sheet_scan *s)
{
	if (s->bad)
		s->n_bad++;
	else if (s->wide)
		s->n_wide++;
	s->bad = s->wide = false;
	s->need = 0;
	s->lines++;
}

static void sheet_scan_bytes(struct sheet_scan *s, const uint8_t *p, size_t n)
{
	for (const uint8_t *end = p + n; p < end; p++) {
		if (s->need) {
			if (*p >= s->low && *p <= s->high) {
				s->need--;
				s->low = 0x80;
				s->high = 0xbf;
				continue;
			}
			s->bad = true;
			s->need = 0;
		}
		if (*p == '\n' || *p == '\r')
			sheet_scan_line(s);
		else if (*p >= 0x80)
			sheet_scan_lead(s, *p);
	}
}

static ssize_t sheet_read(int fd, void *p, size_t n)
{
	ssize_t got;
	do
		got = read(fd, p, n);
	while (got < 0 && errno == EINTR);
	return got;
}

static enum err sheet_detect(struct sheet *s)
{
	struct sheet_scan scan = {0};
	ssize_t n;
	while ((n = sheet_read(s->fd, s->win, SHEET_WINDOW)) > 0) {
		if (!s->base && n >= 2 && (memcmp(s->win, "\xff\xfe", 2) == 0 || memcmp(s->win, "\xfe\xff", 2) == 0))
			return ERR_INVALID;
		if (!s->base && n >= 3 && memcmp(s->win, "\xef\xbb\xbf", 3) == 0)
			s->mark = true;
		s->base += n;
		sheet_scan_bytes(&scan, s->win, (size_t)n);
	}
	if (n < 0)
		return ERR_IO;
	if (scan.need)
		scan.bad = true;
	sheet_scan_line(&scan);
	s->cp932 = !s->mark && scan.n_bad > scan.n_wide;
	return scan.lines >= UINT32_MAX ? ERR_TOOBIG : ERR_NONE;
}

/* ---- rows ---- */

static void sheet_on_cell(void *p, size_t len, void *arg)
{
	struct sheet *s = arg;
	if (s->n == SHEET_CELLS) {
		s->many = true;
		return;
	}
	buf_add(&s->text, p, len);
	buf_addc(&s->text, '\0');
	s->start[++s->n] = s->text.len;
}

static void sheet_on_row(int end, void *arg)
{
	(void)end;
	((struct sheet *)arg)->done = true;
}

static void sheet_csv_end(struct sheet *s)
{
	secret_wipe(s->csv.entry_buf, s->csv.entry_size);
	csv_free(&s->csv);
}

/* A parser that has lost its way, or a row too many, is started afresh. */
static bool sheet_csv_begin(struct sheet *s)
{
	if (csv_init(&s->csv, CSV_STRICT | CSV_STRICT_FINI) != 0)
		return false;
	/* Grown once: no copies of a cell are left behind by realloc. */
	csv_set_blk_size(&s->csv, SHEET_ROW_MAX + 1);
	return true;
}

static void sheet_row_begin(struct sheet *s)
{
	buf_wipe(&s->text);
	s->n = 0;
	s->start[0] = 0;
	s->done = s->many = false;
	s->row = s->pos;
	s->row_line = s->line;
}

/* Reads on behind what is there; keeps the bytes from row on. */
static bool sheet_fill(struct sheet *s)
{
	if (s->row) {
		memmove(s->win, s->win + s->row, s->end - s->row);
		s->base += (int64_t)s->row;
		s->pos -= s->row;
		s->end -= s->row;
		s->row = 0;
	}
	ssize_t n = sheet_read(s->fd, s->win + s->end, SHEET_WINDOW - s->end);
	if (n > 0)
		s->end += (size_t)n;
	s->eof = n == 0;
	return n >= 0;
}

static size_t sheet_line_end(const uint8_t *p, size_t n)
{
	const uint8_t *lf = memchr(p, '\n', n), *cr = memchr(p, '\r', lf ? (size_t)(lf - p) : n);
	return cr ? (size_t)(cr - p) : lf ? (size_t)(lf - p) : n;
}

/* *ret_n: the bytes from pos up to and with the line's end (LF, CRLF, CR); without one at the end of the file, 0 there,
 * and where a line is longer than any row. False: reading failed. */
static bool sheet_line(struct sheet *s, size_t *ret_n)
{
	for (;;) {
		const uint8_t *p = s->win + s->pos;
		size_t n = s->end - s->pos, at = sheet_line_end(p, n);
		bool cr = at < n && p[at] == '\r';
		if (at < n && (!cr || at + 1 < n || s->eof)) {
			*ret_n = at + 1 + (cr && at + 1 < n && p[at + 1] == '\n');
			return true;
		}
		if (s->eof || n > SHEET_ROW_MAX) {
			*ret_n = n;
			return true;
		}
		if (!sheet_fill(s))
			return false;
	}
}

static void sheet_advance(struct sheet *s, size_t n)
{
	uint8_t last = s->win[s->pos + n - 1];
	if (last == '\r' || last == '\n')
		s->line++;
	s->pos += n;
}

/* After a broken row: go on at the line behind its first one, so that one stray quote does not swallow its neighbours.
 */
static bool sheet_resync(struct sheet *s)
{
	size_t n;
	sheet_csv_end(s);
	s->pos = s->row;
	s->line = s->row_line;
	do {
		if (!sheet_line(s, &n))
			return false;
		if (n)
			sheet_advance(s, n);
		s->row = s->pos;
	} while (n && s->line == s->row_line);
	return sheet_csv_begin(s);
}

static enum sheet_result sheet_bad(struct sheet *s, const char **ret_why, const char *why)
{
	*ret_why = why;
	return sheet_resync(s) ? SHEET_BAD : SHEET_FAILED;
}

static bool sheet_ascii(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] >= 0x80)
			return false;
	return true;
}

static bool sheet_wide(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] >= 0xe0)
			return true;
	return false;
}

/* The cells so far from CP932 to UTF-8, in place of s->text. False: not that. */
static bool sheet_convert(struct sheet *s)
{
	bool ok = false;
	AUTO_BUF out = BUF_INIT;
	char *in = (char *)s->text.data;
	size_t start[SHEET_CELLS + 1] = {0};
	for (size_t i = 0; i < s->n; i++) {
		size_t left = s->start[i + 1] - s->start[i], cap = left * 3;
		uint8_t *room = buf_room(&out, cap);
		if (!room)
			goto out;
		char *to = (char *)room;
		(void)iconv(s->iconv, NULL, NULL, NULL, NULL);
		if (iconv(s->iconv, &in, &left, &to, &cap) == (size_t)-1 || left)
			goto out;
		out.len += (size_t)(to - (char *)room);
		start[i + 1] = out.len;
	}
	buf_wipe(&s->text);
	buf_add(&s->text, out.data, out.len);
	memcpy(s->start, start, sizeof start);
	ok = true;
out:
	return ok;
}

/* The complete row in s->text: its encoding, then into *row. */
static const char *sheet_decode(struct sheet *s, struct sheet_row *row)
{
	const uint8_t *raw = s->win + s->row;
	size_t n = s->pos - s->row;
	if (s->many)
		return "it has more cells than there can be columns";
	if (!sheet_ascii(raw, n)) {
		bool utf8 = text_utf8_valid(raw, n);
		if (!s->cp932 && !utf8)
			return "it is not UTF-8 text, as the rest of the file is";
		if (s->cp932 && utf8 && sheet_wide(raw, n))
			return "it is UTF-8 text, while the rest of the file is CP932 (Shift_JIS)";
		if (s->cp932 && !sheet_convert(s))
			return "it holds bytes that are no CP932 (Shift_JIS) text";
	}
	row->line = s->row_line;
	row->n = s->n;
	for (size_t i = 0; i < s->n; i++) {
		row->cell[i] = (const char *)s->text.data + s->start[i];
		row->len[i] = s->start[i + 1] - s->start[i] - 1;
	}
	return NULL;
}

static bool sheet_blank(const struct sheet *s)
{
	return !s->many && s->text.len == s->n;
}

static bool sheet_blank_line(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != ' ' && p[i] != '\t' && p[i] != '\r' && p[i] != '\n')
			return false;
	return true;
}

/* Feeds the parser, line by line, until it has a row. SHEET_ROW: complete in s->text. */
static enum sheet_result sheet_assemble(struct sheet *s, const char **ret_why)
{
	while (!s->done) {
		size_t n;
		if (!sheet_line(s, &n))
			return SHEET_FAILED;
		if (n == 0) {
			if (csv_fini(&s->csv, sheet_on_cell, sheet_on_row, s) != 0)
				return sheet_bad(s, ret_why, "a quoted cell is not closed");
			return s->done ? SHEET_ROW : SHEET_END;
		}
		if (s->pos == s->row && sheet_blank_line(s->win + s->pos, n)) {
			sheet_advance(s, n);
			sheet_row_begin(s);
			continue;
		}
		if (s->pos + n - s->row > SHEET_ROW_MAX)
			return sheet_bad(s, ret_why, "it is too long, or a quoted cell is not closed");
		if (csv_parse(&s->csv, s->win + s->pos, n, sheet_on_cell, sheet_on_row, s) != n)
			return csv_error(&s->csv) == CSV_EPARSE
				   ? sheet_bad(s, ret_why,
					       "a quote stands where none may be (\"\" is one within quotes)")
				   : SHEET_FAILED;
		sheet_advance(s, n);
	}
	return s->text.failed ? SHEET_FAILED : SHEET_ROW;
}

enum sheet_result sheet_next(struct sheet *s, struct sheet_row *row, const char **ret_why)
{
	for (;;) {
		sheet_row_begin(s);
		enum sheet_result r = sheet_assemble(s, ret_why);
		row->line = s->row_line;
		if (r != SHEET_ROW)
			return r;
		if (sheet_blank(s))
			continue;
		*ret_why = sheet_decode(s, row);
		return *ret_why ? SHEET_BAD : SHEET_ROW;
	}
}

enum err sheet_rewind(struct sheet *s)
{
	off_t at = s->mark ? 3 : 0;
	sheet_csv_end(s);
	if (lseek(s->fd, at, SEEK_SET) < 0)
		return ERR_IO;
	s->base = at;
	s->row = s->pos = s->end = 0;
	s->eof = false;
	s->line = 1;
	return sheet_csv_begin(s) ? ERR_NONE : ERR_NOMEM;
}

enum err sheet_open(int fd, struct sheet **ret)
{
	enum err r = ERR_NOMEM;
	struct sheet *s = calloc(1, sizeof *s);
	if (!s)
		return r;
	s->fd = fd;
	s->iconv = (iconv_t)-1;
	s->win = malloc(SHEET_WINDOW);
	if (!s->win || !sheet_csv_begin(s))
		goto out;
	r = ERR_IO;
	if (fstat(fd, &s->st) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		goto out;
	r = sheet_detect(s);
	if (r)
		goto out;
	r = ERR_INTERNAL;
	if (s->cp932 && (s->iconv = iconv_open("UTF-8", "CP932")) == (iconv_t)-1)
		goto out;
	r = sheet_rewind(s);
out:
	if (r)
		sheet_close(s);
	else
		*ret = s;
	return r;
}

void sheet_close(struct sheet *s)
{
	if (!s)
		return;
	sheet_csv_end(s);
	if (s->iconv != (iconv_t)-1)
		(void)iconv_close(s->iconv);
	secret_wipe(s->win, s->win ? SHEET_WINDOW : 0);
	free(s->win);
	buf_free(&s->text);
	free(s);
}

bool sheet_excel(const struct sheet *s)
{
	return s->cp932 || s->mark;
}

const char *sheet_encoding(const struct sheet *s)
{
	return s->cp932 ? "CP932" : "UTF-8";
}

int64_t sheet_position(const struct sheet *s)
{
	return s->base + (int64_t)s->pos;
}

bool sheet_unchanged(const struct sheet *s)
{
	struct stat st;
	return fstat(s->fd, &st) == 0 && st.st_size == s->st.st_size && st.st_mtim.tv_sec == s->st.st_mtim.tv_sec &&
	       st.st_mtim.tv_nsec == s->st.st_mtim.tv_nsec && st.st_ino == s->st.st_ino;
}
