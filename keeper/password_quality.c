/* Is a new password good enough? Three opinions: the person's own data, what everyone tries first (built in, since the
 * dictionary is a package that may be missing), and libpwquality with cracklib's dictionary. */
#include "config.h"

#include "common/secret.h"
#include "common/text.h"
#include "keeper/password.h"
#include <crypt.h>
#include <pthread.h>
#include <pwquality.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <unistr.h>

#define CHARS_MAX 512 /* code points that are looked at; PASSWORD_MAX and EMAIL_MAX are less */

struct chars {
	size_t n;
	uint32_t c[CHARS_MAX];
};

static bool ascii_sign(uint32_t c)
{
	return c < 0x80 && !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z');
}

/* Lower case; without signs, if so wished. */
static bool chars_from(const char *s, size_t n, bool signs, struct chars *ret)
{
	size_t lower_len = 0, i = 0;
	uint8_t *lower = u8_tolower((const uint8_t *)s, n, NULL, NULL, NULL, &lower_len);
	ucs4_t c = 0;

	ret->n = 0;
	if (!lower)
		return false;
	while (i < lower_len && ret->n < CHARS_MAX) {
		i += (size_t)u8_mbtouc(&c, lower + i, lower_len - i);
		if (signs || !ascii_sign(c))
			ret->c[ret->n++] = c;
	}
	secret_wipe(lower, lower_len);
	free(lower);
	return true;
}

/* ---- personal ---- */

/* Four letters are a name, three may be chance; two kanji or kana are as good as four letters. */
static bool telling(const struct chars *word)
{
	bool wide = true;

	for (size_t i = 0; i < word->n; i++)
		wide = wide && word->c[i] >= 0x80;
	return word->n >= (wide ? 2 : 4);
}

static bool personal_word(const struct chars *password, const char *s, size_t n)
{
	struct chars word;

	if (!chars_from(s, n, false, &word) || !telling(&word))
		return false;
	for (size_t at = 0; at + word.n <= password->n; at++)
		if (memcmp(password->c + at, word.c, word.n * sizeof(word.c[0])) == 0)
			return true;
	return false;
}

/* A birth date in one of the ways that people write it, signs left out: which parts in which width, behind which era.
 */
static bool personal_date_form(const struct chars *password, const char *era, const int part[static 3],
			       const char *widths)
{
	char text[40];
	int n = snprintf(text, sizeof(text), "%s%0*d%0*d%0*d", era, widths[0] - '0', part[0], widths[1] - '0', part[1],
			 widths[2] - '0', part[2]);

	return n > 0 && (size_t)n < sizeof(text) && personal_word(password, text, (size_t)n);
}

static bool personal_date(const struct chars *password, const char *iso)
{
	static const struct {
		const char *letter;
		int before;
	} eras[] = {{"m", 1867}, {"t", 1911}, {"s", 1925}, {"h", 1988}, {"r", 2018}};
	int y = (int)strtol(iso, NULL, 10), m = (int)strtol(iso + 5, NULL, 10), d = (int)strtol(iso + 8, NULL, 10);

	if (personal_date_form(password, "", (int[]){y, m, d}, "422") ||
	    personal_date_form(password, "", (int[]){y, m, d}, "411") ||
	    personal_date_form(password, "", (int[]){y % 100, m, d}, "222") ||
	    personal_date_form(password, "", (int[]){d, m, y}, "224") ||
	    personal_date_form(password, "", (int[]){m, d, y}, "224"))
		return true;
	for (size_t i = 0; i < sizeof(eras) / sizeof(eras[0]); i++) {
		const int part[] = {y - eras[i].before, m, d};
		if (part[0] >= 1 && part[0] <= 64 &&
		    (personal_date_form(password, "", part, "222") ||
		     personal_date_form(password, eras[i].letter, part, "111")))
			return true;
	}
	return false;
}

static bool is_iso_date(const char *s)
{
	static const char form[] = "dddd-dd-dd";
	size_t i = 0;

	for (; form[i]; i++)
		if (form[i] == 'd' ? s[i] < '0' || s[i] > '9' : s[i] != form[i])
			return false;
	return s[i] == '\0';
}

/* The whole of it and each of its words: "taro.yamada@example.jp" has several. */
static bool personal_entry(const struct chars *password, const char *s)
{
	AUTO_BUF nfkc = BUF_INIT;

	if (is_iso_date(s))
		return personal_date(password, s);
	if (text_nfkc(s, strlen(s), &nfkc) == ERR_NONE && buf_str(&nfkc))
		s = buf_str(&nfkc);
	if (personal_word(password, s, strlen(s)))
		return true;
	for (size_t n; *s; s += n + (s[n] != '\0')) {
		n = strcspn(s, " .,@_+-");
		if (personal_word(password, s, n))
			return true;
	}
	return false;
}

/* ---- what everyone tries ---- */

