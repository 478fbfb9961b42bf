#include "config.h"

#include "common/text.h"
#include "enroll/logo.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Elements that draw. Whatever else there is (script, foreignObject, a, animate, set, iframe) has no place in a logo.
 */
static const char *const logo_elements[] = {
    "svg",	"g",	  "defs",   "title", "desc",	"path",		  "rect",	    "circle",
    "ellipse",	"line",	  "text",   "tspan", "polygon", "linearGradient", "radialGradient", "stop",
    "style",	"use",	  "symbol", "mask",  "image",	"clipPath",	  "polyline",	    "pattern",
    "metadata", "filter", "marker", NULL};

#define LOGO_DEPTH 64 /* elements within one another */
#define LOGO_SPACE "http://www.w3.org/2000/svg"

struct svg {
	const char *p, *end, *start;
	struct errmsg *m;
	struct {
		const char *p;
		size_t n;
	} open[LOGO_DEPTH];
	size_t depth;
	bool root, space; /* there was one; it said what it is */
};

/* Of a name that is said. */
static int logo_cut(size_t n)
{
	return n < 60 ? (int)n : 60;
}

static enum err logo_refuse(const struct svg *s, const char *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static enum err logo_refuse(const struct svg *s, const char *at, const char *fmt, ...)
{
	char say[400];
	unsigned line = 1;
	va_list ap;

	for (const char *p = s->start; p < at; p++)
		line += *p == '\n';
	va_start(ap, fmt);
	vsnprintf(say, sizeof say, fmt, ap);
	va_end(ap);
	return err_set(s->m, ERR_INVALID, "line %u: %s", line, say);
}

static bool logo_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool logo_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
	       c == ':' || c == '.';
}

static size_t logo_name(const char *p, const char *end)
{
	size_t n = 0;

	while (p + n < end && logo_name_char(p[n]))
		n++;
	return n;
}

/* Case-blind: is word in s[0..n)? */
static bool logo_holds(const char *s, size_t n, const char *word)
{
	size_t k = strlen(word);

	for (size_t i = 0; i + k <= n; i++)
		if (strncasecmp(s + i, word, k) == 0)
			return true;
	return false;
}

/* CSS that loads nothing: url(#id) alone. An escape could hide a word. */
static bool logo_css(const char *s, size_t n)
{
	if (memchr(s, '\\', n) || memchr(s, '@', n) || logo_holds(s, n, "expression") ||
	    logo_holds(s, n, "javascript") || logo_holds(s, n, "/*") || logo_holds(s, n, "image-set"))
		return false;
	for (size_t i = 0; i + 4 <= n; i++) {
		size_t k = i + 4;

		if (strncasecmp(s + i, "url(", 4) != 0)
			continue;
		while (k < n && (logo_space(s[k]) || s[k] == '"' || s[k] == '\''))
			k++;
		if (k >= n || s[k] != '#')
			return false;
	}
	return true;
}

/* Local names alone, or a raster picture within the file. */
static bool logo_reference(const char *s, size_t n)
{
	return (n && s[0] == '#') || (n > 15 && (strncasecmp(s, "data:image/png;", 15) == 0)) ||
	       (n > 16 && (strncasecmp(s, "data:image/jpeg;", 16) == 0));
}

static enum err logo_attribute(struct svg *s, const char *name, size_t n, const char *value, size_t len)
{
	const char *colon = memchr(name, ':', n), *local = colon ? colon + 1 : name;
	size_t k = n - (size_t)(local - name);

	/* A prefix only names things; what it stands for is no business of a picture in <img>. */
	if (n >= 5 && strncmp(name, "xmlns", 5) == 0 && (n == 5 || name[5] == ':')) {
		s->space |= n == 5 && len == strlen(LOGO_SPACE) && memcmp(value, LOGO_SPACE, len) == 0;
		return ERR_NONE;
	}
	if (k > 2 && strncasecmp(local, "on", 2) == 0)
		return logo_refuse(s, name, "the attribute %.*s could run a script; take it out", logo_cut(n), name);
	if (memchr(value, '<', len))
		return logo_refuse(s, name, "the value of %.*s holds a <, which XML writes &lt;", logo_cut(n), name);
	if (memchr(value, '&', len) && logo_holds(value, len, "&#"))
		return logo_refuse(s, name,
				   "the attribute %.*s holds a character reference; write the character itself",
				   logo_cut(n), name);
	if ((k == 4 && strncasecmp(local, "href", 4) == 0) || (k == 3 && strncasecmp(local, "src", 3) == 0))
		return logo_reference(value, len)
			   ? ERR_NONE
			   : logo_refuse(s, name, "%.*s leads out of the file; a logo loads nothing from elsewhere",
					 logo_cut(n), name);
	if (k == 4 && strncasecmp(local, "base", 4) == 0)
		return logo_refuse(s, name,
				   "%.*s would have the names within the file looked up elsewhere; take it out",
				   logo_cut(n), name);
	return logo_css(value, len)
		   ? ERR_NONE
		   : logo_refuse(s, name, "the attribute %.*s could load or run something; take it out", logo_cut(n),
				 name);
}

