/* kosmoctl audit --verify: the chain of the audit log, and the heads of it that were noted elsewhere. */
#include "config.h"

#include "ctl/commands.h"
#include "ctl/json.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const fault_name[] = {
    [AUDIT_FAULT_NONE] = NULL,		[AUDIT_FAULT_MISSING] = "missing", [AUDIT_FAULT_CUT] = "cut",
    [AUDIT_FAULT_CHANGED] = "changed",	[AUDIT_FAULT_SURPLUS] = "surplus", [AUDIT_FAULT_MARK] = "mark",
    [AUDIT_FAULT_NOTED] = "other-head",
};

struct notes {
	struct audit_note *note;
	size_t n, room;
};

static bool notes_add(struct notes *x, const struct audit_note *n)
{
	if (x->n == x->room) {
		size_t room = x->room ? 2 * x->room : 64;
		struct audit_note *p = reallocarray(x->note, room, sizeof *p);
		if (!p)
			return false;
		x->note = p;
		x->room = room;
	}
	x->note[x->n++] = *n;
	return true;
}

static enum ctl_exit notes_word(struct notes *x, const char *word)
{
	struct audit_note n;
	const char *colon = strchr(word, ':');
	if (!colon || strspn(word, "0123456789") != (size_t)(colon - word) ||
	    strlen(colon + 1) != 2 * (size_t)AUDIT_NOTE_LEN || !audit_note_parse(word, colon + 1, &n))
		return ctl_usage("audit: --head is a number, a colon and %d hexadecimal digits", 2 * AUDIT_NOTE_LEN);
	return notes_add(x, &n) ? CTL_OK : ctl_failed(ERR_NOMEM, "--head", NULL);
}

/* The keeper's lines as the journal shows them; whatever else stands in the file is passed over. */
static enum ctl_exit notes_file(struct notes *x, const char *path)
{
	static const char lead[] = "audit head seq=", then[] = " mac=";
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	size_t cap = 0, before = x->n;
	char *line = NULL;
	enum ctl_exit r = CTL_OK;
	if (!f)
		return ctl_input("%s: %s", path, strerror(errno));
	while (!r && getline(&line, &cap, f) >= 0) {
		struct audit_note n;
		const char *seq = strstr(line, lead), *mac = seq ? strstr(seq, then) : NULL;
		if (mac && audit_note_parse(seq + strlen(lead), mac + strlen(then), &n) && !notes_add(x, &n))
			r = ctl_failed(ERR_NOMEM, path, NULL);
	}
	if (!r && ferror(f))
		r = ctl_input("%s: it cannot be read", path);
	if (!r && x->n == before)
		r = ctl_input("%s: no line of it has \"%sNUMBER%sHEX\"", path, lead, then);
	free(line);
	if (f != stdin)
		(void)fclose(f);
	return r;
}

static void say_fault(const struct audit_check *r, char *b, size_t cap)
{
	char t[32];
	ctl_time_local(r->last_time, t);
	switch (r->fault) {
	case AUDIT_FAULT_NONE:
		break;
	case AUDIT_FAULT_MISSING:
		(void)snprintf(b, cap, "entries %" PRId64 " to %" PRId64 " are missing", r->bad, r->until);
		break;
	case AUDIT_FAULT_CUT:
		(void)snprintf(b, cap,
			       "entries %" PRId64 " to %" PRId64 " are missing: the log was cut off behind %" PRId64
			       ", of %s",
			       r->bad, r->until, r->last.seq, t);
		break;
	case AUDIT_FAULT_CHANGED:
		(void)snprintf(b, cap,
			       "entry %" PRId64 " does not fit the one before it: it was changed, exchanged, or put in",
			       r->bad);
		break;
	case AUDIT_FAULT_SURPLUS:
		(void)snprintf(b, cap,
			       "entries %" PRId64 " to %" PRId64
			       " stand behind the head that the store notes: an older head was put back",
			       r->bad, r->until);
		break;
	case AUDIT_FAULT_MARK:
		(void)snprintf(b, cap,
			       "at entry %" PRId64
			       " what the store itself notes of the log's head or start is gone, changed or old",
			       r->bad);
		break;
	case AUDIT_FAULT_NOTED:
		(void)snprintf(b, cap,
			       "entry %" PRId64
			       " is not the one that was noted: the log was written anew, as it is when "
			       "an older copy of the store is put back",
			       r->bad);
		break;
	}
}