static const char *const words[] = {
    "access",	  "admin",	"administrator", "amazon",	   "android",	 "angel",    "apple",	  "asahi",
    "asdf",	  "baseball",	"basketball",	 "batman",	   "changeme",	 "charlie",  "chocolate", "computer",
    "cookie",	  "daniel",	"default",	 "demo",	   "docomo",	 "doraemon", "dragon",	  "facebook",
    "family",	  "football",	"freedom",	 "friend",	   "fuji",	 "fujisan",  "gmail",	  "google",
    "guest",	  "happy",	"hello",	 "hikari",	   "himawari",	 "hoken",    "iloveyou",  "initial",
    "internet",	  "japan",	"jennifer",	 "jordan",	   "kawaii",	 "kazuki",   "keitai",	  "kenkou",
    "kosmo",	  "kumiai",	"kyoto",	 "letmein",	   "login",	 "lovely",   "loveyou",	  "master",
    "matrix",	  "michael",	"mickey",	 "midori",	   "minecraft",	 "mobile",   "monkey",	  "mustang",
    "naruto",	  "nihon",	"nintendo",	 "nippon",	   "osaka",	 "oyasumi",  "pass",	  "password",
    "passwd",	  "pikachu",	"playstation",	 "pokemon",	   "princess",	 "private",  "purple",	  "root",
    "sakura",	  "samsung",	"sayonara",	 "secret",	   "secure",	 "security", "sendai",	  "server",
    "shadow",	  "snoopy",	"softbank",	 "soccer",	   "spring",	 "starwars", "summer",	  "sunshine",
    "superman",	  "suzuki",	"sakamoto",	 "takahashi",	   "tanaka",	 "temp",     "temporary", "test",
    "tester",	  "thunder",	"tokyo",	 "toyota",	   "trustno1",	 "twitter",  "user",	  "watanabe",
    "welcome",	  "whatever",	"windows",	 "winter",	   "yakult",	 "yamada",   "yamamoto",  "yokohama",
    "パスワード", "ぱすわーど", "あいうえお",	 "いろはにほへと", "ありがとう", "さくら",   "ひまわり",  "日本",
    "東京",	  "桜",
};

/* In the order of keys and, at an angle, columns of a keyboard, American and Japanese. */
static const char *const rows[] = {
    "1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./", "!@#$%^&*()_+", "!\"#$%&'()=~", "1qaz", "2wsx",
    "3edc",	    "4rfv",	    "5tgb",	   "6yhn",	 "7ujm",	 "8ik,",	 "9ol.", "0p;/",
};

/* "p@ssw0rd" is no better than "password". */
static bool same_letter(uint32_t typed, uint32_t letter)
{
	static const char disguise[] = "@a4a3e6b9g0o$s5s7t+t1i!i|i1l!l|l8b2z";

	if (typed == letter)
		return true;
	for (const char *d = disguise; *d; d += 2)
		if (typed == (uint8_t)d[0] && letter == (uint8_t)d[1])
			return true;
	return false;
}

static size_t word_at(const struct chars *s, size_t at, const char *word)
{
	size_t len = strlen(word), n = 0;
	ucs4_t c = 0;

	for (size_t i = 0; i < len; n++) {
		i += (size_t)u8_mbtouc(&c, (const uint8_t *)word + i, len - i);
		if (at + n >= s->n || !same_letter(s->c[at + n], c))
			return 0;
	}
	return n;
}

static int digits_at(const struct chars *s, size_t at, size_t n)
{
	int v = 0;

	if (at + n > s->n)
		return -1;
	for (size_t i = at; i < at + n; i++) {
		if (s->c[i] < '0' || s->c[i] > '9')
			return -1;
		v = v * 10 + (int)(s->c[i] - '0');
	}
	return v;
}

/* A date as 19991231, or the year of one. */
static size_t date_at(const struct chars *s, size_t at)
{
	int year = digits_at(s, at, 4), month = digits_at(s, at + 4, 2), day = digits_at(s, at + 6, 2);

	if (year < 1900 || year > 2099)
		return 0;
	return month >= 1 && month <= 12 && day >= 1 && day <= 31 ? 8 : 4;
}

static size_t known_at(const struct chars *s, size_t at)
{
	size_t best = date_at(s, at);

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t n = word_at(s, at, words[i]);
		best = n > best ? n : best;
	}
	return best;
}

/* 1 or -1 if b comes right after or before a, in code or on the keyboard; else 0. */
static int direction(uint32_t a, uint32_t b)
{
	if (b == a + 1 || a == b + 1)
		return b > a ? 1 : -1;
	if (a >= 0x80 || b >= 0x80 || a == 0 || b == 0)
		return 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *at = strchr(rows[i], (int)a);
		if (at && at[1] == (char)b)
			return 1;
		if (at && at > rows[i] && at[-1] == (char)b)
			return -1;
	}
	return 0;
}

