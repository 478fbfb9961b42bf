#include "config.h"

#include "ctl/args.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	char letter;
	bool repeats;
	const char *value; /* what it takes; NULL: nothing */
	const char *help;
} args_options[OPT__MAX] = {
    [OPT_CONF] = {"config", 'c', false, "CONF", "configuration file (default " SYSCONFDIR "/kosmo/kosmo.conf)"},
    [OPT_HELP] = {"help", 'h', false, NULL, "show this help"},
    [OPT_VERSION] = {"version", 'V', false, NULL, "show the version"},
    [OPT_JSON] = {"json", 0, false, NULL, "write JSON"},
    [OPT_DIR] = {"dir", 0, false, "D", "make a self-contained instance in the folder D"},
    [OPT_URL] = {"url", 0, false, "URL", "the address that people's browsers use, as https://kosmo.example.jp"},
    [OPT_SKIP_BAD] = {"skip-bad", 0, false, NULL, "leave bad lines out and import the others"},
    [OPT_DRY_RUN] = {"dry-run", 'n', false, NULL, "say what would happen and change nothing"},
    [OPT_PASSWORDS] = {"passwords", 0, false, "FILE",
		       "new file for initial passwords (default ./initial-passwords-DATE.csv)"},
    [OPT_ALLOW] = {"allow-system-login", 0, true, "LOGIN",
		   "accept LOGIN although a system account (uid below 1000) has it; may be repeated"},
    [OPT_NAME] = {"name", 0, false, "NAME", "the person's name"},
    [OPT_BIRTH] = {"birth-date", 0, false, "DATE", "birth date: 1980-01-31, S55.1.31 and the like"},
    [OPT_EMAIL] = {"email", 0, false, "ADDRESS", "email address (\"\" takes it away); it must be confirmed anew"},
    [OPT_EMAIL_OPTIONAL] = {"email-optional", 0, false, "YES",
			    "yes: they need not have an address; no: as the configuration says"},
    [OPT_ROLE] = {"role", 0, false, "ROLE", "member or staff; only staff log in through PAM"},
    [OPT_LOCALE] = {"locale", 0, false, "LANG", "ja or en; \"\" leaves it to the browser"},
    [OPT_PASSWORD_STDIN] = {"password-stdin", 0, false, NULL,
			    "read an own password from standard input; no initial password is made"},
    [OPT_ALL_UNFINISHED] = {"all-unfinished", 0, false, NULL,
			    "everyone without a password of their own, but the disabled and expired"},
    [OPT_FILE] = {"file", 0, false, "F", "the logins that F lists, one a line"},
    [OPT_REPLACE_OWN] = {"replace-own", 0, false, NULL, "also for people with a password of their own, which ends"},
    [OPT_YES] = {"yes", 'y', false, NULL, "do not ask"},
    [OPT_PERSON] = {"person", 0, false, "LOGIN", "only what concerns LOGIN"},
    [OPT_FORMER_EMAIL] = {"former-email", 0, false, NULL,
			  "of a frozen account: put back the address that said that it was not them"},
    [OPT_UNFINISHED] = {"unfinished", 0, false, NULL,
			"only those who have not registered yet how they log in, with the day by which they must"},
    [OPT_UNDO] = {"undo", 0, false, NULL, "take it back"},
    [OPT_LIMIT] = {"limit", 0, false, "N", "at most N entries (default 50)"},
    [OPT_VERIFY] = {"verify", 0, false, NULL, "check that no entry was changed, removed or put in"},
    [OPT_HEAD] = {"head", 0, false, "SEQ:HEX", "with --verify: the entry SEQ must be the one that was noted as HEX"},
    [OPT_HEADS] = {"heads", 0, false, "FILE", "with --verify: the same for all heads in this part of the journal"},
    [OPT_FAILURE] = {"failure", 0, false, "NUMBER", "what was behind the number that an error page showed"},
    [OPT_ROOT] = {"root", 0, false, "DIR", "look at DIR/etc/pam.d and DIR/etc/ssh, for a system that is mounted there"},
    [OPT_RHOST] = {"rhost", 0, false, "ADDRESS", "as if the person came from ADDRESS"},
    [OPT_STACK] = {"file", 0, false, "F", "try F in place of /etc/pam.d/SERVICE"},
    [OPT_WITH] = {"with", 0, false, "KIND", "password+code, key+code (sshd), caller (su)"},
    [OPT_MINUTES] = {"minutes", 0, false, "N", "how long to wait for the confirmation (default 5)"},
    [OPT_FORCE] = {"force", 0, false, NULL, "all the same, although it may lock people out"},
    [OPT_ADDRESSES] = {"addresses", 0, false, NULL, "show whole addresses and logins"},
    [OPT_RETRY] = {"retry", 0, false, NULL, "try all that wait again now"},
    [OPT_DROP] = {"drop", 0, false, "ID", "give the waiting mail ID up"},
    [OPT_LETTERS] = {"letters", 0, false, NULL,
		     "keep the initial passwords for kosmoctl letters, sealed, and write no file of them"},
    [OPT_PDF] = {"pdf", 0, false, "NEW-FILE", "take the letters: a sheet of A4 each"},
    [OPT_CSV] = {"csv", 0, false, "NEW-FILE", "take the letters: a line each, for a print house"},
    [OPT_LANG] = {"lang", 0, false, "LANG", "all in ja or en, whatever is known of the people"},
    [OPT_SAMPLE] = {"sample", 0, false, NULL, "letters to nobody, to look at; nothing is taken"},
    [OPT_TEMPLATE] = {"template", 0, false, "LANG", "print the letter's text in ja or en, to make another one of"},
    [OPT_DUE] = {"due", 0, false, NULL, "only where the time for the confirmation is over"},
};

