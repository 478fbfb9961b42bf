/* kosmoctl mail template, mail queue. */
#include "config.h"

#include "common/clock.h"
#include "ctl/commands.h"
#include "ctl/json.h"
#include "keeper/mail_template.h"
#include "keeper/mail_text.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAILS_PAGE 100
#define MAILS_NEAR 30 /* twice the lease of a mail that the keeper has in hand */

/* ---- template ---- */

static void mailcmd_names(void)
{
	for (size_t i = 1; i < MAIL_TEXTS; i++) {
		const struct mail_text_row *t = &mail_texts[i];
		(void)printf("%-18s %s%s%s%s\n", t->name, t->needs[0] ? "must have: " : "", t->needs,
			     t->may[0] ? (t->needs[0] ? "; may have: " : "may have: ") : "", t->may);
	}
}

enum ctl_exit mailcmd_template(struct ctl *c, const struct args *a)
{
	AUTO_BUF b = BUF_INIT;
	size_t l = 0;
	(void)c;
	if (a->n_word == 0) {
		mailcmd_names();
		return CTL_OK;
	}
	enum mail_text text = mail_text_by_name(a->word[0], strlen(a->word[0]));
	if (!text)
		return ctl_input("%s: no mail is called so; kosmoctl mail template lists their names", a->word[0]);
	while (a->n_word > 1 && mail_languages[l] && strcmp(mail_languages[l], a->word[1]) != 0)
		l++;
	if (!mail_languages[l])
		return ctl_input("%s: mails are in ja and en", a->word[1]);
	enum err e = mail_template_show(text, mail_languages[l], &b);
	if (e)
		return ctl_failed(e, a->word[0], NULL);
	(void)fwrite(b.data, 1, b.len, stdout);
	return CTL_OK;
}

/* ---- queue ---- */

static const char *mailcmd_state(const struct mail *m)
{
	static const char *const names[] = {
	    [0] = "unreadable",		[MAIL_WAITING] = "waiting", [MAIL_SENT] = "delayed",
	    [MAIL_REFUSED] = "refused", [MAIL_EXPIRED] = "expired",
	};
	return names[m->state];
}

