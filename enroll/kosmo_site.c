/* kosmo-site: looks through the site's own files as kosmo-enrolld will at its next start, and prints the built-in
 * pages. kosmoctl config check and kosmoctl site template start it; it knows what only the browser door knows. */
#include "config.h"

#include "common/daemon.h"
#include "common/i18n.h"
#include "common/sandbox.h"
#include "enroll/folder.h"
#include "enroll/log.h"
#include "enroll/override.h"
#include "enroll/site.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: kosmo-site [-c FILE] check\n"
    "       kosmo-site template [NAME]\n"
    "For kosmoctl: looks through the files of site_dir; prints a built-in page, or their names.\n"
    "  -c, --config FILE  the configuration (" SYSCONFDIR "/kosmo/kosmo.conf)\n"
    "  -h, --help         this text\n"
    "  -V, --version      the version\n";

static void site_say(void *arg, enum fault f, const char *sentence)
{
	bool *ok = arg;

	if (f == FAULT_LEFT_OUT)
		*ok = false;
	printf("%s%s\n", f == FAULT_LEFT_OUT ? "" : "warning: ", sentence);
}

/* In the door's own sandbox: what it could not read then is not read now. */
static int site_check(const char *file)
{
	struct conf *conf = NULL;
	struct sandbox_lacks lacks;
	struct site site = {.conf = NULL};
	struct errmsg m = {""};
	bool ok = true;
	const struct faults fs = {site_say, &ok};
	enum err r = conf_load(file, &conf, &m);

	if (r == ERR_NONE)
		r = sandbox_enter(SANDBOX_ENROLLD, conf, &lacks, &m);
	if (r == ERR_NONE)
		r = site_load(conf, &fs, &site, &m);
	if (r == ERR_NONE)
		folder_check(conf, &fs);
	else
		printf("%s\n", m.text);
	site_free(&site);
	conf_free(conf);
	return r == ERR_NONE && ok && fflush(stdout) == 0 ? 0 : 1;
}

static int site_template(const char *name)
{
	AUTO_BUF b = BUF_INIT;

	if (!name) {
		overrides_names(&b);
	} else if (!overrides_show(name, &b)) {
		log_error("%s: no page is called so; kosmoctl site template lists the names", name);
		return 3;
	}
	return !b.failed && fwrite(b.data, 1, b.len, stdout) == b.len && fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	const char *file = SYSCONFDIR "/kosmo/kosmo.conf", *word[2] = {NULL, NULL};
	int status, words = 0;

	/* What is no option, from behind: daemon_options takes none. */
	while (argc > 1 && words < 2 && argv[argc - 1][0] != '-' &&
	       !(argc > 2 && (strcmp(argv[argc - 2], "-c") == 0 || strcmp(argv[argc - 2], "--config") == 0))) {
		word[1] = word[0];
		word[0] = argv[--argc];
		words++;
	}
	argv[argc] = NULL;
	status = daemon_options(argc, argv, "kosmo-site", usage, &file, NULL);
	if (status >= 0)
		return status;
	log_init("kosmo-site", false);
	daemon_harden();
	i18n_init();
	if (words == 1 && strcmp(word[0], "check") == 0)
		return site_check(file);
	if (words >= 1 && strcmp(word[0], "template") == 0)
		return site_template(word[1]);
	fputs(usage, stderr);
	return 2;
}
