#include "config.h"

#include "common/clock.h"
#include "fido/watch.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t watch_asked; /* to stop */
static sigset_t watch_open;		  /* the signals' mask while waiting */

static void watch_on_signal(int number)
{
	(void)number;
	watch_asked = 1;
}

void watch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction sa = {.sa_handler = watch_on_signal};
	sigset_t ours;

	sigemptyset(&ours);
	sigemptyset(&sa.sa_mask);
	sigemptyset(&watch_open);
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
		sigaddset(&ours, signals[i]);
		sigaction(signals[i], &sa, NULL);
	}
	sigprocmask(SIG_SETMASK, &ours, NULL);
}

static bool watch_stop(struct watch *w, enum key_status why)
{
	if (!w->stopped)
		w->why = why;
	w->stopped = true;
	return false;
}

bool watch_wait(struct watch *w, int fd, int64_t until)
{
	struct pollfd p[] = {{.fd = fd, .events = POLLIN}, {.fd = w->talk, .events = POLLIN | POLLRDHUP}};

	for (;;) {
		int64_t now = clock_mono_ms(), end = until < w->deadline ? until : w->deadline;
		int64_t left = end > now ? end - now : 0;
		const struct timespec ts = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};

		if (w->stopped)
			return false;
		if (watch_asked)
			return watch_stop(w, KEY_CANCELLED);
		if (now == 0 || now >= w->deadline)
			return watch_stop(w, KEY_TIMEOUT);
		int n = ppoll(p, 2, &ts, &watch_open);
		if (n < 0 && errno != EINTR)
			return watch_stop(w, KEY_ERROR);
		if (n > 0 && p[1].revents)
			return watch_stop(w, KEY_CANCELLED);
		if (n > 0)
			return true;
		if (n == 0 && end == until)
			return false;
	}
}
