/* A QR code as a PNG file, black on white with its quiet zone (ISO/IEC 18004). */
#ifndef KOSMO_ENROLL_QR_H
#define KOSMO_ENROLL_QR_H

#include "common/buf.h"
#include "common/err.h"

#define QR_QUIET  4   /* modules of white around */
#define QR_MODULE 8   /* pixels a module, at least */
#define QR_SIDE	  480 /* pixels a side, about; small codes get larger modules */

/* Error correction level M, 1 bit a pixel. ERR_TOOBIG if text does not fit into a QR code, ERR_NOMEM, ERR_INTERNAL. */
enum err qr_png(const char *text, struct buf *ret);

#endif