/* "abcabcabc" is no more than "abc". */
static size_t period_of(const struct chars *s)
{
	for (size_t period = 1; period <= s->n / 2; period++) {
		size_t i = period;
		while (i < s->n && s->c[i] == s->c[i - period])
			i++;
		if (i == s->n)
			return period;
	}
	return s->n;
}

/* How many things one must think of: a known word or date is one, a run along the alphabet or the keyboard is one, and
 * so is a repeated letter. */
static bool guessable(const struct chars *s)
{
	size_t things = 0, end = period_of(s), known = 0;
	int run = 0;
	bool counted = false; /* this run is down to one */

	for (size_t i = 0; i<end; i += known> 0 ? known : 1) {
		known = known_at(s, i);
		if (known == 0 && i > 0 && s->c[i] == s->c[i - 1])
			continue;
		int step = known == 0 && i > 0 ? direction(s->c[i - 1], s->c[i]) : 0;
		if (step == 0 || step != run) {
			things++;
			counted = false;
		} else if (!counted) {
			things--;
			counted = true;
		}
		run = step;
	}
	return things < 5;
}

/* ---- libpwquality ---- */

/* cracklib keeps its state in static variables. */
static pthread_mutex_t cracklib = PTHREAD_MUTEX_INITIALIZER;

static int pwquality_ask(const char *password)
{
	static const struct {
		int setting, value;
	} settings[] = {{PWQ_SETTING_MIN_LENGTH, 6}, /* its least; ours counts characters and came before */
			{PWQ_SETTING_DICT_CHECK, 1}, {PWQ_SETTING_DIG_CREDIT, 0},	{PWQ_SETTING_UP_CREDIT, 0},
			{PWQ_SETTING_LOW_CREDIT, 0}, {PWQ_SETTING_OTH_CREDIT, 0},	{PWQ_SETTING_MIN_CLASS, 0},
			{PWQ_SETTING_MAX_REPEAT, 0}, {PWQ_SETTING_MAX_CLASS_REPEAT, 0}, {PWQ_SETTING_MAX_SEQUENCE, 0},
			{PWQ_SETTING_USER_CHECK, 0}, {PWQ_SETTING_GECOS_CHECK, 0}};
	pwquality_settings_t *q = pwquality_default_settings();
	void *why = NULL;
	int r = PWQ_ERROR_MEM_ALLOC;

	if (!q)
		return r;
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		r = pwquality_set_int_value(q, settings[i].setting, settings[i].value);
		if (r != 0)
			goto out;
	}
	r = pwquality_check(q, password, NULL, NULL, &why);
	/* cracklib counts neighbours such as "65" and "cb" anywhere in a long password; guessable() knows runs better
	 */
	if (r == PWQ_ERROR_CRACKLIB_CHECK && why && strstr((const char *)why, "simplistic"))
		r = 0;
out:
	pwquality_free_settings(q);
	return r;
}

/* cracklib says the same of a word in the dictionary and of a dictionary that is missing or broken: then it refuses
 * what it cannot know as well, and our own list alone decides. */
static bool in_dictionary(const char *password)
{
	(void)pthread_mutex_lock(&cracklib);
	int r = pwquality_ask(password);
	if (r == PWQ_ERROR_CRACKLIB_CHECK && pwquality_ask("w8Kz-q3Vr~m5Xt_h2Jd") == PWQ_ERROR_CRACKLIB_CHECK)
		r = 0;
	(void)pthread_mutex_unlock(&cracklib);
	return r < 0;
}

/* ---- all of it ---- */

/* Characters, or 0 if it is not text. */
static size_t count_chars(const char *s, size_t n)
{
	size_t count = 0;
	ucs4_t c = 0;

	if (!text_utf8_valid(s, n))
		return 0;
	for (size_t i = 0; i < n; count++) {
		i += (size_t)u8_mbtouc(&c, (const uint8_t *)s + i, n - i);
		if (c < 0x20 || (c >= 0x7f && c < 0xa0))
			return 0;
	}
	return count;
}

enum password_verdict password_quality(const char *nfkc, size_t min, const char *const *personal)
{
	enum password_verdict v = PASSWORD_COMMON;
	struct chars s;
	size_t len = strlen(nfkc), n = count_chars(nfkc, len);

	if (len == 0 || (n > 0 && n < min))
		return PASSWORD_SHORT;
	if (n == 0)
		return PASSWORD_BYTES;
	if (n > PASSWORD_MAX || len >= CRYPT_MAX_PASSPHRASE_SIZE)
		return PASSWORD_LONG;
	s.n = 0;
	if (!chars_from(nfkc, len, false, &s))
		goto out;
	for (; personal && *personal; personal++) {
		if (personal_entry(&s, *personal)) {
			v = PASSWORD_PERSONAL;
			goto out;
		}
	}
	if (!chars_from(nfkc, len, true, &s))
		goto out;
	if (!guessable(&s) && !in_dictionary(nfkc))
		v = PASSWORD_FINE;
out:
	secret_wipe(&s, sizeof(s));
	return v;
}
