/* Which words people agreed to: a digest of the terms' files, for the audit log, so that a text that changed under one
 * version shows. */
#ifndef KOSMO_TERMS_PRINT_H
#define KOSMO_TERMS_PRINT_H

#include "common/conf.h"

#define TERMS_TEXT  ", text " /* in front of it in the audit log: "version 2, text 0123456789abcdef" */
#define TERMS_PRINT 16	      /* hex digits: 8 bytes of SHA-256 over the files of both languages */

/* "" where there is no file that can be read. */
void terms_print(const struct conf *conf, char ret[static TERMS_PRINT + 1]);

#endif
