#include "config.h"

#include "enroll/colours.h"
#include "enroll/contact.h"
#include "enroll/logo.h"
#include "enroll/markdown.h"
#include "tests/unit/unit.h"
#include <time.h>

/* The sentences, one a line. */
static char said[8192];

static void say(void *arg, enum fault f, const char *sentence)
{
	size_t n = strlen(said);
	(void)arg;
	(void)f;
	snprintf(said + n, sizeof said - n, "%s\n", sentence);
}
static const struct faults faults = {say, NULL};

static const char *markdown(struct buf *b, const char *src)
{
	said[0] = '\0';
	buf_wipe(b);
	if (markdown_html("t.md", src, strlen(src), &faults, b))
		return "refused";
	return buf_str(b);
}

static void test_markdown(void **state)
{
	AUTO_BUF b = BUF_INIT;
	(void)state;
	assert_string_equal(markdown(&b, "# A\n\ntext *b*\n\n###### C\n"),
			    "<h2>A</h2>\n<p>text <em>b</em></p>\n<h6>C</h6>\n");
	assert_string_equal(markdown(&b, "## A\n### B\n## C\n"), "<h2>A</h2>\n<h3>B</h3>\n<h2>C</h2>\n");
	assert_string_equal(said, "");
	assert_string_equal(
	    markdown(&b, "[x](https://a.example/?a=1&b=\"<)"),
	    "<p><a rel=\"noopener noreferrer\" href=\"https://a.example/?a=1&amp;b=%22%3C\">x</a></p>\n");
	assert_string_equal(markdown(&b, "[*x*](mailto:a@b.example)"),
			    "<p><a rel=\"noopener noreferrer\" href=\"mailto:a@b.example\"><em>x</em></a></p>\n");
	assert_string_equal(said, "");
	/* Japanese runs on over the line's end, other scripts have a blank there */
	assert_string_equal(markdown(&b, "規約\nの本文\nabc\ndef"), "<p>規約の本文\nabc\ndef</p>\n");
	assert_string_equal(markdown(&b, "{{name}} {{>head}}"),
			    "<p>&#123;&#123;name&#125;&#125; &#123;&#123;&gt;head&#125;&#125;</p>\n");
	assert_string_equal(markdown(&b, "`{{x}}`"), "<p><code>&#123;&#123;x&#125;&#125;</code></p>\n");
}

static void test_markdown_hostile(void **state)
{
	static const char *const links[] = {"[x](javascript:alert(1))",
					    "[x](JAVASCRIPT:alert(1))",
					    "[x](java&#115;cript:alert(1))",
					    "[x](data:text/html,hi)",
					    "[x](vbscript:a)",
					    "[x](/account)",
					    "[x](ftp://a.example)",
					    "<javascript:alert(1)>",
					    "[x]: javascript:a\n\n[x]",
					    "[x](https://)"};
	AUTO_BUF b = BUF_INIT;
	(void)state;
	for (size_t i = 0; i < COUNT(links); i++) {
		const char *html = markdown(&b, links[i]);
		assert_null(strstr(html, "href"));
		assert_null(strstr(html, "<a"));
		assert_non_null(strstr(said, i == 8 ? "t.md:3: a link to" : "t.md:1: a link to"));
	}
	assert_string_equal(markdown(&b, "a\n\n<script>alert(1)</script>\n\nb <b onclick=x>c</b>"),
			    "<p>a</p>\n<p>b c</p>\n");
	assert_non_null(strstr(said, "t.md:3: HTML is not shown"));
	assert_non_null(strstr(said, "t.md:5: HTML is not shown"));
	assert_string_equal(markdown(&b, "![pic](https://a.example/x.png)"), "<p>pic</p>\n");
	assert_non_null(strstr(said, "t.md:1: a picture"));
	assert_string_equal(markdown(&b, "[![pic](javascript:x)](https://a.example)"),
			    "<p><a rel=\"noopener noreferrer\" href=\"https://a.example\">pic</a></p>\n");
}

