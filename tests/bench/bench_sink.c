/* bench_sink DELAY-MS: a relay that takes every mail after a while. Says its port; when its input ends, how many it
 * took. */
#include "config.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static atomic_long taken;
static struct timespec delay;

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "bench_sink: %s\n", what);
	exit(1);
}

static void *talk(void *arg)
{
	FILE *in = arg, *out = fdopen(dup(fileno(in)), "w");
	char line[4096];
	bool data = false;

	must(out, "dup");
	fputs("220 sink\r\n", out);
	fflush(out);
	while (fgets(line, sizeof line, in)) {
		if (data) {
			data = strcmp(line, ".\r\n") != 0;
			if (data)
				continue;
			nanosleep(&delay, NULL);
			taken++;
			fputs("250 taken\r\n", out);
		} else if (strncasecmp(line, "DATA", 4) == 0) {
			data = true;
			fputs("354 go on\r\n", out);
		} else {
			fputs("250 sink\r\n", out);
		}
		fflush(out);
	}
	fclose(in);
	fclose(out);
	return NULL;
}

static void *serve(void *arg)
{
	const int *listener = arg;

	for (int fd; (fd = accept(*listener, NULL, NULL)) >= 0;) {
		pthread_t thread;
		FILE *f = fdopen(fd, "r");

		must(f && !pthread_create(&thread, NULL, talk, f) && !pthread_detach(thread), "thread");
	}
	return NULL;
}

static void sink(long ms)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof sa;
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	pthread_t thread;

	delay = (struct timespec){ms / 1000, ms % 1000 * 1000000};
	must(listener >= 0 && !bind(listener, (struct sockaddr *)&sa, len) && !listen(listener, 64) &&
		 !getsockname(listener, (struct sockaddr *)&sa, &len),
	     "listen");
	printf("%d\n", ntohs(sa.sin_port));
	fflush(stdout);
	must(!pthread_create(&thread, NULL, serve, &listener), "thread");
	while (getchar() != EOF)
		;
	printf("%ld\n", atomic_load(&taken));
	fflush(stdout);
	_exit(0);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fputs("usage: bench_sink DELAY-MS\n", stderr);
		return 2;
	}
	sink(strtol(argv[1], NULL, 10));
}
