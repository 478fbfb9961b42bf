/* kosmo-letters: lays out letters as a PDF, for kosmoctl letters (kosmo-letters(8)). What it is told is in talk.h. It
 * has no store and no key, and knows what stands on the letters alone. */
#include "config.h"

#include "common/secret.h"
#include "letters/confine.h"
#include "letters/sheet.h"
#include "letters/talk.h"
#include <cairo-pdf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAIN_USAGE    "kosmo-letters is run by kosmoctl letters, which talks with it: see kosmo-letters(8)\n"
#define MAIN_LOGO_MAX (1 << 20)

static const char *const main_langs[] = {"ja", "en"};
#define MAIN_LANGS 2

struct run {
	struct talk talk;
	struct faces faces;
	struct letter_text text[MAIN_LANGS];
	char *organisation[MAIN_LANGS], *contact[MAIN_LANGS];
	struct buf logo_bytes;
	size_t logo_read;
	struct sheet_house house[MAIN_LANGS];
	cairo_surface_t *logo;
	bool told; /* the house */
	struct sheet *sheet[MAIN_LANGS];
	cairo_surface_t *pdf;
	cairo_t *cr;
	int why_not; /* errno of a failed write */
	int64_t pages;
	struct errmsg m;
};

/* ---- the file ---- */

static cairo_status_t main_write(void *arg, const unsigned char *p, unsigned n)
{
	struct run *r = arg;
	while (n) {
		ssize_t w = write(STDOUT_FILENO, p, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0) {
			r->why_not = errno;
			return CAIRO_STATUS_WRITE_ERROR;
		}
		p += w;
		n -= (unsigned)w;
	}
	return CAIRO_STATUS_SUCCESS;
}

static enum err main_status(struct run *r, cairo_status_t s)
{
	if (s == CAIRO_STATUS_SUCCESS)
		return ERR_NONE;
	return err_set(&r->m, s == CAIRO_STATUS_NO_MEMORY ? ERR_NOMEM : ERR_IO, "%s",
		       s == CAIRO_STATUS_WRITE_ERROR && r->why_not ? strerror(r->why_not) : cairo_status_to_string(s));
}

static enum err main_pdf(struct run *r)
{
	r->pdf = cairo_pdf_surface_create_for_stream(main_write, r, SHEET_WIDTH, SHEET_HEIGHT);
	cairo_pdf_surface_restrict_to_version(r->pdf, CAIRO_PDF_VERSION_1_5);
	r->cr = cairo_create(r->pdf);
	return main_status(r, cairo_status(r->cr));
}

/* ---- what is told ---- */

/* A field NAME.LANG. */
static const struct wire_field *main_field(const struct run *r, const char *name, int lang)
{
	char field[32];
	(void)snprintf(field, sizeof field, "%s.%s", name, main_langs[lang]);
	return wire_get(&r->talk.msg, field);
}

static enum err main_house(struct run *r)
{
	enum err e = r->told ? ERR_INVALID : ERR_NONE;
	r->told = true;
	for (int i = 0; !e && i < MAIN_LANGS; i++) {
		const struct wire_field *f = main_field(r, "text", i), *o = main_field(r, "organisation", i),
					*c = main_field(r, "contact", i);
		if (!f || !o || !c)
			return ERR_INVALID;
		e = letter_text_parse("the letter's text", f->data, f->len, &r->text[i], &r->m);
		r->organisation[i] = strndup((const char *)o->data, o->len);
		r->contact[i] = strndup((const char *)c->data, c->len);
		if (!e && (!r->organisation[i] || !r->contact[i]))
			e = ERR_NOMEM;
	}
	return e;
}

static enum err main_logo(struct run *r)
{
	const struct wire_field *f = wire_get(&r->talk.msg, "data");
	if (!f || r->sheet[0] || r->logo_bytes.len + f->len > MAIN_LOGO_MAX)
		return ERR_INVALID;
	buf_add(&r->logo_bytes, f->data, f->len);
	return r->logo_bytes.failed ? ERR_NOMEM : ERR_NONE;
}

static cairo_status_t main_logo_read(void *arg, unsigned char *p, unsigned n)
{
	struct run *r = arg;
	if (n > r->logo_bytes.len - r->logo_read)
		return CAIRO_STATUS_READ_ERROR;
	memcpy(p, r->logo_bytes.data + r->logo_read, n);
	r->logo_read += n;
	return CAIRO_STATUS_SUCCESS;
}

