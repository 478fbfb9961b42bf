#include "config.h"

#include "enroll/contact.h"
#include "enroll/template.h"
#include <stdbool.h>
#include <string.h>

#define PHONE_MIN 9
#define PHONE_MAX 15

static bool contact_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* A digit as ASCII has it or in full width: how many bytes it takes; 0: none. */
static size_t contact_digit(const char *p, char *ret)
{
	const unsigned char *u = (const unsigned char *)p;

	if (*p >= '0' && *p <= '9') {
		*ret = *p;
		return 1;
	}
	if (u[0] == 0xef && u[1] == 0xbc && u[2] >= 0x90 && u[2] <= 0x99) {
		*ret = (char)('0' + u[2] - 0x90);
		return 3;
	}
	return 0;
}

/* What people write between a number's digits, a hyphen of any kind or a bracket. */
static size_t contact_joint(const char *p)
{
	static const char *const joints[] = {"-", "(", ")", " ", "－", "‐", "−", "–", "（", "）"};

	for (size_t i = 0; i < sizeof joints / sizeof *joints; i++)
		if (strncmp(p, joints[i], strlen(joints[i])) == 0)
			return strlen(joints[i]);
	return 0;
}

/* The length of the telephone number at p, and what is dialled; 0: none. */
static size_t contact_phone(const char *p, char ret[static PHONE_MAX + 2])
{
	size_t at = 0, end = 0, digits = 0, joint = 0, n;
	bool plus = *p == '+';
	char c = '\0';

	if (plus)
		ret[at++] = '+';
	else if (!contact_digit(p, &c) && !(*p == '(' && contact_digit(p + 1, &c)))
		return 0;
	for (;; at += n) {
		n = contact_digit(p + at, &c);
		if (n) {
			if (digits == PHONE_MAX)
				return 0;
			ret[plus + digits++] = c;
			joint = 0;
			end = at + n;
			continue;
		}
		n = contact_joint(p + at);
		if (!n || ++joint > 2)
			break;
	}
	if (digits < PHONE_MIN || (!plus && ret[0] != '0'))
		return 0;
	ret[plus + digits] = '\0';
	return end;
}

/* The length of the mail address at p; 0: none. */
static size_t contact_mail(const char *p)
{
	size_t local = 0, n, dot = 0;

	while (contact_alnum(p[local]) || (p[local] && strchr("._+-", p[local])))
		local++;
	if (!local || p[local] != '@')
		return 0;
	for (n = local + 1; contact_alnum(p[n]) || p[n] == '.' || p[n] == '-'; n++)
		if (p[n] == '.')
			dot = n;
	while (n && !contact_alnum(p[n - 1]))
		n--;
	return dot > local + 1 && dot < n ? n : 0;
}

static size_t contact_web(const char *p)
{
	size_t n = 8;

	if (strncmp(p, "https://", 8) != 0)
		return 0;
	while (contact_alnum(p[n]) || (p[n] && strchr("-._~/?#=&%+:", p[n])))
		n++;
	while (n > 8 && strchr(".?:", p[n - 1]))
		n--;
	return n > 8 ? n : 0;
}

static void contact_link(struct buf *b, const char *scheme, const char *to, size_t to_n, const char *text, size_t n)
{
	buf_addf(b, "<a href=\"%s", scheme);
	template_escape(b, to, to_n);
	buf_adds(b, "\">");
	template_escape(b, text, n);
	buf_adds(b, "</a>");
}

/* What begins at p and is a link: its length; 0: nothing. */
static size_t contact_piece(struct buf *b, const char *p)
{
	char dial[PHONE_MAX + 2];
	size_t n = contact_mail(p);

	if (n) {
		contact_link(b, "mailto:", p, n, p, n);
		return n;
	}
	n = contact_web(p);
	if (n) {
		contact_link(b, "", p, n, p, n);
		return n;
	}
	n = contact_phone(p, dial);
	if (n)
		contact_link(b, "tel:", dial, strlen(dial), p, n);
	return n;
}

void contact_html(const char *text, struct buf *ret)
{
	bool word = false; /* the byte before belongs to a word: nothing begins here */

	while (*text) {
		size_t n = word ? 0 : contact_piece(ret, text);

		if (!n && *text == '\n') {
			buf_adds(ret, "<br>\n");
			n = 1;
		} else if (!n) {
			template_escape(ret, text, 1);
			n = 1;
		}
		word = contact_alnum(text[n - 1]);
		text += n;
	}
}
