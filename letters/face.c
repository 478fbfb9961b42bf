#include "config.h"

#include "letters/face.h"
#include <stdio.h>
#include <string.h>

/* Preferred first. UD: drawn for old eyes. */
static const struct {
	const char *families[6], *package, *what;
} faces[FACES] = {
    [FACE_TEXT] = {{"BIZ UDPGothic", "Noto Sans CJK JP", "IPAexGothic", "IPAPGothic", "VL PGothic", NULL},
		   "fonts-morisawa-bizud-gothic",
		   "a Japanese typeface"},
    [FACE_TYPED] = {{"DejaVu Sans Mono", "Noto Sans Mono CJK JP", "BIZ UDGothic", NULL},
		    "fonts-dejavu-core",
		    "a typeface without look-alikes"},
};

static bool face_installed(PangoFontMap *map, const char *name)
{
	PangoFontFamily **list = NULL;
	int n = 0;
	bool found = false;
	pango_font_map_list_families(map, &list, &n);
	for (int i = 0; i < n && !found; i++)
		found = strcmp(pango_font_family_get_name(list[i]), name) == 0;
	g_free(list);
	return found;
}

static enum err face_choose(PangoFontMap *map, enum face which, char ret[static 128], struct errmsg *m)
{
	for (size_t i = 0; faces[which].families[i]; i++)
		if (face_installed(map, faces[which].families[i])) {
			(void)snprintf(ret, 128, "%s", faces[which].families[i]);
			return ERR_NONE;
		}
	return err_set(m, ERR_NOTFOUND, "%s is not installed; install the Debian package %s", faces[which].what,
		       faces[which].package);
}

static PangoContext *face_context(PangoFontMap *map, const char *lang)
{
	PangoContext *c = pango_font_map_create_context(map);
	cairo_font_options_t *o = cairo_font_options_create();
	/* paper has no pixels */
	cairo_font_options_set_hint_style(o, CAIRO_HINT_STYLE_NONE);
	cairo_font_options_set_hint_metrics(o, CAIRO_HINT_METRICS_OFF);
	pango_cairo_context_set_font_options(c, o);
	cairo_font_options_destroy(o);
	pango_cairo_context_set_resolution(c, 72);
	pango_context_set_round_glyph_positions(c, FALSE);
	pango_context_set_language(c, pango_language_from_string(lang));
	return c;
}

enum err faces_open(struct faces *ret, struct errmsg *m)
{
	struct faces f = {{NULL, NULL}, {"", ""}};
	PangoFontMap *map = pango_cairo_font_map_get_default();
	enum err e = ERR_NONE;
	for (int i = 0; !e && i < FACES; i++)
		e = face_choose(map, (enum face)i, f.family[i], m);
	if (e)
		return e;
	f.context[0] = face_context(map, "ja");
	f.context[1] = face_context(map, "en");
	*ret = f;
	return ERR_NONE;
}

void faces_close(struct faces *f)
{
	g_clear_object(&f->context[0]);
	g_clear_object(&f->context[1]);
}

PangoLayout *face_layout(const struct faces *f, const char *lang, enum face face, double size, bool bold)
{
	PangoLayout *l = pango_layout_new(f->context[strcmp(lang, "ja") != 0]);
	PangoFontDescription *d = pango_font_description_new();
	char families[300];
	/* the others of both lists would do better than chance */
	(void)snprintf(families, sizeof families, "%s,%s,IPAexGothic,Noto Sans CJK JP", f->family[face],
		       f->family[FACE_TEXT]);
	pango_font_description_set_family(d, families);
	pango_font_description_set_absolute_size(d, size * PANGO_SCALE);
	pango_font_description_set_weight(d, bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
	pango_layout_set_font_description(l, d);
	pango_font_description_free(d);
	pango_layout_set_wrap(l, PANGO_WRAP_WORD_CHAR);
	return l;
}

/* The byte where a cluster of no font begins; -1: none. */
static int face_unknown(PangoLayout *l)
{
	PangoLayoutIter *i = pango_layout_get_iter(l);
	int at = -1;
	do {
		PangoLayoutRun *run = pango_layout_iter_get_run_readonly(i);
		for (int g = 0; run && at < 0 && g < run->glyphs->num_glyphs; g++)
			if (run->glyphs->glyphs[g].glyph & PANGO_GLYPH_UNKNOWN_FLAG &&
			    run->glyphs->glyphs[g].glyph != PANGO_GLYPH_EMPTY)
				at = run->item->offset + run->glyphs->log_clusters[g];
	} while (at < 0 && pango_layout_iter_next_run(i));
	pango_layout_iter_free(i);
	return at;
}

gunichar face_lacks(PangoLayout *l)
{
	if (pango_layout_get_unknown_glyphs_count(l) == 0)
		return 0;
	int at = face_unknown(l);
	return at < 0 ? 0xfffd : g_utf8_get_char(pango_layout_get_text(l) + at);
}
