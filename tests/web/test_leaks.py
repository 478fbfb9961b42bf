"""A secret is in no log, no command line, no environment, no core, and not in the bytes of the store, its journal or its
backups: everything that people type and get in one run through both doors is looked for in all of it, in every form."""
import base64
import binascii
import email
import email.policy
import html
import http.client
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unicodedata
import urllib.parse

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "pam"))

from browser import Site, mailed  # noqa: E402
from conftest import BUILD, MODULE, SANITIZED  # noqa: E402
from harness import KOSMOCTL, Namespace, Person, Syslog, wait_until  # noqa: E402
from made import made

OWN, WRONG, TYPED_AS_NAME = "Mikan to densha 27", "Unagi no nebiraki 5", "ringo-batake-1961"
NAME, BIRTH = "山田 とし子", "1950-04-17"


class Member(Person):
    def row(self):
        return [self.login, NAME, BIRTH, f"{self.login}@example.jp", self.role, "", ""]


class Known:
    """The secrets of the run, in the forms that they could be written in."""

    def __init__(self):
        self.forms = {}

    def add(self, what, text):
        forms = {text.encode(), text.lower().encode(), text.upper().encode()}
        bare = re.sub(r"[\s-]", "", text)
        forms |= {bare.encode(), bare.lower().encode(), bare.upper().encode(), text.encode("utf-16-le"), urllib.parse.quote(text).encode(),
                  urllib.parse.quote_plus(text).encode(), unicodedata.normalize("NFKC", text).encode(), html.escape(text).encode()}
        for f in [f for f in forms if len(f) >= 12]:
            forms |= {binascii.hexlify(f), base64.b64encode(f).rstrip(b"="), base64.urlsafe_b64encode(f).rstrip(b"=")}
        self.forms[what] = self.forms.get(what, set()) | {f for f in forms if len(f) >= 6}

    def add_bytes(self, what, raw):
        hexed = binascii.hexlify(raw)
        self.forms[what] = self.forms.get(what, set()) | {raw, hexed, hexed.upper(), base64.b64encode(raw).rstrip(b"="),
                                                          base64.urlsafe_b64encode(raw).rstrip(b"="), base64.b32encode(raw).rstrip(b"=")}

    def add_seed(self, what, base32):
        self.add(what, base32)
        self.add_bytes(what, base64.b32decode(base32 + "=" * (-len(base32) % 8)))

    def add_token(self, what, token):
        self.add(what, token)
        self.add_bytes(what, base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))

    def found(self, data):
        return [what for what, forms in self.forms.items() if any(f in data for f in forms)]


class Visitor:
    """A browser without scripts."""

    def __init__(self, site, known):
        self.site, self.known, self.cookie, self.page = site, known, None, ""

    def ask(self, method, path, fields=None):
        c = http.client.HTTPConnection("localhost", self.site.port, timeout=20)
        headers = {"Origin": self.site.url, "User-Agent": "made-up browser", "Content-Type": "application/x-www-form-urlencoded"}
        if self.cookie:
            headers["Cookie"] = self.cookie
        c.request(method, path, urllib.parse.urlencode(fields) if fields else None, headers)
        r = c.getresponse()
        self.page = r.read().decode(errors="replace")
        for name, value in r.getheaders():
            if name == "Set-Cookie" and value.split("=", 1)[1].split(";")[0]:
                self.cookie = value.split(";")[0]
                self.known.add_token("session cookie", self.cookie.split("=", 1)[1])
        c.close()
        for csrf in re.findall(r'name="csrf" value="([^"]+)"', self.page):
            self.known.add_token("form token", csrf)
            self.csrf = csrf
        return r.getheader("Location"), r.status

    def get(self, path):
        return self.ask("GET", path)

    def post(self, path, **fields):
        return self.ask("POST", path, {"csrf": self.csrf, **fields})

    def step(self, path, leads, **fields):
        to, status = self.post(path, **fields)
        assert to == leads, (path, to, status, re.sub(r"<[^>]+>", " ", self.page)[:500])
        if to == "/":
            to, _ = self.get("/")
        self.get(to)
        return to


@pytest.fixture
def site():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kosmo-"))
    folder.chmod(0o755)
    s = Site(folder, [Member("toshiko", role="member"), Person("staffa"), Person("staffb")])
    s.log = Syslog(folder)
    s.start()
    yield s
    s.stop()
    s.log.close()
    shutil.rmtree(folder, ignore_errors=True)


