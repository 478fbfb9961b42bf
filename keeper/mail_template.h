/* A site's own texts for its mails: site_dir/mail/NAME.LANG.txt, one a text of keeper/mail_text.c and a language:
 *
 *     Subject: Your code
 *
 *     Hello, your code is {code}.
 *
 * {placeholders} are those of its row, and {organisation}, {contact} and {url} everywhere. The whole file is read and
 * checked before anything of it counts; where one is at fault the text of the house goes out. */
#ifndef KOSMO_MAIL_TEMPLATE_H
#define KOSMO_MAIL_TEMPLATE_H

#include "common/conf.h"
#include "common/fill.h"
#include "keeper/mail.h"

#define MAIL_SUBJECT_MAX  200 /* bytes, before anything is filled in */
#define MAIL_TEMPLATE_MAX 16384

struct mail_template {
	char *subject, *body; /* NULL: none */
};

/* "ja" and "en", NULL behind them. */
extern const char *const mail_languages[];

/* By a row's name; 0: no such text. */
enum mail_text mail_text_by_name(const char *name, size_t n);

/* The bytes of a file. m: "FILE:LINE: what is wrong; what to do". */
enum err mail_template_parse(const struct conf *conf, enum mail_text text, const char *file, const void *p, size_t n,
			     struct mail_template *ret, struct errmsg *m);
void mail_template_free(struct mail_template *t);
/* The house's own text as such a file, to start from. */
enum err mail_template_show(enum mail_text text, const char *lang, struct buf *ret);

/* Each file that is at fault, with a sentence. */
typedef void (*mail_complain)(void *arg, const char *sentence);
/* Reads them all as the keeper would, and keeps nothing. *ret_n: how many are good. */
void mail_site_check(const struct conf *conf, mail_complain complain, void *arg, size_t *ret_n);

/* The files as they were read last; any thread may fill from it while another one looks again. */
struct mail_site;
enum err mail_site_open(const struct conf *conf, struct mail_site **ret);
/* Reads them (again) if the folder has changed since the last look; what is at fault is complained of once a change. A
 * file younger than `settle` seconds is left for the next look: it may still be being written. */
void mail_site_look(struct mail_site *s, int64_t now, int64_t settle, mail_complain complain, void *arg);
void mail_site_close(struct mail_site *s);

/* Subject and body of a mail, with values and the site's own; s may be NULL. With mail.code_in_subject the subject
 * begins with the code, unless it has it already. */
enum err mail_site_fill(struct mail_site *s, const struct conf *conf, enum mail_text text, const char *lang,
			const struct fill *values, struct buf *ret_subject, struct buf *ret_body);

#endif
