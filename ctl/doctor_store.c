/* Key and database, as the owner of state_dir; and what the audit says of the clients' addresses. */
#include "config.h"

#include "common/clock.h"
#include "ctl/doctor.h"
#include "ctl/site.h"
#include "keeper/mail_template.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STORE_SEEN   1000 /* newest audit rows that are looked at */
#define STORE_PEOPLE 8	  /* so many people from one address are no family */

void doctor_store(struct doctor *d)
{
	struct ctl *c = d->c;
	struct errmsg m = {""};
	char path[PATH_MAX];
	int64_t people = 0;
	(void)snprintf(path, sizeof path, "%s/key", c->conf->state_dir);
	enum err e = seal_load(path, &c->seal, &m);
	if (e) {
		doctor_fix(d, "restore %s from the backup: without it nothing in the database can be read", path);
		doctor_say(d, DOCTOR_FAIL, "%s", m.text[0] ? m.text : err_text(e));
		return;
	}
	(void)snprintf(path, sizeof path, "%s/kosmo.db", c->conf->state_dir);
	e = store_open(path, c->seal, &c->st, &m);
	if (e) {
		if (e == ERR_DENIED)
			doctor_fix(d, "what the message says; an older schema: kosmoctl -c %s store upgrade",
				   c->conf->file);
		else if (e == ERR_BUSY || e == ERR_TIMEOUT)
			doctor_fix(d, "find who holds it: fuser -v %s", path);
		else
			doctor_fix(d, "restore it, or the key that fits it, from the backup (README, \"Backup\")");
		doctor_say(d, DOCTOR_FAIL, "%s", m.text[0] ? m.text : err_text(e));
		return;
	}
	e = store_file_check(c->st, &m);
	if (e) {
		doctor_fix(d, "stop the keeper and restore the database from the backup (README, \"Backup\")");
		doctor_say(d, DOCTOR_FAIL, "%s: %s", path, m.text[0] ? m.text : err_text(e));
		return;
	}
	e = store_person_count(c->st, &people);
	if (e)
		doctor_say(d, DOCTOR_FAIL, "%s: the people cannot be counted: %s", path, err_text(e));
	else
		doctor_say(d, DOCTOR_OK, "%s: sound, schema %d, fits its key, %lld people", path, STORE_SCHEMA,
			   (long long)people);
}

/* ---- one address for all ---- */

struct store_seen {
	struct id person[STORE_PEOPLE];
	size_t n;
	char address[64];
	bool several;
};

static void store_row(struct store_seen *s, const struct audit *a)
{
	static const struct id zero;
	if (strcmp(a->door, "web") != 0 || !a->address[0] || memcmp(&a->person, &zero, sizeof zero) == 0)
		return;
	if (!s->address[0])
		(void)snprintf(s->address, sizeof s->address, "%s", a->address);
	else if (strcmp(s->address, a->address) != 0)
		s->several = true;
	for (size_t i = 0; i < s->n; i++)
		if (memcmp(&s->person[i], &a->person, sizeof a->person) == 0)
			return;
	if (s->n < STORE_PEOPLE)
		s->person[s->n++] = a->person;
}

static bool store_is_proxy(const char *list, const char *address)
{
	size_t n = strlen(address);
	for (const char *p = list; *p;) {
		p += strspn(p, " ");
		size_t w = strcspn(p, " ");
		if (w == n && memcmp(p, address, n) == 0)
			return true;
		p += w;
	}
	return false;
}

void doctor_addresses(struct doctor *d)
{
	const struct conf *c = d->c->conf;
	struct store_seen s = {.n = 0};
	struct audit page[50];
	int64_t before = 0;
	enum err e = ERR_NONE;
	for (size_t seen = 0, n = 50; !e && n == 50 && seen < STORE_SEEN && !s.several; seen += n) {
		e = store_audit_page(d->c->st, &(struct id){{0}}, before, page, 50, &n);
		for (size_t i = 0; !e && i < n; i++) {
			store_row(&s, &page[i]);
			before = page[i].seq;
		}
	}
	if (e) {
		doctor_fix(d, "kosmoctl audit --limit 5 shows whether the database can be read");
		doctor_say(d, DOCTOR_FAIL, "the audit cannot be read: %s", err_text(e));
		return;
	}
	if (s.several || s.n < STORE_PEOPLE) {
		doctor_say(d, DOCTOR_OK,
			   s.several ? "the site's visitors have addresses of their own"
				     : "too few visitors of the site to compare their addresses");
		return;
	}
	if (store_is_proxy(c->web_trusted_proxies, s.address))
		doctor_fix(d, "in nginx, beside proxy_pass: proxy_set_header X-Forwarded-For $remote_addr;");
	else
		doctor_fix(d, "if that is your proxy, in %s: web.trusted_proxies = %s %s", c->file,
			   c->web_trusted_proxies, s.address);
	doctor_say(d, DOCTOR_WARN,
		   "all visitors of the site seem to come from %s: limits that count by address hit everyone at once",
		   s.address);
}

/* ---- who has not finished, and by when they must ---- */

void doctor_enrolment(struct doctor *d)
{
	const struct conf *c = d->c->conf;
	int64_t n = 0;
	char day[11] = "", when[96] = "there is no deadline (enrol.by, enrol.days)";
	enum err e = store_unfinished_count(d->c->st, clock_now(), &n);
	if (e) {
		doctor_say(d, DOCTOR_FAIL, "those who have not finished cannot be counted: %s", err_text(e));
		return;
	}
	if (c->enrol_by)
		text_date_iso(text_today(c->enrol_by - 1), day);
	if (c->enrol_by && c->enrol_days)
		(void)snprintf(when, sizeof when, "by %s, or %lld days after the letter", day,
			       (long long)c->enrol_days);
	else if (c->enrol_by)
		(void)snprintf(when, sizeof when, "by %s", day);
	else if (c->enrol_days)
		(void)snprintf(when, sizeof when, "%lld days after the letter", (long long)c->enrol_days);
	doctor_say(d, DOCTOR_OK, "%lld %s not registered yet how they log in; %s", (long long)n,
		   n == 1 ? "person has" : "people have", when);
}

/* ---- the site's own mail texts, as the keeper can read them ---- */

struct text_faults {
	struct doctor *d;
	size_t n;
};

static void text_fault(void *arg, const char *sentence)
{
	struct text_faults *f = arg;
	f->n++;
	doctor_fix(f->d, "mend it: until then this mail goes out with the house's own text");
	doctor_say(f->d, DOCTOR_WARN, "%s", sentence);
}

void doctor_terms(struct doctor *d)
{
	if (!site_terms_changed(d->c->st, d->c->conf)) {
		doctor_say(d, DOCTOR_OK, "version %lld", (long long)d->c->conf->terms_version);
		return;
	}
	doctor_fix(d, "set terms.version = %lld, then systemctl restart kosmo-keeper kosmo-enrolld",
		   (long long)d->c->conf->terms_version + 1);
	doctor_say(d, DOCTOR_WARN, "%s", SITE_TERMS_CHANGED);
}

void doctor_mail_texts(struct doctor *d)
{
	struct text_faults f = {.d = d};
	size_t good = 0;
	mail_site_check(d->c->conf, text_fault, &f, &good);
	if (f.n)
		return;
	if (good)
		doctor_say(d, DOCTOR_OK, "%zu of the site's own in %s/mail", good, d->c->conf->site_dir);
	else
		doctor_say(d, DOCTOR_OK, "the house's own");
}
