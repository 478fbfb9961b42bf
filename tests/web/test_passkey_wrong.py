"""Passkeys that must not be taken: what a browser of a real person signs, changed, repeated, or brought by somebody else."""
import http.server
import threading

import pytest
from browser import Browser, Http
from harness import Person, wait_until
from passkey import Authenticator, no_autofill, put_passkey
from test_forgot import put_mailcode
from test_passkey import register, to_passkey
from test_wizard import Member, log_out, wizard_site

# What kosmo.js does, but the answer comes back here instead of leaving as a form.
SIGN = """
const [form, allow, done] = arguments;
const bytes = s => Uint8Array.from(atob(s.replace(/-/g, '+').replace(/_/g, '/')), c => c.charCodeAt(0));
const text = b => btoa(String.fromCharCode(...new Uint8Array(b || []))).replace(/\\+/g, '-').replace(/\\//g, '_').replace(/=+$/, '');
const o = JSON.parse(document.querySelector(form).getAttribute('data-options'));
o.challenge = bytes(o.challenge);
o.allowCredentials = allow ? (o.allowCredentials || []).map(c => ({...c, id: bytes(c.id)})) : [];
navigator.credentials.get({publicKey: o}).then(c => done({id: text(c.rawId), client_data: text(c.response.clientDataJSON),
    auth_data: text(c.response.authenticatorData), signature: text(c.response.signature), user_handle: text(c.response.userHandle),
    challenge: document.querySelector(form).elements.challenge.value}), e => done({error: e.name}));
"""


QUICK = [Person(f"q{i:05d}", "member", seed=False) for i in range(20)]


@pytest.fixture(scope="module")
def site():
    for s in wizard_site([Member(f"h{i:05d}") for i in range(4)] + QUICK):
        s.quick = iter(QUICK)
        put_mailcode(s, *(f"={p.login}" for p in QUICK))
        yield s


class Owner:
    """Somebody with a passkey, logged out, and the browser that it is in. options: it is registered there, with these."""

    def __init__(self, site, **options):
        self.site, self.b = site, Browser()
        no_autofill(self.b)
        self.a = Authenticator(self.b, **options)
        if options:
            self.p = next(site.free)
            self.p.initial = site.initial(self.p.login)
            register(self.b, site, self.p)
            log_out(self.b, site)
        else:
            self.p = next(site.quick)
            self.a.add(put_passkey(site, self.p))
            self.b.get(site.url + "/login")

    def inside(self):
        """What is still unmet after this way in is the wizard's."""
        return self.b.path.startswith("/first/")

    def sign(self, form="#f-passkey", allow=False):
        got = self.b.d.execute_async_script(SIGN, form, allow)
        assert "error" not in got, got
        return got

    def http(self):
        """The same browser, by hand: its cookies, its page's form token."""
        h = Http(self.site, "192.0.2.77")
        h.cookies = {c["name"]: c["value"] for c in self.b.d.get_cookies()}
        h.csrf = self.b.find("input[name=csrf]").get_attribute("value")
        return h


@pytest.fixture
def owner(site):
    o = Owner(site)
    yield o
    o.b.close()


def refused(h, why):
    assert h.status == 200 and why in h.error, (h.status, h.to, h.error)
    assert not h.inside()


def last_wrong(site):
    """Why the newest passkey that was not taken was not."""
    return next(line for line in site.ctl("audit").splitlines() if "passkey.wrong" in line).split()[-1]


def test_used_once(site, owner):
    got = owner.sign()
    h, again = owner.http(), owner.http()
    assert h.post("/login/by-passkey", **got).to == "/" and h.inside()
    refused(again.post("/login/by-passkey", **got), "was not accepted")


@pytest.mark.parametrize("field, value, why", [
    ("user_handle", "B" * 85 + "A", "was not accepted"),
    ("user_handle", "", "was not accepted"),
    ("id", "AAAA", "not known here"),
    ("auth_data", "A" * 50, "was not accepted"),
    ("client_data", "e30", "was not accepted"),
    ("signature", "MEUC", "was not accepted"),
    ("signature", "", "JavaScript"),
    ("challenge", "A" * 75, "took too long"),
    ("client_data", "=", "JavaScript"),
])
def test_changed(site, changed, field, value, why):
    h = changed.http()
    refused(h.post("/login/by-passkey", **{**changed.got, field: value}), why)


@pytest.fixture(scope="module")
def changed(site):
    o = Owner(site)
    o.got = o.sign()
    yield o
    h = o.http()
    assert h.post("/login/by-passkey", **o.got).to == "/"  # what was changed above was the reason
    o.b.close()


def test_signed_for_another_browser(site, owner):
    got, other = owner.sign(), Http(site, "192.0.2.78").get("/login")
    refused(other.post("/login/by-passkey", **got), "took too long")


