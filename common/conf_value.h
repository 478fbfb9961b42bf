/* Values of kosmo.conf: from text, checked, into struct conf, and back. For conf.c only. */
#ifndef KOSMO_CONF_VALUE_H
#define KOSMO_CONF_VALUE_H

#include "common/conf.h"

#define CONF_VALUE_MAX 500 /* bytes: conf_show's 512 hold any value */

/* Checks text against o and stores it in c (freeing what was there). why: what is wrong and what to write instead. */
enum err conf_value_set(struct conf *c, const struct conf_option *o, const char *text, struct errmsg *why);

#endif
