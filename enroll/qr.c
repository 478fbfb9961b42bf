#include "config.h"

#include "enroll/qr.h"
#include <errno.h>
#include <png.h>
#include <qrencode.h>
#include <setjmp.h>
#include <string.h>

static void qr_write(png_structp png, png_bytep data, size_t n)
{
	struct buf *b = png_get_io_ptr(png);

	buf_add(b, data, n);
	if (b->failed)
		png_error(png, "out of memory");
}

static void qr_flush(png_structp png)
{
	(void)png;
}

/* libpng's own handler prints to stderr. */
static void qr_error(png_structp png, png_const_charp text)
{
	(void)text;
	png_longjmp(png, 1);
}

static void qr_warning(png_structp png, png_const_charp text)
{
	(void)png;
	(void)text;
}

/* One row of pixels, 1 bit each, 0 = black. y: module row, QR_QUIET before the first. */
static void qr_row(const QRcode *qr, int y, int scale, uint8_t *row, size_t row_len)
{
	memset(row, 0xff, row_len);
	if (y < 0 || y >= qr->width)
		return;
	for (int x = 0; x < qr->width; x++) {
		if (!(qr->data[y * qr->width + x] & 1))
			continue;
		for (int i = (x + QR_QUIET) * scale; i < (x + QR_QUIET + 1) * scale; i++)
			row[i / 8] &= (uint8_t) ~(0x80u >> (i % 8));
	}
}

/* Everything that a longjmp out of libpng may leave half done lives in the caller. */
static int qr_encode(png_structp png, png_infop info, const QRcode *qr, int scale, uint8_t *row, size_t row_len)
{
	png_uint_32 side = (png_uint_32)((qr->width + 2 * QR_QUIET) * scale);

	if (setjmp(png_jmpbuf(png)))
		return -1;
	png_set_IHDR(png, info, side, side, 1, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
		     PNG_FILTER_TYPE_DEFAULT);
	png_set_filter(png, 0, PNG_FILTER_NONE);
	png_write_info(png, info);
	for (int y = -QR_QUIET; y < qr->width + QR_QUIET; y++) {
		qr_row(qr, y, scale, row, row_len);
		for (int i = 0; i < scale; i++)
			png_write_row(png, row);
	}
	png_write_end(png, info);
	return 0;
}

enum err qr_png(const char *text, struct buf *ret)
{
	AUTO_BUF row = BUF_INIT;
	AUTO_BUF out = BUF_INIT;
	png_structp png = NULL;
	png_infop info = NULL;
	size_t row_len;
	QRcode *qr;
	int scale;
	enum err r;

	qr = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M);
	if (!qr)
		return errno == ERANGE ? ERR_TOOBIG : errno == ENOMEM ? ERR_NOMEM : ERR_INTERNAL;
	scale = QR_SIDE / (qr->width + 2 * QR_QUIET);
	if (scale < QR_MODULE)
		scale = QR_MODULE;
	row_len = ((size_t)(qr->width + 2 * QR_QUIET) * (size_t)scale + 7) / 8;
	r = ERR_NOMEM;
	if (!buf_room(&row, row_len))
		goto out;
	png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, qr_error, qr_warning);
	info = png ? png_create_info_struct(png) : NULL;
	if (!info)
		goto out;
	png_set_write_fn(png, &out, qr_write, qr_flush);
	r = ERR_INTERNAL;
	if (qr_encode(png, info, qr, scale, row.data, row_len) != 0)
		goto out;
	buf_add(ret, out.data, out.len);
	r = ret->failed ? ERR_NOMEM : ERR_NONE;
out:
	png_destroy_write_struct(&png, &info);
	memset(qr->data, 0, (size_t)qr->width * (size_t)qr->width);
	QRcode_free(qr);
	return r;
}