/* Behind an element's name up to its '>'. */
static enum err logo_attributes(struct svg *s)
{
	for (;;) {
		const char *name, *value, *close;
		size_t n;
		enum err r;

		while (s->p < s->end && logo_space(*s->p))
			s->p++;
		if (s->p + 1 < s->end && *s->p == '/' && s->p[1] == '>')
			s->p++;
		if (s->p >= s->end)
			return logo_refuse(s, s->p, "the file ends within an element");
		if (*s->p == '>') {
			s->p++;
			return ERR_NONE;
		}
		name = s->p;
		n = logo_name(s->p, s->end);
		value = name + n;
		while (value < s->end && logo_space(*value))
			value++;
		if (n == 0 || value + 1 >= s->end || *value != '=')
			return logo_refuse(s, name, "not an attribute as XML writes it (name=\"value\")");
		value++;
		while (value < s->end && logo_space(*value))
			value++;
		if (value >= s->end || (*value != '"' && *value != '\''))
			return logo_refuse(s, name, "the value of %.*s stands in no quotes", logo_cut(n), name);
		close = memchr(value + 1, *value, (size_t)(s->end - value - 1));
		if (!close)
			return logo_refuse(s, name, "the value of %.*s never ends", logo_cut(n), name);
		r = logo_attribute(s, name, n, value + 1, (size_t)(close - value - 1));
		if (r != ERR_NONE)
			return r;
		s->p = close + 1;
	}
}

/* Elements of a drawing program's own namespaces (inkscape:, sodipodi:, rdf:) draw nothing. */
static bool logo_known(const char *name, size_t n)
{
	const char *colon = memchr(name, ':', n);

	if (colon && !(colon - name == 3 && strncasecmp(name, "svg", 3) == 0))
		return false;
	if (colon) {
		n -= 4;
		name += 4;
	}
	for (size_t i = 0; logo_elements[i]; i++)
		if (strlen(logo_elements[i]) == n && memcmp(logo_elements[i], name, n) == 0)
			return true;
	return n > 2 && strncmp(name, "fe", 2) == 0 && !logo_holds(name, n, "image"); /* filters */
}

/* <style>: its text up to </style. */
static enum err logo_style(struct svg *s, const char *from)
{
	const char *end = from;

	while (end < s->end && *end != '<')
		end++;
	if (end + 7 > s->end || strncmp(end, "</style", 7) != 0)
		return logo_refuse(s, from, "the style sheet holds a <; take it out");
	if (!logo_css(from, (size_t)(end - from)))
		return logo_refuse(s, from, "the style sheet could load something (@, a comment, url); take it out");
	s->p = end;
	return ERR_NONE;
}

/* What no browser shows, because it is no XML: an end that fits no beginning. s->p is behind the '>'. */
static enum err logo_nest(struct svg *s, const char *name, size_t n, bool close)
{
	if (close) {
		if (!s->depth || s->open[s->depth - 1].n != n || memcmp(s->open[s->depth - 1].p, name, n) != 0)
			return logo_refuse(s, name, "</%.*s> ends nothing that is open here", logo_cut(n), name);
		s->depth--;
	} else if (s->p[-2] != '/') {
		if (s->depth == LOGO_DEPTH)
			return logo_refuse(s, name, "more than %d elements within one another", LOGO_DEPTH);
		s->open[s->depth].p = name;
		s->open[s->depth++].n = n;
	}
	return ERR_NONE;
}

/* Between elements: text, which the standard wants within the one root, and with five names behind & alone. */
static enum err logo_text(struct svg *s)
{
	static const char *const names[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&apos;", "&#", NULL};
	size_t i = 0, left = (size_t)(s->end - s->p);
	if (!s->depth && !logo_space(*s->p))
		return logo_refuse(s, s->p, "text outside of <svg>; take it out");
	if (left >= 3 && strncmp(s->p, "]]>", 3) == 0)
		return logo_refuse(s, s->p, "]]> within the text, which XML writes ]]&gt;");
	while (*s->p == '&' && names[i] && (strlen(names[i]) > left || strncmp(s->p, names[i], strlen(names[i])) != 0))
		i++;
	if (*s->p == '&' && !names[i])
		return logo_refuse(s, s->p, "a & in the text, which XML writes &amp;");
	s->p++;
	return ERR_NONE;
}

static enum err logo_element(struct svg *s)
{
	bool close = s->p + 1 < s->end && s->p[1] == '/';
	const char *name = s->p + 1 + close;
	size_t n = logo_name(name, s->end);
	enum err r;

