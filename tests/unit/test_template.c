#include "config.h"

#include "enroll/template.h"
#include "tests/unit/unit.h"

static const char *translate(const char *lang, const char *msgid)
{
	if (strcmp(lang, "ja") != 0)
		return msgid;
	if (strcmp(msgid, "Hello {name}, it is <{n}>") == 0)
		return "<{n}>です、{name}さん {nobody} { x } {}";
	return msgid;
}

static const char *const pairs[] = {
    "name",
    "A<b>&\"'",
    "n",
    "5",
    "empty",
    "",
    "zero",
    "0",
    "list.0.name",
    "one",
    "list.1.name",
    "two",
    "list.2.other",
    "three",
    "deep.0.in.0.x",
    "a",
    "deep.0.in.1.x",
    "b",
    "deep.1.in.0.x",
    "c",
    "e.code",
    "wrong",
    "listing",
    "not a list",
};

static struct values sample(void)
{
	struct values vs = VALUES_INIT;

	for (size_t i = 0; i < COUNT(pairs); i += 2)
		values_add(&vs, pairs[i], pairs[i + 1]);
	assert_int_equal(values_seal(&vs), ERR_NONE);
	return vs;
}

static void shows(const char *src, const char *lang, const char *want)
{
	struct templates *ts = templates_new();
	struct values vs = sample();
	AUTO_BUF b = BUF_INIT;
	struct errmsg m = {""};

	assert_int_equal(templates_add(ts, "page", src, strlen(src), &m), ERR_NONE);
	assert_int_equal(templates_add(ts, "part", "[{{name}}]", 10, &m), ERR_NONE);
	assert_int_equal(templates_check(ts, &m), ERR_NONE);
	assert_int_equal(template_render(ts, "page", &vs, lang, translate, &b), ERR_NONE);
	assert_string_equal(buf_str(&b), want);
	values_free(&vs);
	templates_free(ts);
}

