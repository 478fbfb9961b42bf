#include "config.h"

#include "enroll/colours.h"
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define CONTRAST_TEXT 4.5
#define STEPS	      20 /* towards black or white, in search of a colour that can be read */

/* What is there already (static/kosmo.css): the page, the card on it, and the dark text of the light. */
static const struct theme {
	const char *key, *about;
	struct colour page, card, towards; /* a colour that cannot be read is moved towards this one */
	double tint;			   /* of the colour in the tint of a card */
} themes[] = {
    {"main", "in the light", {0xf3, 0xf5, 0xf4}, {0xff, 0xff, 0xff}, {0, 0, 0}, 0.11},
    {"main_dark", "in the dark", {0x12, 0x18, 0x1b}, {0x1b, 0x23, 0x27}, {0xff, 0xff, 0xff}, 0.10},
};
static const struct colour white = {0xff, 0xff, 0xff}, ink = {0x0c, 0x16, 0x1a};

struct given {
	struct colour c;
	unsigned line; /* 0: not given */
};

static double colours_linear(uint8_t v)
{
	double s = v / 255.0;

	return s <= 0.04045 ? s / 12.92 : pow((s + 0.055) / 1.055, 2.4);
}

/* WCAG 2.2, "relative luminance" */
static double colours_luminance(struct colour c)
{
	return 0.2126 * colours_linear(c.r) + 0.7152 * colours_linear(c.g) + 0.0722 * colours_linear(c.b);
}

double colours_contrast(struct colour a, struct colour b)
{
	double x = colours_luminance(a), y = colours_luminance(b);

	return x > y ? (x + 0.05) / (y + 0.05) : (y + 0.05) / (x + 0.05);
}

static struct colour colours_mix(struct colour a, struct colour b, double part)
{
	return (struct colour){(uint8_t)(a.r + (b.r - a.r) * part + 0.5), (uint8_t)(a.g + (b.g - a.g) * part + 0.5),
			       (uint8_t)(a.b + (b.b - a.b) * part + 0.5)};
}

/* The lowest contrast that this main colour would have where it is text: on the page, the card, and the tint. */
static double colours_lowest(const struct theme *t, struct colour c)
{
	const struct colour under[] = {t->page, t->card, colours_mix(t->card, c, t->tint)};
	double low = 21;

	for (size_t i = 0; i < sizeof under / sizeof *under; i++) {
		double now = colours_contrast(c, under[i]);

		low = now < low ? now : low;
	}
	return low;
}

static struct colour colours_text_on(struct colour c)
{
	return colours_contrast(white, c) >= colours_contrast(ink, c) ? white : ink;
}

static bool colours_good(const struct theme *t, struct colour c)
{
	return colours_lowest(t, c) >= CONTRAST_TEXT && colours_contrast(colours_text_on(c), c) >= CONTRAST_TEXT;
}

/* The nearest on the way to black or white that can be read. */
static struct colour colours_nearest(const struct theme *t, struct colour c)
{
	struct colour now = c;

	for (int i = 1; i <= STEPS && !colours_good(t, now); i++)
		now = colours_mix(c, t->towards, (double)i / STEPS);
	return now;
}

static int colours_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* #rrggbb, all of s[0..n) */
static bool colours_parse(const char *s, size_t n, struct colour *ret)
{
	uint8_t v[3];

	if (n != 7 || s[0] != '#')
		return false;
	for (size_t i = 0; i < 3; i++) {
		int high = colours_hex(s[1 + 2 * i]), low = colours_hex(s[2 + 2 * i]);

		if (high < 0 || low < 0)
			return false;
		v[i] = (uint8_t)(high * 16 + low);
	}
	*ret = (struct colour){v[0], v[1], v[2]};
	return true;
}

/* One line, s[0..n). */
static bool colours_line(const char *path, unsigned line, const char *s, size_t n, const struct faults *fs,
			 struct given given[2])
{
	const char *equals = memchr(s, '=', n), *value;
	size_t key = equals ? (size_t)(equals - s) : 0, len;

