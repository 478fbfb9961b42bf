/* The letter's text and logo: the site's own (site_dir/letter.LANG.txt, logo.png), or the house's. */
#ifndef KOSMO_CTL_LETTER_SITE_H
#define KOSMO_CTL_LETTER_SITE_H

#include "common/buf.h"
#include "common/conf.h"
#include "common/err.h"

#define LETTER_LOGO_MAX (1 << 20) /* bytes */

/* "ja" and "en", NULL behind them. */
extern const char *const letter_languages[];

/* The house's own text, to start from. conf NULL: with all its lines; else without those about a contact or an
 * organisation that the configuration does not name. */
enum err letter_site_preset(const struct conf *conf, const char *lang, struct buf *ret);
/* The text that counts, checked: "FILE:LINE: what is wrong". */
enum err letter_site_text(const struct conf *conf, const char *lang, struct buf *ret, struct errmsg *m);
/* logo.png, empty where there is none. ERR_INVALID: it is no PNG file. */
enum err letter_site_logo(const struct conf *conf, struct buf *ret, struct errmsg *m);

#endif
