#include "config.h"

#include "common/i18n.h"
#include "common/paths.h"
#include <libintl.h>
#include <limits.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define DOMAIN_JA "kosmo-ja"

/* gettext translates nothing in the locale "C"; C.UTF-8 is the one other locale that every host has. */
static locale_t utf8_locale;

void i18n_init(void)
{
	char dir[PATH_MAX];

	unsetenv("LANGUAGE"); /* would override the locale's catalogue */
	if (utf8_locale)
		return;
	paths_find("po", LOCALEDIR, dir, sizeof dir);
	if (!bindtextdomain(DOMAIN_JA, dir) || !bind_textdomain_codeset(DOMAIN_JA, "UTF-8"))
		return;
	utf8_locale = newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0);
}

const char *i18n(const char *lang, const char *msgid)
{
	const char *text;
	locale_t before;

	/* The empty msgid is the catalogue's header. */
	if (!lang || strcmp(lang, "ja") != 0 || !utf8_locale || msgid[0] == '\0')
		return msgid;
	before = uselocale(utf8_locale);
	text = dgettext(DOMAIN_JA, msgid);
	uselocale(before);
	return text;
}

/* "ja", "ja-JP" and "ja_JP.UTF-8" are all Japanese. */
static bool is_language(const char *tag, size_t n, const char *lang)
{
	return n >= 2 && strncasecmp(tag, lang, 2) == 0 && (n == 2 || tag[2] == '-' || tag[2] == '_');
}

/* The weight of RFC 9110 12.4.2 in thousandths; 1000 if none is given, 0 if it is not understood. */
static int weight(const char *p, size_t n)
{
	const char *q = memchr(p, ';', n);
	size_t left;
	int v;

	if (!q)
		return 1000;
	left = n - (size_t)(q - p);
	do {
		q++;
		left--;
	} while (left > 0 && (*q == ' ' || *q == '\t'));
	if (left < 3 || (*q != 'q' && *q != 'Q') || q[1] != '=' || (q[2] != '0' && q[2] != '1'))
		return 0;
	v = (q[2] - '0') * 1000;
	if (left > 3 && q[3] == '.')
		for (size_t i = 4, unit = 100; i < left && i < 7 && q[i] >= '0' && q[i] <= '9'; i++, unit /= 10)
			v += (q[i] - '0') * (int)unit;
	return v > 1000 ? 1000 : v;
}

const char *i18n_pick(const char *accept, const char *fallback)
{
	const char *best = fallback;
	int best_weight = 0;

	while (accept && *accept) {
		size_t n, tag;

		accept += strspn(accept, ", \t");
		n = strcspn(accept, ",");
		tag = strcspn(accept, ",; \t");
		if (weight(accept, n) > best_weight) {
			const char *is = is_language(accept, tag, "ja")	  ? "ja"
					 : is_language(accept, tag, "en") ? "en"
					 : tag == 1 && *accept == '*'	  ? fallback
									  : NULL;

			if (is) {
				best = is;
				best_weight = weight(accept, n);
			}
		}
		accept += n;
	}
	return best;
}

void i18n_date(const char *lang, struct date d, char ret[static I18N_TIME])
{
	static const char *const month[] = {"January", "February", "March",	"April",   "May",      "June",
					    "July",    "August",   "September", "October", "November", "December"};
	if (lang && !strcmp(lang, "ja"))
		snprintf(ret, I18N_TIME, "%d年%d月%d日", d.year, d.month, d.day);
	else
		snprintf(ret, I18N_TIME, "%d %s %d", d.day, month[(unsigned)(d.month - 1) % 12], d.year);
}

void i18n_time(const char *lang, int64_t t, char ret[static I18N_TIME])
{
	time_t when = t;
	struct tm tm;
	ret[0] = '\0';
	if (!localtime_r(&when, &tm))
		return;
	i18n_date(lang,
		  (struct date){.year = (int16_t)(tm.tm_year + 1900),
				.month = (int8_t)(tm.tm_mon + 1),
				.day = (int8_t)tm.tm_mday},
		  ret);
	size_t n = strlen(ret);
	snprintf(ret + n, I18N_TIME - n, lang && !strcmp(lang, "ja") ? " %d時%02d分" : ", %02d:%02d", tm.tm_hour,
		 tm.tm_min);
}
