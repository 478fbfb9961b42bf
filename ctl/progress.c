#include "config.h"

#include "common/clock.h"
#include "ctl/progress.h"
#include <stdio.h>
#include <unistd.h>

#define PROGRESS_WIDTH 40

void progress_begin(struct progress *p, const char *what, int64_t total)
{
	p->what = what;
	p->total = total > 0 ? total : 1;
	p->next_ms = 0;
	p->on = isatty(STDERR_FILENO);
}

void progress_at(struct progress *p, int64_t done)
{
	static const char bar[PROGRESS_WIDTH + 1] = "########################################";
	if (!p->on)
		return;
	int64_t now = clock_mono_ms();
	if (now < p->next_ms)
		return;
	p->next_ms = now + 100;
	if (done > p->total)
		done = p->total;
	int n = (int)(done * PROGRESS_WIDTH / p->total), percent = (int)(done * 100 / p->total);
	(void)fprintf(stderr, "\r%s [%.*s%*s] %3d %%", p->what, n, bar, PROGRESS_WIDTH - n, "", percent);
	(void)fflush(stderr);
}

void progress_clear(struct progress *p)
{
	if (p->on && p->next_ms)
		(void)fputs("\r\033[K", stderr);
	p->next_ms = 0;
}

void progress_end(struct progress *p)
{
	progress_clear(p);
	p->on = false;
}
