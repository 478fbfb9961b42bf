#include "config.h"

#include "enroll/template.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEMPLATE_NEST	  16 /* sections within sections */
#define TEMPLATE_PARTIALS 8  /* templates within templates */
#define TEMPLATE_NAME_MAX 63

enum node_kind { NODE_TEXT, NODE_VALUE, NODE_TRANSLATE, NODE_SECTION, NODE_INVERTED, NODE_PARTIAL };

struct node {
	enum node_kind kind;
	const char *s; /* into the template's own copy; a C string but for NODE_TEXT */
	size_t n;
	size_t end; /* of a section: the first node after its body */
	int line;
};

struct template
{
	char *name, *src;
	struct node *node;
	size_t n, cap;
	int line; /* while parsing */
};

struct templates {
	struct template *t;
	size_t n, cap;
};

struct templates *templates_new(void)
{
	return calloc(1, sizeof(struct templates));
}

static void template_clear(struct template *t)
{
	free(t->name);
	free(t->src);
	free(t->node);
	*t = (struct template){0};
}

void templates_free(struct templates *ts)
{
	if (!ts)
		return;
	for (size_t i = 0; i < ts->n; i++)
		template_clear(&ts->t[i]);
	free(ts->t);
	free(ts);
}

static struct template *template_find(const struct templates *ts, const char *name)
{
	for (size_t i = 0; i < ts->n; i++)
		if (strcmp(ts->t[i].name, name) == 0)
			return &ts->t[i];
	return NULL;
}

bool templates_have(const struct templates *ts, const char *name)
{
	return template_find(ts, name) != NULL;
}

/* ---- parsing ---- */

static bool template_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

static bool template_name_ok(const char *s, size_t n)
{
	if (n == 0 || n > TEMPLATE_NAME_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!template_name_char(s[i]))
			return false;
	return true;
}

static bool template_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Trims and makes every run of white space one blank, in place. Returns the new length. */
static size_t template_squeeze(char *s, size_t n)
{
	size_t out = 0;
	bool gap = false;

	for (size_t i = 0; i < n; i++) {
		if (template_space(s[i])) {
			gap = out > 0;
			continue;
		}
		if (gap)
			s[out++] = ' ';
		gap = false;
		s[out++] = s[i];
	}
	return out;
}

static enum err template_node(struct template *t, enum node_kind kind, const char *s, size_t n)
{
	if (t->n == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 64;
		struct node *p = reallocarray(t->node, cap, sizeof *p);

		if (!p)
			return ERR_NOMEM;
		t->node = p;
		t->cap = cap;
	}
	t->node[t->n++] = (struct node){.kind = kind, .s = s, .n = n, .line = t->line};
	return ERR_NONE;
}

struct parser {
	struct template *t;
	size_t open[TEMPLATE_NEST]; /* indices of sections not closed yet */
	size_t depth;
};

static int template_lines(const char *from, const char *to)
{
	int lines = 0;

	for (const char *p = from; p < to; p++)
		lines += *p == '\n';
	return lines;
}

static enum err template_close(struct parser *ps, const char *name, const char **ret_why)
{
	struct node *open;

	if (ps->depth == 0) {
		*ret_why = "closes a section that is not open";
		return ERR_INVALID;
	}
	open = &ps->t->node[ps->open[ps->depth - 1]];
	if (strcmp(open->s, name) != 0) {
		*ret_why = "closes another section than the innermost";
		return ERR_INVALID;
	}
	open->end = ps->t->n;
	ps->depth--;
	return ERR_NONE;
}

/* One tag: s[0..n) is what stands between the braces. The byte s[n] is a brace and may be overwritten. */
static enum err template_tag(struct parser *ps, char *s, size_t n, const char **ret_why)
{
	char sigil = n ? s[0] : '\0';
	enum node_kind kind = NODE_VALUE;

