"""kosmo-enrolld alone, in front of a scripted keeper: what it lets in, what it sends back, and how it holds its limits."""
import concurrent.futures
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import kosmo_wire as wire
import pytest
from fake_web_keeper import FakeKeeper

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "pam"))
from harness import BUILD, free_port, wait_until  # noqa: E402

ENROLLD = BUILD / "enroll/kosmo-enrolld"
TOKEN = "a1B2-c3D4_e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0u"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Reply:
    def __init__(self, r):
        self.status, self.headers, self.body = r.status, r.headers, r.read()
        self.text = self.body.decode("utf-8", "replace")
        self.cookies = r.headers.get_all("Set-Cookie") or []


class Door:
    """A running kosmo-enrolld. It thinks a service manager started it, so that it starts nothing itself."""

    def __init__(self, url=None, wrap=(), listen=None, **conf):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="kosmo-web-"))
        self.port = free_port()
        self.url = url or f"http://localhost:{self.port}"
        self.host = self.url.split("://")[1]
        (self.dir / "run").mkdir()
        (self.dir / "site").mkdir()
        self.web = self.dir / "run/web.sock"
        self.listen = listen or f"127.0.0.1:{self.port}"
        lines = {"url": self.url, "language": "ja", "state_dir": self.dir, "run_dir": self.dir / "run",
                 "site_dir": self.dir / "site", "web.listen": self.listen.replace("DIR", str(self.dir)), **conf}
        self.conf = self.dir / "kosmo.conf"
        self.conf.write_text("".join(f"{k} = {v}\n" for k, v in lines.items()))
        self.wrap = wrap
        self.process = None

    def start(self, seconds=60):
        env = {**os.environ, "NOTIFY_SOCKET": str(self.dir / "notify")}
        self.log = open(self.dir / "log", "w+b")
        self.process = subprocess.Popen([*self.wrap, str(ENROLLD), "-c", str(self.conf), "--debug"], env=env, stderr=self.log)
        end = time.monotonic() + seconds
        while "serving" not in self.said():
            assert self.process.poll() is None and time.monotonic() < end, self.said()
            time.sleep(0.02)
        return self

    def said(self):
        return (self.dir / "log").read_text(errors="replace")

    def stop(self, code=0):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(30) == code, self.said()
        self.log.close()
        said = self.said()
        shutil.rmtree(self.dir, ignore_errors=True)
        assert "ERROR: " not in said and "runtime error" not in said, said
        return said

    def connect(self, timeout=15):
        if self.listen.startswith("unix:"):
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(timeout)
            s.connect(str(self.dir / "door.sock"))
            return s
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def ask(self, method, path, body=None, headers=None, host=None, timeout=20):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        c.sock = self.connect(timeout)
        try:
            if isinstance(body, dict):
                body = urllib.parse.urlencode(body)
            h = {"Host": host or self.host, **(FORM if method == "POST" else {}), **(headers or {})}
            c.request(method, path, body, {k: v for k, v in h.items() if v is not None})
            return Reply(c.getresponse())
        finally:
            c.close()

    def raw(self, data, timeout=15):
        """Everything that comes back until the connection ends."""
        s = self.connect(timeout)
        s.sendall(data)
        b = b""
        try:
            while True:
                more = s.recv(65536)
                if not more:
                    break
                b += more
        except ConnectionResetError:
            pass
        s.close()
        return b


def view(fields):
    """The fake keeper's usual answers."""
    a = fields["action"]
    if a == "home":
        return {"redirect": "/login", "cookie.session": TOKEN}
    if a == "login" and fields["method"] == "POST":
        if fields.get("f.password") == "right":
            return {"redirect": "/account", "cookie.session": TOKEN[::-1]}
        return {"status": 200, "page": "login", "v.login": fields.get("f.login", ""), "v.csrf": "tok<en",
                "e.form": "Wrong & wrong", "e.login": "no \"such\" one"}
    if a == "code" and fields["method"] == "POST":
        return {"redirect": "/", "cookie.session": TOKEN, "cookie.device": TOKEN}
    if a == "logout":
        return {"redirect": "/login", "cookie.session": ""}
    if a == "app.qr":
        return {"status": 200, "v.otpauth": "otpauth://totp/Org:hanako?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Org"}
    if a == "email.state":
        return {"status": 200, "v.done": "1"}
    if a == "account":
        return {"status": 200, "page": "account", "v.login": "hanako", "v.signed_in": "1", "v.person_name": "<b>",
                "v.authenticators.0.id": "1", "v.authenticators.0.name": "Pixel", "v.authenticators.0.only": "1",
                "v.authenticators.1.id": "2", "v.authenticators.1.name": "\"><script>"}
    if a == "rename":
        time.sleep(float(fields.get("f.name", "0")))
        return {"status": 200, "page": "rename", "v.id": fields.get("f.id", ""), "v.name": fields.get("f.name", "")}
    return {"status": 200, "page": a}