def daemons(site):
    """enrolld and what it started, by what they run."""
    found = {}
    for p in pathlib.Path("/proc").iterdir():
        try:
            if p.name.isdigit() and str(site.conf) in (p / "cmdline").read_text().split("\0"):
                found[int(p.name)] = os.path.basename(os.readlink(p / "exe")).removeprefix("lt-")
        except OSError:
            pass
    return {pid: name for pid, name in found.items() if name.startswith("kosmo-")}


def at_the_browser(site, known):
    """From the letter to the account, with mistakes on the way, and a login."""
    v = Visitor(site, known)
    letter = site.initial("toshiko")
    known.add("letter", letter)
    v.get("/login")
    v.post("/login", login=TYPED_AS_NAME, password=WRONG)
    v.post("/login", login="toshiko", password=WRONG)
    v.get("/login")
    wait_until(lambda: v.post("/login", login="toshiko", password=letter)[0] == "/", 20, "the wait after a wrong password")
    v.get("/"), v.get("/first/birth-date")
    v.post("/first/birth-date", birth_date="1951-05-18")
    v.step("/first/birth-date", "/", birth_date=BIRTH)
    v.step("/first/terms", "/", agree="1")
    v.step("/first/email", "/first/email/sent", email="toshiko@example.jp")
    message = site.mail("toshiko")
    code, link = mailed(message)
    known.add("mailed code", code)
    known.add_token("mailed link", link.rsplit("/", 1)[1])
    assert Visitor(site, known).get(link.removeprefix(site.url))[1] == 200
    v.post("/first/email/code", code="%06d" % ((int(code) + 1) % 1000000))
    v.step("/first/email/code", "/", code=code)
    v.step("/first/method", "/", method="app")
    v.post("/first/password", new=WRONG, again=OWN)
    v.step("/first/password", "/first/done", new=OWN, again=OWN)
    v.post("/first/done", next="app"), v.get("/app")
    seed = re.search(r'<code id="key">([A-Z2-7 ]+)<', v.page).group(1).replace(" ", "")
    known.add_seed("seed of the app", seed)
    assert v.get("/app/qr.png")[1] == 200
    p = Person("toshiko")
    p.secret = base64.b32decode(seed + "=" * (-len(seed) % 8))
    code = p.code()
    known.add("app code", code)
    v.step("/app", "/", code=code, name="phone")
    recovery = re.findall(r"<code>([0-9a-zA-Z-]{12,})</code>", v.page)
    assert len(recovery) == 10, v.page
    for r in recovery:
        known.add("recovery code", r)
    v.step("/recovery", "/", saved="1")
    v = Visitor(site, known)
    v.get("/login")
    v.step("/login", "/", login="toshiko", password=OWN)
    v.post("/login/code", code=p.wrong_code())
    v.get("/login/code")
    wait_until(lambda: v.post("/login/code", code=recovery[0])[0] == "/", 20, "the wait after a wrong code")
    return v