	if (!logo_known(name, n))
		return logo_refuse(s, s->p,
				   "the element <%.*s> has no place in a logo: scripts, links, animation and a drawing "
				   "program's own notes are refused; save it as a plain or optimised SVG",
				   logo_cut(n), name);
	if (s->root && !s->depth)
		return logo_refuse(s, s->p, "<%.*s> behind the end of <svg>; take it out", logo_cut(n), name);
	if (!s->root && (close || n != 3 || memcmp(name, "svg", 3) != 0))
		return logo_refuse(s, s->p, "it begins with <%.*s> and not with <svg>", logo_cut(n), name);
	s->p = name + n;
	r = logo_attributes(s);
	if (r == ERR_NONE && !s->root && !s->space)
		return logo_refuse(s, name,
				   "<svg> says not what it is, and no browser shows it: add xmlns=\"" LOGO_SPACE "\"");
	s->root = true;
	if (r == ERR_NONE)
		r = logo_nest(s, name, n, close);
	/* of svg:style too, whose end logo_style then does not know */
	if (r == ERR_NONE && !close && n >= 5 && memcmp(name + n - 5, "style", 5) == 0 && s->p[-2] != '/')
		r = logo_style(s, s->p);
	return r;
}

/* <?xml ... of UTF-8: in another encoding the same bytes could be another drawing. */
static bool logo_declaration(const char *p, size_t n)
{
	return !memchr(p + 1, '<', n - 1) &&
	       (!logo_holds(p, n, "encoding") || logo_holds(p, n, "\"utf-8\"") || logo_holds(p, n, "'utf-8'"));
}

/* A comment or the XML declaration is passed over; anything else that begins with <! or <? is refused: an entity
 * could hide what it stands for. */
static enum err logo_passed(struct svg *s, bool *ret_was)
{
	size_t left = (size_t)(s->end - s->p);
	const char *close = NULL;

	*ret_was = true;
	if (left > 4 && strncmp(s->p, "<!--", 4) == 0)
		close = memmem(s->p + 4, left - 4, "-->", 3);
	else if (left > 6 && strncmp(s->p, "<?xml ", 6) == 0 && s->p == s->start)
		close = memmem(s->p, left, "?>", 2);
	else if (left > 1 && (s->p[1] == '!' || s->p[1] == '?'))
		return logo_refuse(s, s->p, "%.*s: DOCTYPE, CDATA and processing instructions are refused; take it out",
				   left < 12 ? (int)left : 12, s->p);
	else
		*ret_was = false;
	if (close && *close == '?' && !logo_declaration(s->p, (size_t)(close - s->p)))
		return logo_refuse(s, s->p, "another encoding than UTF-8; save it as UTF-8");
	if (*ret_was && !close)
		return logo_refuse(s, s->p, "%.*s: this never ends", left < 12 ? (int)left : 12, s->p);
	if (close)
		s->p = close + (*close == '?' ? 2 : 3);
	return ERR_NONE;
}

enum err logo_svg(const uint8_t *p, size_t n, struct errmsg *m)
{
	struct svg s = {.p = (const char *)p, .m = m};
	bool passed;
	enum err r = ERR_NONE;

	if (!text_utf8_valid(p, n))
		return err_set(m, ERR_INVALID, "not an SVG in UTF-8; save it as plain SVG (svgz is not taken)");
	if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		s.p += 3;
	s.start = s.p;
	s.end = (const char *)p + n;
	while (r == ERR_NONE && s.p < s.end) {
		if (*s.p != '<') {
			r = logo_text(&s);
			continue;
		}
		r = logo_passed(&s, &passed);
		if (r == ERR_NONE && !passed)
			r = logo_element(&s);
	}
	if (r == ERR_NONE && s.depth)
		r = logo_refuse(&s, s.end, "<%.*s> has no end", logo_cut(s.open[s.depth - 1].n), s.open[s.depth - 1].p);
	if (r == ERR_NONE && !s.root)
		r = err_set(m, ERR_INVALID, "not an SVG: there is no <svg> in it");
	return r;
}

static uint32_t logo_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

enum err logo_png(const uint8_t *p, size_t n, struct errmsg *m)
{
	static const uint8_t head[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0, 0, 13, 'I', 'H', 'D', 'R'};
	static const uint8_t tail[] = {'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82};
	uint32_t w, h;

	if (n < 45 || memcmp(p, head, sizeof head) != 0 || memcmp(p + n - sizeof tail, tail, sizeof tail) != 0)
		return err_set(m, ERR_INVALID, "not a whole PNG; save the picture as PNG");
	w = logo_u32(p + 16);
	h = logo_u32(p + 20);
	if (!w || !h || w > LOGO_SIDE_MAX || h > LOGO_SIDE_MAX)
		return err_set(m, ERR_INVALID, "%u x %u pixels; at most %d x %d, and 400 x 120 is enough", w, h,
			       LOGO_SIDE_MAX, LOGO_SIDE_MAX);
	return ERR_NONE;
}
