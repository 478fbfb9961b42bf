#include "config.h"

#include "letters/code.h"
#include "letters/sheet_parts.h"
#include <stdio.h>

#define LEFT  PANGO_ALIGN_LEFT
#define RIGHT PANGO_ALIGN_RIGHT
#define MID   PANGO_ALIGN_CENTER

/* clang-format off */
const struct sheet_style sheet_styles[LETTER_KINDS] = {
	/*		       column		  size	before after bold   grey   align  typed */
	[LETTER_GAP]	   = {SHEET_FULL,	   8,	 0,    0,   false, false, LEFT,	 0},
	[LETTER_PARAGRAPH] = {SHEET_FULL,	  12.5,	 0,    7,   false, false, LEFT,	 0},
	[LETTER_TO]	   = {SHEET_HEAD_LEFT,	  17,	 0,    3,   false, false, LEFT,	 0},
	[LETTER_LOGO]	   = {SHEET_HEAD_RIGHT,	   0,	 0,    6,   false, false, RIGHT, 0},
	[LETTER_FROM]	   = {SHEET_HEAD_RIGHT,	  12.5,	 0,    3,   false, false, RIGHT, 0},
	[LETTER_TITLE]	   = {SHEET_FULL,	  23,	26,   18,   true,  false, MID,	 0},
	[LETTER_HEAD]	   = {SHEET_FULL,	  15,	14,    8,   true,  false, LEFT,	 0},
	[LETTER_STEP]	   = {SHEET_FULL,	  12.5,	 0,    8,   false, false, LEFT,	 0},
	[LETTER_HINT]	   = {SHEET_FULL,	  11.3,	 2,    2,   false, true,  LEFT,	 0},
	[LETTER_LOGIN]	   = {SHEET_FRAME_LEFT,	  11.5,	 0,   10,   false, true,  LEFT,	21},
	[LETTER_PASSWORD]  = {SHEET_FRAME_LEFT,	  11.5,	 0,    6,   false, true,  LEFT,	25},
	[LETTER_QR]	   = {SHEET_FRAME_RIGHT,  11.3,	 0,    0,   false, true,  MID,	 0},
	[LETTER_FOOT]	   = {SHEET_END,	  11.5,	 0,    3,   false, false, LEFT,	 0},
};
/* clang-format on */

const double sheet_scales[SHEET_SCALES] = {1.15, 1, 0.9};

#define HEAD_GAP   20.0
#define LOGO_WIDE  190.0
#define LOGO_HIGH  52.0
#define FOOT_ABOVE 9.0
#define GREY	   0.27

double sheet_column_width(enum sheet_column c)
{
	switch (c) {
	case SHEET_HEAD_LEFT:
		return (SHEET_INNER - HEAD_GAP) * 0.52;
	case SHEET_HEAD_RIGHT:
		return (SHEET_INNER - HEAD_GAP) * 0.48;
	case SHEET_FRAME_LEFT:
		return SHEET_INNER - 3 * SHEET_PAD - SHEET_QR;
	case SHEET_FRAME_RIGHT:
		return SHEET_QR;
	case SHEET_FULL:
	case SHEET_END:
		break;
	}
	return SHEET_INNER;
}

static double sheet_height(PangoLayout *l)
{
	int h = 0;
	if (l)
		pango_layout_get_size(l, NULL, &h);
	return (double)h / PANGO_SCALE;
}

static void sheet_show(cairo_t *cr, PangoLayout *l, double x, double y, bool grey)
{
	double shade = grey ? GREY : 0;
	cairo_set_source_rgb(cr, shade, shade, shade);
	cairo_move_to(cr, x, y);
	pango_cairo_show_layout(cr, l);
}

/* ---- one block; both return how high it is ---- */

static double sheet_logo(const struct sheet *s, cairo_t *cr, double x, double y)
{
	cairo_surface_t *logo = s->house->logo;
	if (!logo)
		return 0;
	double w = cairo_image_surface_get_width(logo), h = cairo_image_surface_get_height(logo);
	double room = sheet_column_width(SHEET_HEAD_RIGHT), wide = room < LOGO_WIDE ? room : LOGO_WIDE;
	double scale = w * LOGO_HIGH > h * wide ? wide / w : LOGO_HIGH / h;
	if (cr) {
		cairo_save(cr);
		cairo_translate(cr, x + room - w * scale, y);
		cairo_scale(cr, scale, scale);
		cairo_set_source_surface(cr, logo, 0, 0);
		cairo_paint(cr);
		cairo_restore(cr);
	}
	return h * scale;
}