	if (sigil == '!')
		return ERR_NONE;
	if (sigil == '_' && n > 1 && template_space(s[1])) {
		n = template_squeeze(s + 1, n - 1);
		s[1 + n] = '\0';
		if (n == 0) {
			*ret_why = "an empty text to translate";
			return ERR_INVALID;
		}
		return template_node(ps->t, NODE_TRANSLATE, s + 1, n);
	}
	if (sigil == '#' || sigil == '^' || sigil == '/' || sigil == '>') {
		s++;
		n--;
	}
	while (n && template_space(*s)) {
		s++;
		n--;
	}
	while (n && template_space(s[n - 1]))
		n--;
	if (!template_name_ok(s, n)) {
		*ret_why = "not a name ([a-z0-9._-]+); there is no unescaped output";
		return ERR_INVALID;
	}
	s[n] = '\0';
	if (sigil == '/')
		return template_close(ps, s, ret_why);
	if (sigil == '#' || sigil == '^') {
		if (ps->depth == TEMPLATE_NEST) {
			*ret_why = "sections nest too deep";
			return ERR_INVALID;
		}
		ps->open[ps->depth++] = ps->t->n;
		kind = sigil == '#' ? NODE_SECTION : NODE_INVERTED;
	} else if (sigil == '>') {
		kind = NODE_PARTIAL;
	}
	return template_node(ps->t, kind, s, n);
}

static enum err template_parse(struct template *t, size_t n, struct errmsg *m)
{
	struct parser ps = {.t = t};
	char *p = t->src, *end = t->src + n;
	const char *why = "out of memory";
	enum err r = ERR_NONE;

	t->line = 1;
	if (memchr(t->src, '\0', n))
		return err_set(m, ERR_INVALID, "%s: holds a NUL byte", t->name);
	while (p < end) {
		char *open = strstr(p, "{{"), *close;
		int lines;

		if (!open)
			open = end;
		if (open > p)
			r = template_node(t, NODE_TEXT, p, (size_t)(open - p));
		if (r != ERR_NONE || open == end)
			break;
		t->line += template_lines(p, open);
		close = strstr(open + 2, "}}");
		if (!close)
			return err_set(m, ERR_INVALID, "%s:%d: {{ is never closed", t->name, t->line);
		while (close[2] == '}')
			close++;
		lines = template_lines(open, close); /* before the tag is rewritten */
		r = template_tag(&ps, open + 2, (size_t)(close - open - 2), &why);
		if (r != ERR_NONE)
			return err_set(m, r, "%s:%d: %s", t->name, t->line, why);
		t->line += lines;
		p = close + 2;
	}
	if (r != ERR_NONE)
		return err_set(m, r, "%s: %s", t->name, why);
	if (ps.depth)
		return err_set(m, ERR_INVALID, "%s:%d: section %s is never closed", t->name,
			       t->node[ps.open[ps.depth - 1]].line, t->node[ps.open[ps.depth - 1]].s);
	return ERR_NONE;
}

enum err templates_add(struct templates *ts, const char *name, const char *src, size_t n, struct errmsg *m)
{
	struct template t = {0}, *old, *p;
	enum err r;

	if (!template_name_ok(name, strlen(name)))
		return err_set(m, ERR_INVALID, "%s: not a template's name ([a-z0-9._-]+)", name);
	t.name = strdup(name);
	t.src = malloc(n + 1);
	r = ERR_NOMEM;
	if (!t.name || !t.src) {
		err_set(m, r, "%s: out of memory", name);
		goto out;
	}
	memcpy(t.src, src, n);
	t.src[n] = '\0';
	r = template_parse(&t, n, m);
	if (r != ERR_NONE)
		goto out;
	old = template_find(ts, name);
	if (!old && ts->n == ts->cap) {
		p = reallocarray(ts->t, ts->cap + 32, sizeof *p);
		if (!p) {
			r = err_set(m, ERR_NOMEM, "%s: out of memory", name);
			goto out;
		}
		ts->t = p;
		ts->cap += 32;
	}
	if (old)
		template_clear(old);
	else
		old = &ts->t[ts->n++];
	*old = t;
	t = (struct template){0};
out:
	template_clear(&t);
	return r;
}

static enum err template_check(const struct templates *ts, const struct template *t, int depth, struct errmsg *m)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct template *part;
		enum err r;

		if (t->node[i].kind != NODE_PARTIAL)
			continue;
		part = template_find(ts, t->node[i].s);
		if (!part)
			return err_set(m, ERR_INVALID, "%s:%d: there is no template %s", t->name, t->node[i].line,
				       t->node[i].s);
		if (depth == TEMPLATE_PARTIALS)
			return err_set(m, ERR_INVALID, "%s:%d: templates contain each other without end", t->name,
				       t->node[i].line);
		r = template_check(ts, part, depth + 1, m);
		if (r != ERR_NONE)
			return r;
	}
	return ERR_NONE;
}

