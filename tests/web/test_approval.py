"""A login over SSH that a passkey approves in the browser: real sshd and ssh on one side, Chromium with a virtual authenticator
on the other."""
import os
import re
import shutil
import socket
import sqlite3
import struct
import subprocess
import tempfile

import pytest
from browser import Browser, Http, Site
from conftest import SANITIZED
from harness import CLOCK_SHIM, KEEPER, Namespace, Person, Process, Sshd, accepts, wait_until
from passkey import Authenticator, no_autofill
from terminal import Terminal, picture
from test_forgot import put_mailcode

pytestmark = [pytest.mark.skipif(os.getuid() != 0, reason="sshd for other people needs root"),
              pytest.mark.skipif(SANITIZED, reason="the system's programs cannot load a sanitized module")]
namespace = pytest.mark.skipif(not Namespace.possible(), reason="no mount namespaces here")

HANAKO, TARO, JIRO = Person("hanako", "staff"), Person("taro", "staff"), Person("jiro", "staff")
NOTHING = "There is nothing to approve here"
SECOND = "If what you typed was right, a code has been mailed to you;\nor approve with a passkey at"


class House(Site):
    """A keeper that goes on when the site is killed, with a clock that can be moved; the site in front of it."""

    def __init__(self, *args):
        super().__init__(*args)
        self.clock, source, self.shim = self.dir / "clock", self.dir / "shim.c", self.dir / "shim.so"
        source.write_text(CLOCK_SHIM)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", self.shim, source, "-ldl"], check=True)
        self.clock.write_bytes(struct.pack("=qq", 0, 0))

    def ahead(self, seconds):
        with open(self.clock, "r+b") as f:
            f.write(struct.pack("=qq", seconds, 0))

    def keep(self):
        self.keeper = Process([KEEPER, "-c", self.conf], self.dir / "keeper.log", {"LD_PRELOAD": str(self.shim), "CLOCK_FILE": str(self.clock)})
        wait_until(lambda: accepts(socket.AF_UNIX, str(self.dir / "run/web.sock")), 20, "the keeper")

    def start(self, env=None):
        self.keep()
        super().start(env)

    def stop(self):
        super().stop()
        self.keeper.end()


@pytest.fixture(scope="module")
def site():
    folder = tempfile.mkdtemp(prefix="kosmo-")
    s = House(folder, [HANAKO, TARO, JIRO], "organisation = Example\nmail.from = no-reply@example.jp\n")
    put_mailcode(s, *(f"={p.login}" for p in (HANAKO, TARO, JIRO)))
    s.start()
    yield s
    s.stop()
    shutil.rmtree(folder, ignore_errors=True)


def register(site, p):
    """A browser of this person's, with a passkey, logged in."""
    b = Browser()
    Authenticator(b)
    no_autofill(b)
    b.get(site.url + "/login")
    b.fill(login=p.login, password=p.password)
    b.at("/login/code").fill(code=p.code())
    b.at("/first/birth-date").fill(birth_date="1980-01-01")
    b.at("/first/terms").press()
    b.at("/account")
    b.find("a[href='/passkey']").click()
    b.at("/passkey").find("button[data-where=this]").click()
    b.at("/recovery").press()
    b.at("/account")
    return b


@pytest.fixture(scope="module")
def hanako(site):
    b = register(site, HANAKO)
    yield b
    b.close()


@pytest.fixture(scope="module")
def taro(site):
    b = register(site, TARO)
    yield b
    b.close()


def stack(site, options=""):
    return f"auth required {site.module(options)}\naccount required {site.module()}"


@pytest.fixture(scope="module")
def sshd(site, hanako):
    d = Sshd(site.dir, [HANAKO, TARO, JIRO], stack(site))
    yield d
    d.end()