	while (key && (s[key - 1] == ' ' || s[key - 1] == '\t'))
		key--;
	for (size_t i = 0; i < 2; i++) {
		if (!equals || strlen(themes[i].key) != key || memcmp(s, themes[i].key, key) != 0)
			continue;
		value = equals + 1;
		while (value < s + n && (*value == ' ' || *value == '\t'))
			value++;
		len = (size_t)(s + n - value);
		if (given[i].line)
			faults_say(fs, FAULT_LEFT_OUT, "%s:%u: \"%s\" stands on line %u already; keep one of the two",
				   path, line, themes[i].key, given[i].line);
		else if (!colours_parse(value, len, &given[i].c))
			faults_say(fs, FAULT_LEFT_OUT,
				   "%s:%u: \"%.*s\" is no colour; write # and six digits from 0 to f, like #14566b",
				   path, line, (int)(len < 80 ? len : 80), value);
		else
			given[i].line = line;
		return given[i].line == line;
	}
	faults_say(fs, FAULT_LEFT_OUT, "%s:%u: not understood; the lines are main = #rrggbb and main_dark = #rrggbb",
		   path, line);
	return false;
}

static bool colours_lines(const char *path, const char *text, const struct faults *fs, struct given given[2])
{
	bool ok = true;

	for (unsigned line = 1; *text; line++) {
		size_t n = strcspn(text, "\n"), blank = strspn(text, " \t");

		if (blank < n && text[blank] != '#' && text[blank] != ';')
			ok &= colours_line(path, line, text + blank, n - blank, fs, given);
		text += n + (text[n] == '\n');
	}
	if (ok && !given[0].line) {
		faults_say(fs, FAULT_LEFT_OUT, "%s: no main colour; write a line like main = #14566b", path);
		return false;
	}
	return ok;
}

static bool colours_check(const char *path, const struct theme *t, const struct given *g, const struct faults *fs)
{
	struct colour c = g->c, better;

	if (colours_good(t, c))
		return true;
	better = colours_nearest(t, c);
	faults_say(fs, FAULT_LEFT_OUT,
		   "%s:%u: #%02x%02x%02x cannot be read well %s: as text on the page it has a contrast of %.1f:1, as a "
		   "button's colour %.1f:1 to its text; both must be at least %.1f:1. #%02x%02x%02x would do",
		   path, g->line, c.r, c.g, c.b, t->about, colours_lowest(t, c),
		   colours_contrast(colours_text_on(c), c), CONTRAST_TEXT, better.r, better.g, better.b);
	return false;
}

static void colours_put(const struct theme *t, struct colour c, struct buf *b)
{
	struct colour text = colours_text_on(c), tint = colours_mix(t->card, c, t->tint);
	/* The button under the pointer: away from its text, so that it stays readable. */
	struct colour over = colours_mix(c, text.r == white.r ? (struct colour){0, 0, 0} : white, 0.22);

	buf_addf(b, "--main:#%02x%02x%02x;--main-text:#%02x%02x%02x;--main-over:#%02x%02x%02x;--tint:#%02x%02x%02x",
		 c.r, c.g, c.b, text.r, text.g, text.b, over.r, over.g, over.b, tint.r, tint.g, tint.b);
}

enum err colours_css(const char *path, const char *text, const struct faults *fs, struct buf *ret)
{
	struct given given[2] = {{.line = 0}, {.line = 0}};

	if (!colours_lines(path, text, fs, given) || !colours_check(path, &themes[0], &given[0], fs))
		return ERR_INVALID;
	if (!given[1].line)
		given[1].c = colours_nearest(&themes[1], given[0].c);
	else if (!colours_check(path, &themes[1], &given[1], fs))
		return ERR_INVALID;
	buf_adds(ret, "\n:root{");
	colours_put(&themes[0], given[0].c, ret);
	/* on screens alone: paper is white */
	buf_adds(ret, "}\n@media screen and (prefers-color-scheme:dark){:root{");
	colours_put(&themes[1], given[1].c, ret);
	buf_adds(ret, "}}\n");
	return ret->failed ? ERR_NOMEM : ERR_NONE;
}
