/* The tags of a template's text, as far as forms and the Content-Security-Policy go. What stands in {{...}} is passed
 * over; in an attribute's value it stays. */
#ifndef KOSMO_ENROLL_MARKUP_H
#define KOSMO_ENROLL_MARKUP_H

#include <stdbool.h>
#include <stddef.h>

#define MARKUP_ATTRIBUTES 40 /* of a tag; further ones are not seen */

struct markup_text {
	const char *s; /* NULL: none */
	size_t n;
};

struct markup_tag {
	struct markup_text name; /* "form", "/form" */
	struct {
		struct markup_text name, value;
	} attribute[MARKUP_ATTRIBUTES];
	size_t n;
	unsigned line;
};

/* Calls visit for each tag of s[0..n). */
void markup_tags(const char *s, size_t n, void (*visit)(void *arg, const struct markup_tag *tag), void *arg);
/* Case does not count. */
bool markup_is(struct markup_text t, const char *word);
/* The value of an attribute; s NULL: it has none of that name. */
struct markup_text markup_value(const struct markup_tag *tag, const char *name);

#endif