@pytest.fixture
def ssh(sshd, site):
    """Begins a login and goes up to the second question."""
    began = []

    def begin(p=HANAKO, password=None, name=None, there=None):
        """Up to the second question, or with password=False up to the first."""
        no_waits(site)
        there = there or sshd
        t = Terminal(["ssh", *there.options("keyboard-interactive"), f"{name or p.login}@127.0.0.1", "id -u"])
        began.append(t)
        return t(password or p.password, "") if password is not False else t
    yield begin
    for t in began:
        t.end()


def no_waits(site):
    """As if the seconds after a wrong one were over."""
    db = sqlite3.connect(site.dir / "kosmo.db", timeout=10)
    with db:
        db.execute("UPDATE counter SET not_before = 0 WHERE kind < 32 AND not_before < 9999999999")
    db.close()


def visit(b, t):
    """The page, once what was shown is written too: that comes after the question."""
    def there():
        b.get(t.link)
        return NOTHING not in b.text
    wait_until(there, 5, "the request")
    return b


def approve(b, t):
    visit(b, t).press("form[data-passkey] button")
    return digits(b)


def digits(b):
    wait_until(lambda: b.all("#code"), 10, "the digits")
    return b.find("#code").text.replace(" ", "")


def other(code):
    return f"{(int(code) + 1) % 1000000:06}"


def test_the_whole_way(site, sshd, hanako, ssh, tmp_path):
    """Asked to log in, and back; details; approved; typed. The page shows its digits again to nobody else, and not afterwards."""
    b = hanako
    b.get(site.url + "/logout")
    b.press()
    t = ssh()
    assert t.asked == ["Password:", "Code:", "Code:"] and SECOND in t.shown
    read, lines, columns = picture(t.shown, tmp_path)
    assert read == t.link.upper().replace("-", "") and lines <= 20 and columns <= 40
    b.get(t.link)
    b.at("/login").press("#f-passkey button")
    b.at("/approve/" + t.token.replace("-", ""))
    for fact in "hanako", socket.gethostname(), "kosmo-sshd", "127.0.0.1":
        assert fact in b.text, b.text
    assert not b.all("#code")
    b.press("form[data-passkey] button")
    code = digits(b)
    b.get(t.link)
    assert digits(b) == code
    b.get(read.replace("HTTP://LOCALHOST", "http://localhost"))
    assert digits(b) == code, "as a phone reads it"
    second = Browser()
    try:
        second.get(t.link)
        assert second.path == "/login"
    finally:
        second.close()
    assert t.type(code) == 0 and t.shown.strip() == str(sshd.uid("hanako"))
    b.get(t.link)
    assert NOTHING in b.text
    b.get(site.url + "/")
    b.at("/account")
    b.get(site.url + "/account/logins")
    newest = b.all("main li")[0].text
    for what in f"kosmo-sshd on the computer {socket.gethostname()}", "Password and a passkey", "127.0.0.1":
        assert what in newest, newest
    events = site.ctl("audit", "--person", "hanako")
    assert "approval.allow" in events and "login.allow" in events and f"kosmo-sshd on {socket.gethostname()} for 127.0.0.1" in events
    log = site.keeper.log.read_text() + site.process.log.read_text()
    assert code not in log and t.token not in log and "by passkey" in log


def test_wrong_codes_then_the_right_one(hanako, ssh):
    t = ssh()
    code = approve(hanako, t)
    assert t.type(other(code)) is None and "That was not right." in t.shown
    assert t.type("") is None
    assert t.type(code) == 0


def test_three_tries(hanako, ssh):
    t = ssh()
    code = approve(hanako, t)
    for i in range(3):
        assert t.type(other(code)) == (None, None, 255)[i]
    t = ssh()
    assert t.type(code) is None, "and in no other terminal"


def test_over(site, hanako, ssh):
    """100 seconds for all of it: for the page, for the passkey and for the digits."""
    t = ssh()
    code = approve(hanako, t)
    u = ssh()
    visit(hanako, u)
    try:
        site.ahead(100)
        hanako.press("form[data-passkey] button")
        assert NOTHING in hanako.text
        for waits in t, u:
            hanako.get(waits.link)
            assert NOTHING in hanako.text
        no_waits(site)
        assert t.type(code) is None
    finally:
        site.ahead(0)
    no_waits(site)


