#include "config.h"

#include "common/buf.h"
#include "enroll/forms.h"
#include "enroll/markup.h"
#include "enroll/routes.h"
#include <stdlib.h>
#include <string.h>

#define FORM_ITSELF "" /* the form, not one of its fields */

struct forms_scan {
	struct forms forms;
	struct markup_text action;
	bool post;
};

static void forms_add(struct forms *fs, struct markup_text action, struct markup_text name)
{
	struct form_field *f;

	if (fs->n == fs->cap) {
		f = reallocarray(fs->f, fs->cap + 32, sizeof *f);
		if (!f) {
			fs->failed = true;
			return;
		}
		fs->f = f;
		fs->cap += 32;
	}
	f = &fs->f[fs->n];
	f->action = strndup(action.s ? action.s : "", action.n);
	f->name = strndup(name.s, name.n);
	if (!f->action || !f->name) {
		free(f->action);
		free(f->name);
		fs->failed = true;
		return;
	}
	fs->n++;
}

static void forms_tag(void *arg, const struct markup_tag *tag)
{
	static const char *const fields[] = {"input", "button", "select", "textarea", NULL};
	struct forms_scan *s = arg;
	struct markup_text name;

	if (markup_is(tag->name, "/form"))
		s->action = (struct markup_text){NULL, 0};
	if (markup_is(tag->name, "form")) {
		s->action = markup_value(tag, "action");
		s->post = markup_is(markup_value(tag, "method"), "post");
		if (s->post)
			forms_add(&s->forms, s->action, (struct markup_text){FORM_ITSELF, 0});
	}
	for (size_t i = 0; fields[i]; i++)
		if (markup_is(tag->name, fields[i])) {
			name = markup_value(tag, "name");
			/* A token of another making is as bad as none. */
			if (markup_is(name, "csrf") && !markup_is(markup_value(tag, "value"), "{{csrf}}"))
				continue;
			if (name.n)
				forms_add(&s->forms, s->action, name);
		}
}

static void forms_text(void *arg, enum template_piece kind, const char *s, size_t n)
{
	struct buf *b = arg;

	if (kind == PIECE_TEXT)
		buf_add(b, s, n);
	else if (kind == PIECE_NAME)
		buf_addf(b, "{{%s}}", s);
}

struct forms forms_of(const struct templates *ts, const char *name)
{
	struct forms_scan s = {.forms = {.f = NULL}};
	AUTO_BUF text = BUF_INIT;

	templates_walk(ts, name, forms_text, &text);
	if (text.failed)
		s.forms.failed = true;
	else if (text.data)
		markup_tags((const char *)text.data, text.len, forms_tag, &s);
	return s.forms;
}

void forms_free(struct forms *fs)
{
	for (size_t i = 0; i < fs->n; i++) {
		free(fs->f[i].action);
		free(fs->f[i].name);
	}
	free(fs->f);
	*fs = (struct forms){.f = NULL};
}

static bool forms_have(const struct forms *fs, const char *action, const char *name)
{
	for (size_t i = 0; i < fs->n; i++)
		if (strcmp(fs->f[i].action, action) == 0 && strcmp(fs->f[i].name, name) == 0)
			return true;
	return false;
}

/* Once a form and name. */
static bool forms_first(const struct forms *fs, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (strcmp(fs->f[i].action, fs->f[at].action) == 0 && strcmp(fs->f[i].name, fs->f[at].name) == 0)
			return false;
	return true;
}

static size_t forms_lacks(const char *path, const struct forms *own, const struct form_field *f,
			  const struct faults *fs)
{
	bool itself = !*f->name;

	if (forms_have(own, f->action, f->name) || (!itself && *f->action && !forms_have(own, f->action, FORM_ITSELF)))
		return 0; /* a form that is missing is said once */
	if (itself)
		faults_say(fs, FAULT_LEFT_OUT, "%s: the form to %s is missing (<form method=\"post\" action=\"%s\">)",
			   path, f->action, f->action);
	else if (strcmp(f->name, "csrf") == 0)
		faults_say(fs, FAULT_LEFT_OUT,
			   "%s: the form to %s lacks <input type=\"hidden\" name=\"csrf\" value=\"{{csrf}}\">", path,
			   f->action);
	else
		faults_say(fs, FAULT_LEFT_OUT, "%s: the form%s%s lacks the field \"%s\"", path,
			   *f->action ? " to " : "", f->action, f->name);
	return 1;
}

/* Of a form that the built-in page does not have. */
static size_t forms_strange(const char *path, const struct forms *own, const struct form_field *f,
			    const struct faults *fs)
{
	const char *rest;
	int allow;

	if (*f->name || strstr(f->action, "{{"))
		return 0;
	if (!routes_find(ROUTE_POST, f->action, &rest, &allow)) {
		faults_say(fs, FAULT_LEFT_OUT, "%s: the form to \"%s\" leads nowhere; no page takes a form there", path,
			   f->action);
		return 1;
	}
	if (forms_have(own, f->action, "csrf"))
		return 0;
	faults_say(fs, FAULT_LEFT_OUT,
		   "%s: the form to %s lacks <input type=\"hidden\" name=\"csrf\" value=\"{{csrf}}\">", path,
		   f->action);
	return 1;
}

size_t forms_compare(const char *path, const struct forms *built, const struct forms *own, const struct faults *fs)
{
	size_t said = 0;

	for (size_t i = 0; i < built->n; i++)
		if (forms_first(built, i))
			said += forms_lacks(path, own, &built->f[i], fs);
	for (size_t i = 0; i < own->n; i++)
		if (forms_first(own, i) && !forms_have(built, own->f[i].action, FORM_ITSELF))
			said += forms_strange(path, own, &own->f[i], fs);
	return said;
}
