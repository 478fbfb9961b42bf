/* What is left for after the view: run once, never without a store or behind a failure, its argument freed whatever
 * happens. */
#include "config.h"

#include "keeper/call.h"
#include "keeper/server.h"
#include "unit.h"

/* The doors' library wants a server; nothing is sent here. */
const struct peer *server_peer(const struct request *r)
{
	(void)r;
	return NULL;
}

void **server_state(struct request *r, void (*free_state)(void *))
{
	(void)r;
	(void)free_state;
	return NULL;
}

void server_reply(struct request *r, const struct buf *frames, bool last)
{
	(void)r;
	(void)frames;
	(void)last;
	fail();
}

struct work {
	int ran, freed;
	struct store *store;
};

static void work(struct keeper *k, struct store *st, void *arg)
{
	struct work *w = arg;
	assert_non_null(k);
	assert_int_equal(w->freed, 0);
	w->store = st;
	w->ran++;
}

static void work_free(void *arg)
{
	((struct work *)arg)->freed++;
}

static struct store *some_store(void)
{
	static char it;
	return (struct store *)(void *)&it; /* only handed through */
}

static void later_runs_once_with_the_store_and_is_freed(void **state)
{
	struct keeper k = {.conf = NULL};
	struct call c = {.k = &k};
	struct work w = {.ran = 0};
	(void)state;
	call_later(&c, work, &w, work_free);
	assert_int_equal(w.ran, 0);
	later_settle(&c.later, &k, some_store(), false);
	later_settle(&c.later, &k, some_store(), false);
	assert_int_equal(w.ran, 1);
	assert_int_equal(w.freed, 1);
	assert_ptr_equal(w.store, some_store());
}

static void later_is_freed_where_it_does_not_run(void **state)
{
	struct keeper k = {.conf = NULL};
	struct call c = {.k = &k};
	struct work dropped = {.ran = 0}, storeless = {.ran = 0}, replaced = {.ran = 0}, kept = {.ran = 0};
	(void)state;
	call_later(&c, work, &dropped, work_free);
	later_settle(&c.later, &k, some_store(), true);
	call_later(&c, work, &storeless, work_free);
	later_settle(&c.later, &k, NULL, false);
	call_later(&c, work, &replaced, work_free);
	call_later(&c, work, &kept, work_free);
	later_settle(&c.later, &k, some_store(), false);
	assert_int_equal(dropped.ran + storeless.ran + replaced.ran, 0);
	assert_int_equal(dropped.freed, 1);
	assert_int_equal(storeless.freed, 1);
	assert_int_equal(replaced.freed, 1);
	assert_int_equal(kept.ran, 1);
	assert_int_equal(kept.freed, 1);
}

static void a_failure_leaves_nothing_for_later(void **state)
{
	static char nothing[] = "";
	const struct conf conf = {.organisation = nothing, .contact = nothing};
	struct keeper k = {.conf = &conf};
	struct call c = {.k = &k, .lang = "en"};
	struct work w = {.ran = 0};
	(void)state;
	wire_begin(&c.view, 1, "view");
	call_later(&c, work, &w, work_free);
	view_failure(&c, ERR_IO, "a test");
	assert_int_equal(w.freed, 1);
	later_settle(&c.later, &k, some_store(), false);
	assert_int_equal(w.ran, 0);
	assert_int_equal(w.freed, 1);
	buf_free(&c.view);
}

/* Where a call with this portal.url is led that says `to`; NULL: to where this person, who has done all, goes. */
static void leads(char *portal, const char *to, const char *want)
{
	static char nothing[] = "";
	const struct conf conf = {.organisation = nothing, .contact = nothing, .portal_url = portal};
	struct keeper k = {.conf = &conf};
	struct call c = {.k = &k, .lang = "en", .in = true};
	struct wire_msg m;
	wire_begin(&c.view, 1, "view");
	view_redirect(&c, to ? to : call_next(&c));
	assert_int_equal(wire_end(&c.view), ERR_NONE);
	assert_int_equal(wire_parse(c.view.data + WIRE_HEAD, c.view.len - WIRE_HEAD, &m), ERR_NONE);
	assert_string_equal(wire_str(&m, "redirect"), want);
	buf_free(&c.view);
}

static void the_first_page_leads_to_the_portal_and_not_in_a_circle(void **state)
{
	char none[] = "", start[] = "/portal/", root[] = "/";
	(void)state;
	leads(none, "/", "/");
	leads(none, NULL, "/account");
	leads(start, "/", "/auth/next");
	leads(start, NULL, "/portal/");
	leads(root, "/", "/auth/next");
	leads(root, NULL, "/");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(later_runs_once_with_the_store_and_is_freed),
	    cmocka_unit_test(later_is_freed_where_it_does_not_run),
	    cmocka_unit_test(a_failure_leaves_nothing_for_later),
	    cmocka_unit_test(the_first_page_leads_to_the_portal_and_not_in_a_circle),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
