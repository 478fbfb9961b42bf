#include "config.h"

#include "keeper/dialogue.h"
#include "tests/fuzz/fuzz.h"

static struct wire_msg msg;

/* Nobody is answered here. */
void server_reply(struct request *r, const struct buf *frames, bool last)
{
	(void)r, (void)frames, (void)last;
}

static void inside(struct passkey_bytes b, size_t most, const uint8_t *data, size_t n)
{
	CHECK(b.n > 0 && b.n <= most && b.p >= data && b.p + b.n <= data + n);
}

/* What the module tells the keeper of a security key. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct passkey_assertion a;

	if (wire_parse(data, n, &msg) != ERR_NONE)
		return 0;
	(void)door_key_why(&msg);
	if (!door_key_signed(&msg, &a))
		return 0;
	CHECK(!a.user_handle.p && !a.client_data.p);
	inside(a.id, PASSKEY_ID_MAX, data, n);
	inside(a.auth_data, PASSKEY_AUTH_MAX, data, n);
	inside(a.signature, PASSKEY_SIG_MAX, data, n);
	return 0;
}
