/* Rows for the tests of kosmoctl, that else need a crowd and a bad relay:
 *   put_rows CONF visitors ADDRESS N | mail REASON    for doctor
 *   put_rows CONF row sent|waiting ADDRESS            a mail; its id is printed
 *   put_rows CONF queue N urgent|bulk SECONDS         mails to KIND-0@example.jp and so on, due in so many seconds
 *   put_rows CONF messages FOLDER ADDRESS             every text in every language as FOLDER/NAME.LANG.eml; no row
 *   put_rows CONF confirmed LOGIN | frozen LOGIN FORMER   a wizard's and a mailed link's outcome */
#include "config.h"

#include "common/clock.h"
#include "common/conf.h"
#include "common/i18n.h"
#include "keeper/address.h"
#include "keeper/mail_template.h"
#include "keeper/mail_text.h"
#include "keeper/store/store.h"
#include "keeper/token.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct errmsg msg;

static void must(enum err e, const char *what)
{
	if (e == ERR_NONE)
		return;
	fprintf(stderr, "put_rows: %s: %s %s\n", what, err_text(e), msg.text);
	exit(1);
}

static void visitors(struct store *st, const char *address, long n)
{
	for (long i = 0; i < n; i++) {
		struct audit a = {
		    .time = clock_now(), .event = "login.allow", .door = "web", .address = address, .detail = ""};
		must(id_new(&a.person), "id");
		must(store_audit(st, &a), "audit");
	}
}

static void mail(struct store *st, const char *reason)
{
	struct mail m = {.state = MAIL_WAITING, .created = clock_now(), .expires = clock_now() + 3600};
	must(id_new(&m.id), "id");
	snprintf(m.recipient, sizeof m.recipient, "hanako@example.jp");
	buf_adds(&m.message, "Subject: x\r\n\r\nx\r\n");
	must(store_mail_put(st, &m), "put");
	m.state = MAIL_REFUSED;
	snprintf(m.reason, sizeof m.reason, "%s", reason);
	must(store_mail_settle(st, &m), "settle");
	mail_clear(&m);
}

static void row(struct store *st, const char *state, const char *address)
{
	struct mail m = {.state = MAIL_WAITING, .urgent = true, .created = clock_now(), .expires = clock_now() + 3600};
	m.next_try = m.created + 600;
	must(id_new(&m.id), "id");
	snprintf(m.recipient, sizeof m.recipient, "%s", address);
	buf_adds(&m.message, "Subject: x\r\n\r\nx\r\n");
	must(store_mail_put(st, &m), "put");
	if (strcmp(state, "sent") == 0) {
		m.state = MAIL_SENT;
		m.sent = m.created;
		m.tries = 1;
		must(store_mail_settle(st, &m), "settle");
	}
	for (size_t i = 0; i < ID_LEN; i++)
		printf("%02x", m.id.b[i]);
	putchar('\n');
	mail_clear(&m);
}

/* In transactions of their own. */
static void queue(struct store *st, long n, const char *kind, long seconds)
{
	for (long i = 0; i < n; i++) {
		struct mail m = {.state = MAIL_WAITING,
				 .urgent = strcmp(kind, "urgent") == 0,
				 .created = clock_now(),
				 .next_try = clock_now() + seconds,
				 .expires = clock_now() + 86400};
		must(id_new(&m.id), "id");
		snprintf(m.recipient, sizeof m.recipient, "%s-%ld@example.jp", kind, i);
		buf_addf(&m.message, "Message-ID: <%s-%ld@example.jp>\r\nSubject: x\r\n\r\n", kind, i);
		for (int line = 0; line < 20; line++)
			buf_adds(&m.message,
				 "as long as a mail of ours is, more or less: 1500 bytes with its head\r\n");
		must(store_mail_put(st, &m), "put");
		mail_clear(&m);
		if (i % 500 == 499) {
			must(store_commit(st), "commit");
			must(store_begin(st), "begin");
		}
	}
}

static size_t values_of(const char *list, struct fill *values, size_t n)
{
	static char names[64][32];
	for (; *list; list += strspn(list, " ")) {
		size_t len = strcspn(list, " ");
		if (n == 60)
			break;
		snprintf(names[n], sizeof names[n], "%.*s", (int)len, list);
		values[n] = (struct fill){names[n], "山田 \"x\" <y>"};
		if (strcmp(names[n], "code") == 0)
			values[n].value = "123456";
		else if (strcmp(names[n], "link") == 0)
			values[n].value = "https://members.health-insurance-society.example.jp/mail/"
					  "abcdefghijklmnopqrstuvwxyz9876543210ABCDEFG";
		n++;
		list += len;
	}
	values[n] = (struct fill){NULL, NULL};
	return n;
}