enum err templates_check(const struct templates *ts, struct errmsg *m)
{
	for (size_t i = 0; i < ts->n; i++) {
		enum err r = template_check(ts, &ts->t[i], 0, m);

		if (r != ERR_NONE)
			return r;
	}
	return ERR_NONE;
}

enum err templates_check_one(const struct templates *ts, const char *name, struct errmsg *m)
{
	const struct template *t = template_find(ts, name);

	return t ? template_check(ts, t, 0, m) : err_set(m, ERR_NOTFOUND, "%s: there is no such template", name);
}

void templates_walk(const struct templates *ts, const char *name, template_visit *visit, void *arg)
{
	const struct template *t = template_find(ts, name);

	for (size_t i = 0; t && i < t->n; i++) {
		const struct node *nd = &t->node[i];

		if (nd->kind == NODE_PARTIAL)
			templates_walk(ts, nd->s, visit, arg);
		else
			visit(arg,
			      nd->kind == NODE_TEXT	   ? PIECE_TEXT
			      : nd->kind == NODE_TRANSLATE ? PIECE_TRANSLATE
							   : PIECE_NAME,
			      nd->s, nd->n);
	}
}

void templates_each(const struct templates *ts, template_visit *visit, void *arg)
{
	for (size_t i = 0; i < ts->n; i++)
		templates_walk(ts, ts->t[i].name, visit, arg);
}

/* ---- rendering ---- */

void template_escape(struct buf *b, const char *text, size_t n)
{
	size_t from = 0;

	for (size_t i = 0; i < n; i++) {
		const char *entity;

		switch (text[i]) {
		case '&':
			entity = "&amp;";
			break;
		case '<':
			entity = "&lt;";
			break;
		case '>':
			entity = "&gt;";
			break;
		case '"':
			entity = "&quot;";
			break;
		case '\'':
			entity = "&#39;";
			break;
		default:
			continue;
		}
		buf_add(b, text + from, i - from);
		buf_adds(b, entity);
		from = i + 1;
	}
	buf_add(b, text + from, n - from);
}

struct renderer {
	const struct templates *ts;
	const struct values *vs;
	const char *lang;
	template_translate *translate;
	struct buf *out;
	size_t limit;
	/* The items around: "list.3." and within it "list.3.sub.0." */
	struct scope {
		char prefix[256];
		size_t n;
	} scope[TEMPLATE_NEST * TEMPLATE_PARTIALS];
	size_t depth;
	int partials;
};

/* prefix + name into key; 0 if it does not fit (then there is no such value either). */
static size_t render_key(const struct renderer *rr, size_t depth, const char *name, size_t n, char key[static 256])
{
	size_t p = depth ? rr->scope[depth - 1].n : 0;

	if (p + n >= 256)
		return 0;
	if (p)
		memcpy(key, rr->scope[depth - 1].prefix, p);
	memcpy(key + p, name, n);
	key[p + n] = '\0';
	return p + n;
}

static const char *render_lookup(const struct renderer *rr, const char *name, size_t n)
{
	char key[256];

	for (size_t depth = rr->depth + 1; depth-- > 0;) {
		size_t k = render_key(rr, depth, name, n, key);
		const char *text = k ? values_get(rr->vs, key, k) : NULL;

		if (text)
			return text;
	}
	return NULL;
}

/* Is there an item i of this list? Its prefix goes to *ret. */
static bool render_item(const struct renderer *rr, size_t depth, const struct node *nd, size_t i, struct scope *ret)
{
	char key[256];
	size_t k = render_key(rr, depth, nd->s, nd->n, key);
	int n;

	if (k == 0)
		return false;
	n = snprintf(ret->prefix, sizeof ret->prefix, "%s.%zu.", key, i);
	if (n < 0 || (size_t)n >= sizeof ret->prefix)
		return false;
	ret->n = (size_t)n;
	return values_any(rr->vs, ret->prefix, ret->n);
}

