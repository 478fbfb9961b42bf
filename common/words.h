/* What the organisation is called and whom to ask, in each language: site_dir/organisation.LANG.txt, a line, and
 * site_dir/contact.LANG.txt, a few lines; where there is no file, the options of kosmo.conf. */
#ifndef KOSMO_WORDS_H
#define KOSMO_WORDS_H

#include "common/conf.h"

#define WORDS_ORGANISATION_MAX 200  /* bytes */
#define WORDS_CONTACT_MAX      2000 /* bytes */

struct words {
	char *organisation[2], *contact[2]; /* ja, en; "" for none */
};

typedef void words_complain(void *arg, const char *sentence);
/* A file that is at fault counts for nothing, with a sentence. ERR_NOMEM alone fails. */
enum err words_load(const struct conf *conf, words_complain *complain, void *arg, struct words *ret);
void words_free(struct words *w);
/* lang: "ja", or anything else for English. */
const char *words_organisation(const struct words *w, const char *lang);
const char *words_contact(const struct words *w, const char *lang);

#endif
