"""A tour of every page, in both languages: nothing that axe-core or an HTML validator finds, nothing too heavy, too wide or
from elsewhere, and no page that nobody comes to."""
import json
import pathlib
import re
import shutil
import subprocess

import pytest
from browser import Browser
from made import made_npm
from tour import Visitor, tour, tour_site

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
TEMPLATES = {f.stem: f.read_text() for f in (TOP / "enroll/templates").glob("*.html")}
PAGES = {name for name, text in TEMPLATES.items() if "{{>head}}" in text}
FAVICON = len((TOP / "enroll/static/favicon.svg").read_bytes())
HEADERS = 300
MOST_BYTES = 60_000
SILENT = "Failed to load resource: the server responded with a status of"
CHECK = {"ja": "ご確認ください：", "en": "Please check:"}
SHUT = "for (const d of document.querySelectorAll('details')) if (d.wasShut) d.open = d.wasShut = false"
# language, width, dark too, every state of a page and not only its first one and its first with errors
TOURS = [("ja", 360, True, True), ("en", 360, False, False), pytest.param("en", 1280, True, True, marks=pytest.mark.soak)]
AXE = """const [colours, done] = arguments;
axe.run(document, {resultTypes: ['violations'], elementRef: false, ...(colours ? {runOnly: {type: 'rule', values: ['color-contrast']}} : {
	runOnly: {type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}, rules: {'target-size': {enabled: true}}})
}).then(r => done(r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html + ' ' + n.failureSummary).join(' | '))), e => done(['axe: ' + e]))"""
LOOK = """for (const d of document.querySelectorAll('details:not([open])')) d.open = d.wasShut = true;
const all = s => [...document.querySelectorAll(s)].filter(e => e.checkVisibility());
const loaded = performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource'));
const wide = document.documentElement.clientWidth, focus = document.activeElement;
return {
	h1: all('h1').length, main: all('main .main').length, on: all('main button, main a.button').length, lang: document.documentElement.lang, title: document.title,
	errors: all('.errors:not(#passkey-said)').length, focus: focus ? focus.className : '', width: document.documentElement.scrollWidth,
	out: all('main *').filter(e => e.getBoundingClientRect().right > wide + 1).map(e => e.outerHTML.slice(0, 100)),
	bytes: loaded.map(e => e.encodedBodySize), from: loaded.map(e => e.name)
}"""


@pytest.fixture(scope="module")
def npm():
    return made_npm(HERE)


class Inspector(Visitor):
    """Keeps all that it finds, so that one tour tells everything."""

    def __init__(self, browser, lang, site, npm, folder, width, dark, every):
        super().__init__(browser, lang)
        self.site, self.axe, self.folder = site, (npm / "axe-core/axe.min.js").read_text(), folder
        self.width, self.dark, self.every = width, dark, every
        self.wrong, self.templates, self.states, self.names = [], set(), set(), set()
        browser.d.execute_cdp_cmd("Network.enable", {})
        self.screen(width)

    def screen(self, width):
        self.b.d.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600})

    def scheme(self, *values):
        self.b.d.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": v} for v in values]})

    def source(self):
        """What the server sent, before any script."""
        frame = self.b.d.execute_cdp_cmd("Page.getFrameTree", {})["frameTree"]["frame"]
        return self.b.d.execute_cdp_cmd("Network.getResponseBody", {"requestId": frame["loaderId"]})["body"]

    def __call__(self, name):
        d, wrong = self.b.d, []
        source = self.source()
        template = re.search("<!-- template (.*?) -->", source)[1]
        self.templates.add(template)
        state = (template, 'class="errors" role="alert" tabindex="-1">' in source)
        if not self.every and state in self.states:
            return
        self.states.add(state)
        while name in self.names:
            name += "-again"
        self.names.add(name)
        (self.folder / f"{self.lang}-{name}.html").write_text(source)
        self.screen(320)
        at = d.execute_script(LOOK)
        self.screen(self.width)
        for yes, what in ((at["h1"] == 1, f"{at['h1']} headings h1"), (at["main"] <= 1, f"{at['main']} primary buttons"),
                          (at["on"] > 0, "no button onward"), (at["lang"] == self.lang, f"lang={at['lang']}"), (at["width"] <= 320, f"{at['width']} px wide at 320: {at['out']}"),
                          (at["title"].startswith(CHECK[self.lang]) == bool(at["errors"]), f"title {at['title']!r} with {at['errors']} boxes of errors"),
                          (not at["errors"] or self.without or "errors" in at["focus"], f"the focus is not at the errors but at {at['focus']!r}"),
                          (sum(at["bytes"]) + HEADERS * (len(at["bytes"]) + 1) + FAVICON < MOST_BYTES, f"{at['bytes']} bytes"),
                          (all(f.startswith(self.site.url) for f in at["from"]), f"loaded from {at['from']}")):
            if not yes:
                wrong.append(what)
        if self.without:  # the page came without; axe-core needs it
            self.scripts(True)
        d.execute_cdp_cmd("Runtime.evaluate", {"expression": self.axe})
        wrong += d.execute_async_script(AXE, False)
        if self.dark:
            self.scheme("dark")
            wrong += ["dark " + v for v in d.execute_async_script(AXE, True)]
            self.scheme()
        d.execute_script(SHUT)
        if self.without:
            self.scripts(False)
        self.wrong += [f"{self.lang} {name}: {w}" for w in wrong]

    def console(self):
        """What the browser complained of on the way, but for pages that say what went wrong with a status of 4xx."""
        return [e["message"] for e in self.b.d.get_log("browser") if SILENT not in e["message"]]


@pytest.fixture(scope="module")
def site():
    s = tour_site(len(TOURS))
    own = s.dir / "site/templates"
    own.mkdir(parents=True)
    for name in PAGES:  # the same, with their name
        (own / f"{name}.html").write_text(TEMPLATES[name].replace('<meta charset="utf-8">', f'<meta charset="utf-8">\n<!-- template {name} -->', 1))
    s.start()
    yield s
    s.stop()
    shutil.rmtree(s.dir, ignore_errors=True)


def validate(npm, folder):
    """What html-validate says of each file."""
    r = subprocess.run(["node", npm / "html-validate/bin/html-validate.mjs", "--formatter", "json", "--config", HERE / ".htmlvalidate.json", folder],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert r.returncode in (0, 1) and r.stdout, r.stderr
    return [f"{pathlib.Path(f['filePath']).name}:{m['line']}: {m['message']} ({m['ruleId']})" for f in json.loads(r.stdout) for m in f["messages"]]


@pytest.mark.parametrize("lang, width, dark, every", TOURS)
def test_every_page(site, npm, tmp_path, lang, width, dark, every):
    b = Browser(lang=lang, width=width, height=800)
    try:
        see = Inspector(b, lang, site, npm, tmp_path, width, dark, every)
        tour(site, see)
        wrong = see.wrong + see.console() + validate(npm, tmp_path)
    finally:
        b.close()
    assert not wrong, "\n".join(wrong)
    assert see.templates == PAGES, f"nobody came to {sorted(PAGES - see.templates)}"
