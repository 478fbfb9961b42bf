#include "config.h"

#include "common/text.h"
#include "common/text_chars.h"
#include <unistr.h>

/* The text becomes code points; a cursor walks over them and skips white space before what it takes. */

#define DATE_POINTS 48

struct cursor {
	ucs4_t c[DATE_POINTS + 1]; /* ends with 0 */
	size_t at;
};

struct era {
	ucs4_t name[2];
	char letter;
	int first_year;
	struct date first, last;
};

/* 1912-07-30 and 1926-12-25 are in two eras: the old one until the proclamation, the new one after it. */
static const struct era eras[] = {
    {{0x660e, 0x6cbb}, 'm', 1868, {1868, 10, 23}, {1912, 7, 30}}, /* Meiji */
    {{0x5927, 0x6b63}, 't', 1912, {1912, 7, 30}, {1926, 12, 25}}, /* Taisho */
    {{0x662d, 0x548c}, 's', 1926, {1926, 12, 25}, {1989, 1, 7}},  /* Showa */
    {{0x5e73, 0x6210}, 'h', 1989, {1989, 1, 8}, {2019, 4, 30}},	  /* Heisei */
    {{0x4ee4, 0x548c}, 'r', 2019, {2019, 5, 1}, {INT16_MAX, 12, 31}},
};

#define KANJI_GAN   0x5143 /* the first year of an era */
#define KANJI_YEAR  0x5e74
#define KANJI_MONTH 0x6708
#define KANJI_DAY   0x65e5

static int date_compare(struct date a, struct date b)
{
	if (a.year != b.year)
		return a.year < b.year ? -1 : 1;
	if (a.month != b.month)
		return a.month < b.month ? -1 : 1;
	return (a.day > b.day) - (a.day < b.day);
}

static bool date_exists(int year, int month, int day)
{
	static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + (month == 2 && leap);
}

static ucs4_t cursor_peek(struct cursor *c)
{
	while (text_is_space(c->c[c->at]))
		c->at++;
	return c->c[c->at];
}

static bool cursor_take(struct cursor *c, ucs4_t want)
{
	if (cursor_peek(c) != want)
		return false;
	c->at++;
	return true;
}

/* A run of decimal digits: how many there were (0 if none), *ret their value. */
static int cursor_number(struct cursor *c, int *ret)
{
	int n = 0, v = 0;

	cursor_peek(c);
	for (; c->c[c->at] >= '0' && c->c[c->at] <= '9' && n < 9; c->at++, n++)
		v = v * 10 + (int)(c->c[c->at] - '0');
	*ret = v;
	return n;
}

static const struct era *cursor_era(struct cursor *c)
{
	ucs4_t first = cursor_peek(c), second = c->c[first ? c->at + 1 : c->at];

	for (size_t i = 0; i < sizeof eras / sizeof *eras; i++) {
		if (first == eras[i].name[0] && second == eras[i].name[1]) {
			c->at += 2;
			return &eras[i];
		}
		if (first < 0x80 && text_ascii_lower((char)first) == eras[i].letter) {
			c->at++;
			cursor_take(c, '.'); /* "S.55.1.1" */
			return &eras[i];
		}
	}
	return NULL;
}

/* '-', '/', '.' of any shape; 0 for anything else. */
static char separator(ucs4_t c)
{
	if (text_is_hyphen(c))
		return '-';
	if (text_is_dot(c))
		return '.';
	return c == '/' ? '/' : 0;
}

/* The rest of "1-1", "/1/1", ".1.1" or with kanji, the year being read. */
static bool cursor_month_day(struct cursor *c, int *month, int *day)
{
	ucs4_t sep = cursor_peek(c);
	bool kanji = sep == KANJI_YEAR;
	int n;

	if (!kanji && !separator(sep))
		return false;
	c->at++;
	n = cursor_number(c, month);
	if (n < 1 || n > 2)
		return false;
	if (kanji ? !cursor_take(c, KANJI_MONTH) : separator(cursor_peek(c)) != separator(sep))
		return false;
	if (!kanji)
		c->at++;
	n = cursor_number(c, day);
	if (n < 1 || n > 2)
		return false;
	return !kanji || cursor_take(c, KANJI_DAY);
}

