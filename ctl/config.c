#include "config.h"

#include "common/daemon.h"
#include "ctl/commands.h"
#include "ctl/config_check.h"
#include "ctl/json.h"
#include "ctl/letter_site.h"
#include "ctl/site.h"
#include "keeper/mail_template.h"
#include "keeper/passkey_attest.h"
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum ctl_exit config_show(struct ctl *c, const struct args *a)
{
	struct json j = {.f = stdout};
	(void)a;
	enum ctl_exit r = ctl_conf(c);
	if (r)
		return r;
	if (c->json)
		json_object(&j, NULL);
	for (const struct conf_option *o = conf_options; o->name; o++) {
		char b[PATH_MAX + 512];
		conf_show(c->conf, o, b, sizeof b);
		if (c->json)
			json_str(&j, o->name, b);
		else
			(void)printf("%s = %s\n", o->name, b);
	}
	if (c->json)
		json_end(&j, '}');
	return CTL_OK;
}

/* Each complaint is one line; the result is whether there was any. */
static bool config_folder(const char *option, const char *path)
{
	struct stat st;
	if (stat(path, &st) < 0)
		ctl_say("%s = %s: %s", option, path, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		ctl_say("%s = %s: it is no folder", option, path);
	else if (st.st_mode & S_IWOTH)
		ctl_say("%s = %s: everyone may write there; chmod o-w", option, path);
	else
		return true;
	return false;
}

static bool config_file(const char *option, const char *path)
{
	if (access(path, R_OK) == 0)
		return true;
	ctl_say("%s: %s: %s", option, path, strerror(errno));
	return false;
}

bool config_password(const char *path, const char *state_dir, struct errmsg *why)
{
	static const char option[] = "mail.smtp_password_file";
	struct stat st, state;
	if (stat(path, &st) < 0 || stat(state_dir, &state) < 0) {
		(void)err_set(why, ERR_IO, "%s: %s: %s", option, path, strerror(errno));
		return false;
	}
	if (!S_ISREG(st.st_mode) || (st.st_mode & 0137)) {
		(void)err_set(why, ERR_DENIED, "%s: %s: it must be a file of mode 0600 or 0640", option, path);
		return false;
	}
	const struct passwd *pw = getpwuid(state.st_uid);
	if (pw && strcmp(pw->pw_name, "kosmo") == 0)
		pw = getpwnam("kosmo-mail");
	uid_t uid = pw ? pw->pw_uid : state.st_uid;
	gid_t gid = pw ? pw->pw_gid : state.st_gid;
	if (uid == 0 || (st.st_uid == uid ? st.st_mode & S_IRUSR : st.st_gid == gid && (st.st_mode & S_IRGRP)))
		return true;
	(void)err_set(why, ERR_DENIED, "%s: %s: the mailer's user %s cannot read it; chown it to that user", option,
		      path, pw ? pw->pw_name : "(the owner of state_dir)");
	return false;
}

static void config_site_fault(void *arg, bool warning, const char *sentence)
{
	bool *ok = arg;
	*ok &= warning;
	ctl_say("%s%s", warning ? "warning: " : "", sentence);
}

/* As root still: what the browser door's own user cannot read is a finding. */
static bool config_site(const struct conf *c)
{
	struct errmsg why = {""};
	bool ok = config_folder("site_dir", c->site_dir);
	enum err e = ok ? site_look(c, config_site_fault, &ok, &why) : ERR_NONE;
	if (e)
		ctl_say("%s", why.text);
	return ok && !e;
}

static bool config_mail(const struct conf *c)
{
	struct errmsg why = {""};
	bool ok = true;
	if (strcmp(c->mail_transport, "maildir") == 0) {
		if (!c->mail_maildir[0]) {
			ctl_say("mail.transport = maildir needs mail.maildir");
			return false;
		}
		return config_folder("mail.maildir", c->mail_maildir);
	}
	if (c->mail_smtp_password_file[0] && !config_password(c->mail_smtp_password_file, c->state_dir, &why)) {
		ctl_say("%s", why.text);
		ok = false;
	}
	if (c->mail_smtp_ca_file[0])
		ok &= config_file("mail.smtp_ca_file", c->mail_smtp_ca_file);
	if (!c->mail_from[0]) {
		ctl_say("mail.from is empty: mails need a sender");
		ok = false;
	}
	return ok;
}

static bool config_passkeys(const struct conf *c)
{
	struct passkey_trust *trust = NULL;
	struct errmsg why = {""};
	if (strcmp(c->passkey_attestation, "require") != 0)
		return true;
	enum err e = passkey_trust_load(c->passkey_roots, c->passkey_models, &trust, &why);
	if (e)
		ctl_say("%s", why.text);
	passkey_trust_free(trust);
	return !e;
}

static bool config_letters(const struct conf *c)
{
	AUTO_BUF logo = BUF_INIT;
	struct errmsg why = {""};
	bool ok = true;
	for (size_t i = 0; letter_languages[i]; i++) {
		AUTO_BUF text = BUF_INIT;
		if (letter_site_text(c, letter_languages[i], &text, &why)) {
			ctl_say("%s", why.text);
			ok = false;
		}
	}
	if (letter_site_logo(c, &logo, &why)) {
		ctl_say("%s", why.text);
		ok = false;
	}
	return ok;
}

static void config_text_fault(void *arg, const char *sentence)
{
	bool *ok = arg;
	*ok = false;
	ctl_say("%s", sentence);
}

static bool config_state(const struct conf *c)
{
	return config_folder("state_dir", c->state_dir);
}

static bool config_mail_texts(const struct conf *c)
{
	bool ok = true;
	size_t texts;
	mail_site_check(c, config_text_fault, &ok, &texts);
	return ok;
}

/* Each says what is wrong, a line a complaint, and whether all is well. */
static bool (*const config_checks[])(const struct conf *c) = {config_state, config_site, config_mail};
/* As the owner of state_dir, after the key and the database that the keeper will meet. */
static bool (*const config_checks_owner[])(const struct conf *c) = {config_passkeys};
/* Whatever else is wrong. */
static bool (*const config_checks_always[])(const struct conf *c) = {config_mail_texts};

enum ctl_exit config_check(struct ctl *c, const struct args *a)
{
	(void)a;
	enum ctl_exit r = ctl_conf(c);
	if (r)
		return r;
	bool ok = true;
	for (size_t i = 0; i < sizeof config_checks / sizeof *config_checks; i++)
		ok &= config_checks[i](c->conf);
	/* still as who typed the command, so that what prints can become nobody */
	bool letters = config_letters(c->conf) && (!ok || letters_fit(c->conf));
	if (ok)
		r = ctl_store(c);
	for (size_t i = 0; ok && !r && i < sizeof config_checks_owner / sizeof *config_checks_owner; i++)
		ok &= config_checks_owner[i](c->conf);
	if (c->st && site_terms_changed(c->st, c->conf))
		ctl_say("warning: %s/terms: " SITE_TERMS_CHANGED, c->conf->site_dir);
	for (size_t i = 0; i < sizeof config_checks_always / sizeof *config_checks_always; i++)
		ok &= config_checks_always[i](c->conf);
	if (!ok || !letters)
		r = CTL_FAILED;
	if (!r)
		(void)printf("%s: no complaints\n", c->conf->file);
	return r;
}
