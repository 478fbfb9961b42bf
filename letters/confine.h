/* What kosmo-letters gives up before it reads a row. */
#ifndef KOSMO_LETTERS_CONFINE_H
#define KOSMO_LETTERS_CONFINE_H

#include "common/err.h"

/* Root becomes nobody; from then on fonts are read, and nothing else; nothing is opened for writing, nothing run. */
enum err confine_enter(struct errmsg *m);

#endif
