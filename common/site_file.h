/* Files of site_dir, as the admin wrote them: read whole, once, at a program's start. */
#ifndef KOSMO_SITE_FILE_H
#define KOSMO_SITE_FILE_H

#include "common/buf.h"
#include "common/err.h"
#include <stddef.h>

/* DIR/NAME of at most max bytes, a regular file that not everybody may write. ERR_NOTFOUND: there is none, and m stays
 * as it was; else m says "PATH: what is wrong; what to do". */
enum err site_file_read(const char *dir, const char *name, size_t max, struct buf *ret, struct errmsg *m);
/* The same for a text: UTF-8, not empty; without byte order mark, carriage returns and blanks at line ends, so that a
 * blank line is two line feeds. m: "PATH:LINE: ..." where the line is known. */
enum err site_file_text(const char *dir, const char *name, size_t max, struct buf *ret, struct errmsg *m);

#endif