static double sheet_block(const struct sheet *s, int scale, const struct sheet_item *i, cairo_t *cr, double x, double y)
{
	double top = i->column == SHEET_FRAME_RIGHT ? SHEET_QR : 0, indent = i->step ? SHEET_INDENT : 0;
	double h = sheet_height(i->text);
	if (i->block->kind == LETTER_GAP)
		return i->style->size * sheet_scales[scale];
	if (i->block->kind == LETTER_LOGO)
		return sheet_logo(s, cr, x, y);
	if (cr && i->step) {
		char number[16];
		(void)snprintf(number, sizeof number, "%d.", i->step);
		pango_layout_set_text(s->number[scale], number, -1);
		sheet_show(cr, s->number[scale], x, y, false);
	}
	if (cr)
		sheet_show(cr, i->text, x + indent, y + top, i->style->grey);
	if (cr && i->typed)
		sheet_show(cr, i->typed, x, y + h, false);
	return top + h + sheet_height(i->typed);
}

/* ---- blocks one below the other, in one column or two ---- */

static bool sheet_beside(enum sheet_column left, enum sheet_column c)
{
	return c == left || c == left + 1;
}

/* Items from `from` on that share two columns; *ret_next: the first one behind them. Returns how high they are. */
static double sheet_columns(const struct sheet *s, int scale, size_t from, enum sheet_column left, cairo_t *cr,
			    double x, double y, size_t *ret_next)
{
	double at[2] = {0, 0}, end[2] = {0, 0};
	double right =
	    SHEET_WIDTH - SHEET_MARGIN - sheet_column_width(left + 1) - (left == SHEET_FRAME_LEFT ? SHEET_PAD : 0);
	size_t i = from;
	for (; i < s->n && sheet_beside(left, s->item[scale][i].column); i++) {
		const struct sheet_item *it = &s->item[scale][i];
		int side = it->column != left;
		double h = sheet_block(s, scale, it, cr, side ? right : x, y + at[side]);
		end[side] = at[side] + h;
		at[side] = end[side] + (h > 0 ? it->style->after : 0);
	}
	*ret_next = i;
	return end[0] > end[1] ? end[0] : end[1];
}

static void sheet_frame(cairo_t *cr, double y, double h)
{
	cairo_set_line_width(cr, 1.2);
	cairo_set_source_rgb(cr, GREY, GREY, GREY);
	cairo_rectangle(cr, SHEET_MARGIN, y, SHEET_INNER, h);
	cairo_stroke(cr);
}

double sheet_flow(const struct sheet *s, int scale, cairo_t *cr)
{
	double y = SHEET_TOP;
	for (size_t i = 0; i < s->n;) {
		const struct sheet_item *it = &s->item[scale][i];
		if (it->column == SHEET_FULL) {
			y += it->style->before * sheet_scales[scale];
			y += sheet_block(s, scale, it, cr, SHEET_MARGIN, y) + it->style->after * sheet_scales[scale];
			i++;
		} else if (it->column == SHEET_END) {
			i++;
		} else if (sheet_beside(SHEET_HEAD_LEFT, it->column)) {
			y += sheet_columns(s, scale, i, SHEET_HEAD_LEFT, cr, SHEET_MARGIN, y, &i);
		} else {
			double h = sheet_columns(s, scale, i, SHEET_FRAME_LEFT, cr, SHEET_MARGIN + SHEET_PAD,
						 y + SHEET_PAD, &i) +
				   2 * SHEET_PAD;
			if (cr)
				sheet_frame(cr, y, h);
			y += h + SHEET_PAD / 2;
		}
	}
	return y;
}

double sheet_foot(const struct sheet *s, int scale, cairo_t *cr)
{
	double h = 0, y;
	for (size_t i = 0; i < s->n; i++)
		if (s->item[scale][i].column == SHEET_END)
			h += sheet_height(s->item[scale][i].text) + s->item[scale][i].style->after;
	if (!h || !cr)
		return h ? h + 2 * FOOT_ABOVE : 0;
	y = SHEET_HEIGHT - SHEET_BOTTOM - h;
	cairo_set_line_width(cr, 0.8);
	cairo_set_source_rgb(cr, GREY, GREY, GREY);
	cairo_move_to(cr, SHEET_MARGIN, y - FOOT_ABOVE);
	cairo_line_to(cr, SHEET_WIDTH - SHEET_MARGIN, y - FOOT_ABOVE);
	cairo_stroke(cr);
	for (size_t i = 0; i < s->n; i++)
		if (s->item[scale][i].column == SHEET_END)
			y += sheet_block(s, scale, &s->item[scale][i], cr, SHEET_MARGIN, y) +
			     s->item[scale][i].style->after;
	return h;
}

/* Before anything else is drawn, for it may fail: the place is where sheet_flow will come to. */
enum err sheet_code(const struct sheet *s, int scale, cairo_t *cr, const char *link)
{
	double y = SHEET_TOP;
	struct sheet above = *s;
	size_t i = 0;
	while (i < s->n && !sheet_beside(SHEET_FRAME_LEFT, s->item[scale][i].column))
		i++;
	above.n = i;
	y = sheet_flow(&above, scale, NULL);
	return code_draw(cr, link, SHEET_WIDTH - SHEET_MARGIN - SHEET_PAD - SHEET_QR, y + SHEET_PAD, SHEET_QR);
}
