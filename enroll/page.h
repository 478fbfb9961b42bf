/* A page's values from the keeper's view and from here, and the page from its template. */
#ifndef KOSMO_ENROLL_PAGE_H
#define KOSMO_ENROLL_PAGE_H

#include "common/wire.h"
#include "enroll/site.h"

/* What the browser asked for, as far as pages show it. */
struct page_context {
	const struct site *site;
	const char *lang; /* ja, en */
	const char *path; /* where "this page again, in the other language" leads */
};

/* Template `page` with a view's v.* and e.* (NULL: none) and these name, text pairs ending with NULL. ERR_NOTFOUND: no
 * such template, or no terms for page "terms". ret is wiped on failure. */
enum err page_render(const struct page_context *pc, const char *page, const struct wire_msg *view,
		     const char *const *pairs, struct buf *ret);

/* Our own words for what cannot be shown. */
enum page_error {
	PAGE_BAD,
	PAGE_NOTFOUND,
	PAGE_METHOD,
	PAGE_TOOBIG,
	PAGE_COOKIES,
	PAGE_FORM,
	PAGE_HOST,
	PAGE_CROWDED,
	PAGE_INTERNAL,
	PAGE_ABSENT,
	PAGE_BUSY,
	PAGE_UNSURE,
	PAGE__MAX
};
/* The page "error" with the texts of e. again: the path of its button, NULL for the first page. failure: the number to
 * show, NULL for none. Never fails: without a usable template it is plain. */
void page_error(const struct page_context *pc, enum page_error e, const char *again, const char *failure,
		struct buf *ret);

#endif
