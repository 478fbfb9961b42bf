/* What lies in site_dir beside what is read: misspelt names, secrets, files that the door could change itself. */
#ifndef KOSMO_ENROLL_FOLDER_H
#define KOSMO_ENROLL_FOLDER_H

#include "common/conf.h"
#include "enroll/fault.h"

void folder_check(const struct conf *conf, const struct faults *fs);

#endif
