/* Texts in the person's language without the process's locale: gettext domain kosmo-LANG under C.UTF-8. */
#ifndef KOSMO_I18N_H
#define KOSMO_I18N_H

#include "common/text.h"
#include <stdint.h>

#define N_(s) (s) /* marks a string for xgettext */

/* Finds the catalogues (build tree or installed) and unsets LANGUAGE. Once, before threads. */
void i18n_init(void);
/* The text of msgid in "ja" or "en" (English is the msgid). Thread-safe; the result is static. NULL lang is "en". */
const char *i18n(const char *lang, const char *msgid);
/* "ja" or "en" from a language tag or an Accept-Language header (RFC 9110 12.5.4), else fallback. */
const char *i18n_pick(const char *accept, const char *fallback);

#define I18N_TIME 64
/* A day as people write it: 2026年12月1日, 1 December 2026. */
void i18n_date(const char *lang, struct date d, char ret[static I18N_TIME]);
/* Date and time as a page says them, in the machine's zone; "" if it cannot be told. */
void i18n_time(const char *lang, int64_t t, char ret[static I18N_TIME]);

#endif
