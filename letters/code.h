/* A QR code as shapes (ISO/IEC 18004). */
#ifndef KOSMO_LETTERS_CODE_H
#define KOSMO_LETTERS_CODE_H

#include "common/err.h"
#include <cairo.h>

/* Black on white, level M, with its quiet zone, in the square of this side at x, y. ERR_TOOBIG: the text does not fit.
 */
enum err code_draw(cairo_t *cr, const char *text, double x, double y, double side);

#endif
