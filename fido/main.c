/* kosmo-fido2: asks a security key for a signature, for pam_kosmo at the console (kosmo-fido2(8)). What it says on its
 * socket (standard input) is in talk.h. It knows no person and no secret but a PIN, and decides nothing. */
#include "config.h"

#include "common/clock.h"
#include "fido/choose.h"
#include "fido/confine.h"
#include "fido/node.h"
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAIN_USAGE	"kosmo-fido2 is run by pam_kosmo, which talks with it: see kosmo-fido2(8)\n"
#define MAIN_OVERALL_MS (60 * 1000) /* without the time that somebody types a PIN */

static struct talk main_talk; /* large */

/* The key that key_open remembers stays where it is. */
static size_t main_open(struct key *keys, int *nodes, size_t n)
{
	size_t opened = 0;

	for (size_t i = 0; i < n; i++)
		if (opened == KEYS_MAX)
			close(nodes[i]);
		else
			opened += key_open(&keys[opened], nodes[i], &main_talk);
	return opened;
}

static int main_run(int *nodes, size_t n)
{
	struct key keys[KEYS_MAX];
	struct request q;
	struct answer a = {BUF_INIT, BUF_INIT, BUF_INIT};
	AUTO_BUF request = BUF_INIT;

	if (talk_request(&main_talk, STDIN_FILENO, &request, &q) != ERR_NONE)
		return 1;
	main_talk.watch.deadline = clock_mono_ms() + MAIN_OVERALL_MS;
	n = nodes_keys(nodes, n);
	size_t opened = main_open(keys, nodes, n);
	enum key_status s = choose_sign(&main_talk, &q, keys, opened, &a);
	talk_done(&main_talk, s, &a);
	answer_free(&a);
	buf_free(&main_talk.in);
	buf_free(&main_talk.out);
	return 0;
}

int main(int argc, char **argv)
{
	int nodes[NODES_MAX], type;
	socklen_t len = sizeof type;

	if (argc == 2 && (strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "--version") == 0))
		return puts("kosmo-fido2 " PACKAGE_VERSION) < 0;
	if (getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM) {
		fputs(MAIN_USAGE, stderr);
		return 2;
	}
	watch_signals();
	if (confine_limits() != ERR_NONE)
		return 1;
	/* it would read a file of its own later */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	key_init();
	size_t n = nodes_open(nodes);
	if (confine_enter() != ERR_NONE)
		return 1;
	return main_run(nodes, n);
}
