/* Whether this house's letters can be printed at all, before one waits. */
#include "config.h"

#include "common/clock.h"
#include "ctl/commands.h"
#include "ctl/letter_site.h"
#include "ctl/letters_out.h"
#include "keeper/enrol.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void fit_left(void *arg, int64_t n, const char *why)
{
	bool *fits = arg;
	*fits = false;
	if (n >= 0)
		ctl_say(
		    "letters in %s cannot be printed: %s; kosmoctl letters --sample --pdf FILE makes one to look at",
		    letter_languages[n], why);
}

static enum err fit_samples(struct letters_out *out, const struct conf *conf, struct errmsg *m)
{
	char url[1024], link[1100], valid[ENROL_TEXT];
	enum err e = letters_out_house(out, conf, m);
	(void)snprintf(url, sizeof url, "%s/login", conf->url);
	(void)snprintf(link, sizeof link, "%s?id=hanako.yamada", url);
	for (size_t i = 0; !e && letter_languages[i]; i++) {
		const struct letters_row r = {.lang = letter_languages[i],
					      .name = "山田 花子",
					      .login = "hanako.yamada",
					      .password = "abcd-efgh-2345-6789",
					      .url = url,
					      .link = link,
					      .valid = valid};
		enrol_day(r.lang, clock_now(), valid);
		e = letters_out_add(out, (int64_t)i, &r, m);
	}
	return e;
}

bool letters_fit(const struct conf *conf)
{
	struct letters_out out = LETTERS_OUT_NONE;
	struct errmsg m = {""};
	bool fits = true;
	int fd = memfd_create("letters", MFD_CLOEXEC);
	enum err e =
	    fd < 0 ? err_set(&m, ERR_IO, "memfd_create: %s", strerror(errno)) : letters_out_start(&out, fd, &m);
	bool missing = e == ERR_NOTFOUND; /* left out of the build, or not installed: no letters then */
	if (!e)
		e = fit_samples(&out, conf, &m);
	if (!e)
		e = letters_out_end(&out, fit_left, &fits, &m);
	letters_out_close(&out);
	if (fd >= 0)
		(void)close(fd);
	if (e && !missing)
		ctl_say("letters cannot be printed: %s", m.text[0] ? m.text : err_text(e));
	return missing || (!e && fits);
}
