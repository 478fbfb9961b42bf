#include "config.h"

#include "common/i18n.h"
#include "common/letter_text.h"
#include "common/site_file.h"
#include "common/words.h"
#include "ctl/letter_site.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

const char *const letter_languages[] = {"ja", "en", NULL};

static const struct {
	const char *word; /* "": a paragraph; NULL: a gap */
	const char *text;
} letter_preset[] = {
    {".to ", N_("{name}")},
    {".logo", ""},
    {".from ", "{organisation}"},
    {".title ", N_("How to use our web service")},
    {"",
     N_("Here are your user ID and your initial password for our web service. Please follow the steps below for your "
	"first login.")},
    {NULL, ""},
    {".login ", N_("User ID")},
    {".password ", N_("Initial password")},
    {".hint ", N_("Capital and small letters are the same.")},
    {".hint ", N_("You may leave out the hyphens.")},
    {".hint ", N_("Valid until {valid}")},
    {".qr ", N_("Login page")},
    {".head ", N_("How to start (about 10 minutes)")},
    {".step ",
     N_("Read the QR code above with the camera of your smartphone. On a computer, type this address: {url}")},
    {".step ", N_("Type the user ID and the initial password, and press \"Log in\".")},
    {".step ", N_("Type your birth date. Then read the terms of use and agree to them.")},
    {".step ", N_("Open the mail that we send you, and confirm your email address.")},
    {".step ", N_("Choose how you will log in from now on, and set a password of your own.")},
    {".step ", N_("Register the way that you chose, as the page shows. That is all.")},
    {NULL, ""},
    {"", N_("You may stop at any time. When you log in again, you go on from where you were.")},
    {"",
     N_("Please keep this letter safe, and show it to nobody. We never ask for your password by telephone or email.")},
    {".foot ", N_("Questions: {contact}")},
};

static bool letter_names(const char *text, const char *placeholder, const char *value)
{
	return strstr(text, placeholder) && !value[0];
}

static void letter_no_complaint(void *arg, const char *sentence)
{
	(void)arg;
	(void)sentence; /* letters_out.c says it, and config check */
}

enum err letter_site_preset(const struct conf *conf, const char *lang, struct buf *ret)
{
	struct words w = {{NULL, NULL}, {NULL, NULL}};
	enum err e = conf ? words_load(conf, letter_no_complaint, NULL, &w) : ERR_NONE;
	if (e)
		return e;
	for (size_t i = 0; i < sizeof letter_preset / sizeof *letter_preset; i++) {
		const char *word = letter_preset[i].word, *text = letter_preset[i].text;
		if (conf && (letter_names(text, "{contact}", words_contact(&w, lang)) ||
			     letter_names(text, "{organisation}", words_organisation(&w, lang))))
			continue;
		if (word)
			buf_adds(ret, word);
		buf_adds(ret, text[0] ? i18n(lang, text) : "");
		buf_addc(ret, '\n');
	}
	words_free(&w);
	return ret->failed ? ERR_NOMEM : ERR_NONE;
}

enum err letter_site_text(const struct conf *conf, const char *lang, struct buf *ret, struct errmsg *m)
{
	struct letter_text t = {.n = 0};
	char name[32], path[PATH_MAX];
	(void)snprintf(name, sizeof name, "letter.%s.txt", lang);
	(void)snprintf(path, sizeof path, "%s/%s", conf->site_dir, name);
	enum err e = site_file_text(conf->site_dir, name, LETTER_TEXT_BYTES_MAX, ret, m);
	if (e == ERR_NOTFOUND)
		e = letter_site_preset(conf, lang, ret);
	if (!e)
		e = letter_text_parse(path, ret->data, ret->len, &t, m);
	letter_text_free(&t);
	return e;
}

enum err letter_site_logo(const struct conf *conf, struct buf *ret, struct errmsg *m)
{
	static const char magic[] = "\x89PNG\r\n\x1a\n";
	static const char name[] = "logo.png";
	enum err e = site_file_read(conf->site_dir, name, LETTER_LOGO_MAX, ret, m);
	if (e == ERR_NOTFOUND)
		return ERR_NONE;
	if (!e && (ret->len < strlen(magic) || memcmp(ret->data, magic, strlen(magic)) != 0))
		e = err_set(m, ERR_INVALID, "%s/%s: it is no PNG file", conf->site_dir, name);
	return e;
}