def test_denied(site, hanako, ssh):
    b, t = hanako, ssh()
    code = approve(b, t)
    b.press("form[action='/approve/deny'] button")
    assert "That login was refused" in b.at("/approve/" + t.token.replace("-", "")).text
    assert t.type(code) is None
    t = ssh()
    visit(b, t).press("form[action='/approve/deny'] button")
    assert "That login was refused" in b.text and not b.all("form[data-passkey]")
    assert "approval.deny" in site.ctl("audit", "--person", "hanako")
    assert t.type("123456") is None and t.type("") is None and t.type("") == 255


def test_of_others(site, hanako, taro, ssh):
    """Whoever is not its owner is told the same as about an address that was made up, a wrong password's and a stranger's."""
    t = ssh()
    visit(hanako, t)
    wrong, stranger, without = ssh(password="wrong"), ssh(name="nobody-here"), ssh(JIRO)
    said = set()
    for link in t.link, t.link[:-4] + "2222", wrong.link, stranger.link, without.link:
        taro.get(link)
        said.add(taro.text)
        if link != t.link:
            hanako.get(link)
            assert NOTHING in hanako.text, "also for those whose name was typed"
    assert len(said) == 1 and NOTHING in said.pop()
    # their own assertion, with hanako's page's form
    visit(hanako, t)
    form = hanako.find("form[data-passkey]").get_attribute("outerHTML")
    taro.get(site.url + "/account")
    csrf = taro.find("input[name=csrf]").get_attribute("value")
    taro.d.execute_script("document.body.insertAdjacentHTML('beforeend', arguments[0]); var f = document.querySelector('form[data-passkey]');"
                          "f.elements.csrf.value = arguments[1]; f.submit()", form, csrf)
    taro.at("/approve/passkey")
    assert NOTHING in taro.text
    taro.press("form[action='/approve/other'] button")
    taro.at("/login").press("#f-passkey button")
    assert NOTHING in taro.at("/approve/" + t.token.replace("-", "")).text, "and back, but it is still taro"
    assert t.type(approve(hanako, t)) == 0


def sign(b, options):
    """What this browser's device answers, as the form's fields."""
    reply = b.d.execute_async_script("""
        var done = arguments[1], o = JSON.parse(arguments[0]);
        function un(t) { return Uint8Array.from(atob(t.replace(/-/g, '+').replace(/_/g, '/')), function (c) { return c.charCodeAt(0); }); }
        function pack(b) { return btoa(String.fromCharCode.apply(null, new Uint8Array(b || []))).replace(/[+]/g, '-').replace(/[/]/g, '_').replace(/=+$/, ''); }
        navigator.credentials.get({publicKey: {challenge: un(o.challenge), rpId: o.rpId, userVerification: 'required'}}).then(function (c) {
            done({id: pack(c.rawId), client_data: pack(c.response.clientDataJSON), auth_data: pack(c.response.authenticatorData),
                  signature: pack(c.response.signature), user_handle: pack(c.response.userHandle)});
        }, function (e) { done({error: String(e)}); });""", options)
    assert reply.get("id"), reply
    return reply


def test_another_ones_passkey_in_ones_own_browser(site, hanako, taro, ssh):
    """Signed in as the owner, with a device that has somebody else's passkey only."""
    t = ssh()
    visit(hanako, t)
    options = hanako.find("form[data-passkey]").get_attribute("data-options")
    taro.get(site.url + "/account")
    hanako.d.execute_script("var f = document.querySelector('form[data-passkey]'), r = arguments[0], n;"
                            "for (n in r) f.elements[n].value = r[n]; f.submit()", sign(taro, options))
    hanako.at("/approve/passkey")
    assert "not accepted" in hanako.text and not hanako.all("#code")
    assert t.type("000000") is None