static bool cursor_date(struct cursor *c, const struct era *era, int *year, int *month, int *day)
{
	int v, n;

	if (era && cursor_take(c, KANJI_GAN)) {
		*year = 1;
		return cursor_month_day(c, month, day);
	}
	n = cursor_number(c, &v);
	if (n == (era ? 6 : 8)) {
		*year = v / 10000;
		*month = v / 100 % 100;
		*day = v % 100;
		return true;
	}
	*year = v;
	if (era ? n < 1 || n > 2 : n != 4)
		return false;
	return cursor_month_day(c, month, day);
}

static bool cursor_fill(struct cursor *c, const struct buf *form)
{
	size_t n = 0;
	int step;

	for (size_t i = 0; i < form->len; i += (size_t)step) {
		ucs4_t u;

		if (n == DATE_POINTS)
			return false;
		step = u8_mbtouc(&u, form->data + i, form->len - i);
		c->c[n++] = u;
	}
	c->c[n] = 0;
	c->at = 0;
	return true;
}

enum date_error text_birth_date(const char *s, size_t n, struct date today, struct date *ret)
{
	AUTO_BUF form = BUF_INIT;
	struct cursor c;
	const struct era *era;
	struct date d;
	int year = 0, month = 0, day = 0;

	if (n > 4 * DATE_POINTS || text_nfkc(s, n, &form) != ERR_NONE || !cursor_fill(&c, &form))
		return DATE_FORM;
	if (cursor_peek(&c) == 0)
		return DATE_EMPTY;
	era = cursor_era(&c);
	if (!cursor_date(&c, era, &year, &month, &day) || cursor_peek(&c) != 0)
		return DATE_FORM;
	if (era && year == 0)
		return DATE_NOSUCH;
	if (era)
		year += era->first_year - 1;
	if (!date_exists(year, month, day))
		return DATE_NOSUCH;
	d = (struct date){.year = (int16_t)year, .month = (int8_t)month, .day = (int8_t)day};
	if (date_compare(d, eras[0].first) < 0)
		return DATE_OLD;
	if (era && (date_compare(d, era->first) < 0 || date_compare(d, era->last) > 0))
		return DATE_NOSUCH;
	if (date_compare(d, today) > 0)
		return DATE_FUTURE;
	*ret = d;
	return DATE_OK;
}

/* Both by the civil calendar, whose 400 years have 146,097 days, with years that begin in March; in Japan, which has
 * had no summer time since 1951. */

struct date text_today(int64_t now)
{
	const int64_t local = now + 9 * 3600;
	int64_t days = local / 86400 - (local % 86400 < 0) + 719468; /* since 0000-03-01 */
	int64_t era = (days >= 0 ? days : days - 146096) / 146097, in_era = days - era * 146097;
	int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	int64_t day = in_era - (365 * year + year / 4 - year / 100), month = (5 * day + 2) / 153;

	return (struct date){.year = (int16_t)(era * 400 + year + (month >= 10)),
			     .month = (int8_t)(month < 10 ? month + 3 : month - 9),
			     .day = (int8_t)(day - (153 * month + 2) / 5 + 1)};
}

int64_t text_midnight(struct date d)
{
	int64_t y = d.year - (d.month <= 2), era = y / 400, in_era = y - era * 400;
	int64_t day = (153 * (d.month + (d.month > 2 ? -3 : 9)) + 2) / 5 + d.day - 1;

	return (era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + day - 719468) * 86400 - 9 * 3600;
}

static char *put_digits(char *b, unsigned v, unsigned unit)
{
	for (; unit > 0; unit /= 10)
		*b++ = (char)('0' + v / unit % 10);
	return b;
}

void text_date_iso(struct date d, char b[static 11])
{
	b = put_digits(b, (unsigned)d.year, 1000);
	*b++ = '-';
	b = put_digits(b, (unsigned)d.month, 10);
	*b++ = '-';
	b = put_digits(b, (unsigned)d.day, 10);
	*b = '\0';
}
