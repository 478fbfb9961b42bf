#include "config.h"

#include "common/clock.h"
#include "common/secret.h"
#include "keeper/seal.h"

enum err id_new(struct id *ret)
{
	struct id id;
	uint64_t ms = (uint64_t)clock_now_ms();
	enum err e;

	for (int i = 5; i >= 0; i--, ms >>= 8)
		id.b[i] = (uint8_t)ms;
	e = secret_random(id.b + 6, ID_LEN - 6);
	if (e == ERR_NONE)
		*ret = id;
	return e;
}
