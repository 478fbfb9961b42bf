#include "config.h"

#include "enroll/markdown.h"
#include "enroll/template.h"
#include <cmark.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const markdown_schemes[] = {"https://", "http://", "mailto:", "tel:"};

struct walk {
	const char *path;
	const struct faults *fs;
	int depth;
	int top; /* the highest heading's level: it becomes the page's second */
};

static int markdown_line(cmark_node *n)
{
	while (n && cmark_node_get_start_line(n) <= 0)
		n = cmark_node_parent(n);
	return n ? cmark_node_get_start_line(n) : 0;
}

static bool markdown_link_ok(const char *url)
{
	for (size_t i = 0; i < sizeof markdown_schemes / sizeof *markdown_schemes; i++) {
		size_t n = strlen(markdown_schemes[i]);

		if (strncasecmp(url, markdown_schemes[i], n) == 0 && url[n])
			return true;
	}
	return false;
}

/* What may stand in a quoted attribute as it is; the rest is percent-encoded (RFC 3986 2.1). */
static void markdown_href(struct buf *b, const char *url)
{
	static const char plain[] = "-._~:/?#@!$()*+,;=%[]";

	for (const unsigned char *p = (const unsigned char *)url; *p; p++) {
		bool word = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');

		if (*p == '&')
			buf_adds(b, "&amp;");
		else if (word || strchr(plain, *p))
			buf_addc(b, (char)*p);
		else
			buf_addf(b, "%%%02X", *p);
	}
}

static void markdown_children_to(cmark_node *from, cmark_node *before)
{
	cmark_node *child;

	while ((child = cmark_node_first_child(from)) != NULL)
		cmark_node_insert_before(before, child);
}

/* In the link's place what stood in it, in an element of our own where it may lead there. */
static enum err markdown_link(struct walk *w, cmark_node *link)
{
	const char *url = cmark_node_get_url(link);
	AUTO_BUF open = BUF_INIT;
	cmark_node *child, *own;

	if (!markdown_link_ok(url)) {
		faults_say(
		    w->fs, FAULT_PART,
		    "%s:%d: a link to \"%.80s\" is not made; links begin with https://, http://, mailto: or tel:",
		    w->path, markdown_line(link), url);
		markdown_children_to(link, link);
		cmark_node_free(link);
		return ERR_NONE;
	}
	buf_adds(&open, "<a rel=\"noopener noreferrer\" href=\"");
	markdown_href(&open, url);
	buf_adds(&open, "\">");
	own = cmark_node_new(CMARK_NODE_CUSTOM_INLINE);
	if (!own || !buf_str(&open)) {
		cmark_node_free(own);
		return ERR_NOMEM;
	}
	cmark_node_set_on_enter(own, buf_str(&open));
	cmark_node_set_on_exit(own, "</a>");
	cmark_node_insert_before(link, own);
	while ((child = cmark_node_first_child(link)) != NULL)
		cmark_node_append_child(own, child);
	cmark_node_free(link);
	return ERR_NONE;
}

static void markdown_image(struct walk *w, cmark_node *image)
{
	faults_say(w->fs, FAULT_PART, "%s:%d: a picture is not shown; write its text instead", w->path,
		   markdown_line(image));
	markdown_children_to(image, image);
	cmark_node_free(image);
}

static void markdown_raw(struct walk *w, cmark_node *raw)
{
	faults_say(w->fs, FAULT_PART, "%s:%d: HTML is not shown (\"%.40s\"); write Markdown, or \\< for a bare <",
		   w->path, markdown_line(raw), cmark_node_get_literal(raw));
	cmark_node_free(raw);
}

/* Kana, kanji and their punctuation: three bytes from E3 on, Hangul among them, which has words; and full-width forms.
 */
static bool markdown_unspaced(const char *p)
{
	unsigned char c = (unsigned char)*p;

	return (c >= 0xe3 && c <= 0xe9) || c == 0xef;
}

/* A line of Japanese goes on in the next one without a blank. */
static void markdown_break(cmark_node *soft)
{
	cmark_node *before = cmark_node_previous(soft), *after = cmark_node_next(soft);
	const char *left = before ? cmark_node_get_literal(before) : NULL;
	const char *right = after ? cmark_node_get_literal(after) : NULL;
	size_t n = left ? strlen(left) : 0;

	if (n >= 3 && right && markdown_unspaced(left + n - 3) && markdown_unspaced(right))
		cmark_node_free(soft);
}

/* libcmark lets a node be changed at its end, or where it is met if it can hold nothing. */
static enum err markdown_change(struct walk *w, cmark_node *n, cmark_node_type type)
{
	int level;