@pytest.fixture(scope="module")
def door():
    d = Door(**{"web.trusted_proxies": "127.0.0.1", "organisation": "A & B", "contact": "help@example.jp"})
    (d.dir / "site/terms.ja.txt").write_bytes("\ufeff第一条\r\n続き\r\n\r\n  \r\n第二条 <x>\r\n".encode())
    d.keeper = FakeKeeper(d.web, view)
    d.start()
    while d.ask("GET", "/healthz").status != 200:
        time.sleep(0.05)
    yield d
    d.stop()
    d.keeper.close()


@pytest.fixture
def seen(door):
    door.keeper.seen.clear()
    return door.keeper.seen


# ---- headers, cookies, redirects ----

@pytest.mark.parametrize("path", ["/login", "/static/kosmo.css", "/robots.txt", "/nothing", "/", "/app/qr.png", "/healthz"])
def test_security_headers(door, path):
    h = door.ask("GET", path).headers
    csp = h["Content-Security-Policy"]
    for part in ("default-src 'none'", "style-src 'self'", "script-src 'self'", "form-action 'self'", "frame-ancestors 'none'",
                 "base-uri 'none'", "connect-src 'self'"):
        assert part in csp
    assert "unsafe" not in csp and "data:" not in csp
    assert h["Referrer-Policy"] == "same-origin"
    assert h["X-Content-Type-Options"] == "nosniff"
    assert h["X-Frame-Options"] == "DENY"
    assert h["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in h["Permissions-Policy"]
    assert h["Strict-Transport-Security"] is None  # http
    if not path.startswith("/static"):
        assert h["Cache-Control"] == "no-store"


def test_redirects_and_cookies(door, seen):
    r = door.ask("GET", "/")
    assert (r.status, r.headers["Location"]) == (303, "/login")
    assert r.cookies == [f"kosmo={TOKEN}; Path=/; HttpOnly; SameSite=Lax"]
    assert "session" not in seen[0]
    r = door.ask("POST", "/login", {"login": "hanako", "password": "right", "csrf": "x"}, {"Cookie": f"a=b; kosmo={TOKEN}; c=d"})
    assert (r.status, r.headers["Location"]) == (303, "/account")
    assert TOKEN[::-1] in r.cookies[0]
    assert seen[1]["session"] == TOKEN
    r = door.ask("POST", "/logout", "csrf=x")
    assert r.cookies == ["kosmo=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"]


def test_device_cookie(door, seen):
    r = door.ask("POST", "/login/code", "code=123456&csrf=x", {"Cookie": f"kosmo={TOKEN}; kosmo-device={TOKEN[::-1]}"})
    assert seen[-1]["device"] == TOKEN[::-1] and seen[-1]["session"] == TOKEN
    assert sorted(r.cookies) == [f"kosmo-device={TOKEN}; Path=/; HttpOnly; SameSite=Lax; Max-Age=34560000",
                                 f"kosmo={TOKEN}; Path=/; HttpOnly; SameSite=Lax"]


def test_two_session_cookies_are_none(door, seen):
    door.ask("GET", "/login", headers={"Cookie": f"kosmo={TOKEN}; kosmo={TOKEN[::-1]}"})
    door.ask("GET", "/login", headers={"Cookie": "kosmo=not a token!"})
    assert all("session" not in f for f in seen)


def test_what_the_keeper_gets(door, seen):
    door.ask("POST", "/login", "login=%E5%B1%B1+a&password=p%26%3D%2B&csrf=C", {
        "Origin": door.url, "User-Agent": "Test/1 \x7f cut", "Cookie": "kosmo-lang=en", "X-Forwarded-For": "198.51.100.7"})
    f = seen[0]
    assert f == {"action": "login", "method": "POST", "origin": door.url, "addr": "198.51.100.7", "agent": "Test/1 ", "lang": "en",
                 "csrf": "C", "f.login": "山 a", "f.password": "p&=+"}


def test_https_cookies():
    d = Door(url="https://portal.example.jp")
    k = FakeKeeper(d.web, view)
    d.start()
    try:
        r = d.ask("GET", "/")
        assert r.cookies == [f"__Host-kosmo={TOKEN}; Path=/; HttpOnly; SameSite=Lax; Secure"]
        assert r.headers["Strict-Transport-Security"].startswith("max-age=31536000")
        assert k.seen[-1]["secure"] == "1"
        d.ask("GET", "/login", headers={"Cookie": f"kosmo={TOKEN}"})
        assert "session" not in k.seen[-1]
        d.ask("GET", "/login", headers={"Cookie": f"__Host-kosmo={TOKEN}"})
        assert k.seen[-1]["session"] == TOKEN
        assert d.ask("GET", "/login", host="portal.example.jp:443").status == 200
        assert d.ask("GET", "/login", host="portal.example.jp:80").status == 421
        r = d.ask("POST", "/language", "lang=en")
        assert "Secure" in r.cookies[0]
    finally:
        d.stop()
        k.close()


# ---- pages ----

def test_page_is_escaped(door):
    t = door.ask("POST", "/login", {"login": "<script>'\"&", "password": "x"}).text
    assert "<script>'" not in t
    assert "&lt;script&gt;&#39;&quot;&amp;" in t
    assert "Wrong &amp; wrong" in t and "no &quot;such&quot; one" in t
    assert 'value="tok&lt;en"' in t
    assert "A &amp; B" in t and "help@example.jp" in t
    t = door.ask("GET", "/account").text
    assert "Pixel" in t and "&quot;&gt;&lt;script&gt;" in t and "\"><script>" not in t


def test_terms(door):
    t = door.ask("GET", "/first/terms").text
    assert "<p>第一条\n続き</p>" in t and "<p>第二条 &lt;x&gt;</p>" in t
    t = door.ask("GET", "/first/terms", headers={"Cookie": "kosmo-lang=en"}).text
    assert "第一条" in t and 'lang="en"' in t


def test_language(door):
    assert '<html lang="ja">' in door.ask("GET", "/login").text
    assert '<html lang="en">' in door.ask("GET", "/login", headers={"Accept-Language": "fr, en;q=0.5, ja;q=0.2"}).text
    r = door.ask("POST", "/language", {"lang": "en", "back": "/first/terms?x=1", "csrf": ""}, {"Origin": door.url})
    assert (r.status, r.headers["Location"]) == (303, "/first/terms?x=1")
    assert re.fullmatch(r"kosmo-lang=en; Path=/; HttpOnly; SameSite=Lax; Max-Age=\d+", r.cookies[0])
    assert '<html lang="en">' in door.ask("GET", "/login", headers={"Cookie": "kosmo-lang=en", "Accept-Language": "ja"}).text


@pytest.mark.parametrize("back", ["//evil.example", "http://evil.example", "/\\evil.example", "login", "", "/a\r\nX: y", "/\t/evil"])
def test_language_leads_nowhere_else(door, back):
    r = door.ask("POST", "/language", {"lang": "en", "back": back})
    assert r.status == 400 and not r.cookies


def test_language_from_elsewhere(door):
    r = door.ask("POST", "/language", {"lang": "en", "back": "/"}, {"Origin": "http://evil.example"})
    assert r.status == 403 and not r.cookies
    assert door.ask("POST", "/language", {"lang": "xx", "back": "/"}).status == 400


@pytest.mark.parametrize("view", [{"redirect": "//evil.example"}, {"redirect": "http://evil.example"}, {"status": 200},
                                  {"status": 200, "page": "no-such"}, {"status": 99, "page": "login"}, {"status": "x", "page": "login"},
                                  {"status": 200, "page": "login", "cookie.session": "a b; Domain=x"},
                                  {"status": 200, "page": "login", "v.login": b"\xff"}, {"status": 200, "page": "login", "v.login": b"a\0b"}])
def test_views_that_make_no_sense(door, view):
    door.keeper.handler, old = (lambda f: view), door.keeper.handler
    try:
        r = door.ask("GET", "/login")
    finally:
        door.keeper.handler = old
    assert r.status == 500 and not r.cookies and "Location" not in r.headers


def test_qr(door, tmp_path):
    r = door.ask("GET", "/app/qr.png")
    assert r.headers["Content-Type"] == "image/png" and r.headers["Content-Disposition"].startswith("inline")
    png = tmp_path / "qr.png"
    png.write_bytes(r.body)
    out = subprocess.run(["zbarimg", "--quiet", "--raw", str(png)], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "otpauth://totp/Org:hanako?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Org"
    r = door.ask("GET", "/app/qr.png?save=1")
    assert r.headers["Content-Disposition"].startswith("attachment")


SHOPS = {"google-apple": "https://apps.apple.com/app/id388497605", "microsoft-apple": "https://apps.apple.com/app/id983156458",
         "google-android": "https://play.google.com/store/apps/details?id=com.google.android.apps.authenticator2",
         "microsoft-android": "https://play.google.com/store/apps/details?id=com.azure.authenticator"}


@pytest.mark.parametrize("shop", SHOPS)
def test_the_shops_pictures_lead_to_the_apps(door, tmp_path, shop):
    r = door.ask("GET", f"/static/shop-{shop}.png")
    assert r.headers["Content-Type"] == "image/png" and r.headers["ETag"]
    png = tmp_path / "shop.png"
    png.write_bytes(r.body)
    out = subprocess.run(["zbarimg", "--quiet", "--raw", str(png)], capture_output=True, text=True, check=True).stdout
    assert out.strip() == SHOPS[shop]


def test_state_is_json(door):
    r = door.ask("GET", "/first/email/state")
    assert r.headers["Content-Type"] == "application/json" and json.loads(r.text) == {"done": True}


def test_head(door):
    for path in ("/login", "/static/kosmo.css", "/", "/nothing"):
        g, h = door.ask("GET", path), door.ask("HEAD", path)
        assert h.status == g.status and h.body == b""
        assert h.headers["Content-Length"] == g.headers["Content-Length"]


# ---- static files ----

def test_static(door):
    page = door.ask("GET", "/login").text
    css = re.search(r'href="(/static/[a-z.]+css\?v=[0-9a-f]+)"', page).group(1)
    js = re.search(r'src="(/static/[a-z.]+js\?v=[0-9a-f]+)"', page).group(1)
    for url, kind in ((css, "text/css"), (js, "text/javascript")):
        r = door.ask("GET", url)
        assert r.status == 200 and r.headers["Content-Type"].startswith(kind)
        assert "immutable" in r.headers["Cache-Control"]
    r = door.ask("GET", css.split("?")[0] + "?v=0123")
    assert r.headers["Cache-Control"] == "no-cache"
    r = door.ask("GET", css, headers={"If-None-Match": r.headers["ETag"]})
    assert r.status == 304 and r.body == b""
    assert door.ask("GET", "/favicon.ico").headers["Content-Type"].startswith("image/")
    assert "Disallow: /" in door.ask("GET", "/robots.txt").text


@pytest.mark.parametrize("path", ["/static/../kosmo.conf", "/static/%2e%2e/kosmo.conf", "/static/..%2fkosmo.conf", "/static/", "/static",
                                  "/static//etc/passwd", "/static/kosmo.css/", "/static/nope.css", "/static/..", "//login", "/login/",
                                  "/LOGIN", "/%6cogin", "/mail/short", "/mail/" + "a" * 200, "/mail/" + TOKEN + "/x", "/mail/a%00" + TOKEN])
def test_no_such_path(door, path, seen):
    assert door.ask("GET", path).status == 404
    assert not seen


def test_link_token(door, seen):
    assert door.ask("GET", "/mail/" + TOKEN).status == 200
    assert (seen[0]["action"], seen[0]["f.token"]) == ("link", TOKEN)


# ---- what is refused ----

ERRORS = {400: ("POST", "/login", "login=%zz", {}), 403: ("POST", "/language", "lang=en", {"Origin": "http://evil.example"}),
          404: ("GET", "/nothing", None, {}), 405: ("GET", "/first/email/code", None, {}),
          413: ("POST", "/login", "login=" + "a" * 30000, {}), 415: ("POST", "/login", "a", {"Content-Type": "text/plain"}),
          421: ("GET", "/login", None, {"Host": "evil.example"}), 431: ("GET", "/login", None, {"X-Large": "a" * 9000}),
          500: ("GET", "/account", None, {})}
INTERNAL = re.compile(r"keeper|enrolld|socket|session|CSRF|origin|HTTP|[A-Z]+_[A-Z]+", re.I)


def test_error_pages_lead_on(door, seen):
    """In both languages: the status, a heading, a sentence, a button that leads to a page of ours, and no word from within. What
    failed on our side has a number, which the log and the keeper get."""
    door.keeper.handler, old = (lambda f: {"status": 200, "page": "no-such"} if f["action"] == "account" else view(f)), door.keeper.handler
    try:
        for status, (method, path, body, headers) in ERRORS.items():
            for lang in "ja", "en":
                r = door.ask(method, path, body, {"Accept-Language": lang, **headers})
                assert r.status == status and f'<html lang="{lang}">' in r.text, (status, r.text)
                main = r.text.split("<main", 1)[1].split("</main>")[0]
                said = re.sub(r"<[^>]+>", " ", main)
                button = re.search(r'<a class="button main" href="([^"]+)">[^<]+</a>', main)
                assert main.count("<h1>") == 1 and button and not INTERNAL.search(said), said
                assert bool(re.search("[ぁ-ん]", re.search(r'class="lead">([^<]+)<', main).group(1))) == (lang == "ja")
                to = button.group(1).removeprefix(door.url) or "/"
                assert status == 500 or door.ask("GET", to).status in (200, 303), (status, to)
        number = re.search(r'<b class="pair">([0-9a-z]{4}-[0-9a-z]{4})</b>', main).group(1)
        assert number in door.said()
        assert door.ask("GET", "/login").status == 200 and door.ask("GET", "/login").status == 200
        told = [f["failed"] for f in seen if "failed" in f]
        assert re.search(f"^{number} [0-9]+ account page$", told[-1], re.M) and "".join(told).count(number) == 1
    finally:
        door.keeper.handler = old



def test_methods(door, seen):
    r = door.ask("POST", "/account", "")
    assert (r.status, r.headers["Allow"]) == (405, "GET, HEAD")
    r = door.ask("GET", "/language")
    assert (r.status, r.headers["Allow"]) == (405, "POST")
    for method in ("PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "BREW"):
        r = door.ask(method, "/login")
        assert (r.status, r.headers["Allow"]) == (405, "GET, HEAD, POST")
    assert door.ask("GET", "/mail/confirm").headers["Allow"] == "POST"
    assert not seen


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost", "evil.example", "localhost:{port}.evil.example", "localhost:1", ""])
def test_host(door, host, seen):
    host = host.format(port=door.port)
    for path in ("/login", "/static/kosmo.css", "/nothing"):
        r = door.ask("GET", path, headers={"Host": host})
        assert r.status == 421 and door.url in r.text
    assert door.ask("GET", "/healthz", headers={"Host": host}).status == 200
    assert not seen


def test_host_missing_or_twice(door, seen):
    assert b" 421 " in door.raw(b"GET /login HTTP/1.0\r\n\r\n")
    assert b" 200 " in door.raw(b"GET /healthz HTTP/1.0\r\n\r\n")
    twice = f"GET /login HTTP/1.1\r\nHost: {door.host}\r\nHost: evil\r\nConnection: close\r\n\r\n".encode()
    assert b" 400 " in door.raw(twice)
    assert b" 404 " in door.raw(f"GET http://{door.host}/login HTTP/1.1\r\nHost: {door.host}\r\nConnection: close\r\n\r\n".encode())
    assert not seen


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "text/plain", "application/json", "application/x-www-form-urlencodedx",
                                  "application/x-www-form-urlencoded; charset=shift_jis", None])
def test_media_type(door, kind, seen):
    r = door.ask("POST", "/login", "login=a&password=b", {"Content-Type": kind})
    assert r.status == 415 and not seen


@pytest.mark.parametrize("body", ["login=a&login=b", "login=%00", "login=%zz", "login=%4", "login=%", "login=\udcff", "other=1", "login=a&&password=b",
                                  "login=a&", "=a", "login=%c0%af", "Login=a", "login=%ed%a0%80"])
def test_bad_forms(door, body, seen):
    r = door.ask("POST", "/login", body.encode("utf-8", "surrogateescape"))
    assert r.status == 400 and not seen


def test_queries(door, seen):
    assert door.ask("GET", "/login?fbclid=%zz&utm_source=x&").status == 200
    assert door.ask("GET", "/account/rename?id=1&id=2").status == 400
    assert door.ask("GET", "/account/rename?id=%41%42&x=y").status == 200
    assert [f.get("f.id") for f in seen] == [None, "AB"]


def test_too_much(door, seen):
    assert door.ask("POST", "/login", "login=" + "a" * 24000).status == 200
    assert door.ask("POST", "/login", "login=" + "a" * 25000).status == 413
    for n in (70_000, 900_000, 3_000_000):
        try:
            assert door.ask("POST", "/login", "login=" + "a" * n).status == 413
        except (ConnectionResetError, BrokenPipeError):
            assert n > 1_000_000  # the answer went out before the body was there
    assert len(seen) == 1
    assert door.ask("GET", "/login", headers={"X-Large": "a" * 9000}).status == 431
    assert door.ask("GET", "/login", headers={"X-Large": "a" * 7000}).status == 200
    assert door.raw(b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n").split(b" ")[1:2] in ([b"414"], [b"431"], [])


def test_lengths(door, seen):
    head = f"POST /login HTTP/1.1\r\nHost: {door.host}\r\nContent-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n"
    chunked = head + "Transfer-Encoding: chunked\r\n\r\n7\r\nlogin=a\r\n0\r\n\r\n"
    both = head + "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nlogin=a\r\n0\r\n\r\n"
    twice = head + "Content-Length: 7\r\nContent-Length: 8\r\n\r\nlogin=a"
    none = head + "\r\n"
    bad = head + "Content-Length: -1\r\n\r\n"
    for data, want in ((chunked, (411,)), (both, (411, 400)), (twice, (400,)), (none, (411,)), (bad, (400, 413))):
        status = int(door.raw(data.encode()).split(b" ")[1])
        assert status in want, data
    body = f"GET /login HTTP/1.1\r\nHost: {door.host}\r\nContent-Length: 5\r\n\r\nlogin"
    assert door.raw(body.encode()).startswith(b"HTTP/1.1 400")
    assert not seen


def test_keep_alive_and_pipelining(door):
    s = door.connect()
    one = f"GET /robots.txt HTTP/1.1\r\nHost: {door.host}\r\n\r\n".encode()
    last = f"GET /login HTTP/1.1\r\nHost: {door.host}\r\nConnection: close\r\n\r\n".encode()
    s.sendall(one + one + last)
    b = b""
    while more := s.recv(65536):
        b += more
    assert b.count(b"HTTP/1.1 200") == 3 and b"</html>" in b
    s.close()


def test_expect_continue(door, seen):
    s = door.connect()
    s.sendall(f"POST /login HTTP/1.1\r\nHost: {door.host}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n"
              "Expect: 100-continue\r\nConnection: close\r\n\r\n".encode())
    assert b"100 Continue" in s.recv(1000)
    s.sendall(b"login=a")
    assert b"HTTP/1.1 200" in s.recv(1000)
    s.close()


# ---- proxies and counts ----

@pytest.mark.parametrize("lines,want", [([], "127.0.0.1"), (["198.51.100.7"], "198.51.100.7"), (["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
                                        (["203.0.113.9", "198.51.100.7"], "198.51.100.7"), (["198.51.100.7, 127.0.0.1"], "198.51.100.7"),
                                        (["2001:db8::1"], "2001:db8::1"), (["198.51.100.7, rubbish"], "127.0.0.1"), (["::ffff:198.51.100.7"], "198.51.100.7")])
def test_forwarded(door, seen, lines, want):
    head = "".join(f"X-Forwarded-For: {v}\r\n" for v in lines)
    door.raw(f"GET /login HTTP/1.1\r\nHost: {door.host}\r\n{head}Connection: close\r\n\r\n".encode())
    assert seen[0]["addr"] == want


def test_caps_of_an_address(door):
    """Behind the trusted proxy (us): 32 in flight for a client, as many connections as it likes for the proxy."""
    with concurrent.futures.ThreadPoolExecutor(60) as pool:
        def one(i):
            client = "198.51.100.1" if i < 40 else f"198.51.100.{i}"
            return door.ask("GET", "/account/rename?id=1", headers={"X-Forwarded-For": client}).status
        door.keeper.handler, old = (lambda f: (time.sleep(1.5), view(f))[1]), door.keeper.handler
        try:
            got = list(pool.map(one, range(60)))
        finally:
            door.keeper.handler = old
    assert got[:40].count(429) == 8 and got[:40].count(200) == 32 and set(got[40:]) == {200}


def test_forwarded_is_ignored_without_trust():
    d = Door(**{"web.trusted_proxies": "::1"})
    k = FakeKeeper(d.web, view)
    d.start()
    try:
        d.ask("GET", "/login", headers={"X-Forwarded-For": "198.51.100.7"})
        assert k.seen[-1]["addr"] == "127.0.0.1"

        def served():
            try:
                return d.ask("GET", "/robots.txt").status == 200
            except (ConnectionError, http.client.BadStatusLine):
                return False

        held = [d.connect() for _ in range(32)]
        wait_until(lambda: not served(), 10, "the address's share to be used up")
        held.pop().close()
        wait_until(served, 10, "a free place")
        for s in held:
            s.close()
    finally:
        d.stop()
        k.close()


def test_unix_listener():
    d = Door(listen="unix:DIR/door.sock", url="https://portal.example.jp")
    k = FakeKeeper(d.web, view)
    d.start()
    try:
        assert d.ask("GET", "/login", headers={"X-Forwarded-For": "203.0.113.1, 198.51.100.7"}).status == 200
        assert k.seen[-1]["addr"] == "198.51.100.7"
        assert d.ask("GET", "/login").status == 200
        assert "addr" not in k.seen[-1]
    finally:
        d.stop()
        k.close()


# ---- time ----

def drip(door, first, rest, seconds=25):
    """How long a client lives that sends a byte now and then."""
    s = door.connect()
    start = time.monotonic()
    got = b""
    s.sendall(first)
    s.settimeout(0.4)
    i = 0
    while time.monotonic() - start < seconds:
        try:
            s.sendall(rest[i % len(rest):i % len(rest) + 1])
            i += 1
            more = s.recv(1000)
            got += more
            if not more:
                break
        except TimeoutError:
            continue
        except OSError:
            break
    s.close()
    return time.monotonic() - start, got


def test_slow_clients(door):
    """A total deadline: neither dripping a request line, headers nor a body holds a connection."""
    host = f"Host: {door.host}\r\n"
    cases = [(b"", b"GET /login?" + b"a" * 200),
             (b"GET /login HTTP/1.1\r\n", b"X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 9),
             (f"POST /login HTTP/1.1\r\n{host}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 5000\r\n\r\n".encode(), b"a" * 200),
             (f"GET /robots.txt HTTP/1.1\r\n{host}\r\n".encode(), b"GET /" + b"a" * 200)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for seconds, _ in pool.map(lambda c: drip(door, *c), cases):
            assert 8 < seconds < 30
    start = time.monotonic()
    assert door.raw(b"", 30) == b""  # never a byte
    assert 13 < time.monotonic() - start < 29


def test_no_answer(door):
    door.keeper.handler, old = (lambda f: None if f["action"] == "login" else view(f)), door.keeper.handler
    try:
        start = time.monotonic()
        r = door.ask("GET", "/login", headers={"Accept-Language": "en"})
        assert r.status == 503 and int(r.headers["Retry-After"]) > 0 and "did not come in time" in r.text
        assert 2 < time.monotonic() - start < 8, "a keeper that says nothing to anybody is stuck"
        assert door.ask("GET", "/account").status == 200
    finally:
        door.keeper.handler = old


def test_slow_answer(door):
    """One that answers others meanwhile is busy, not stuck: it is waited for."""
    door.keeper.handler, old = (lambda f: time.sleep(5 if f["action"] == "login" else 0) or view(f)), door.keeper.handler
    try:
        slow = []
        t = threading.Thread(target=lambda: slow.append(door.ask("GET", "/login", timeout=20)))
        t.start()
        while t.is_alive():
            assert door.ask("GET", "/account").status == 200
            t.join(0.5)
        assert slow[0].status == 200
    finally:
        door.keeper.handler = old


# ---- many at once, and a keeper that comes and goes ----

def test_parallel_out_of_order(door):
    def one(i):
        delay = (100 - i) / 100
        r = door.ask("GET", f"/account/rename?id=n{i}", headers={"X-Forwarded-For": f"203.0.113.{i}"}, timeout=30)
        return r.status == 200 and f'value="n{i}"' in r.text, delay
    door.keeper.handler, old = (lambda f: (time.sleep((100 - int(f["f.id"][1:])) / 100), view(f))[1]), door.keeper.handler
    start = time.monotonic()
    try:
        with concurrent.futures.ThreadPoolExecutor(100) as pool:
            assert all(ok for ok, _ in pool.map(one, range(100)))
    finally:
        door.keeper.handler = old
    assert time.monotonic() - start < 25


def test_keeper_gone_and_back():
    d = Door()
    d.start()
    try:
        r = d.ask("GET", "/login", headers={"Accept-Language": "en"})
        assert r.status == 503 and int(r.headers["Retry-After"]) > 0
        assert "not running" in r.text and "Try again" in r.text and "default-src 'none'" in r.headers["Content-Security-Policy"]
        assert d.ask("GET", "/healthz").status == 503
        assert d.ask("GET", "/static/kosmo.css").status == 200
        for _ in range(3):
            k = FakeKeeper(d.web, view)
            assert d.ask("GET", "/login").status == 200  # at once, not at the next retry
            assert d.ask("GET", "/healthz").status == 200
            k.close()
            assert d.ask("GET", "/login").status == 503
        # one that dies while it works: the request is answered, and not sent again
        k = FakeKeeper(d.web, lambda f: None)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            f = pool.submit(d.ask, "POST", "/login", "login=a&password=b")
            while not k.seen:
                time.sleep(0.01)
            k.close()
            assert f.result().status == 503
        k = FakeKeeper(d.web, view)
        assert d.ask("GET", "/login").status == 200
        assert [s["method"] for s in k.seen] == ["GET"]
        k.close()
    finally:
        said = d.stop()
    assert said.count("no keeper at") >= 1 and "login=" not in said


@pytest.mark.parametrize("bytes_", [b"\xff\xff\xff\xff", b"\0\0\0\0", b"HTTP/1.1 200 OK\r\n\r\n", wire.encode("view", {"page": "login"}, 77)])
def test_rubbish_from_the_keeper(bytes_):
    d = Door()
    k = FakeKeeper(d.web, lambda f: bytes_)
    d.start()
    try:
        assert d.ask("GET", "/login", timeout=30).status == 503
        assert d.ask("GET", "/robots.txt").status == 200
    finally:
        d.stop()
        k.close()


def test_stop_with_requests_in_flight():
    d = Door()
    k = FakeKeeper(d.web, lambda f: None)
    d.start()
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(d.ask, "GET", "/login") for _ in range(20)]
        while len(k.seen) < 20:
            time.sleep(0.01)
        idle = d.connect()
        start = time.monotonic()
        d.stop()
        assert time.monotonic() - start < 5
        for a in asked:
            try:
                assert a.result().status == 503
            except OSError:
                pass
        idle.close()
    k.close()


# ---- site files, options, start ----

def test_broken_error_page():
    """What is left without a usable one is plain, but there."""
    d = Door(organisation="x" * 400)
    (d.dir / "site/templates").mkdir()
    (d.dir / "site/templates/error.html").write_text("{{>head}}" + "{{org}}" * 3000)  # more than a page may be
    d.start()
    try:
        t = d.ask("GET", "/nothing").text
        assert t.startswith("<!doctype html>") and "<h1>" in t and "xxx" not in t
    finally:
        d.stop()


def test_options():
    r = subprocess.run([str(ENROLLD), "--version"], capture_output=True, text=True)
    assert r.returncode == 0 and r.stdout.startswith("kosmo-enrolld ")
    r = subprocess.run([str(ENROLLD), "--help"], capture_output=True, text=True)
    assert r.returncode == 0 and "-c" in r.stdout
    for bad in (["--nonsense"], ["extra"], ["-c"]):
        r = subprocess.run([str(ENROLLD), *bad], capture_output=True, text=True)
        assert r.returncode == 2 and "usage" in r.stderr
    r = subprocess.run([str(ENROLLD), "-c", "/nonexistent/kosmo.conf"], capture_output=True, text=True)
    assert r.returncode == 1 and "/nonexistent/kosmo.conf" in r.stderr


def test_port_taken(door):
    d = Door(listen=f"127.0.0.1:{door.port}")
    r = subprocess.run([str(ENROLLD), "-c", str(d.conf)], env={**os.environ, "NOTIFY_SOCKET": "/nowhere"}, capture_output=True, text=True)
    assert r.returncode == 1 and "another program listens" in r.stderr
    shutil.rmtree(d.dir)


def test_debug_log_tells_nothing(door):
    door.ask("POST", "/login", {"login": "geheim1", "password": "geheim2"}, {"X-Forwarded-For": "198.51.100.99", "User-Agent": "geheim3"})
    door.ask("GET", "/mail/geheim4" + TOKEN)
    time.sleep(0.1)
    said = door.said()
    assert "geheim" not in said and "198.51" not in said and TOKEN not in said
    assert re.search(r"POST login 200 \d+ ms", said)


@pytest.mark.valgrind
def test_valgrind():
    d = Door(wrap=("valgrind", "--quiet", "--leak-check=full", "--track-fds=yes", "--error-exitcode=99", "--errors-for-leak-kinds=definite"))
    k = FakeKeeper(d.web, view)
    d.start(60)
    try:
        for path in ("/", "/login", "/account", "/app/qr.png", "/static/kosmo.css", "/nothing", "/first/email/state", "/mail/" + TOKEN):
            d.ask("GET", path, timeout=30)
        for body in ("login=a&password=b", "login=%zz", "login=" + "a" * 70_000):
            d.ask("POST", "/login", body, timeout=30)
        threads = [threading.Thread(target=d.ask, args=("GET", "/account"), kwargs={"timeout": 60}) for _ in range(30)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        s = d.connect()
        s.sendall(b"GET /login HTTP/1.1\r\nHost: x\r\nX-Half:")  # cut off in the headers
        s.close()
        s = d.connect()
        s.sendall(f"POST /login HTTP/1.1\r\nHost: {d.host}\r\nContent-Length: 50\r\n\r\nlogin".encode())
        s.close()
        k.close()
        d.ask("GET", "/login", timeout=30)
        time.sleep(1)
    finally:
        d.stop()