static void test_markdown_bounds(void **state)
{
	static const char *const repeated[] = {"> ", "[", "*a_", "![[](", "`", "<", "- ", "&#"};
	char *big = malloc(MARKDOWN_MAX + 2);
	AUTO_BUF b = BUF_INIT;
	(void)state;
	assert_non_null(big);
	memset(big, 'a', MARKDOWN_MAX + 1);
	big[MARKDOWN_MAX + 1] = '\0';
	assert_string_equal(markdown(&b, big), "refused");
	assert_non_null(strstr(said, "larger than 96 KB"));
	for (size_t i = 0; i < COUNT(repeated); i++) {
		size_t n = strlen(repeated[i]), at = 0;
		time_t begun = time(NULL);
		for (; at + n <= MARKDOWN_MAX; at += n)
			memcpy(big + at, repeated[i], n);
		big[at] = '\0';
		(void)markdown(&b, big);
		assert_true(b.len <= MARKDOWN_HTML_MAX + MARKDOWN_HTML_MAX / 2);
		assert_true(time(NULL) - begun < 20);
	}
	assert_string_equal(markdown(&b, ">>>>>>>>>>>>>>>>>>>>>>>>>>>>>> x"), "refused");
	assert_non_null(strstr(said, "too deep"));
	assert_string_not_equal(markdown(&b, ">>>>> x"), "refused");
	free(big);
}

static void test_plain(void **state)
{
	AUTO_BUF b = BUF_INIT;
	(void)state;
	markdown_plain("\n\na <b>\nc\n\n\n{{d}}\n", &b);
	assert_string_equal(buf_str(&b), "<p>a &lt;b&gt;\nc</p>\n<p>&#123;&#123;d&#125;&#125;</p>\n");
}

static void test_contact(void **state)
{
	static const struct {
		const char *text, *html;
	} t[] = {
	    {"a & b", "a &amp; b"},
	    {"電話 0120-000-000（平日 9:00-17:00）",
	     "電話 <a href=\"tel:0120000000\">0120-000-000</a>（平日 9:00-17:00）"},
	    {"(03) 1234-5678", "<a href=\"tel:0312345678\">(03) 1234-5678</a>"},
	    {"０３－１２３４－５６７８", "<a href=\"tel:0312345678\">０３－１２３４－５６７８</a>"},
	    {"+81 3 1234 5678, fax", "<a href=\"tel:+81312345678\">+81 3 1234 5678</a>, fax"},
	    {"〒100-0001 東京都", "〒100-0001 東京都"},
	    {"2026-12-01 09:00", "2026-12-01 09:00"},
	    {"help@example.jp\nx", "<a href=\"mailto:help@example.jp\">help@example.jp</a><br>\nx"},
	    {"a@b", "a@b"},
	    {"see https://a.example/x?y=1.", "see <a href=\"https://a.example/x?y=1\">https://a.example/x?y=1</a>."},
	    {"javascript:alert(1) \"<b>", "javascript:alert(1) &quot;&lt;b&gt;"},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		AUTO_BUF b = BUF_INIT;
		contact_html(t[i].text, &b);
		assert_string_equal(buf_str(&b), t[i].html);
	}
}

static const char *colours(struct buf *b, const char *text)
{
	said[0] = '\0';
	buf_wipe(b);
	return colours_css("c.conf", text, &faults, b) ? said : buf_str(b);
}