void audit_verify_say(const struct audit_check *r)
{
	char b[256] = "";
	say_fault(r, b, sizeof b);
	if (r->fault && r->faults > 1)
		ctl_say("audit: %s (and %" PRId64 " more such places)", b, r->faults - 1);
	else if (r->fault)
		ctl_say("audit: %s", b);
}

static void print_text(const struct audit_check *r, size_t noted)
{
	char from[32], to[32], mac[2 * AUDIT_NOTE_LEN + 1];
	ctl_time_local(r->first_time, from);
	ctl_time_local(r->last_time, to);
	audit_note_text(r->last.mac, mac);
	if (r->rows)
		(void)printf("%" PRId64 " entries, %" PRId64 " to %" PRId64 ", from %s to %s\n", r->rows, r->first.seq,
			     r->last.seq, from, to);
	else
		(void)puts("no entries");
	if (r->pruned)
		(void)printf("pruned up to %" PRId64 "\n", r->pruned);
	(void)printf("head %" PRId64 ":%s\n", r->last.seq, mac);
	if (noted)
		(void)printf("%zu of %zu noted heads fit, the newest is %" PRId64 "; %zu are of pruned entries\n",
			     r->notes_fit, noted, r->notes_newest, r->notes_pruned);
	if (!r->fault)
		(void)puts("nothing was changed, removed or put in");
}

static void print_json(const struct audit_check *r, size_t noted)
{
	struct json j = {.f = stdout};
	char from[32], to[32], mac[2 * AUDIT_NOTE_LEN + 1];
	ctl_time_utc(r->first_time, from);
	ctl_time_utc(r->last_time, to);
	audit_note_text(r->last.mac, mac);
	json_object(&j, NULL);
	json_bool(&j, "whole", !r->fault);
	json_str(&j, "fault", fault_name[r->fault]);
	json_int(&j, "bad", r->bad);
	json_int(&j, "until", r->until);
	json_int(&j, "faults", r->faults);
	json_int(&j, "entries", r->rows);
	json_int(&j, "first", r->first.seq);
	json_int(&j, "last", r->last.seq);
	json_str(&j, "from", from);
	json_str(&j, "to", to);
	json_str(&j, "mac", mac);
	json_int(&j, "pruned", r->pruned);
	json_int(&j, "noted", (int64_t)noted);
	json_int(&j, "noted_fit", (int64_t)r->notes_fit);
	json_int(&j, "noted_pruned", (int64_t)r->notes_pruned);
	json_end(&j, '}');
}

static enum ctl_exit verify(struct ctl *c, const struct notes *x)
{
	struct audit_check r;
	enum err e = store_audit_check(c->st, x->note, x->n, false, &r);
	if (e)
		return ctl_failed(e, "audit", NULL);
	if (c->json)
		print_json(&r, x->n);
	else
		print_text(&r, x->n);
	audit_verify_say(&r);
	return r.fault ? CTL_FAILED : CTL_OK;
}

enum ctl_exit audit_verify_run(struct ctl *c, const struct args *a)
{
	struct notes x = {0};
	enum ctl_exit r = CTL_OK;
	if (a->value[OPT_PERSON] || a->value[OPT_LIMIT])
		return ctl_usage("audit: --verify is about the whole log; leave --person and --limit out");
	if (a->value[OPT_HEAD])
		r = notes_word(&x, a->value[OPT_HEAD]);
	if (!r && a->value[OPT_HEADS])
		r = notes_file(&x, a->value[OPT_HEADS]);
	store_audit_notes_sort(x.note, x.n);
	if (!r)
		r = ctl_conf(c);
	if (!r)
		r = ctl_store(c);
	if (!r)
		r = verify(c, &x);
	free(x.note);
	return r;
}