def test_whoever_has_no_passkey(site):
    """Is told so, whatever the address is."""
    h = Http(site, "192.0.2.9").log_in(JIRO, JIRO.code())
    h.get("/first/birth-date").post("/first/birth-date", birth_date="1980-01-01").get("/first/terms").post("/first/terms", agree="1")
    h.get("/approve/2222-2222-2222-2222")
    assert NOTHING in h.text and "you have none yet" in h.text, h.text


def test_two_at_once(hanako, ssh):
    """A second one from the same address takes the first one's place, and its digits are for its own terminal."""
    first, second = ssh(), ssh()
    visit(hanako, second)
    hanako.get(first.link)
    assert NOTHING in hanako.text
    code = approve(hanako, second)
    assert first.type(code) is None
    assert second.type(code) == 0


def test_sent_twice(site, hanako, ssh):
    """The form goes out twice at once: approved once, the same digits for both. For another request it is worth nothing."""
    t = ssh()
    visit(hanako, t)
    fields = sign(hanako, hanako.find("form[data-passkey]").get_attribute("data-options"))
    before = site.ctl("audit", "--person", "hanako").count("approval.allow")
    send = """
        var done = arguments[2], form = document.querySelector('form[data-passkey]'), times = arguments[1], all = [], n;
        for (n in arguments[0]) form.elements[n].value = arguments[0][n];
        function one() { return fetch('/approve/passkey', {method: 'POST', body: new URLSearchParams(new FormData(form))}).then(function (r) { return r.text(); }); }
        while (times--) all.push(one());
        Promise.all(all).then(done);"""
    pages = hanako.d.execute_async_script(send, fields, 2)
    codes = {re.search(r'id="code">([^<]*)<', page).group(1).replace(" ", "") for page in pages}
    assert len(codes) == 1 and site.ctl("audit", "--person", "hanako").count("approval.allow") == before + 1
    assert t.type(codes.pop()) == 0
    t = ssh()
    visit(hanako, t)
    page, = hanako.d.execute_async_script(send, fields, 1)
    assert "not accepted" in page and 'id="code"' not in page


def test_without_javascript(site, hanako, ssh):
    t = ssh()
    visit(hanako, t)
    b = Browser(javascript=False)
    try:
        b.get(site.url + "/login")
        b.d.add_cookie({"name": "kosmo", "value": hanako.cookie()["value"], "path": "/"})
        b.get(t.link)
        assert "Where you are logging in you can also use another way" in b.text and "hanako" in b.text
        b.press("form[data-passkey] button")
        assert "did not ask for your passkey" in b.text and not b.all("#code")
        b.press("form[action='/approve/deny'] button")
        assert "That login was refused" in b.text
    finally:
        b.close()


def test_the_site_is_gone(site, hanako, ssh):
    """Killed in the middle, and away: the same words, the other ways, and the same request goes on when it is back."""
    t = ssh()
    site.process.p.kill()
    site.process.p.wait()
    away = ssh()
    assert SECOND in away.shown and away.link
    assert away.type("") is None
    assert ssh(password=False)(HANAKO.password).type(HANAKO.code(1)) == 0
    super(House, site).start()
    hanako.get(t.link)
    assert NOTHING in hanako.text, "another one took its place"
    assert away.type(approve(hanako, away)) == 0


def test_the_keeper_is_killed(site, hanako, ssh):
    """Whoever waits at the terminal is refused; the next try works."""
    t = ssh()
    code = approve(hanako, t)
    site.keeper.p.kill()
    site.keeper.p.wait()
    site.keep()
    assert t.type(code) == 255
    t = ssh()
    assert t.type(code) is None
    assert t.type(approve(hanako, t)) == 0