/* The scope in which the list lives: the innermost that has an item 0. rr->depth + 1 if it is no list. */
static size_t render_list(const struct renderer *rr, const struct node *nd)
{
	struct scope s;

	for (size_t depth = rr->depth + 1; depth-- > 0;)
		if (render_item(rr, depth, nd, 0, &s))
			return depth;
	return rr->depth + 1;
}

static bool render_truth(const char *text)
{
	return text && *text && strcmp(text, "0") != 0;
}

static void render_translated(struct renderer *rr, const struct node *nd)
{
	const char *text = rr->translate(rr->lang, nd->s), *from = text;

	for (const char *p = text; *p; p++) {
		const char *q = p + 1, *value;

		if (*p != '{')
			continue;
		while (template_name_char(*q))
			q++;
		if (*q != '}' || q == p + 1)
			continue;
		template_escape(rr->out, from, (size_t)(p - from));
		value = render_lookup(rr, p + 1, (size_t)(q - p - 1));
		if (value)
			template_escape(rr->out, value, strlen(value));
		from = q + 1;
		p = q;
	}
	template_escape(rr->out, from, strlen(from));
}

static enum err render_nodes(struct renderer *rr, const struct template *t, size_t from, size_t to);

static enum err render_section(struct renderer *rr, const struct template *t, size_t at)
{
	const struct node *nd = &t->node[at];
	size_t list = render_list(rr, nd);
	bool is_list = list <= rr->depth;
	enum err r = ERR_NONE;

	if (nd->kind == NODE_INVERTED || !is_list) {
		bool truth = is_list || render_truth(render_lookup(rr, nd->s, nd->n));

		return truth == (nd->kind == NODE_SECTION) ? render_nodes(rr, t, at + 1, nd->end) : ERR_NONE;
	}
	if (rr->depth == sizeof rr->scope / sizeof *rr->scope)
		return ERR_TOOBIG;
	for (size_t i = 0; r == ERR_NONE && render_item(rr, list, nd, i, &rr->scope[rr->depth]); i++) {
		rr->depth++;
		r = render_nodes(rr, t, at + 1, nd->end);
		rr->depth--;
	}
	return r;
}

static enum err render_partial(struct renderer *rr, const char *name)
{
	const struct template *t = template_find(rr->ts, name);
	enum err r;

	if (!t)
		return ERR_NOTFOUND;
	if (rr->partials > TEMPLATE_PARTIALS)
		return ERR_TOOBIG;
	rr->partials++;
	r = render_nodes(rr, t, 0, t->n);
	rr->partials--;
	return r;
}

static enum err render_nodes(struct renderer *rr, const struct template *t, size_t from, size_t to)
{
	enum err r = ERR_NONE;

	for (size_t i = from; r == ERR_NONE && i < to; i++) {
		const struct node *nd = &t->node[i];
		const char *value;

		switch (nd->kind) {
		case NODE_TEXT:
			buf_add(rr->out, nd->s, nd->n);
			break;
		case NODE_VALUE:
			value = render_lookup(rr, nd->s, nd->n);
			if (value)
				template_escape(rr->out, value, strlen(value));
			break;
		case NODE_TRANSLATE:
			render_translated(rr, nd);
			break;
		case NODE_SECTION:
		case NODE_INVERTED:
			r = render_section(rr, t, i);
			i = nd->end - 1;
			break;
		case NODE_PARTIAL:
			r = render_partial(rr, nd->s);
			break;
		}
		if (rr->out->failed)
			return ERR_NOMEM;
		if (rr->out->len > rr->limit)
			return ERR_TOOBIG;
	}
	return r;
}

enum err template_render(const struct templates *ts, const char *name, const struct values *vs, const char *lang,
			 template_translate *translate, struct buf *ret)
{
	struct renderer *rr = calloc(1, sizeof *rr); /* its scopes are too large for a stack */
	enum err r;

	if (!rr)
		return ERR_NOMEM;
	rr->ts = ts;
	rr->vs = vs;
	rr->lang = lang;
	rr->translate = translate;
	rr->out = ret;
	rr->limit = ret->len + TEMPLATE_OUTPUT_MAX;
	r = render_partial(rr, name);
	free(rr);
	return r;
}
