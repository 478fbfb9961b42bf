/* What people type: as a code, as a new password beside personal data, as a name in otpauth://; and hashes to import.
 * The first byte says where the first text ends. */
#include "config.h"

#include "common/text.h"
#include "keeper/password.h"
#include "keeper/recovery.h"
#include "keeper/totp.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

static const char *text(struct buf *b, const uint8_t *data, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (data[i] != '\0')
			buf_addc(b, (char)data[i]);
	return buf_str(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint8_t secret[TOTP_SECRET_LEN] = "a secret of 20 byte";
	const struct totp t = {TOTP_SHA1, 6, 30, secret, sizeof(secret)};
	AUTO_BUF first = BUF_INIT;
	AUTO_BUF second = BUF_INIT;
	AUTO_BUF uri = BUF_INIT;
	uint64_t step = 0;

	if (n == 0)
		return 0;
	size_t cut = data[0] < n - 1 ? data[0] : n - 1;
	const char *a = text(&first, data + 1, cut), *b = text(&second, data + 1 + cut, n - 1 - cut);
	CHECK(a && b);

	const char *const personal[] = {b, NULL};
	enum password_verdict v = password_quality(a, 8, personal);
	CHECK(v != PASSWORD_SAME);
	if (v == PASSWORD_FINE)
		CHECK(text_utf8_valid(a, strlen(a)) && strlen(a) >= 8 && strlen(a) < 512);
	if (password_hash_known(a))
		CHECK(a[0] == '$' && !strchr(a, ':') && !strchr(a, '\n') && strlen(a) < PASSWORD_HASH_MAX);

	if (totp_check(&t, a, 1700000000, &step) == ERR_NONE)
		CHECK(strlen(a) == 6 && !recovery_looks_like(a));
	if (totp_uri(&t, a, b, &uri) == ERR_NONE) {
		const char *u = buf_str(&uri);
		CHECK(u && strncmp(u, "otpauth://totp/", 15) == 0 && u[15 + strcspn(u + 15, "?/#&= \"<>")] == '?');
		CHECK(strchr(u, '?') == strrchr(u, '?') && !strpbrk(u, "# \"<>\\"));
	} else
		CHECK(uri.len == 0);
	return 0;
}
