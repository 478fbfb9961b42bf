"""From the letter to the account and out again by keyboard alone, without JavaScript and at 200 % zoom."""
import pytest
from browser import Browser, app_code, mailed
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from test_wizard import BIRTH, NEW_PASSWORD, Member, qr, secret_of, wizard_site

# Where the keyboard is: its place among all that it must come to, whether one sees that, and whether anything lies over it.
HERE = """const stops = [...document.querySelectorAll('a[href], button, input:not([type=hidden]), summary, [tabindex="0"]')]
	.filter(e => e.checkVisibility() && (e.type !== 'radio' || e === document.activeElement || e.checked || !document.querySelector(`[name=${e.name}]:checked`)));
const e = document.activeElement, r = e.getClientRects()[0] || new DOMRect(), s = getComputedStyle(e);
const top = document.elementFromPoint(r.left + Math.min(r.width / 2, 20), r.top + Math.min(r.height, innerHeight) / 2);
return {at: stops.indexOf(e), of: stops.length, what: e.outerHTML.slice(0, 120), body: e === document.body,
	seen: (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2) || s.appearance === 'auto',
	inside: r.left >= 0 && r.right <= innerWidth && r.bottom > 0 && r.top < innerHeight, free: e.contains(top) || !!top && top.contains(e) && top.localName === 'label'}"""
# Texts that are cut off, stick out or lie over each other, in the help that is folded up too. The terms scroll in a box of theirs.
CLIPPED = """const wrong = [], boxes = [], shut = [...document.querySelectorAll('details:not([open])')];
for (const d of shut) d.open = true;
if (document.documentElement.scrollWidth > innerWidth) wrong.push(`${document.documentElement.scrollWidth} px wide in ${innerWidth}`);
for (const e of document.querySelectorAll('body *')) {
	if (!e.checkVisibility() || e.closest('.skip, svg, .terms')) continue;
	const s = getComputedStyle(e);
	if (/hidden|clip/.test(s.overflowX + s.overflowY) && (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1) && e.localName !== 'progress')
		wrong.push('cut off: ' + e.outerHTML.slice(0, 100));
	if (e.matches('input:not([type=hidden]), button, .button, img') || [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
		for (const r of e.getClientRects()) boxes.push([e, r]);
}
for (const [a, p] of boxes) for (const [b, q] of boxes)
	if (a !== b && !a.contains(b) && !b.contains(a) && p.left + 2 < q.right && q.left + 2 < p.right && p.top + 4 < q.bottom && q.top + 4 < p.bottom)
		wrong.push('one over the other: ' + a.outerHTML.slice(0, 80) + ' and ' + b.outerHTML.slice(0, 80));
for (const d of shut) d.open = false;
return wrong"""


@pytest.fixture(scope="module")
def site():
    yield from wizard_site([Member("keys")])


class Keyboard:
    """Nothing but keys. Each page is looked at once from its top to its end."""

    def __init__(self, b):
        self.b, self.pages = b, 0

    def send(self, *keys):
        ActionChains(self.b.d).send_keys(*keys).perform()

    def through(self):
        """Tab from the top: comes to everything, in the order of the page, and out at the end."""
        self.pages += 1
        wrong = self.b.d.execute_script(CLIPPED)
        assert not wrong, (self.b.path, wrong)
        at = []
        while True:
            self.send(Keys.TAB)
            e = self.b.d.execute_script(HERE)
            if e["body"] or e["at"] == 0 and at:
                break
            assert e["at"] > (at[-1] if at else -1), f"{self.b.path}: from {at} to {e}"
            assert e["seen"] and e["inside"] and e["free"], (self.b.path, e)
            at.append(e["at"])
        assert at == list(range(e["of"])), f"{self.b.path}: came to {at} of {e['of']}"

    def to(self, css):
        """Tab until there."""
        wanted = self.b.find(css)
        for _ in range(40):
            if self.b.d.switch_to.active_element == wanted:
                return self
            self.send(Keys.TAB)
        raise AssertionError(f"{self.b.path}: no way to {css}")

    def leave(self, *keys):
        """A key that leads to the next page."""
        old = self.b.find("html")
        self.send(*keys)
        self.b.left(old)

    def fill(self, path, **fields):
        self.b.at(path)
        self.through()
        for name, text in fields.items():
            self.to(f"input[name={name}]:not([type=hidden])").send(text)
        self.leave(Keys.ENTER)

    def press(self, path, css="button.main", key=Keys.ENTER):
        self.b.at(path)
        self.through()
        self.to(css).leave(key)


def test_the_wizard_by_keyboard_alone(site):
    b, p = Browser(width=640, height=450, javascript=False), next(site.free)
    try:
        b.d.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 640, "height": 450, "deviceScaleFactor": 2, "mobile": False})
        b.get(site.url + "/")
        k = Keyboard(b.at("/login"))
        k.to(".skip").send(Keys.ENTER)
        k.send(Keys.TAB)
        assert b.d.switch_to.active_element == b.find("main a, main button, main input:not([type=hidden])"), "behind the way around the head"
        b.get(site.url + "/")
        k.fill("/login", login=p.login, password=site.initial(p.login))
        k.fill("/first/birth-date", birth_date="1950-02-30")
        k.fill("/first/birth-date", birth_date=BIRTH)
        k.press("/first/terms")
        k.press("/first/email", key=Keys.SPACE)
        k.fill("/first/email/sent", code=mailed(site.mail(p.login))[0])
        k.b.at("/first/method")
        k.through()
        k.to("input[name=method]").send(Keys.ARROW_DOWN)
        assert b.find("#m-app").is_selected()
        k.to("button.main").leave(Keys.ENTER)
        k.fill("/first/password", new=NEW_PASSWORD, again=NEW_PASSWORD)
        k.press("/first/done")
        k.fill("/app", code=app_code(secret_of(qr(b, site))))
        k.press("/recovery")
        k.press("/account", "form[action='/logout'] button", Keys.SPACE)
        b.at("/login")
        assert k.pages == 12
    finally:
        b.close()
