#include "config.h"

#include "common/alphabet.h"
#include "keeper/recovery.h"
#include <string.h>

#define RECOVERY_SYMBOLS       13
#define RECOVERY_ADMIN_SYMBOLS 16

#define RECOVERY_SHAPE "xxxxx-xxxxx-xxx"

enum err recovery_code(char ret[static RECOVERY_TEXT])
{
	return alphabet_fill(RECOVERY_SHAPE, ret);
}

void recovery_from(const uint8_t random[static 32], char ret[static RECOVERY_TEXT])
{
	alphabet_shape(RECOVERY_SHAPE, random, ret);
}

bool recovery_looks_like(const char *canonical)
{
	return strlen(canonical) == RECOVERY_SYMBOLS && alphabet_only(canonical);
}

enum err recovery_admin_code(char ret[static RECOVERY_ADMIN_TEXT])
{
	return alphabet_fill("xxxx-xxxx-xxxx-xxxx", ret);
}

bool recovery_admin_looks_like(const char *canonical)
{
	return strlen(canonical) == RECOVERY_ADMIN_SYMBOLS && alphabet_only(canonical);
}
