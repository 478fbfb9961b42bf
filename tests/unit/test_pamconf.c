/* What kosmoctl thinks a stack answers is what libpam answers: thousands of made-up stacks of pam_debug and pam_permit,
 * with jumps, substacks and includes, through both. */
#include "config.h"

#include "ctl/pam_edit.h"
#include "ctl/pamconf.h"
#include "tests/unit/unit.h"
#include <security/pam_appl.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/kosmo-pamconf-XXXXXX";
static unsigned seed = 1;

static unsigned pick(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

static void put(const char *name, const char *text)
{
	char path[256];
	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int nobody_asks(int n, const struct pam_message **m, struct pam_response **r, void *arg)
{
	(void)n, (void)m, (void)r, (void)arg;
	return PAM_CONV_ERR;
}

/* pam_debug's argument auth=WORD is its answer. */
static int debugged(const struct pamconf_line *l, const void *arg)
{
	static const struct {
		const char *word;
		int code;
	} said[] = {{"success", PAM_SUCCESS},
		    {"auth_err", PAM_AUTH_ERR},
		    {"user_unknown", PAM_USER_UNKNOWN},
		    {"authinfo_unavail", PAM_AUTHINFO_UNAVAIL},
		    {"ignore", PAM_IGNORE},
		    {"acct_expired", PAM_ACCT_EXPIRED}};
	const char *v = pamconf_arg(l, "auth");
	(void)arg;
	for (size_t i = 0; v && i < sizeof said / sizeof *said; i++)
		if (strcmp(v, said[i].word) == 0)
			return said[i].code;
	assert_string_equal(l->module, "pam_permit.so");
	return PAM_SUCCESS;
}

/* Included by their whole names: Debian's libpam looks for others in /etc/pam.d alone. */
static void made_up(char *text, size_t cap, unsigned lines, bool nested)
{
	static const char *const control[] = {"required",
					      "requisite",
					      "sufficient",
					      "optional",
					      "[success=1 default=ignore]",
					      "[success=2 default=bad]",
					      "[success=done user_unknown=ignore default=die]",
					      "[success=done ignore=ignore default=die]",
					      "[success=ok default=reset]",
					      "[default=1 success=ok]",
					      "[ignore=done default=ok]",
					      "[success=3 ignore=ignore default=1]"};
	static const char *const answer[] = {"success", "auth_err",	"user_unknown", "authinfo_unavail",
					     "ignore",	"acct_expired", "success",	"auth_err"};
	size_t n = 0;
	text[0] = '\0';
	for (unsigned i = 0; i < lines; i++) {
		const char *c = control[pick(sizeof control / sizeof *control)];
		switch (nested ? pick(9) : 2 + pick(5)) {
		case 0:
			n += (size_t)snprintf(text + n, cap - n, "auth substack %s/inner\n", folder);
			break;
		case 1:
			n += (size_t)snprintf(text + n, cap - n, "auth include %s/inner\n", folder);
			break;
		case 2:
			n += (size_t)snprintf(text + n, cap - n, "auth %s pam_permit.so\n", c);
			break;
		case 7:
			n += (size_t)snprintf(text + n, cap - n, "@include %s/inner\n", folder);
			break;
		default:
			n += (size_t)snprintf(text + n, cap - n, "auth %s \\\n pam_debug.so auth=%s # said\n", c,
					      answer[pick(sizeof answer / sizeof *answer)]);
		}
	}
}

static void test_as_libpam(void **state)
{
	const struct pam_conv conv = {nobody_asks, NULL};
	char text[4096], inner[4096];
	size_t let_in = 0;
	(void)state;
	if (access("/lib/x86_64-linux-gnu/security/pam_debug.so", F_OK) != 0)
		skip();
	put("other", "auth required pam_deny.so\n");
	for (int i = 0; i < 1000; i++) {
		struct errmsg m = {""};
		struct pamconf c;
		pam_handle_t *pamh;
		made_up(inner, sizeof inner, 1 + pick(3), false);
		made_up(text, sizeof text, 1 + pick(5), true);
		put("inner", inner);
		put("outer", text);
		assert_int_equal(pamconf_read(folder, "outer", &c, &m), ERR_NONE);
		if (pam_start_confdir("outer", "nobody", &conv, folder, &pamh) != PAM_SUCCESS)
			fail_msg("libpam cannot read\n%s--- inner:\n%s", text, inner);
		int theirs = pam_authenticate(pamh, 0), ours = pamconf_run(&c, PAMCONF_AUTH, debugged, NULL);
		let_in += theirs == PAM_SUCCESS;
		if (theirs != ours)
			fail_msg("libpam says %s, we say %s of\n%s--- inner:\n%s", pamconf_code(theirs),
				 pamconf_code(ours), text, inner);
		pam_end(pamh, theirs);
		pamconf_free(&c);
	}
	assert_in_range(let_in, 100, 900);
}

/* Odd texts: read as libpam reads them, or refused where it stumbles. pam_debug without an argument says yes. */
static void test_odd_texts(void **state)
{
	static const char *const odd[] = {
	    "# said \\\nauth sufficient pam_permit.so\nauth required pam_debug.so auth=auth_err\n",
	    "auth required pam_debug.so auth=success#x\nauth required pam_debug.so auth=auth_err\n",
	    "auth required pam_debug.so auth=success # \\\nauth required pam_debug.so auth=auth_err\n",
	    "auth required \\\n# in between\n pam_debug.so \\\n\n auth=auth_err\nauth optional pam_permit.so\n",
	    "auth required pam_debug.so \\ \t\nauth=auth_err\n",
	    "auth required pam_permit.so \\",
	    "auth required pam_permit.so \\\n",
	    "auth required pam_permit.so\r\n",
	    "auth\vrequired pam_permit.so\n",
	    "\tauth\trequired\tpam_permit.so",
	    "AUTH REQUIRED pam_permit.so\n",
	    "auth [success=done default=die]pam_permit.so\n",
	    "auth [ success = done\tdefault =die ] pam_permit.so\n",
	    "auth [try_again=die authtok_recover_err=bad success=done] pam_permit.so\n",
	    "auth [default=die success=done] pam_permit.so\n",
	    "auth [default=ok success=die] pam_permit.so\n",
	    "auth [SUCCESS=done default=ok] pam_permit.so\n",
	    "auth [success=done,default=die] pam_permit.so\n",
	    "auth [nonsense=ok success=done] pam_permit.so\n",
	    "auth [success=done default=die pam_permit.so\n",
	    "auth [success=0 default=die] pam_permit.so\n",
	    "auth [success=ok default] pam_permit.so\n",
	    "auth nonsense pam_permit.so\n",
	    "auth required pam_debug.so [auth=auth_err]\n",
	    "@INCLUDE inner\n",
	    "auth Include pam_permit.so\n",
	    "auth SUBSTACK pam_permit.so\n",
	};
	const struct pam_conv conv = {nobody_asks, NULL};
	char longest[2048], lines[2200];
	(void)state;
	if (access("/lib/x86_64-linux-gnu/security/pam_debug.so", F_OK) != 0)
		skip();
	memset(longest, 'x', sizeof longest);
	(void)snprintf(lines, sizeof lines, "# %.1200s\nauth required pam_permit.so\n", longest);
	put("other", "auth required pam_deny.so\n");
	put("inner", "auth required pam_permit.so\n");
	for (size_t i = 0; i <= sizeof odd / sizeof *odd; i++) {
		const char *text = i < sizeof odd / sizeof *odd ? odd[i] : lines;
		struct errmsg m = {""};
		struct pamconf c;
		pam_handle_t *pamh = NULL;
		put("outer", text);
		enum err e = pamconf_read(folder, "outer", &c, &m);
		bool ours = !e && pamconf_run(&c, PAMCONF_AUTH, debugged, NULL) == PAM_SUCCESS;
		bool theirs = pam_start_confdir("outer", "nobody", &conv, folder, &pamh) == PAM_SUCCESS &&
			      pam_authenticate(pamh, 0) == PAM_SUCCESS;
		if (pamh)
			pam_end(pamh, PAM_ABORT);
		pamconf_free(&c);
		if (theirs != ours)
			fail_msg("libpam %s, we %s (%s):\n%s", theirs ? "lets in" : "does not",
				 ours ? "let in" : "do not", m.text, text);
	}
}

/* Enabled and disabled again, a file is what it was, whatever it looked like. */
static void test_there_and_back(void **state)
{
	static const char *const texts[] = {
	    "auth required pam_unix.so\naccount required pam_unix.so\n",
	    "# comment\nauth optional pam_faildelay.so\n@include inner\naccount required pam_nologin.so\n@include "
	    "account",
	    "account required pam_unix.so\nauth sufficient pam_rootok.so\nauth [success=1 default=ignore] pam_unix.so\n"
	    "auth requisite pam_deny.so\nauth required pam_permit.so\n\n\n",
	    "auth \\\n required \\\n pam_unix.so\n",
	};
	(void)state;
	put("inner", "auth required pam_unix.so\n");
	put("account", "account required pam_unix.so\n");
	put("common-account", "account required pam_unix.so\n");
	put("common-password", "password required pam_unix.so\n");
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		for (enum pam_edit_with with = 0; with < PAM_EDIT_WITH; with++) {
			AUTO_BUF there = BUF_INIT;
			AUTO_BUF back = BUF_INIT;
			struct errmsg m = {""};
			struct pam_edit e = {folder, "outer", texts[i], with, "pam_kosmo.so", " socket=/s", "sudo"};
			put("outer", texts[i]);
			assert_int_equal(pam_edit_enable(&e, &there, &m), ERR_NONE);
			assert_non_null(strstr(buf_str(&there), "pam_kosmo.so"));
			put("outer", buf_str(&there));
			e.text = buf_str(&there);
			assert_int_equal(pam_edit_enable(&e, &back, &m), ERR_EXISTS);
			buf_wipe(&back);
			if (pam_edit_disable(&e, &back, &m) != ERR_NONE)
				fail_msg("%s\n%s", m.text, e.text);
			size_t n = strlen(texts[i]); /* a last line gets its newline */
			assert_memory_equal(buf_str(&back), texts[i], n);
			assert_true(back.len == n || (back.len == n + 1 && texts[i][n - 1] != '\n'));
			struct pam_edit none = {folder, "outer", texts[i], with, "", "", ""};
			put("outer", texts[i]);
			assert_int_equal(pam_edit_disable(&none, &there, &m), ERR_NOTFOUND);
		}
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
	    {"auth required\n", "names no module"}, {"oath required pam_unix.so\n", "is no type"},
	    {"@include\n", "without a file"},	    {"@include nothing\n", "is missing"},
	    {"@include outer\n", "more than"},	    {"auth substack outer\n", "more than"},
	};
	struct pamconf c;
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct errmsg m = {""};
		put("outer", bad[i].text);
		assert_int_not_equal(pamconf_read(folder, "outer", &c, &m), ERR_NONE);
		pamconf_free(&c);
		if (!strstr(m.text, bad[i].why))
			fail_msg("%s: %s", bad[i].text, m.text);
	}
	struct errmsg m = {""};
	assert_int_equal(pamconf_read(folder, "no-such", &c, &m), ERR_NOTFOUND);
	pamconf_free(&c);
}

static int clean(void **state)
{
	static const char *const name[] = {"outer", "inner", "other", "account", "common-account", "common-password"};
	char path[256];
	(void)state;
	for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", folder, name[i]);
		(void)unlink(path);
	}
	return rmdir(folder);
}

/* Of a stack that it cannot read libpam 1.5.2 itself leaves the first lines. Asked by LeakSanitizer alone. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libpam.so\n";
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_as_libpam),
	    cmocka_unit_test(test_odd_texts),
	    cmocka_unit_test(test_there_and_back),
	    cmocka_unit_test(test_refused),
	};
	if (!mkdtemp(folder))
		return 1;
	return cmocka_run_group_tests(tests, NULL, clean);
}
