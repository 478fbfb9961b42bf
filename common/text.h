/* What people type, made canonical: NFKC, digits, dates, logins, addresses. Shared by both doors, the import and
 * kosmoctl. */
#ifndef KOSMO_TEXT_H
#define KOSMO_TEXT_H

#include "common/buf.h"
#include "common/err.h"
#include <stdbool.h>
#include <stdint.h>

#define LOGIN_MAX	64  /* bytes, without NUL */
#define EMAIL_MAX	254 /* RFC 5321 4.5.3.1.3 less the angle brackets */
#define NAME_MAX_BYTES	256
#define PASSWORD_MAX	128  /* characters after NFKC; at most 512 bytes */
#define TEXT_LOCAL_PATH 1024 /* bytes, without NUL */

bool text_utf8_valid(const void *p, size_t n); /* strict: no surrogates, no overlong forms, no NUL */
/* The bytes, of valid UTF-8, of the control character that begins here; 0: none does. C0, DEL and C1, which a terminal
 * obeys, and those of Unicode that turn the direction of what follows or show as nothing: U+200B, U+200E to U+200F,
 * U+2028 to U+202E, U+2066 to U+2069, U+FEFF. */
size_t text_control(const char *s, size_t n);
/* Appends the NFKC form (Unicode 15 annex 15, libunistring). ERR_INVALID unless valid UTF-8 without NUL. */
enum err text_nfkc(const char *s, size_t n, struct buf *ret);
/* A typed code: NFKC, then white space, hyphens and dots of every width dropped, letters folded to lower case (ASCII),
 * and an o taken for the zero that generated codes have. */
enum err text_code(const char *s, size_t n, struct buf *ret);
/* A typed initial password: as text_code; the alphabet is checked by who compares. */
enum err text_initial(const char *s, size_t n, struct buf *ret);

struct date {
	int16_t year; /* 0 = none */
	int8_t month, day;
};

enum date_error {
	DATE_OK = 0,
	DATE_EMPTY,
	DATE_FORM,   /* not a form that is understood */
	DATE_NOSUCH, /* 30 February, Showa 65, month 13 */
	DATE_FUTURE, /* after today */
	DATE_OLD     /* before 1868-10-23, the first day of Meiji */
};

/* A birth date as people write it: 19800101, 1980-1-1, 1980/01/01, 1980.1.1, 1980年1月1日, 昭和55年1月1日, S55.1.1,
 * s550101; 昭和五十五年 is not taken; 令和元年 is; eras M T S H R and 明治 大正 昭和 平成 令和 with their exact first
 * and last days (1912-07-30 and 1926-12-25 are in both eras, as in the registers); full-width digits, signs and spaces,
 * and what Japanese keyboards give for a hyphen or a dot. today bounds it. *ret is untouched on failure. */
enum date_error text_birth_date(const char *s, size_t n, struct date today, struct date *ret);
struct date text_today(int64_t now); /* the date in Japan Standard Time, where the wizard's people live */
/* When such a day begins there. */
int64_t text_midnight(struct date d);
/* "1980-01-01"; b must hold 11 bytes. */
void text_date_iso(struct date d, char b[static 11]);

/* A path of this site, with or without a query, that is safe in Location: one '/' first, no second, no backslash, no
 * control or non-ASCII byte, at most TEXT_LOCAL_PATH bytes. */
bool text_local_path(const char *s);
/* Staff: [a-z_][a-z0-9_-]{0,31}, compared byte by byte, no folding. */
bool text_login_staff(const char *s);
/* A typed login made canonical: NFKC, outer white space dropped, ASCII letters lower. ERR_INVALID unless then
 * 1..LOGIN_MAX of [a-z0-9._@-] beginning with a letter, digit or underscore ('_' allowed too). */
enum err text_login(const char *s, size_t n, struct buf *ret);
/* A typed email address made canonical (NFKC, trimmed, domain lower). ERR_INVALID unless ASCII, one @, a domain with a
 * dot (or "localhost"), no spaces or control characters, at most EMAIL_MAX. Dots where carriers allowed them
 * (a..b@docomo.ne.jp) are accepted. */
enum err text_email(const char *s, size_t n, struct buf *ret);
/* For the blind index: as text_email, all lower. */
enum err text_email_key(const char *s, size_t n, struct buf *ret);

#endif
