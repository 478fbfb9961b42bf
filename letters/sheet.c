#include "config.h"

#include "common/buf.h"
#include "common/fill.h"
#include "letters/code.h"
#include "letters/sheet_parts.h"
#include <stdlib.h>
#include <string.h>

#define SHEET_TYPED_LEAST 12.0 /* a long user ID becomes this small before it is broken */

static const struct sheet_item *sheet_find(const struct sheet *s, int scale, enum letter_kind kind)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->item[scale][i].block->kind == kind)
			return &s->item[scale][i];
	return NULL;
}

/* ---- making the layouts ---- */

/* A hint belongs into the frame where it follows what is in there. */
static enum sheet_column sheet_column(enum letter_kind kind, enum sheet_column before)
{
	bool framed = before == SHEET_FRAME_LEFT || before == SHEET_FRAME_RIGHT;
	return kind == LETTER_HINT && framed ? SHEET_FRAME_LEFT : sheet_styles[kind].column;
}

static PangoLayout *sheet_layout(const struct sheet *s, const struct sheet_item *i, double scale)
{
	const struct sheet_style *st = i->style;
	PangoLayout *l = face_layout(s->faces, s->lang, FACE_TEXT, st->size * scale, st->bold);
	double width = sheet_column_width(i->column) - (i->step ? SHEET_INDENT : 0);
	pango_layout_set_width(l, (int)(width * PANGO_SCALE));
	pango_layout_set_alignment(l, st->align);
	pango_layout_set_spacing(l, (int)(st->size * scale * 0.28 * PANGO_SCALE));
	pango_layout_set_text(l, i->block->text, -1);
	return l;
}

static void sheet_item(struct sheet *s, int scale, size_t n, const struct letter_block *b, int *step)
{
	struct sheet_item *i = &s->item[scale][n];
	enum sheet_column before = n ? s->item[scale][n - 1].column : SHEET_FULL;
	*i = (struct sheet_item){.block = b, .style = &sheet_styles[b->kind], .column = sheet_column(b->kind, before)};
	*step = b->kind == LETTER_STEP ? *step + 1 : b->kind == LETTER_HEAD ? 0 : *step;
	i->step = b->kind == LETTER_STEP ? *step : 0;
	if (b->kind != LETTER_GAP && b->kind != LETTER_LOGO)
		i->text = sheet_layout(s, i, sheet_scales[scale]);
	if (i->style->typed > 0)
		i->typed = face_layout(s->faces, s->lang, FACE_TYPED, i->style->typed, true);
}

enum err sheet_open(const struct faces *f, const char *lang, const struct letter_text *text,
		    const struct sheet_house *house, struct sheet **ret, struct errmsg *m)
{
	struct sheet *s = calloc(1, sizeof *s);
	if (!s)
		return ERR_NOMEM;
	s->faces = f;
	s->house = house;
	memcpy(s->lang, strcmp(lang, "ja") == 0 ? "ja" : "en", 3);
	s->n = text->n;
	for (int scale = 0; scale < SHEET_SCALES; scale++) {
		int step = 0;
		for (size_t i = 0; i < text->n; i++)
			sheet_item(s, scale, i, &text->block[i], &step);
		s->number[scale] =
		    face_layout(f, lang, FACE_TEXT, sheet_styles[LETTER_STEP].size * sheet_scales[scale], true);
	}
	gunichar lacks = 0;
	for (size_t i = 0; !lacks && i < s->n; i++)
		if (s->item[0][i].text && !text->block[i].filled)
			lacks = face_lacks(s->item[0][i].text);
	if (lacks) {
		char utf8[8] = "";
		utf8[g_unichar_to_utf8(lacks, utf8)] = '\0';
		sheet_close(s);
		return err_set(m, ERR_INVALID,
			       "the letter's text has %s (U+%04X), which no font here has; install the Debian package "
			       "fonts-ipaexfont-gothic or fonts-noto-cjk",
			       utf8, (unsigned)lacks);
	}
	*ret = s;
	return ERR_NONE;
}

