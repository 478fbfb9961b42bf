#include "config.h"

#include "common/clock.h"
#include "ctl/commands.h"
#include "ctl/import.h"
#include "ctl/person.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMPORT_DROP 200 /* people of a dead batch that one transaction deletes */

static bool import_system_login(const void *arg, const char *login, enum role role)
{
	/* Only staff logins can meet an account; NSS is asked for those one by one, too. */
	return syslogin_taken(arg, login, role == ROLE_STAFF);
}

/* The files, as who typed the command. */
static enum ctl_exit import_files(struct import *im)
{
	struct stat st;
	struct errmsg m = {""};
	im->fd = open(im->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (im->fd < 0 || fstat(im->fd, &st) < 0)
		return ctl_input("%s: %s", im->file, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return ctl_input("%s: it is no regular file (it is read twice, so a pipe will not do)", im->file);
	im->size = st.st_size;
	enum err e = im->dry || im->letters ? ERR_NONE : passfile_open(&im->pass, im->args->value[OPT_PASSWORDS], &m);
	if (e)
		return ctl_failed(e, "--passwords", &m);
	e = sheet_open(im->fd, &im->sheet);
	if (e == ERR_INVALID)
		return ctl_input("%s: it is UTF-16; save it as CSV in UTF-8", im->file);
	if (e == ERR_INTERNAL)
		return ctl_input("%s: it is no UTF-8, and this system cannot convert CP932 (Shift_JIS)", im->file);
	if (e)
		return ctl_failed(e, im->file, NULL);
	if (sheet_excel(im->sheet))
		passfile_bom(&im->pass);
	return CTL_OK;
}

static enum ctl_exit import_drop(struct import *im)
{
	bool left = true;
	int64_t dropped = 0, n;
	while (left) {
		sigset_t before;
		ctl_hold(&before);
		enum err e = store_batch_drop(im->c->st, IMPORT_DROP, &left, &n);
		ctl_release(&before);
		if (e)
			return ctl_failed(e, "dropping an unfinished import", NULL);
		dropped += n;
		if (ctl_stopped())
			return CTL_FAILED;
	}
	if (dropped)
		ctl_say("an earlier import was interrupted: its %" PRId64
			" new people were dropped; their initial passwords are void",
			dropped);
	return CTL_OK;
}

static enum ctl_exit import_batch(struct import *im, struct id *ret)
{
	enum err e = ctl_begin(im->c);
	if (!e)
		e = store_batch_new(im->c->st, ret);
	if (!e)
		e = ctl_commit(im->c);
	ctl_rollback(im->c);
	return e ? ctl_failed(e, im->c->conf->state_dir, NULL) : CTL_OK;
}

/* The passwords are on disk before anybody can be asked for one. */
static enum ctl_exit import_publish(struct import *im, const struct id *batch)
{
	char text[128];
	enum err e = im->pass.rows ? passfile_sync(&im->pass, &im->m) : ERR_NONE;
	if (e)
		return ctl_failed(e, im->pass.path, &im->m);
	(void)snprintf(text, sizeof text, "%" PRId64 " new, %" PRId64 " updated, %" PRId64 " unchanged, %zu bad",
		       im->n_new, im->n_updated, im->n_unchanged, im->n_bad);
	e = ctl_begin(im->c);
	if (!e)
		e = store_batch_publish(im->c->st, batch, clock_now());
	if (!e)
		e = ctl_audit(im->c, NULL, "import.publish", text);
	if (!e) {
		e = ctl_commit(im->c);
		im->unsure = e != ERR_NONE;
	}
	ctl_rollback(im->c);
	if (e) {
		enum ctl_exit r = ctl_failed(e, "publishing", NULL);
		if (im->unsure && im->pass.rows)
			ctl_say("%s is kept, for a failed write may still come to light: does kosmoctl user list show "
				"the new "
				"people, it is good; else delete it and import again",
				im->pass.path);
		return r;
	}
	im->published = true;
	return CTL_OK;
}

static enum ctl_exit import_all(struct import *im)
{
	struct id batch = {0};
	enum ctl_exit r = CTL_OK;
	if (!im->dry)
		r = ctl_lock(im->c);
	if (!r)
		r = import_check(im);
	if (!r && im->n_bad && !im->skip_bad)
		r = CTL_INPUT;
	if (r || im->dry)
		return r ? r : import_apply(im, &batch);
	store_bulk(im->c->st);
	r = import_drop(im);
	if (!r)
		r = import_batch(im, &batch);
	if (!r)
		r = import_apply(im, &batch);
	if (!r && ctl_stopped()) {
		ctl_say("stopped: no new person is visible, and the next import clears up");
		r = CTL_FAILED;
	}
	return r ? r : import_publish(im, &batch);
}

static void import_close(struct import *im, enum ctl_exit r)
{
	bool left = false, keep = ((r == CTL_OK && im->published) || im->unsure) && im->pass.rows;
	passfile_close(&im->pass, keep, &left);
	if (left)
		ctl_say("%s holds nothing of use; delete it", im->pass.path);
	sheet_close(im->sheet);
	syslogin_free(&im->system);
	free(im->bad);
	if (im->fd >= 0)
		(void)close(im->fd);
}

enum ctl_exit import_run(struct ctl *c, const struct args *a)
{
	struct import im = {.c = c,
			    .file = a->word[0],
			    .args = a,
			    .dry = a->value[OPT_DRY_RUN],
			    .skip_bad = a->value[OPT_SKIP_BAD],
			    .letters = a->value[OPT_LETTERS],
			    .fd = -1,
			    .pass = PASSFILE_NONE};
	if (im.dry && a->value[OPT_PASSWORDS])
		return ctl_usage("import: --dry-run makes no --passwords file");
	if (im.letters && (im.dry || a->value[OPT_PASSWORDS]))
		return ctl_usage("import: --letters goes with neither --passwords nor --dry-run");
	enum ctl_exit r = ctl_conf(c);
	if (!r)
		r = import_files(&im);
	if (!r && syslogin_load(&im.system, a))
		r = ctl_failed(ERR_NOMEM, "system accounts", NULL);
	if (!r)
		r = ctl_store(c);
	if (!r)
		r = person_letters_ready(c, a);
	if (!r) {
		im.rules = (struct row_rules){.today = text_today(clock_now()),
					      .password_min = (size_t)c->conf->password_min,
					      .system_login = import_system_login,
					      .arg = &im.system};
		ctl_catch_stop();
		import_report_begin(&im);
		r = import_all(&im);
		import_report_end(&im, r);
	}
	import_close(&im, r);
	return r;
}