	switch (type) {
	case CMARK_NODE_HEADING:
		level = cmark_node_get_heading_level(n) - w->top + 2;
		cmark_node_set_heading_level(n, level < 6 ? level : 6);
		break;
	case CMARK_NODE_LINK:
		return markdown_link(w, n);
	case CMARK_NODE_IMAGE:
		markdown_image(w, n);
		break;
	case CMARK_NODE_HTML_BLOCK:
	case CMARK_NODE_HTML_INLINE:
		markdown_raw(w, n);
		break;
	case CMARK_NODE_SOFTBREAK:
		markdown_break(n);
		break;
	default:
		break;
	}
	return ERR_NONE;
}

static bool markdown_leaf(cmark_node_type t)
{
	return t == CMARK_NODE_HTML_BLOCK || t == CMARK_NODE_HTML_INLINE || t == CMARK_NODE_SOFTBREAK ||
	       t == CMARK_NODE_TEXT || t == CMARK_NODE_CODE || t == CMARK_NODE_CODE_BLOCK ||
	       t == CMARK_NODE_THEMATIC_BREAK || t == CMARK_NODE_LINEBREAK;
}

/* The level of the highest heading, so that none is left out below the page's own. */
static int markdown_top(cmark_node *root)
{
	cmark_iter *it = cmark_iter_new(root);
	int top = 6;

	while (it && cmark_iter_next(it) != CMARK_EVENT_DONE) {
		int level = cmark_node_get_heading_level(cmark_iter_get_node(it));

		if (level > 0 && level < top)
			top = level;
	}
	if (it)
		cmark_iter_free(it);
	return top;
}

static enum err markdown_walk(struct walk *w, cmark_node *root)
{
	cmark_iter *it = cmark_iter_new(root);
	cmark_event_type ev;
	enum err r = it ? ERR_NONE : ERR_NOMEM;

	while (r == ERR_NONE && (ev = cmark_iter_next(it)) != CMARK_EVENT_DONE) {
		cmark_node *n = cmark_iter_get_node(it);
		cmark_node_type type = cmark_node_get_type(n);
		bool leaf = markdown_leaf(type);

		if (leaf || ev == CMARK_EVENT_EXIT) {
			w->depth -= !leaf;
			r = markdown_change(w, n, type);
		} else if (++w->depth > MARKDOWN_DEPTH) {
			faults_say(w->fs, FAULT_LEFT_OUT, "%s:%d: lists and quotes stand too deep in each other",
				   w->path, markdown_line(n));
			r = ERR_TOOBIG;
		}
	}
	if (it)
		cmark_iter_free(it);
	return r;
}

void markdown_unbraced(struct buf *b, const char *html, size_t n)
{
	size_t from = 0;

	for (size_t i = 0; i < n; i++) {
		if (html[i] != '{' && html[i] != '}')
			continue;
		buf_add(b, html + from, i - from);
		buf_adds(b, html[i] == '{' ? "&#123;" : "&#125;");
		from = i + 1;
	}
	buf_add(b, html + from, n - from);
}

enum err markdown_html(const char *path, const char *src, size_t n, const struct faults *fs, struct buf *ret)
{
	const int options = CMARK_OPT_SAFE | CMARK_OPT_VALIDATE_UTF8;
	struct walk w = {.path = path, .fs = fs};
	cmark_node *root = NULL;
	char *html = NULL;
	size_t len;
	enum err r = ERR_TOOBIG;

	if (n > MARKDOWN_MAX) {
		faults_say(fs, FAULT_LEFT_OUT, "%s: larger than %zu KB; make it shorter", path, MARKDOWN_MAX / 1024);
		return r;
	}
	r = ERR_NOMEM;
	root = cmark_parse_document(src, n, options);
	if (!root)
		goto out;
	w.top = markdown_top(root);
	r = markdown_walk(&w, root);
	if (r != ERR_NONE)
		goto out;
	r = ERR_NOMEM;
	html = cmark_render_html(root, options);
	if (!html)
		goto out;
	len = strlen(html);
	r = ERR_TOOBIG;
	if (len > MARKDOWN_HTML_MAX) {
		faults_say(fs, FAULT_LEFT_OUT, "%s: becomes %zu KB; make it simpler", path, len / 1024);
		goto out;
	}
	markdown_unbraced(ret, html, len);
	r = ret->failed ? ERR_NOMEM : ERR_NONE;
out:
	if (root)
		cmark_node_free(root);
	free(html);
	return r;
}

void markdown_plain(const char *src, struct buf *ret)
{
	AUTO_BUF html = BUF_INIT;

	while (*(src += strspn(src, "\n"))) {
		const char *end = strstr(src, "\n\n");
		size_t n = end ? (size_t)(end - src) : strlen(src);

		while (n && src[n - 1] == '\n')
			n--;
		buf_adds(&html, "<p>");
		template_escape(&html, src, n);
		buf_adds(&html, "</p>\n");
		src = end ? end : src + strlen(src);
	}
	markdown_unbraced(ret, html.data ? (const char *)html.data : "", html.len);
	ret->failed |= html.failed;
}
