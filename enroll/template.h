/* Mustache-like templates that cannot write anything unescaped.
 *
 *   {{name}}                      the value, HTML-escaped; nothing if there is none
 *   {{#name}} ... {{/name}}       for a list: once an item, whose names come first; for a value: once, if it is neither
 *                                 empty nor "0"
 *   {{^name}} ... {{/name}}       if the section above would print nothing
 *   {{>name}}                     another template; names are looked up where it stands
 *   {{_ Hello, {person_name}!}}   a text to translate: runs of white space count as one blank, translated, escaped,
 * then {name} filled with the escaped value. A text may end in a placeholder: {{_ Hello {x}}}
 *   {{! remark }}
 *
 * name: [a-z0-9._-]+. There is no {{{x}}} and no {{&x}}: they are errors, as is anything unclosed. Values are safe in
 * text and in quoted attributes. */
#ifndef KOSMO_ENROLL_TEMPLATE_H
#define KOSMO_ENROLL_TEMPLATE_H

#include "common/buf.h"
#include "common/err.h"
#include "enroll/values.h"

#define TEMPLATE_OUTPUT_MAX ((size_t)1024 * 1024)

struct templates;

struct templates *templates_new(void); /* NULL: out of memory */
void templates_free(struct templates *ts);
/* Parses and adds under this name, in place of one of the same name. src is copied. ERR_INVALID: m says "NAME:LINE:
 * what". */
enum err templates_add(struct templates *ts, const char *name, const char *src, size_t n, struct errmsg *m);
/* Every partial exists and none contains itself. After this the set only reads: any thread may render. */
enum err templates_check(const struct templates *ts, struct errmsg *m);
bool templates_have(const struct templates *ts, const char *name);
/* The same of one alone, and of what it contains. */
enum err templates_check_one(const struct templates *ts, const char *name, struct errmsg *m);

enum template_piece { PIECE_TEXT, PIECE_NAME, PIECE_TRANSLATE };
/* s has n bytes; of a name and of a text to translate it is a C string. */
typedef void template_visit(void *arg, enum template_piece kind, const char *s, size_t n);
/* All that the template and the templates in it are made of, in order, whatever the values: both sides of a section.
 * After templates_check. */
void templates_walk(const struct templates *ts, const char *name, template_visit *visit, void *arg);
/* All templates. */
void templates_each(const struct templates *ts, template_visit *visit, void *arg);

typedef const char *template_translate(const char *lang, const char *msgid);
/* Appends the page. ERR_NOTFOUND: no such template; ERR_TOOBIG: over TEMPLATE_OUTPUT_MAX; ERR_NOMEM. */
enum err template_render(const struct templates *ts, const char *name, const struct values *vs, const char *lang,
			 template_translate *translate, struct buf *ret);
/* Appends text[0..n) with & < > " ' as entities. */
void template_escape(struct buf *b, const char *text, size_t n);

#endif
