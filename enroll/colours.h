/* The site's main colour in place of ours: site_dir/colours.conf,
 *
 *     main = #14566b
 *     main_dark = #8fd0e3
 *
 * in the light and in the dark. Everything that is painted with it is computed from it and held against WCAG 2.2:
 * 1.4.3 (text, 4.5:1), 1.4.11 (borders and controls, 3:1, which text's 4.5:1 covers). */
#ifndef KOSMO_ENROLL_COLOURS_H
#define KOSMO_ENROLL_COLOURS_H

#include "common/buf.h"
#include "common/err.h"
#include "enroll/fault.h"
#include <stdint.h>

#define COLOURS_MAX 4096 /* bytes of the file */

struct colour {
	uint8_t r, g, b;
};

/* WCAG 2.2's contrast ratio, 1 to 21. */
double colours_contrast(struct colour a, struct colour b);
/* The CSS that sets the colours, appended to ret. text: the file's; path for the sentences. ERR_INVALID (said): all of
 * it is left out. */
enum err colours_css(const char *path, const char *text, const struct faults *fs, struct buf *ret);

#endif
