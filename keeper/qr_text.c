#include "config.h"

#include "keeper/qr_text.h"
#include <errno.h>
#include <qrencode.h>
#include <stdbool.h>
#include <string.h>

enum qr_form qr_form_for(const char *tty)
{
	if (!strncmp(tty, "/dev/", 5))
		tty += 5;
	return !strcmp(tty, "ssh") || !strncmp(tty, "pts/", 4) ? QR_UTF8 : QR_NONE;
}

/* x, y count from the quiet zone's corner. Below the code there is the terminal's background. */
static bool light(const QRcode *qr, int x, int y)
{
	x -= QR_TEXT_QUIET;
	y -= QR_TEXT_QUIET;
	if (y >= qr->width + QR_TEXT_QUIET)
		return false;
	if (x < 0 || y < 0 || x >= qr->width || y >= qr->width)
		return true;
	return !(qr->data[y * qr->width + x] & 1);
}

static void row_ascii(const QRcode *qr, int y, struct buf *ret)
{
	for (int x = 0; x < qr->width + 2 * QR_TEXT_QUIET; x++)
		buf_adds(ret, light(qr, x, y) ? "##" : "  ");
}

static void row_utf8(const QRcode *qr, int y, struct buf *ret)
{
	static const char *const half[] = {" ", "\xe2\x96\x84", "\xe2\x96\x80", "\xe2\x96\x88"};
	for (int x = 0; x < qr->width + 2 * QR_TEXT_QUIET; x++)
		buf_adds(ret, half[light(qr, x, y) * 2 + light(qr, x, y + 1)]);
}

static void draw(const QRcode *qr, enum qr_form form, struct buf *ret)
{
	for (int y = 0; y < qr->width + 2 * QR_TEXT_QUIET; y += form == QR_UTF8 ? 2 : 1) {
		if (form == QR_UTF8)
			row_utf8(qr, y, ret);
		else
			row_ascii(qr, y, ret);
		buf_addc(ret, '\n');
	}
}

enum err qr_text(const char *text, enum qr_form form, struct buf *ret)
{
	if (form != QR_ASCII && form != QR_UTF8)
		return ERR_NONE;
	QRcode *qr = QRcode_encodeString(text, 0, QR_ECLEVEL_L, QR_MODE_8, 1);
	if (!qr)
		return errno == ERANGE ? ERR_TOOBIG : errno == ENOMEM ? ERR_NOMEM : ERR_INTERNAL;
	enum err e = ERR_TOOBIG;
	if ((qr->width + 2 * QR_TEXT_QUIET) * (form == QR_ASCII ? 2 : 1) < QR_TEXT_COLUMNS) {
		draw(qr, form, ret);
		e = ret->failed ? ERR_NOMEM : ERR_NONE;
	}
	memset(qr->data, 0, (size_t)qr->width * (size_t)qr->width);
	QRcode_free(qr);
	return e;
}
