/* The organisation's logo: site_dir/logo.svg or logo.png, and logo-dark.svg or logo-dark.png for dark screens. */
#ifndef KOSMO_ENROLL_LOGO_H
#define KOSMO_ENROLL_LOGO_H

#include "common/err.h"
#include <stddef.h>
#include <stdint.h>

#define LOGO_MAX      ((size_t)20 * 1024) /* bytes: with it a page stays under 60 KB */
#define LOGO_SIDE_MAX 2000		  /* pixels of a PNG */

/* An SVG that is a picture and nothing else: it runs nothing, loads nothing, links nowhere. Strict: what it does not
 * know well is refused. m: what is wrong and what to do, with "line N: " where it is known. ERR_INVALID. */
enum err logo_svg(const uint8_t *p, size_t n, struct errmsg *m);
/* A PNG with its first and its last part, of a sensible size. */
enum err logo_png(const uint8_t *p, size_t n, struct errmsg *m);

#endif
