/* Where the other programs and files are: beside this one in a build tree, else where make install put them. */
#ifndef KOSMO_PATHS_H
#define KOSMO_PATHS_H

#include <stddef.h>

/* If DIR/../build_rel exists, DIR being the folder of /proc/self/exe, writes that, else installed. ret: PATH_MAX bytes.
 */
void paths_find(const char *build_rel, const char *installed, char *ret, size_t cap);

#endif
