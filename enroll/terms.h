/* The terms of use: site_dir/terms.LANG.md (or terms.LANG.txt) and what has changed in them, terms.changes.LANG.md (or
 * .txt), as HTML that stands in for templates: "terms.ja" and the like. */
#ifndef KOSMO_ENROLL_TERMS_H
#define KOSMO_ENROLL_TERMS_H

#include "common/conf.h"
#include "common/i18n.h"
#include "enroll/fault.h"
#include "enroll/template.h"

struct terms {
	bool text[2], changes[2]; /* ja, en: whether there is one that can be shown */
	char date[2][I18N_TIME];  /* terms.date as people write it; "" for none */
};

/* Reads them and adds the templates, empty where there is no file. ERR_NOMEM alone fails. Without terms.version (0)
 * nothing is read. */
enum err terms_load(const struct conf *conf, const struct faults *fs, struct templates *ts, struct terms *ret);

#endif