static void silent(void *arg, const char *sentence)
{
	(void)arg;
	(void)sentence;
}

static void messages(const struct conf *conf, const char *folder, const char *address)
{
	struct mail_site *site = NULL;
	must(mail_site_open(conf, &site), "site");
	mail_site_look(site, clock_now(), 0, silent, NULL);
	for (size_t i = 1; i < MAIL_TEXTS; i++)
		for (size_t l = 0; mail_languages[l]; l++) {
			AUTO_BUF b = BUF_INIT;
			struct fill values[64];
			struct id id;
			char path[PATH_MAX];
			values_of(mail_texts[i].may, values, values_of(mail_texts[i].needs, values, 0));
			must(id_new(&id), "id");
			must(mail_make(site, conf, (enum mail_text)i, mail_languages[l], values, address, &id,
				       clock_now(), &b),
			     mail_texts[i].name);
			snprintf(path, sizeof path, "%s/%s.%s.eml", folder, mail_texts[i].name, mail_languages[l]);
			FILE *f = fopen(path, "we");
			if (!f || fwrite(b.data, 1, b.len, f) != b.len || fclose(f) != 0)
				must(ERR_IO, path);
		}
	mail_site_close(site);
}

/* The person's address is confirmed; with a former one, that one's owner pressed the link. */
static void confirmed(struct keeper *k, struct store *st, const char *login, const char *former)
{
	struct person p;
	struct code code = {.purpose = CODE_FREEZE, .created = clock_now(), .expires = clock_now() + FREEZE_LIFE};
	const struct audit by = {.time = clock_now(), .door = "web", .address = "192.0.2.9", .detail = ""};
	char token[TOKEN_TEXT + 1];
	bool mailed = false;
	must(store_person_by_login(st, login, &p), "login");
	p.email_verified = true;
	must(store_person_save(st, &p), "save");
	if (!former)
		return;
	code.person = p.id;
	snprintf(code.address, sizeof code.address, "%s", former);
	must(id_new(&code.id), "id");
	must(token_new(token), "token");
	must(store_code_put(st, &code, "", token), "code");
	must(address_freeze(k, st, &p, &code, token, &by, &mailed), "freeze");
}

int main(int argc, char **argv)
{
	struct conf *conf = NULL;
	struct seal *seal = NULL;
	struct store *store = NULL;
	char path[PATH_MAX];
	if (argc < 4) {
		fputs("usage: put_rows CONF visitors ADDRESS N | mail REASON | row STATE ADDRESS | queue N KIND "
		      "SECONDS | messages FOLDER ADDRESS | confirmed LOGIN | frozen LOGIN FORMER\n",
		      stderr);
		return 2;
	}
	i18n_init();
	must(conf_load(argv[1], &conf, &msg), "conf");
	snprintf(path, sizeof path, "%s/key", conf->state_dir);
	must(seal_load(path, &seal, &msg), "key");
	snprintf(path, sizeof path, "%s/kosmo.db", conf->state_dir);
	must(store_open(path, seal, &store, &msg), "store");
	must(store_begin(store), "begin");
	if (strcmp(argv[2], "visitors") == 0 && argc == 5)
		visitors(store, argv[3], strtol(argv[4], NULL, 10));
	else if (strcmp(argv[2], "mail") == 0)
		mail(store, argv[3]);
	else if (strcmp(argv[2], "row") == 0 && argc == 5)
		row(store, argv[3], argv[4]);
	else if (strcmp(argv[2], "queue") == 0 && argc == 6)
		queue(store, strtol(argv[3], NULL, 10), argv[4], strtol(argv[5], NULL, 10));
	else if (strcmp(argv[2], "messages") == 0 && argc == 5)
		messages(conf, argv[3], argv[4]);
	else if (strcmp(argv[2], "confirmed") == 0 || (strcmp(argv[2], "frozen") == 0 && argc == 5))
		confirmed(&(struct keeper){.conf = conf, .seal = seal}, store, argv[3], argv[4]);
	must(store_commit(store), "commit");
	store_close(store);
	seal_free(seal);
	conf_free(conf);
	return 0;
}