static void test_colours(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
	    {"main = #ffcc00\n", "c.conf:1: #ffcc00 cannot be read well in the light"},
	    {"main = #ffcc00\n", "contrast of 1.4:1"},
	    {"main=#14566b\nmain_dark = #14566b", "c.conf:2: #14566b cannot be read well in the dark"},
	    {"main = 14566b", "c.conf:1: \"14566b\" is no colour"},
	    {"main = #14566", "is no colour"},
	    {"main = red", "is no colour"},
	    {"# nothing\n", "no main colour"},
	    {"\nmain = #14566b\nmain = #14566b", "c.conf:3: \"main\" stands on line 2 already"},
	    {"mian = #14566b", "c.conf:1: not understood"},
	    {"main: #14566b", "not understood"},
	    {"main = #14566b}*{x", "is no colour"},
	};
	struct colour black = {0, 0, 0}, white = {255, 255, 255}, grey = {0x76, 0x76, 0x76};
	AUTO_BUF b = BUF_INIT;
	(void)state;
	assert_true(colours_contrast(black, white) > 20.99 && colours_contrast(white, black) < 21.01);
	assert_true(colours_contrast(grey, white) > 4.53 && colours_contrast(grey, white) < 4.55);
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_non_null(strstr(colours(&b, bad[i].text), bad[i].says));
	assert_non_null(
	    strstr(colours(&b, "; ours\nmain = #14566B\nmain_dark = #8fd0e3"), "--main:#14566b;--main-text:#ffffff"));
	assert_non_null(strstr(buf_str(&b), "--main:#8fd0e3;--main-text:#0c161a"));
	/* what is suggested is taken, for any colour, and the dark one that is made of a light one is good */
	for (unsigned i = 0; i < 512; i++) {
		char line[64], again[64];
		const char *better;
		snprintf(line, sizeof line, "main = #%02x%02x%02x", (i & 7) * 36, (i >> 3 & 7) * 36, (i >> 6) * 36);
		better = strstr(colours(&b, line), " would do");
		if (!better)
			continue;
		snprintf(again, sizeof again, "main = %.7s", better - 7);
		assert_null(strstr(colours(&b, again), "c.conf"));
	}
}

/* With what it is put into the first <svg>, where it does not say so itself. */
static enum err svg(const char *text, struct errmsg *m)
{
	static const char space[] = " xmlns=\"http://www.w3.org/2000/svg\"";
	const char *at = strstr(text, "<svg");
	size_t head = at && !strstr(text, " xmlns=") && strncmp(at, "<svg:", 5) != 0 ? (size_t)(at - text) + 4 : 0;
	AUTO_BUF b = BUF_INIT;
	buf_add(&b, text, head);
	buf_adds(&b, head ? space : "");
	buf_adds(&b, text + head);
	m->text[0] = '\0';
	return logo_svg(b.data, b.len, m);
}

