/* Markdown (CommonMark, by libcmark in its safe mode) to HTML that can stand in any page: no raw HTML, no pictures, no
 * links but http:, https:, mailto: and tel:, headings below the page's own first one, and no
 * brace, so that it is a template as it stands (enroll/template.h). */
#ifndef KOSMO_ENROLL_MARKDOWN_H
#define KOSMO_ENROLL_MARKDOWN_H

#include "common/buf.h"
#include "common/err.h"
#include "enroll/fault.h"

#define MARKDOWN_MAX	  ((size_t)96 * 1024)  /* bytes of a source */
#define MARKDOWN_HTML_MAX ((size_t)384 * 1024) /* bytes of what becomes of it */
#define MARKDOWN_DEPTH	  24		       /* quotes and lists within each other */

/* src is UTF-8. path is for the sentences: each thing that is not shown is said with its line. ERR_TOOBIG (said),
 * ERR_NOMEM. */
enum err markdown_html(const char *path, const char *src, size_t n, const struct faults *fs, struct buf *ret);
/* Plain text to HTML: paragraphs between blank lines, line breaks kept. */
void markdown_plain(const char *src, struct buf *ret);
/* Appends html with every brace as a character reference, so that no template's tag can be in it. */
void markdown_unbraced(struct buf *b, const char *html, size_t n);

#endif
