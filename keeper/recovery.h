/* Recovery codes: 10 of 65 bits, "abcde-fghjk-mnp" (13 of common/alphabet.h), each used once. And the admin's one-time
 * code: 80 bits, "abcd-efgh-jkmn-pqrs". */
#ifndef KOSMO_RECOVERY_H
#define KOSMO_RECOVERY_H

#include "common/err.h"
#include <stdbool.h>
#include <stdint.h>

#define RECOVERY_CODES 10
#define RECOVERY_TEXT  16 /* bytes of one as shown, with NUL */

enum err recovery_code(char ret[static RECOVERY_TEXT]);
/* From 32 bytes that nobody can guess. */
void recovery_from(const uint8_t random[static 32], char ret[static RECOVERY_TEXT]);
/* Does this canonical text (text_code) have the form of a recovery code (13 of the alphabet)? Decides which factor a
 * reply at the code prompt is for. */
bool recovery_looks_like(const char *canonical);

#define RECOVERY_ADMIN_TEXT 20	  /* bytes of the admin's code as shown, with NUL */
#define RECOVERY_ADMIN_LIFE 86400 /* seconds */

enum err recovery_admin_code(char ret[static RECOVERY_ADMIN_TEXT]);
bool recovery_admin_looks_like(const char *canonical);

#endif
