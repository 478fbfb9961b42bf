#include "config.h"

#include "common/clock.h"
#include "common/paths.h"
#include "common/wire.h"
#include "common/words.h"
#include "ctl/ctl.h"
#include "ctl/letter_site.h"
#include "ctl/letters_out.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUT_ID	    1
#define OUT_WAIT_MS 600000
#define OUT_PIECE   65536 /* of the logo */

/* In the child: the socket and the file, nothing else of ours, and no environment. */
static void out_exec(const char *path, int sock, int file)
{
	char *argv[] = {(char *)(uintptr_t)path, NULL}, *env[] = {NULL};
	sigset_t none;
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* neither may be 0 or 1 already */
	sock = fcntl(sock, F_DUPFD, 3);
	file = fcntl(file, F_DUPFD, 3);
	if (sock < 0 || file < 0 || dup2(sock, 0) < 0 || dup2(file, 1) < 0 || close_range(3, ~0U, 0) < 0)
		_exit(126);
	(void)execve(path, argv, env);
	_exit(127);
}

enum err letters_out_start(struct letters_out *o, int file, struct errmsg *m)
{
	char path[PATH_MAX];
	int pair[2];
	paths_find("letters/kosmo-letters", LIBEXECDIR "/kosmo-letters", path, sizeof path);
	if (access(path, X_OK) < 0)
		return err_set(m, ERR_NOTFOUND, "%s: %s", path, strerror(errno));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(m, ERR_IO, "socketpair: %s", strerror(errno));
	o->pid = fork();
	if (o->pid == 0)
		out_exec(path, pair[1], file);
	(void)close(pair[1]);
	o->fd = pair[0];
	if (o->pid > 0)
		return ERR_NONE;
	o->pid = 0;
	return err_set(m, ERR_IO, "fork: %s", strerror(errno));
}

/* The next frame that the program sends. */
static enum err out_hear(struct letters_out *o, struct wire_msg *msg)
{
	buf_wipe(&o->in);
	enum err e = wire_recv(o->fd, &o->in, clock_mono_ms() + OUT_WAIT_MS);
	return e ? e : wire_parse(o->in.data, o->in.len, msg);
}

/* It does not listen any more: what it said last, or how it ended. */
static enum err out_why(struct letters_out *o, struct errmsg *m)
{
	struct wire_msg *msg = malloc(sizeof *msg);
	const char *why = NULL;
	if (msg && !out_hear(o, msg) && strcmp(msg->kind, "failed") == 0)
		why = wire_str(msg, "why");
	enum err e = err_set(m, ERR_IO, "kosmo-letters: %s", why ? why : "it ended before the file was whole");
	free(msg);
	return e;
}

static enum err out_send(struct letters_out *o, struct errmsg *m)
{
	enum err e = wire_end(&o->out);
	if (!e && wire_send(o->fd, &o->out, clock_mono_ms() + OUT_WAIT_MS))
		e = out_why(o, m);
	buf_wipe(&o->out);
	return e;
}

static enum err out_logo(struct letters_out *o, const struct buf *logo, struct errmsg *m)
{
	enum err e = ERR_NONE;
	for (size_t at = 0; !e && at < logo->len; at += OUT_PIECE) {
		size_t n = logo->len - at < OUT_PIECE ? logo->len - at : OUT_PIECE;
		wire_begin(&o->out, OUT_ID, "logo");
		wire_put(&o->out, "data", logo->data + at, n);
		e = out_send(o, m);
	}
	return e;
}

static void out_word_fault(void *arg, const char *sentence)
{
	(void)arg;
	ctl_say("%s", sentence);
}

static void out_put(struct letters_out *o, const char *name, const char *lang, const void *p, size_t n)
{
	char field[32];
	(void)snprintf(field, sizeof field, "%s.%s", name, lang);
	wire_put(&o->out, field, p, n);
}

enum err letters_out_house(struct letters_out *o, const struct conf *conf, struct errmsg *m)
{
	AUTO_BUF logo = BUF_INIT;
	struct words words = {{NULL, NULL}, {NULL, NULL}};
	enum err e = letter_site_logo(conf, &logo, m);
	if (!e)
		e = words_load(conf, out_word_fault, NULL, &words);
	wire_begin(&o->out, OUT_ID, "house");
	for (size_t i = 0; !e && letter_languages[i]; i++) {
		const char *lang = letter_languages[i];
		const char *organisation = words_organisation(&words, lang), *contact = words_contact(&words, lang);
		AUTO_BUF text = BUF_INIT;
		e = letter_site_text(conf, lang, &text, m);
		out_put(o, "text", lang, text.data, text.len);
		out_put(o, "organisation", lang, organisation, strlen(organisation));
		out_put(o, "contact", lang, contact, strlen(contact));
	}
	words_free(&words);
	if (!e)
		e = out_send(o, m);
	return e ? e : out_logo(o, &logo, m);
}

enum err letters_out_add(struct letters_out *o, int64_t n, const struct letters_row *r, struct errmsg *m)
{
	wire_begin(&o->out, OUT_ID, "letter");
	wire_puti(&o->out, "n", n);
	wire_puts(&o->out, "lang", r->lang);
	wire_puts(&o->out, "name", r->name);
	wire_puts(&o->out, "login", r->login);
	wire_puts(&o->out, "password", r->password);
	wire_puts(&o->out, "url", r->url);
	wire_puts(&o->out, "link", r->link);
	wire_puts(&o->out, "valid", r->valid);
	return out_send(o, m);
}

/* One answer. *ret_done: it was the last one. */
static enum err out_answer(struct letters_out *o, struct wire_msg *msg,
			   void (*left)(void *arg, int64_t n, const char *why), void *arg, bool *ret_done,
			   struct errmsg *m)
{
	int64_t n = 0;
	if (out_hear(o, msg))
		return err_set(m, ERR_IO, "kosmo-letters: it ended before the file was whole");
	const char *why = wire_str(msg, "why");
	*ret_done = strcmp(msg->kind, "done") == 0;
	if (*ret_done)
		return ERR_NONE;
	if (strcmp(msg->kind, "left") != 0 || !why || wire_int(msg, "n", &n))
		return err_set(m, ERR_IO, "kosmo-letters: %s", why ? why : "it said what cannot be understood");
	left(arg, n, why);
	return ERR_NONE;
}

static bool out_reap(struct letters_out *o)
{
	int status = 1;
	while (waitpid(o->pid, &status, 0) < 0)
		if (errno != EINTR)
			break;
	o->pid = 0;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

enum err letters_out_end(struct letters_out *o, void (*left)(void *arg, int64_t n, const char *why), void *arg,
			 struct errmsg *m)
{
	struct wire_msg *msg = malloc(sizeof *msg);
	bool done = false;
	wire_begin(&o->out, OUT_ID, "end");
	enum err e = msg ? out_send(o, m) : ERR_NOMEM;
	while (!e && !done)
		e = out_answer(o, msg, left, arg, &done, m);
	free(msg);
	if (!e && !out_reap(o))
		e = err_set(m, ERR_IO, "kosmo-letters failed at its end");
	return e;
}

void letters_out_close(struct letters_out *o)
{
	if (o->pid > 0) {
		(void)kill(o->pid, SIGKILL);
		(void)out_reap(o);
	}
	if (o->fd >= 0)
		(void)close(o->fd);
	o->fd = -1;
	buf_free(&o->out);
	buf_free(&o->in);
}