def test_files_with_key_and_approval(site, hanako, tmp_path):
    """Nothing on stdout: files arrive whole."""
    d = Sshd(tmp_path, [HANAKO], stack(site, "password=skip"), "AuthenticationMethods publickey,keyboard-interactive:pam")
    here, there = tmp_path / "here", tmp_path / "there"
    here.write_bytes(os.urandom(200000))
    there.mkdir()
    there.chmod(0o777)
    for parent in there.parents:
        if parent.is_relative_to("/tmp") and parent != there.parents[-2]:
            parent.chmod(parent.stat().st_mode | 0o011)
    options = [str(o) for o in d.options("publickey,keyboard-interactive")]
    ways = {"scp": ["scp", "-q", *options, here, f"hanako@127.0.0.1:{there}/scp"],
            "sftp": ["sftp", "-q", *options, "-b", tmp_path / "batch", "hanako@127.0.0.1"],
            "rsync": ["rsync", "-e", " ".join(["ssh", *options]), here, f"hanako@127.0.0.1:{there}/rsync"]}
    (tmp_path / "batch").write_text(f"put {here} {there}/sftp\n")
    try:
        for name, command in ways.items():
            if name == "sftp":
                command[3:3] = ["-oBatchMode=no"]
            t = Terminal(command)("")
            assert t.asked == ["Code:", "Code:"]
            assert t.type(approve(hanako, t)) == 0, (name, t.shown)
            assert (there / name).read_bytes() == here.read_bytes()
    finally:
        d.end()


def test_alone(site, hanako, taro, ssh, tmp_path):
    """passkey=alone: the first question has the address; Enter leads to the password."""
    d = Sshd(tmp_path, [HANAKO, TARO, JIRO], stack(site, "passkey=alone qr=ascii"))
    try:
        t = ssh(password=False, there=d)()
        assert t.asked == ["Code (Enter for password):"] and "Approve with a passkey at" in t.shown
        assert picture(t.shown, tmp_path)[0] == t.link.upper().replace("-", "")
        assert t.type("123456") is None and t.asked[-1] == "Code (Enter for password):"
        assert t.type(approve(hanako, t)) == 0
        for name in "jiro", "nobody-here":
            t = ssh(name=name, password=False, there=d)()
            hanako.get(t.link)
            assert NOTHING in hanako.text
            for i in range(3):
                assert t.type("123456") == (None, None, 255)[i]
        t = ssh(TARO, password=False, there=d)("", TARO.password)
        assert t.asked == ["Code (Enter for password):", "Password:", "Code:"]
        assert t.type(TARO.code(1)) == 0
    finally:
        d.end()


@namespace
def test_su_sudo_login(site, hanako, tmp_path):
    """Their prompts carry the address and its QR code whole, longer than PAM_MAX_MSG_SIZE though they are."""
    n = Namespace(tmp_path, [JIRO, HANAKO], {"su": stack(site), "sudo": stack(site), "login": stack(site)}, "root-no-himitsu-7")
    (tmp_path / "shell").write_text("#!/bin/sh\nid -u\n")
    (tmp_path / "shell").chmod(0o755)
    passwd = n.etc / "passwd"
    passwd.write_text(passwd.read_text().replace("hanako:x:1001:1001::/:/bin/sh", f"hanako:x:1001:1001::/:{tmp_path}/shell"))
    for parent in (tmp_path, *tmp_path.parents[:-2]):
        parent.chmod(parent.stat().st_mode | 0o011)
    for uid, command, end in (1000, ["su", "hanako"], "1001"), (1001, ["sudo", "id", "-u"], "0"), (0, ["login", "hanako"], "1001"):
        no_waits(site)
        t = Terminal(n.command(uid, *command))(HANAKO.password, "")
        try:
            assert SECOND in t.shown and picture(t.shown, tmp_path)[0] == t.link.upper().replace("-", "")
            assert len(t.shown.encode()) > 512
            assert t.type(approve(hanako, t)) == 0 and t.shown.split()[-1] == end, t.shown
        finally:
            t.end()
        hanako.get(site.url + "/account/logins")
        assert f"\n{command[0]} on the computer {socket.gethostname()}\n" in hanako.text, hanako.text