/* With the first letter: everything else was told. */
static enum err main_begin(struct run *r)
{
	if (!r->told)
		return ERR_INVALID;
	if (r->logo_bytes.len) {
		r->logo = cairo_image_surface_create_from_png_stream(main_logo_read, r);
		if (cairo_surface_status(r->logo) != CAIRO_STATUS_SUCCESS)
			return err_set(&r->m, ERR_INVALID, "the logo is no PNG file that can be read");
	}
	enum err e = ERR_NONE;
	for (int i = 0; !e && i < MAIN_LANGS; i++) {
		r->house[i] = (struct sheet_house){r->organisation[i], r->contact[i], r->logo};
		e = sheet_open(&r->faces, main_langs[i], &r->text[i], &r->house[i], &r->sheet[i], &r->m);
	}
	return e ? e : main_pdf(r);
}

static enum err main_letter(struct run *r)
{
	const struct wire_msg *m = &r->talk.msg;
	const struct sheet_letter l = {.name = wire_str(m, "name"),
				       .login = wire_str(m, "login"),
				       .password = wire_str(m, "password"),
				       .url = wire_str(m, "url"),
				       .link = wire_str(m, "link"),
				       .valid = wire_str(m, "valid")};
	const char *lang = wire_str(m, "lang");
	struct errmsg why = {""};
	int64_t n;
	if (!l.name || !l.login || !l.password || !l.url || !l.link || !l.valid || !lang || wire_int(m, "n", &n))
		return ERR_INVALID;
	enum err e = r->sheet[0] ? ERR_NONE : main_begin(r);
	if (e)
		return e;
	e = sheet_print(r->sheet[strcmp(lang, "ja") != 0], r->cr, &l, &why);
	if (e == ERR_INVALID)
		return talk_left(&r->talk, n, why.text);
	r->pages += !e;
	return e ? e : main_status(r, cairo_status(r->cr));
}

static enum err main_end(struct run *r)
{
	if (!r->pages)
		return talk_done(&r->talk, 0);
	cairo_surface_finish(r->pdf);
	enum err e = main_status(r, cairo_surface_status(r->pdf));
	return e ? e : talk_done(&r->talk, r->pages);
}

static const struct {
	const char *kind;
	enum err (*take)(struct run *r);
} main_kinds[] = {{"house", main_house}, {"logo", main_logo}, {"letter", main_letter}, {"end", main_end}};

static enum err main_take(struct run *r, bool *ret_end)
{
	enum err e = talk_next(&r->talk);
	for (size_t i = 0; !e && i < sizeof main_kinds / sizeof *main_kinds; i++)
		if (strcmp(r->talk.msg.kind, main_kinds[i].kind) == 0) {
			*ret_end = main_kinds[i].take == main_end;
			return main_kinds[i].take(r);
		}
	return e ? e : ERR_INVALID;
}

static enum err main_run(struct run *r)
{
	bool end = false;
	enum err e = confine_enter(&r->m);
	if (!e)
		e = faces_open(&r->faces, &r->m);
	while (!e && !end)
		e = main_take(r, &end);
	return e;
}

static void main_free(struct run *r)
{
	for (int i = 0; i < MAIN_LANGS; i++) {
		sheet_close(r->sheet[i]);
		letter_text_free(&r->text[i]);
		free(r->organisation[i]);
		free(r->contact[i]);
	}
	if (r->cr)
		cairo_destroy(r->cr);
	if (r->pdf)
		cairo_surface_destroy(r->pdf);
	if (r->logo)
		cairo_surface_destroy(r->logo);
	faces_close(&r->faces);
	buf_free(&r->logo_bytes);
	talk_close(&r->talk);
}

#ifdef __SANITIZE_ADDRESS__
/* What these libraries keep for a next time is no leak of ours. Asked by LeakSanitizer alone. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libfontconfig.so\nleak:libpango\nleak:libcairo.so\n";
}
__attribute__((visibility("default"))) const char *__lsan_default_options(void);
const char *__lsan_default_options(void)
{
	return "print_suppressions=0";
}
#endif

int main(int argc, char **argv)
{
	static const struct rlimit none = {0, 0};
	static struct run r = {.talk = {.fd = STDIN_FILENO}}; /* large */
	int type;
	socklen_t len = sizeof type;

	if (argc == 2 && (strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "--version") == 0))
		return puts("kosmo-letters " PACKAGE_VERSION) < 0;
	if (argc != 1 || getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM) {
		(void)fputs(MAIN_USAGE, stderr);
		return 2;
	}
	(void)signal(SIGXFSZ, SIG_IGN); /* an error like a full disk */
	(void)setrlimit(RLIMIT_CORE, &none);
	enum err e = main_run(&r);
	if (e)
		talk_failed(&r.talk, r.m.text[0] ? r.m.text : err_text(e));
	main_free(&r);
	return e != ERR_NONE;
}
