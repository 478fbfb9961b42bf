/* What sheet.c and sheet_draw.c share: the layouts of a letter, and where they go. */
#ifndef KOSMO_LETTERS_SHEET_PARTS_H
#define KOSMO_LETTERS_SHEET_PARTS_H

#include "letters/sheet.h"

#define SHEET_MARGIN 62.0
#define SHEET_TOP    56.0
#define SHEET_BOTTOM 48.0
#define SHEET_INNER  (SHEET_WIDTH - 2 * SHEET_MARGIN)
#define SHEET_QR     118.0 /* a side, with its quiet zone */
#define SHEET_PAD    16.0  /* within the frame */
#define SHEET_INDENT 26.0  /* of a step's text */

/* Which blocks stand side by side. */
enum sheet_column { SHEET_FULL, SHEET_HEAD_LEFT, SHEET_HEAD_RIGHT, SHEET_FRAME_LEFT, SHEET_FRAME_RIGHT, SHEET_END };

struct sheet_style {
	enum sheet_column column;
	double size, before, after;
	bool bold, grey;
	PangoAlignment align;
	double typed; /* size of the typed value below the label; 0: there is none */
};
extern const struct sheet_style sheet_styles[LETTER_KINDS];

struct sheet_item {
	const struct letter_block *block;
	const struct sheet_style *style;
	enum sheet_column column;
	PangoLayout *text, *typed; /* NULL: none */
	int step;		   /* its number */
};

/* The sizes that are tried, the largest first: smaller ones where a letter is long. */
#define SHEET_SCALES 3
extern const double sheet_scales[SHEET_SCALES];

struct sheet {
	const struct faces *faces;
	char lang[3];
	const struct sheet_house *house;
	struct sheet_item item[SHEET_SCALES][LETTER_TEXT_BLOCKS_MAX];
	PangoLayout *number[SHEET_SCALES]; /* of steps */
	size_t n;
};

double sheet_column_width(enum sheet_column c);
/* Where the letter ends, and what its foot needs; with cr NULL it is only measured. */
double sheet_flow(const struct sheet *s, int scale, cairo_t *cr);
double sheet_foot(const struct sheet *s, int scale, cairo_t *cr);
enum err sheet_code(const struct sheet *s, int scale, cairo_t *cr, const char *link);

#endif
