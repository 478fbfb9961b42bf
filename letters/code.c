#include "config.h"

#include "letters/code.h"
#include <errno.h>
#include <qrencode.h>

#define CODE_QUIET 4

/* Runs of black in a row are one rectangle: a fifth of the bytes. */
static void code_row(cairo_t *cr, const QRcode *qr, int row, double x, double y, double module)
{
	const unsigned char *p = qr->data + row * qr->width;
	for (int i = 0, from; i < qr->width; i++) {
		for (from = i; i < qr->width && (p[i] & 1); i++)
			;
		if (i > from)
			cairo_rectangle(cr, x + from * module, y + row * module, (i - from) * module, module);
	}
}

enum err code_draw(cairo_t *cr, const char *text, double x, double y, double side)
{
	QRcode *qr = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M);
	if (!qr)
		return errno == ERANGE ? ERR_TOOBIG : ERR_NOMEM;
	double module = side / (qr->width + 2 * CODE_QUIET);
	cairo_set_source_rgb(cr, 1, 1, 1);
	cairo_rectangle(cr, x, y, side, side);
	cairo_fill(cr);
	cairo_set_source_rgb(cr, 0, 0, 0);
	for (int i = 0; i < qr->width; i++)
		code_row(cr, qr, i, x + CODE_QUIET * module, y + CODE_QUIET * module, module);
	cairo_fill(cr);
	QRcode_free(qr);
	return ERR_NONE;
}