static void mailcmd_hex(const struct id *id, char ret[static 2 * ID_LEN + 1])
{
	for (size_t i = 0; i < ID_LEN; i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", id->b[i]);
}

/* Whose it is; "" of nobody's. */
static void mailcmd_login(struct ctl *c, const struct mail *m, char ret[static LOGIN_MAX + 1])
{
	struct person p;
	ret[0] = '\0';
	if (store_person_by_id(c->st, &m->person, &p) == ERR_NONE) {
		(void)snprintf(ret, LOGIN_MAX + 1, "%s", p.login);
		person_wipe(&p);
	}
}

/* "3 min", "2 h", "5 d" */
static void mailcmd_span(int64_t seconds, char ret[static 32])
{
	if (seconds < 0)
		seconds = 0;
	if (seconds < 120)
		(void)snprintf(ret, 32, "%" PRId64 " s", seconds);
	else if (seconds < 7200)
		(void)snprintf(ret, 32, "%" PRId64 " min", seconds / 60);
	else if (seconds < 172800)
		(void)snprintf(ret, 32, "%" PRId64 " h", seconds / 3600);
	else
		(void)snprintf(ret, 32, "%" PRId64 " d", seconds / 86400);
}

struct mailcmd_list {
	struct ctl *c;
	struct json j;
	bool addresses;
	int64_t now, n;
};

static void mailcmd_json(struct mailcmd_list *l, const struct mail *m, const char *id, const char *login,
			 const char *domain)
{
	char at[32];
	json_object(&l->j, NULL);
	json_str(&l->j, "id", id);
	json_str(&l->j, "state", mailcmd_state(m));
	if (m->state) {
		json_str(&l->j, "kind", m->urgent ? "code" : "notice");
		ctl_time_utc(m->created, at);
		json_str(&l->j, "created", at);
		ctl_time_utc(m->state == MAIL_WAITING ? m->next_try : 0, at);
		json_str(&l->j, "next_try", at[0] ? at : NULL);
		ctl_time_utc(m->expires, at);
		json_str(&l->j, "expires", at);
		json_int(&l->j, "tries", m->tries);
		json_str(&l->j, "domain", domain);
		if (l->addresses) {
			json_str(&l->j, "recipient", m->recipient[0] ? m->recipient : NULL);
			json_str(&l->j, "login", login[0] ? login : NULL);
		}
		json_str(&l->j, "reason", m->reason[0] ? m->reason : NULL);
	}
	json_end(&l->j, '}');
}

static void mailcmd_line(const struct mailcmd_list *l, const struct mail *m, const char *id, const char *login,
			 const char *domain)
{
	char age[32], next[32];
	if (!m->state) {
		(void)printf("%s unreadable: changed or damaged; kosmoctl store check\n", id);
		return;
	}
	mailcmd_span(l->now - m->created, age);
	mailcmd_span(m->next_try - l->now, next);
	(void)printf("%s %s, %s, %s old, tries: %d", id, mailcmd_state(m), m->urgent ? "code or link" : "notice", age,
		     m->tries);
	if (m->state == MAIL_WAITING)
		(void)printf(", next in %s", next);
	if (l->addresses && (m->recipient[0] || login[0]))
		(void)printf(", to %s%s%s%s", m->recipient[0] ? m->recipient : "", login[0] ? " (" : "", login,
			     login[0] ? ")" : "");
	else if (domain)
		(void)printf(", to %s", domain);
	(void)printf("%s%s\n", m->reason[0] ? ": " : "", m->reason);
}

static void mailcmd_show(struct mailcmd_list *l, const struct mail *m)
{
	char id[2 * ID_LEN + 1], login[LOGIN_MAX + 1] = "";
	const char *at = strrchr(m->recipient, '@');
	mailcmd_hex(&m->id, id);
	if (l->addresses && m->state)
		mailcmd_login(l->c, m, login);
	if (l->c->json)
		mailcmd_json(l, m, id, login, at ? at + 1 : NULL);
	else
		mailcmd_line(l, m, id, login, at ? at + 1 : NULL);
	l->n++;
}

static enum ctl_exit mailcmd_list_all(struct ctl *c, bool addresses)
{
	struct mailcmd_list l = {.c = c, .j = {.f = stdout}, .addresses = addresses, .now = clock_now()};
	struct mail *m = calloc(MAILS_PAGE, sizeof *m);
	struct id after = {{0}};
	size_t n = MAILS_PAGE;
	enum err e = m ? ERR_NONE : ERR_NOMEM;
	if (c->json)
		json_array(&l.j, NULL);
	while (!e && n == MAILS_PAGE) {
		e = store_mail_page(c->st, &after, m, MAILS_PAGE, &n);
		for (size_t i = 0; !e && i < n; i++) {
			mailcmd_show(&l, &m[i]);
			after = m[i].id;
			mail_clear(&m[i]);
		}
	}
	free(m);
	if (e)
		return ctl_failed(e, "the outbox", NULL);
	if (c->json)
		json_end(&l.j, ']');
	else if (!l.n)
		(void)puts("no mail waits, none was refused or came too late");
	return CTL_OK;
}

static enum err mailcmd_retry_tx(struct ctl *c, int64_t *ret_n)
{
	char detail[64];
	int64_t n = 0;
	enum err e = ctl_begin(c);
	if (!e)
		e = store_mail_retry(c->st, clock_now(), MAILS_NEAR, &n);
	(void)snprintf(detail, sizeof detail, "%" PRId64 " mails", n);
	if (!e && n)
		e = ctl_audit(c, NULL, "mail.retry", detail);
	if (!e)
		e = ctl_commit(c);
	ctl_rollback(c);
	if (!e)
		*ret_n = n;
	return e;
}

static enum ctl_exit mailcmd_retry(struct ctl *c)
{
	int64_t n = 0;
	enum err e = mailcmd_retry_tx(c, &n);
	if (e)
		return ctl_failed(e, "the outbox", NULL);
	(void)printf("%" PRId64 " mails will be tried again within half a minute\n", n);
	return CTL_OK;
}

static bool mailcmd_id(const char *s, struct id *ret)
{
	unsigned v;
	if (strlen(s) != 2 * ID_LEN || strspn(s, "0123456789abcdef") != 2 * ID_LEN)
		return false;
	for (size_t i = 0; i < ID_LEN; i++) {
		const char digits[] = {s[2 * i], s[2 * i + 1], '\0'};
		v = (unsigned)strtoul(digits, NULL, 16);
		ret->b[i] = (uint8_t)v;
	}
	return true;
}

/* ERR_NOTFOUND: none such waits. */
static enum err mailcmd_drop_tx(struct ctl *c, const struct id *id)
{
	struct mail m = {.tries = 0};
	enum err e = ctl_begin(c);
	if (!e)
		e = store_mail_status(c->st, id, &m);
	if (!e && m.state != MAIL_WAITING)
		e = ERR_NOTFOUND;
	m.state = MAIL_REFUSED;
	(void)snprintf(m.reason, sizeof m.reason, "dropped by the administrator");
	if (!e)
		e = store_mail_settle(c->st, &m);
	if (!e)
		e = ctl_audit(c, &m.person, "mail.drop", "");
	if (!e)
		e = ctl_commit(c);
	ctl_rollback(c);
	mail_clear(&m);
	return e;
}

static enum ctl_exit mailcmd_drop(struct ctl *c, const char *text)
{
	struct id id;
	if (!mailcmd_id(text, &id))
		return ctl_usage("mail queue: --drop takes an id, 32 digits of 0-9a-f, as mail queue shows it");
	enum err e = mailcmd_drop_tx(c, &id);
	if (e == ERR_NOTFOUND)
		return ctl_input("%s: no such mail waits", text);
	if (e)
		return ctl_failed(e, "the outbox", NULL);
	(void)printf("%s: dropped\n", text);
	return CTL_OK;
}

enum ctl_exit mailcmd_queue(struct ctl *c, const struct args *a)
{
	bool retry = a->value[OPT_RETRY], drop = a->value[OPT_DROP], list = c->json || a->value[OPT_ADDRESSES];
	if (retry + drop + list > 1)
		return ctl_usage("mail queue: --retry, --drop and what is for a list do not go together");
	enum ctl_exit r = ctl_conf(c);
	if (!r)
		r = ctl_store(c);
	if (r)
		return r;
	if (retry)
		return mailcmd_retry(c);
	return drop ? mailcmd_drop(c, a->value[OPT_DROP]) : mailcmd_list_all(c, a->value[OPT_ADDRESSES]);
}
