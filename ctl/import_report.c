/* What an import says: bad lines on stderr as FILE:LINE, differences and the sum on stdout; or all of it as JSON. */
#include "config.h"

#include "ctl/import.h"
#include "ctl/person.h"
#include <inttypes.h>

void import_report_begin(struct import *im)
{
	if (!im->c->json)
		return;
	im->json.f = stdout;
	json_object(&im->json, NULL);
	json_str(&im->json, "file", im->file);
	json_bool(&im->json, "dry_run", im->dry);
}

static void import_report_part(struct import *im, int part)
{
	static const char *const name[] = {NULL, "bad", "differences"};
	while ((int)im->part < part) {
		if (im->part)
			json_end(&im->json, ']');
		im->part++;
		json_array(&im->json, name[im->part]);
	}
}

void import_report_bad(struct import *im, uint32_t line, const char *why, uint32_t first)
{
	char text[64];
	if (first) {
		(void)snprintf(text, sizeof text, "login: line %" PRIu32 " has the same", first);
		why = text;
	}
	if (im->c->json) {
		import_report_part(im, REPORT_BAD);
		json_object(&im->json, NULL);
		json_int(&im->json, "line", line);
		json_str(&im->json, "reason", why);
		json_end(&im->json, '}');
		return;
	}
	progress_clear(&im->bar);
	(void)fprintf(stderr, "%s:%" PRIu32 ": %s\n", im->file, line, why);
}

void import_report_difference(struct import *im, const struct row *r, const char *column, const char *file,
			      const char *store)
{
	if (im->c->json) {
		import_report_part(im, REPORT_DIFFERENCES);
		json_object(&im->json, NULL);
		json_int(&im->json, "line", r->line);
		json_str(&im->json, "login", r->login);
		json_str(&im->json, "column", column);
		json_str(&im->json, "file", file);
		json_str(&im->json, "store", store);
		json_end(&im->json, '}');
		return;
	}
	progress_clear(&im->bar);
	(void)printf("%s:%" PRIu32 ": %s: %s: the file has %s, the store keeps %s\n", im->file, r->line, r->login,
		     column, file, store);
}

static void import_report_json(struct import *im, enum ctl_exit result)
{
	struct json *j = &im->json;
	import_report_part(im, REPORT_DIFFERENCES);
	json_end(j, ']');
	json_int(j, "new", im->n_new);
	json_int(j, "updated", im->n_updated);
	json_int(j, "unchanged", im->n_unchanged);
	json_int(j, "address_differences", im->n_email);
	json_int(j, "role_differences", im->n_role);
	json_int(j, "bad_lines", (int64_t)im->n_bad);
	json_bool(j, "published", im->published);
	json_str(j, "passwords_file", im->published && im->pass.rows ? im->pass.path : NULL);
	json_int(j, "letters", im->published ? im->n_letters : 0);
	json_int(j, "exit_status", result);
	json_end(j, '}');
}

void import_report_end(struct import *im, enum ctl_exit result)
{
	progress_end(&im->bar);
	if (im->c->json) {
		import_report_json(im, result);
		return;
	}
	if (im->n_bad && !im->skip_bad && (result == CTL_OK || result == CTL_INPUT))
		ctl_say("%zu bad line%s: nothing %s imported (--skip-bad imports the others)", im->n_bad,
			im->n_bad == 1 ? "" : "s", im->dry ? "would be" : "was");
	if (result != CTL_OK)
		return;
	(void)printf("%s%" PRId64 " new, %" PRId64 " updated, %" PRId64 " unchanged, %" PRId64 " address differences",
		     im->dry ? "would be: " : "", im->n_new, im->n_updated, im->n_unchanged, im->n_email);
	if (im->n_role)
		(void)printf(", %" PRId64 " role differences", im->n_role);
	(void)printf(", %zu bad\n", im->n_bad);
	if (im->published && im->n_letters)
		person_letters_say(im->n_letters);
	if (im->published && im->pass.rows)
		(void)printf("%zu initial password%s in %s: print and then delete it\n", im->pass.rows,
			     im->pass.rows == 1 ? "" : "s", im->pass.path);
}