static int args_find(const char *name, size_t len, char letter, uint64_t known)
{
	for (int o = 0; o < OPT__MAX; o++) {
		if (!(known & OPT_BIT(o)))
			continue;
		if (letter ? args_options[o].letter == letter
			   : strlen(args_options[o].name) == len && memcmp(args_options[o].name, name, len) == 0)
			return o;
	}
	return -1;
}

static bool args_take(struct args *a, int o, const char *value, char *why)
{
	if (args_options[o].repeats) {
		if (a->n_allow == ARGS_REPEAT_MAX) {
			(void)snprintf(why, 512, "--%s is given more than %d times", args_options[o].name,
				       ARGS_REPEAT_MAX);
			return false;
		}
		a->allow[a->n_allow++] = value;
	} else if (a->value[o]) {
		(void)snprintf(why, 512, "--%s is given twice", args_options[o].name);
		return false;
	}
	a->value[o] = value;
	return true;
}

/* argv[i] begins with '-': one option, with its value perhaps in argv[i + 1]. Returns how many words it took, 0 = bad.
 */
static size_t args_one(struct args *a, uint64_t known, char **argv, size_t i, size_t n, char *why)
{
	const char *w = argv[i], *value = NULL;
	int o;
	if (w[1] == '-') {
		size_t len = strcspn(w + 2, "=");
		o = args_find(w + 2, len, 0, known);
		if (w[2 + len] == '=')
			value = w + 2 + len + 1;
	} else {
		o = args_find(NULL, 0, w[1], known);
		if (w[2])
			value = w + 2;
	}
	if (o < 0) {
		(void)snprintf(why, 512, "unknown option %.*s", (int)strcspn(w, "="), w);
		return 0;
	}
	if (!args_options[o].value) {
		if (value) {
			(void)snprintf(why, 512, "--%s takes no value", args_options[o].name);
			return 0;
		}
		return args_take(a, o, "", why) ? 1 : 0;
	}
	if (value)
		return args_take(a, o, value, why) ? 1 : 0;
	if (i + 1 >= n) {
		(void)snprintf(why, 512, "--%s needs a value: %s", args_options[o].name, args_options[o].value);
		return 0;
	}
	return args_take(a, o, argv[i + 1], why) ? 2 : 0;
}

bool args_parse(struct args *a, uint64_t known, char **argv, size_t n, bool first_word, size_t *ret_used, char *why)
{
	size_t i = 0, words = 0;
	bool options = true;
	while (i < n) {
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
			i++;
		} else if (options && argv[i][0] == '-' && argv[i][1]) {
			size_t took = args_one(a, known, argv, i, n, why);
			if (!took)
				return false;
			i += took;
		} else if (first_word) {
			break;
		} else {
			argv[words++] = argv[i++];
		}
	}
	a->word = argv;
	a->n_word = words;
	if (ret_used)
		*ret_used = i;
	return true;
}

void args_help(uint64_t known, FILE *f)
{
	for (int o = 0; o < OPT__MAX; o++) {
		char left[64];
		if (!(known & OPT_BIT(o)))
			continue;
		(void)snprintf(left, sizeof left, "%c%c%s --%s%s%s", args_options[o].letter ? '-' : ' ',
			       args_options[o].letter ? args_options[o].letter : ' ',
			       args_options[o].letter ? "," : " ", args_options[o].name,
			       args_options[o].value ? " " : "", args_options[o].value ? args_options[o].value : "");
		(void)fprintf(f, "  %-32s %s\n", left, args_options[o].help);
	}
}

bool args_number(const char *s, int64_t min, int64_t max, int64_t *ret)
{
	char *end;
	if (!isdigit((unsigned char)s[0]))
		return false;
	errno = 0;
	long long v = strtoll(s, &end, 10);
	if (errno || *end || v < min || v > max)
		return false;
	*ret = v;
	return true;
}