@pytest.mark.parametrize("bits, audit", [({"isBogusSignature": True}, "signature"), ({"isBadUV": True}, "uv"), ({"isBadUP": True}, "up")])
def test_bad_bits(site, owner, bits, audit):
    owner.a.wrong(**bits)
    owner.b.press("#f-passkey button")
    assert owner.b.path == "/login/by-passkey" and "was not accepted" in owner.b.text
    assert last_wrong(site) == audit
    owner.a.wrong(**{k: False for k in bits})
    owner.b.press("#f-passkey button")
    assert owner.inside()


def test_backup_flags(site):
    o = Owner(site, defaultBackupEligibility=True, defaultBackupState=False)
    try:
        c, = o.a.credentials
        while site.mail(o.p.login)["Subject"] != "A way to log in was added":
            pass
        o.a.backup(c, True, True)  # synced since: it is told, and locks nobody out
        o.b.press("#f-passkey button")
        assert "Shared with your other devices" in o.b.at("/account").text
        assert "Where one of your passkeys is kept" in site.mail(o.p.login)["Subject"]
        log_out(o.b, site)
        o.a.backup(c, False, False)  # what never changes has changed
        o.b.press("#f-passkey button")
        assert "no longer matches what was registered" in o.b.text and last_wrong(site) == "eligibility"
    finally:
        o.b.close()


def test_counter_back(site, owner):
    c, = owner.a.credentials
    owner.b.press("#f-passkey button")
    assert owner.inside()
    log_out(owner.b, site)
    owner.a.clear()
    owner.a.add({**c, "signCount": 0})
    owner.b.press("#f-passkey button")
    assert owner.inside() and "passkey.counter" in site.ctl("audit")
    assert site.mail(owner.p.login)["Subject"] == "Please check one of your passkeys"


def test_somebody_elses_after_the_password(site, owner):
    other = Owner(site)
    try:
        stolen, = other.a.credentials
        owner.b.fill(login=owner.p.login, password=owner.p.password)
        owner.b.at("/login/passkey")
        owner.a.clear()
        owner.a.add(stolen)
        got = owner.sign("form[data-passkey]")
        h = owner.http()
        refused(h.post("/login/passkey", **got), "was not accepted")
        assert not owner.http().inside()
        # a challenge of the login page serves nowhere else, nor one of this page there
        guest = other.sign()
        refused(owner.http().post("/login/passkey", **guest), "took too long")
    finally:
        other.b.close()


def test_removed_meanwhile(site):
    """The device of a removed passkey may not have heard of it; when it is used, it hears."""
    owner = Owner(site, transport="internal")
    b = owner.b
    b.press("#f-passkey button")
    b.at("/account")
    kept, = owner.a.credentials
    owner.a.remove()
    second = Authenticator(b, transport="usb")
    b.get(site.url + "/passkey")
    b.find("button[data-where=other]").click()
    wait_until(lambda: b.path == "/account" and len(b.all("#ways ul.cards > li")) == 2, 10, "two passkeys")
    b.find("a[href^='/account/remove']").click()
    b.at("/account/remove").press()
    assert len(b.at("/account").all("#ways ul.cards > li")) == 1 and len(second.credentials) == 1
    log_out(b, site)
    second.remove()
    first = Authenticator(b)
    first.add(kept)
    b.press("#f-passkey button")
    assert "not known here" in b.text
    wait_until(lambda: not first.credentials, 5, "the browser that forgets it")
    b.close()


def test_from_another_origin(site, owner):
    """A page of another host gets nothing from the browser. One of another port has the same RP ID: what it has signed is
    good but for its origin."""
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<form id=f-passkey><input name=challenge></form>")

        def log_message(self, *_):
            pass

    victim = owner.http()
    options = owner.b.find("#f-passkey").get_attribute("data-options")
    phish = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=phish.serve_forever, daemon=True).start()
    try:
        for host in "phish.localhost", "localhost":
            owner.b.get(f"http://{host}:{phish.server_port}/")
            owner.b.d.execute_script("const f = document.getElementById('f-passkey'); f.setAttribute('data-options', arguments[0]);"
                                     "f.elements.challenge.value = JSON.parse(arguments[0]).challenge", options)
            got = owner.b.d.execute_async_script(SIGN, "#f-passkey", False)
            assert (host == "localhost") == ("error" not in got), got
    finally:
        phish.shutdown()
        phish.server_close()
    refused(victim.post("/login/by-passkey", **got), "was not accepted")
    assert last_wrong(site) == "origin"


def test_without_javascript(site):
    p = next(site.free)
    p.initial = site.initial(p.login)
    b = Browser(javascript=False)
    try:
        to_passkey(b, site, p)
        b.press("button[data-where=this]")
        assert b.path == "/passkey" and "JavaScript must be switched" in b.text
        b.find("a[href='/first/method']").click()
        b.at("/first/method").find("label[for=m-app]").click()
        b.press()
        b.at("/app")
    finally:
        b.close()
