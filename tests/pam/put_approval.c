/* put_approval CONF: for each line "TOKEN CODE" of its input the request behind that address is approved, with these
 * digits, and a line goes out, for tests (people do it in the browser, with a passkey; the digits are not theirs to
 * choose). */
#include "config.h"

#include "common/clock.h"
#include "keeper/approval.h"
#include "tests/pam/put.h"

/* What is written comes after the terminal's question: a moment is waited for. */
static void approve(struct store *st, const char *typed, const char *code)
{
	char token[APPROVAL_TOKEN + 1];
	struct approval a;
	enum err e = ERR_NOTFOUND;
	if (!approval_token(typed, token))
		must(ERR_INVALID, typed);
	for (int64_t end = clock_mono_ms() + 3000; e == ERR_NOTFOUND && clock_mono_ms() < end;)
		e = store_approval_find(st, token, clock_now(), &a);
	must(e, typed);
	must(store_begin(st), "begin");
	must(store_approval_approve(st, &a, code, clock_now()), typed);
	must(store_commit(st), "commit");
}

int main(int argc, char **argv)
{
	char token[64], code[16];
	if (argc != 2) {
		fputs("usage: put_approval CONF\n", stderr);
		return 2;
	}
	struct put in = put_open(argv[1]);
	while (scanf("%63s %15s", token, code) == 2) {
		approve(in.st, token, code);
		puts("approved");
		fflush(stdout);
	}
	put_close(&in);
	return 0;
}