def at_the_terminal(site, known, driver):
    folder = site.dir.parent / "pam.d"
    folder.mkdir()
    (folder / "kosmo-test").write_text(f"auth required {MODULE} conf={site.conf} socket={site.socket}\n")

    def login(user, *replies):
        p = subprocess.run([*site.log.prefix, driver, "-d", folder, "-s", "kosmo-test", "-r", "192.0.2.9", "-u", user, *replies],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return int(next(line for line in p.stdout.decode().splitlines() if line.startswith("auth ")).split()[1])

    for p in site.people["staffa"], site.people["staffb"]:
        known.add("staff's password", p.password)
        known.add_seed("staff's seed", base64.b32encode(p.secret).decode())
    a, b = site.people["staffa"], site.people["staffb"]
    code = a.code()
    known.add("staff's code", code)
    assert login("staffa", "text:" + a.password, "text:" + code) == 0
    assert login(TYPED_AS_NAME, "text:" + WRONG, "text:123123") != 0
    assert login("staffb", "text:" + WRONG, "text:" + b.code()) != 0


def by_the_admin(site):
    """What a command says about people on its standard output is asked for; its errors go to logs of cron jobs."""
    said = b""
    for words, stdin in ((["user", "show", "toshiko"], ""), (["user", "add", "--name", NAME, "--email", "toshiko@example.jp", "--password-stdin",
                          "--birth-date", BIRTH, "--role", "staff", "newstaff"], OWN + "\n"), (["user", "add", "newstaff"], ""),
                         (["user", "set", "--email", "no address", "toshiko"], ""), (["store", "check"], ""), (["audit", "--verify"], ""),
                         (["user", "reissue", "--passwords", str(site.dir / "again.csv"), "staffb"], ""), (["user", "show", OWN], "")):
        p = subprocess.run([KOSMOCTL, "-c", site.conf, *words], input=stdin.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        said += p.stderr.replace(OWN.encode(), b"") if OWN in words else p.stderr  # what was typed as a login is quoted to who typed it
    return said


@pytest.mark.skipif(not Namespace.possible(), reason="no mount namespaces here, for a /dev/log of its own")
def test_no_secret_is_left_anywhere(site):
    made("pam")
    known = Known()
    for what, text in ("own password", OWN), ("wrong password", WRONG), ("password typed as a name", TYPED_AS_NAME), ("name", NAME), \
            ("address", "toshiko@example.jp"), ("birth date", BIRTH), ("birth date", BIRTH.replace("-", "/")), ("the mail's address", "@example.jp"):
        known.add(what, text)
    key = (site.dir / "key").read_text().split()[2]
    known.add_token("master key", key)

    places = {}
    at_the_browser(site, known)
    if not SANITIZED:  # its runtime must come first, and writes where it likes
        at_the_terminal(site, known, BUILD / "tests/pam/pam_driver")
    running = daemons(site)
    assert set(running.values()) == {"kosmo-enrolld", "kosmo-keeper", "kosmo-mailer"}, running
    for pid, name in running.items():
        for what in "cmdline", "environ":
            places[f"{what} of {name}"] = pathlib.Path(f"/proc/{pid}/{what}").read_bytes()
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"^Max core file size +0 +0 ", limits, re.M), (name, limits)
    places["kosmoctl's errors"] = by_the_admin(site)
    site.ctl("store", "backup", site.dir / "backup")
    for f in site.dir.glob("kosmo.db*"):
        places[f.name + " while it runs"] = f.read_bytes()
    assert len(places["kosmo.db-wal while it runs"]) > 100000
    site.stop()
    places["journal"] = "\n".join(site.log.read()).encode()
    places["what the daemons print"] = (site.dir / "enrolld.log").read_bytes()
    for f in [*site.dir.glob("kosmo.db*"), site.dir / "backup"]:
        places[f.name] = f.read_bytes()

    # Every place holds what it should: the search would find something there.
    assert b"staffa" in places["kosmo.db"] and b"staffa" in places["backup"] and b"staffa" in places["kosmo.db-wal while it runs"]
    assert b"audit head seq=" in places["journal"] and (SANITIZED or b"kosmo-test" in places["journal"])
    assert all(b"kosmo.conf" in data for where, data in places.items() if where.startswith("cmdline"))
    mails = [email.message_from_bytes(p.read_bytes(), policy=email.policy.default) for p in (site.dir / "mail/new").iterdir()]
    assert {"address", "mailed code", "mailed link"} <= set(known.found("\n".join(f"{m['To']}\n{m.get_content()}" for m in mails).encode()))
    assert "letter" in known.found((site.dir / "passwords.csv").read_bytes()) and "master key" in known.found((site.dir / "key").read_bytes())
    assert len(known.forms) >= (17 if not SANITIZED else 14), sorted(known.forms)
    bad = {where: found for where, data in places.items() if (found := known.found(data))}
    assert not bad, bad


@pytest.mark.skipif(SANITIZED, reason="the sanitizer's own handler ends such a process")
def test_no_core(site):
    """Whatever the machine does with cores: a daemon that crashes leaves none."""
    for pid, name in daemons(site).items():
        if name == "kosmo-keeper":
            os.kill(pid, signal.SIGSEGV)
    status = site.process.p.wait(20)  # all stop together
    assert status not in (0, -signal.SIGSEGV), status
    site.start()
    site.process.p.send_signal(signal.SIGSEGV)
    _, status = os.waitpid(site.process.p.pid, 0)
    site.process = None
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGSEGV and not os.WCOREDUMP(status)
    assert not list(site.dir.rglob("core*")) and not list(pathlib.Path.cwd().glob("core.*"))
    wait_until(lambda: not daemons(site), 20, "those beside it end")