static void test_svg(void **state)
{
	static const char *const good[] = {
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1 1\"><path d=\"M0 0\"/></svg>",
	    "<?xml version=\"1.0\"?>\n<!-- made -->\n<svg><style>.a{fill:url(#g)}</style><use href=\"#a\"/></svg>\n",
	    "<svg><image href=\"data:image/png;base64,AA\"/><g style=\"fill: url( '#g')\"/></svg>",
	    "<svg><title>a &amp; b &lt;c></title><g><g></g><g/></g ></svg >\n<!-- made -->\n",
	};
	static const char *const bad[] = {
	    "<svg><script>alert(1)</script></svg>",
	    "<svg onload=\"x\"></svg>",
	    "<svg xml:base=\"https://example.org/\"><use href=\"#a\"/></svg>",
	    "<svg><g ONCLICK='x'/></svg>",
	    "<svg><SCRIPT/></svg>",
	    "<svg><x:script xmlns:x=\"http://www.w3.org/2000/svg\"/></svg>",
	    "<svg:svg xmlns:svg=\"http://www.w3.org/2000/svg\"/>",
	    "<svg><foreignObject/></svg>",
	    "<svg><a href=\"#x\"/></svg>",
	    "<svg><use href=\"https://a.example/x.svg#a\"/></svg>",
	    "<svg><use xlink:href=\"x.svg#a\"/></svg>",
	    "<svg><image href=\"data:image/svg+xml,x\"/></svg>",
	    "<svg><use href=\"&#35;a\"/></svg>",
	    "<svg><style>@import 'x';</style></svg>",
	    "<svg xmlns:svg=\"http://www.w3.org/2000/svg\"><svg:style>@import 'x';</svg:style></svg>",
	    "<svg><style>a{fill:url(http://a.example)}</style></svg>",
	    "<svg><style>a{fill:u\\72l(x)}</style></svg>",
	    "<svg><style><![CDATA[a{}]]></style></svg>",
	    "<svg><g style=\"fill:url(//a.example)\"/></svg>",
	    "<!DOCTYPE svg [<!ENTITY x \"y\">]><svg/>",
	    "<svg><?xml-stylesheet href=\"x\"?></svg>",
	    "<svg><set attributeName=\"href\"/></svg>",
	    "<svg><g id=x></svg>",
	    "<svg><g id=\"x></svg>",
	    "<svg><g",
	    "<svg><!-- x",
	    "<html><svg/></html>",
	    "x",
	    "",
	    "<",
	    "<?xml version=\"1.0\" encoding=\"ISO-2022-JP\"?><svg/>",
	    "<svg><path d=\"<script>\"/></svg>",
	    "<svg><feImage href=\"#a\"/></svg>",
	    "\x1f\x8b",
	};
	/* no XML, or nothing that says that it is a picture: browsers show none of it */
	static const struct {
		const char *svg, *says;
	} broken[] = {
	    {"<svg>\n\n<script/></svg>", "line 3: the element <script>"},
	    {"<svg><g></svg>", "</svg> ends nothing that is open here"},
	    {"<svg><g></g>", "<svg> has no end"},
	    {"<svg></g></svg>", "</g> ends nothing"},
	    {"<svg/><svg/>", "<svg> behind the end of <svg>"},
	    {"<svg></svg></svg>", "<svg> behind the end of <svg>"},
	    {"<svg></svg>x", "text outside of <svg>"},
	    {"x<svg></svg>", "text outside of <svg>"},
	    {"<svg><text>text]]></text></svg>", "]]&gt;"},
	    {"<svg><text>a & b</text></svg>", "&amp;"},
	    {"<svg><text>&nbsp;</text></svg>", "&amp;"},
	    {"<svg><text>&am", "&amp;"},
	    {"<svg><g / id=\"x\"></svg>", "not an attribute"},
	};
	struct errmsg m;
	char text[5000];
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		assert_int_equal(svg(good[i], &m), ERR_NONE);
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(svg(bad[i], &m), ERR_INVALID);
		assert_string_not_equal(m.text, "");
		assert_null(strstr(m.text, "xmlns"));
	}
	for (size_t i = 0; i < COUNT(broken); i++) {
		assert_int_equal(svg(broken[i].svg, &m), ERR_INVALID);
		assert_non_null(strstr(m.text, broken[i].says));
	}
	for (size_t deep = 63; deep < 65; deep++) {
		char *at = stpcpy(text, "<svg>");
		for (size_t i = 0; i < deep; i++)
			at = stpcpy(at, "<g>");
		for (size_t i = 0; i < deep; i++)
			at = stpcpy(at, "</g>");
		stpcpy(at, "</svg>");
		assert_int_equal(svg(text, &m), deep < 64 ? ERR_NONE : ERR_INVALID);
	}
	assert_int_equal(logo_svg((const uint8_t *)"<svg/>", 6, &m), ERR_INVALID);
	assert_non_null(strstr(m.text, "xmlns="));
	assert_int_equal(logo_svg((const uint8_t *)"<svg xmlns='x'></svg>", 21, &m), ERR_INVALID);
}

static void test_png(void **state)
{
	uint8_t png[57] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0, 0, 13,
			   'I',	 'H', 'D', 'R', 0,    0,    0,	  9,	0, 0, 0, 9};
	static const uint8_t end[8] = {'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82};
	struct errmsg m;
	(void)state;
	assert_int_equal(logo_png(png, sizeof png, &m), ERR_INVALID);
	memcpy(png + sizeof png - 8, end, 8);
	assert_int_equal(logo_png(png, sizeof png, &m), ERR_NONE);
	assert_int_equal(logo_png(png, 44, &m), ERR_INVALID);
	png[17] = 1;
	assert_int_equal(logo_png(png, sizeof png, &m), ERR_INVALID);
	png[17] = png[19] = 0;
	assert_int_equal(logo_png(png, sizeof png, &m), ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_markdown),
	    cmocka_unit_test(test_markdown_hostile),
	    cmocka_unit_test(test_markdown_bounds),
	    cmocka_unit_test(test_plain),
	    cmocka_unit_test(test_contact),
	    cmocka_unit_test(test_colours),
	    cmocka_unit_test(test_svg),
	    cmocka_unit_test(test_png),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