static void renders(void **state)
{
	static const struct {
		const char *src, *want;
	} t[] = {
	    {"", ""},
	    {"plain { } }} text", "plain { } }} text"},
	    {"{{name}}", "A&lt;b&gt;&amp;&quot;&#39;"},
	    {"{{ name }}|{{nobody}}|{{e.code}}", "A&lt;b&gt;&amp;&quot;&#39;||wrong"},
	    {"a{{! remark\n}}b", "ab"},
	    {"{{#n}}yes{{/n}}{{^n}}no{{/n}}", "yes"},
	    {"{{#empty}}yes{{/empty}}{{^empty}}no{{/empty}}", "no"},
	    {"{{#zero}}yes{{/zero}}{{^zero}}no{{/zero}}", "no"},
	    {"{{#nobody}}yes{{/nobody}}{{^nobody}}no{{/nobody}}", "no"},
	    {"{{#list}}({{name}}{{other}}{{n}}){{/list}}{{^list}}none{{/list}}",
	     "(one5)(two5)(A&lt;b&gt;&amp;&quot;&#39;three5)"},
	    {"{{#list}}{{^other}}{{name}} {{/other}}{{/list}}", "one two "},
	    {"{{#deep}}<{{#in}}{{x}}{{/in}}>{{/deep}}", "<ab><c>"},
	    {"{{#in}}{{x}}{{/in}}", ""},
	    {"{{#list}}{{#listing}}{{listing}}{{/listing}}{{/list}}", "not a listnot a listnot a list"},
	    {"{{#list}}{{>part}}{{/list}}", "[one][two][A&lt;b&gt;&amp;&quot;&#39;]"},
	    {"{{#n}}{{#n}}{{n}}{{/n}}{{/n}}", "5"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++)
		shows(t[i].src, "en", t[i].want);
}

static void translates(void **state)
{
	(void)state;
	shows("{{_ Hello {name}, it is <{n}>}}", "en", "Hello A&lt;b&gt;&amp;&quot;&#39;, it is &lt;5&gt;");
	shows("{{_ \n Hello\t{name},\n it   is <{n}> }}", "ja",
	      "&lt;5&gt;です、A&lt;b&gt;&amp;&quot;&#39;さん  { x } {}");
	shows("{{_ at the end {n}}}.", "en", "at the end 5.");
	shows("{{#list}}{{_ {name}!}}{{/list}}", "en", "one!two!A&lt;b&gt;&amp;&quot;&#39;!");
}

static void refuses(void **state)
{
	static const struct {
		const char *src, *says;
	} t[] = {
	    {"{{{name}}}", "page:1: not a name"},
	    {"\n{{&name}}", "page:2: not a name"},
	    {"{{}}", "page:1:"},
	    {"{{Name}}", "page:1:"},
	    {"{{a b}}", "page:1:"},
	    {"{{_  }}", "page:1: an empty text"},
	    {"x\n\n{{name", "page:3: {{ is never closed"},
	    {"{{_ two\nlines}}\n{{#a}}", "page:3: section a is never closed"},
	    {"{{/a}}", "page:1: closes a section that is not open"},
	    {"{{#a}}{{#b}}{{/a}}{{/b}}", "page:1: closes another section"},
	    {"{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}",
	     "page:1: sections nest too deep"},
	    {"{{= <% %> =}}", "page:1:"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct templates *ts = templates_new();
		struct errmsg m = {""};

		assert_int_equal(templates_add(ts, "page", t[i].src, strlen(t[i].src), &m), ERR_INVALID);
		assert_non_null(strstr(m.text, t[i].says));
		assert_false(templates_have(ts, "page"));
		templates_free(ts);
	}
}

static void refuses_partials(void **state)
{
	struct templates *ts = templates_new();
	struct errmsg m = {""};

	(void)state;
	assert_int_equal(templates_add(ts, "a", "\n{{>b}}", 7, &m), ERR_NONE);
	assert_int_equal(templates_check(ts, &m), ERR_INVALID);
	assert_string_equal(m.text, "a:2: there is no template b");
	assert_int_equal(templates_add(ts, "b", "{{>a}}", 6, &m), ERR_NONE);
	assert_int_equal(templates_check(ts, &m), ERR_INVALID);
	assert_int_equal(templates_add(ts, "b", "fine", 4, &m), ERR_NONE); /* in its place */
	assert_int_equal(templates_check(ts, &m), ERR_NONE);
	assert_int_equal(templates_add(ts, "nul", "a\0b", 3, &m), ERR_INVALID);
	assert_int_equal(templates_add(ts, "No", "x", 1, &m), ERR_INVALID);
	templates_free(ts);
}

static void bounded(void **state)
{
	static const char src[] = "{{#l}}{{#l}}{{#l}}{{x}}{{/l}}{{/l}}{{/l}}";
	struct templates *ts = templates_new();
	struct values vs = VALUES_INIT;
	AUTO_BUF b = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < 200; i++)
		values_add_item(&vs, "l", i, "x", "&&&&&&&&");
	assert_int_equal(values_seal(&vs), ERR_NONE);
	assert_int_equal(templates_add(ts, "p", src, strlen(src), NULL), ERR_NONE);
	assert_int_equal(template_render(ts, "p", &vs, "en", translate, &b), ERR_TOOBIG);
	assert_true(b.len < TEMPLATE_OUTPUT_MAX + 4096);
	assert_int_equal(template_render(ts, "q", &vs, "en", translate, &b), ERR_NOTFOUND);
	values_free(&vs);
	templates_free(ts);
}

static void the_first_value_wins(void **state)
{
	struct values vs = VALUES_INIT;

	(void)state;
	values_add(&vs, "a", "1");
	values_add(&vs, "ab", "2");
	values_add(&vs, "a", "3");
	values_add(&vs, "none", NULL);
	assert_null(values_get(&vs, "a", 1)); /* not sealed yet */
	assert_int_equal(values_seal(&vs), ERR_NONE);
	assert_string_equal(values_get(&vs, "a", 1), "1");
	assert_string_equal(values_get(&vs, "abc", 2), "2");
	assert_null(values_get(&vs, "none", 4));
	assert_true(values_any(&vs, "ab", 2));
	assert_false(values_any(&vs, "abc", 3));
	values_free(&vs);
	values_add(&vs, "bad", "\xff");
	assert_int_equal(values_seal(&vs), ERR_INVALID);
	values_free(&vs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(renders),		cmocka_unit_test(translates), cmocka_unit_test(refuses),
	    cmocka_unit_test(refuses_partials), cmocka_unit_test(bounded),    cmocka_unit_test(the_first_value_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