void sheet_close(struct sheet *s)
{
	for (int scale = 0; s && scale < SHEET_SCALES; scale++) {
		for (size_t i = 0; i < s->n; i++) {
			g_clear_object(&s->item[scale][i].text);
			g_clear_object(&s->item[scale][i].typed);
		}
		g_clear_object(&s->number[scale]);
	}
	free(s);
}

/* ---- filling them in ---- */

static enum err sheet_lacking(PangoLayout *l, struct errmsg *why)
{
	char utf8[8] = "";
	gunichar c = face_lacks(l);
	if (!c)
		return ERR_NONE;
	utf8[g_unichar_to_utf8(c, utf8)] = '\0';
	return err_set(why, ERR_INVALID, "no font here has %s (U+%04X)", utf8, (unsigned)c);
}

static enum err sheet_fill(const struct sheet *s, struct sheet_item *i, const struct sheet_letter *l,
			   struct errmsg *why)
{
	const struct fill values[] = {{"organisation", s->house->organisation},
				      {"contact", s->house->contact},
				      {"name", l->name},
				      {"login", l->login},
				      {"url", l->url},
				      {"valid", l->valid},
				      {NULL, NULL}};
	AUTO_BUF b = BUF_INIT;
	if (!i->text || !i->block->filled)
		return ERR_NONE;
	fill(&b, i->block->text, values);
	if (b.failed)
		return ERR_NOMEM;
	pango_layout_set_text(i->text, buf_str(&b), (int)b.len);
	return sheet_lacking(i->text, why);
}

/* On one line, smaller if it must be. */
static void sheet_typed(struct sheet_item *i, const char *value)
{
	double room = sheet_column_width(i->column), size = i->style->typed;
	PangoFontDescription *d = pango_font_description_copy(pango_layout_get_font_description(i->typed));
	int width;
	pango_layout_set_width(i->typed, -1);
	pango_font_description_set_absolute_size(d, size * PANGO_SCALE);
	pango_layout_set_font_description(i->typed, d);
	pango_layout_set_text(i->typed, value, -1);
	pango_layout_get_size(i->typed, &width, NULL);
	if (width > room * PANGO_SCALE) {
		size = size * room * PANGO_SCALE / width;
		if (size < SHEET_TYPED_LEAST)
			size = SHEET_TYPED_LEAST;
		pango_font_description_set_absolute_size(d, size * PANGO_SCALE);
		pango_layout_set_font_description(i->typed, d);
		pango_layout_set_wrap(i->typed, PANGO_WRAP_CHAR);
		pango_layout_set_width(i->typed, (int)(room * PANGO_SCALE));
	}
	pango_font_description_free(d);
}

static enum err sheet_set(struct sheet *s, int scale, const struct sheet_letter *l, struct errmsg *why)
{
	enum err e = ERR_NONE;
	for (size_t i = 0; !e && i < s->n; i++) {
		struct sheet_item *it = &s->item[scale][i];
		e = sheet_fill(s, it, l, why);
		if (!e && it->typed)
			sheet_typed(it, it->block->kind == LETTER_LOGIN ? l->login : l->password);
	}
	return e;
}

enum err sheet_print(struct sheet *s, cairo_t *cr, const struct sheet_letter *letter, struct errmsg *why)
{
	for (int scale = 0; scale < SHEET_SCALES; scale++) {
		enum err e = sheet_set(s, scale, letter, why);
		if (e)
			return e;
		if (sheet_flow(s, scale, NULL) + sheet_foot(s, scale, NULL) > SHEET_HEIGHT - SHEET_BOTTOM)
			continue;
		if (sheet_find(s, scale, LETTER_QR)) {
			e = sheet_code(s, scale, cr, letter->link);
			if (e)
				return err_set(why, ERR_INVALID, "the address is too long for a QR code");
		}
		(void)sheet_flow(s, scale, cr);
		(void)sheet_foot(s, scale, cr);
		cairo_show_page(cr);
		return ERR_NONE;
	}
	return err_set(why, ERR_INVALID, "the letter is too long for one sheet");
}
