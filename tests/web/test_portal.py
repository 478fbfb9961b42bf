"""A portal behind the login: the samples of dist/nginx with a real nginx (TLS, HTTP/2) and a small portal behind it, and
GET /auth/verify itself."""
import base64
import getpass
import hashlib
import http.client
import http.server
import json
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.parse

import pytest

from browser import Site, mailed
from conftest import BUILD
from harness import Person, Process, accepts, free_port, wait_until
from passkey import put_passkey

NGINX = pathlib.Path(__file__).resolve().parents[2] / "dist/nginx"
PAGE = {"Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Mode": "navigate"}
CALL = {"Accept": "*/*", "Sec-Fetch-Mode": "cors"}
LONG = "/portal/" + "a" * 1100


class Echo(http.server.BaseHTTPRequestHandler):
    """The portal: says what came, and sets a cookie of its own."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        body = json.dumps({"path": self.path, "method": self.command, "headers": {k.lower(): v for k, v in self.headers.items()}}).encode()
        self.send_response(200)
        self.send_header("Set-Cookie", "portal=one; Path=/; Secure")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_HEAD = do_GET

    def log_message(self, *_):
        pass


class Portal(Site):
    """A Site whose public address is nginx's."""

    def __init__(self, folder, people):
        super().__init__(folder, people)
        self.front = None
        self.tls, self.plain, self.folder = free_port(), free_port(), pathlib.Path(folder)
        self.url = f"https://localhost:{self.tls}"
        drop = self.dir / "kosmo.conf.d"
        drop.mkdir(exist_ok=True)
        (drop / "50-test.conf").write_text(f"url = {self.url}\nportal.url = /portal/start\nterms.version = 0\nnotice.new_login = no\n")
        self.echo = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        threading.Thread(target=self.echo.serve_forever, daemon=True).start()

    def certificate(self, f):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", f / "tls.key", "-out",
                        f / "tls.pem"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def configure(self):
        """The samples as they are installed, with this site's names and places; the command that serves by them."""
        f = self.folder / "front"
        f.mkdir()
        self.certificate(f)
        changes = [("portal.example.jp.pem", "tls.pem"), ("/etc/ssl/certs/", f"{f}/"), ("/etc/ssl/private/portal.example.jp.key", f"{f}/tls.key"),
                   ("https://portal.example.jp", self.url), ("portal.example.jp", "localhost"), ("/etc/nginx/snippets", str(f)),
                   ("127.0.0.1:8480", f"127.0.0.1:{self.port}"), ("127.0.0.1:8080", f"127.0.0.1:{self.echo.server_port}"),
                   ("listen 80;", f"listen 127.0.0.1:{self.plain};"), ("listen 443 ", f"listen 127.0.0.1:{self.tls} "),
                   ("Host $host;", f"Host $host:{self.tls};"), ("rate=10r/s", "rate=1000r/s")]
        for sample in NGINX.glob("*.conf"):
            text = sample.read_text()
            for old, new in changes:
                text = text.replace(old, new)
            (f / sample.name).write_text("\n".join(line for line in text.split("\n") if "[::]" not in line))
        temp = "".join(f"{n}_temp_path {f}/{n};\n" for n in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (f / "main.conf").write_text(f"daemon off;\npid {f}/pid;\nerror_log {f}/error.log;\nworker_processes 1;\n"
                                     f"{'user root;' if getpass.getuser() == 'root' else ''}\nevents {{}}\n"
                                     f"http {{\naccess_log {f}/access.log;\n{temp}include {f}/portal.conf;\n}}\n")
        return ["/usr/sbin/nginx", "-p", f, "-c", f / "main.conf", "-e", f / "error.log"]

    def start(self, env=None):
        super().start(env)
        self.front = Process(self.configure(), self.folder / "front.log")
        wait_until(lambda: accepts(socket.AF_INET, ("127.0.0.1", self.tls)) or not self.front.alive(), 20, "the proxy")
        assert self.front.alive(), self.front.log.read_text()

    def stop(self):
        if self.front:
            self.front.end()
        self.echo.shutdown()
        self.echo.server_close()
        return super().stop()


class CaddyPortal(Portal):
    def configure(self):
        f = self.folder / "front"
        f.mkdir()
        self.certificate(f)
        text = (NGINX / "Caddyfile").read_text()
        for old, new in (("portal.example.jp {", f"{self.url} {{\n\tbind 127.0.0.1\n\ttls {f}/tls.pem {f}/tls.key"),
                         ("127.0.0.1:8480", f"127.0.0.1:{self.port}"), ("127.0.0.1:8080", f"127.0.0.1:{self.echo.server_port}")):
            text = text.replace(old, new)
        (f / "Caddyfile").write_text("{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + text)
        return ["env", f"HOME={f}", "caddy", "run", "--adapter", "caddyfile", "--config", f / "Caddyfile"]


class Visitor:
    """A browser at nginx: keeps cookies, and follows where it is led, on our own origin alone."""

    def __init__(self, site, person=None, address="127.0.0.1"):
        self.site, self.person, self.address, self.jar, self.csrf = site, person, address, {}, None
        self.context = ssl.create_default_context(cafile=site.folder / "front/tls.pem")

    def ask(self, method, path, form=None, headers=None):
        h = {**PAGE, "Accept-Language": "en", **(headers or {})}
        h.setdefault("Cookie", "; ".join(f"{k}={v}" for k, v in self.jar.items()))
        body = None
        if form is not None:
            body = urllib.parse.urlencode({"csrf": self.csrf, **form})
            h |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": self.site.url}
        c = http.client.HTTPSConnection("localhost", self.site.tls, timeout=20, context=self.context, source_address=(self.address, 0))
        c._http_vsn_str = "HTTP/1.1"
        c.putrequest(method, path, skip_accept_encoding=True)
        for k, v in h.items():
            c.putheader(k, v)
        if body is not None:
            c.putheader("Content-Length", str(len(body)))
        c.endheaders(body.encode() if body is not None else None)
        r = c.getresponse()
        self.status, self.headers, text = r.status, r.headers, r.read().decode()
        c.close()
        for line in self.headers.get_all("Set-Cookie") or []:
            name, value = line.split(";")[0].split("=", 1)
            self.jar[name] = value
            if not value:
                del self.jar[name]
        token = re.search(r'name="csrf" value="([^"]+)"', text)
        self.csrf, self.text, self.to = token.group(1) if token else self.csrf, text, self.headers["Location"]
        return self

    def get(self, path, **headers):
        return self.ask("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def follow(self):
        """To the first page that leads no further; its path."""
        for _ in range(10):
            if self.status not in (301, 302, 303):
                return self.at
            assert self.to.startswith("/") and not self.to.startswith(("//", "/\\")), self.to
            self.at = self.to
            self.get(self.to)
        raise AssertionError(f"led in a circle: {self.to}")

    def go(self, path):
        self.at = path
        self.get(path)
        return self.follow()

    def fill(self, **form):
        """The form of the page that this browser is at, and to where it leads."""
        path = re.search(r'<form id="f-form"[^>]* action="([^"]+)"', self.text).group(1)
        next_ = re.search(r'name="next" value="([^"]+)"', self.text)
        self.ask("POST", path, {**({"next": next_.group(1)} if next_ else {}), **form})
        assert self.status == 303, self.text
        return self.follow()

    def code(self):
        """One that was not used yet: of three steps around now."""
        self.person.step = getattr(self.person, "step", -2) + 1
        assert self.person.step <= 1, "no code is left for this person"
        return self.person.code(self.person.step)

    def passkey(self, credential):
        """What a browser makes of the options of the page (WebAuthn 7.2), without one."""
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        url64 = lambda b: base64.urlsafe_b64encode(b).decode().rstrip("=")  # noqa: E731
        raw = lambda name: base64.b64decode(credential[name])  # noqa: E731
        options = json.loads(self.text.split('data-options="', 1)[1].split('"', 1)[0].replace("&quot;", '"').replace("&#34;", '"'))
        challenge = options.get("challenge") or options["publicKey"]["challenge"]
        client = json.dumps({"type": "webauthn.get", "challenge": challenge, "origin": self.site.url, "crossOrigin": False}).encode()
        credential["signCount"] += 1
        data = hashlib.sha256(b"localhost").digest() + bytes([5]) + credential["signCount"].to_bytes(4, "big")
        key = serialization.load_der_private_key(raw("privateKey"), None)
        signature = key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self.fill(challenge=challenge, id=url64(raw("credentialId")), client_data=url64(client), auth_data=url64(data),
                         signature=url64(signature), user_handle=url64(raw("userHandle")))

    def echo(self, path, **headers):
        self.get(path, **headers)
        assert self.status == 200, (self.status, self.to, self.text)
        return json.loads(self.text)["headers"]


def running(kind):
    folder = tempfile.mkdtemp(prefix="kosmo-")
    people = [Person(f"m{i:03d}", role="member") for i in range(8)]
    s = kind(folder, people)
    s.free = iter(people)
    try:
        s.start()
        yield s
    finally:
        s.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def site():
    yield from running(Portal)


@pytest.fixture(scope="module")
def caddy():
    if not shutil.which("caddy"):
        pytest.skip("there is no caddy")
    yield from running(CaddyPortal)


def enrolled(site, address="127.0.0.1"):
    """Somebody who has done the wizard but for the address, where it is asked."""
    return Visitor(site, next(site.free), address)


def log_in(v):
    """From the login's page to where that leads, with the wizard between, the first time."""
    at = v.fill(login=v.person.login, password=v.person.password)
    assert at == "/login/code", at
    at = v.fill(code=v.code())
    if at == "/first/birth-date":
        assert v.fill(birth_date="1980-01-01") == "/first/email"
        assert v.fill(email=f"{v.person.login}@example.jp") == "/first/email/sent"
        code, _ = mailed(v.site.mail(v.person.login))
        v.ask("POST", "/first/email/code", {"code": code})
        at = v.follow()
    return at


def test_to_the_portal_and_on(site):
    """A deep link, the wizard between, back at it; what the portal sees and what not; out again."""
    v = enrolled(site, "127.0.0.7")
    assert v.go("/portal/page?x=1&y=%E3%81%82&z=a/b") == "/login"
    assert v.jar.keys() == {"__Host-kosmo", "__Host-kosmo-back"}
    assert v.go("/portal/page?x=1&y=%E3%81%82&z=a/b") == "/login", "again"
    assert log_in(v) == "/portal/page?x=1&y=%E3%81%82&z=a/b"
    seen = json.loads(v.text)
    assert seen["path"] == "/portal/page?x=1&y=%E3%81%82&z=a/b"
    assert "__Host-kosmo-back" not in v.jar, "it leads back once"
    assert v.jar["portal"] == "one"

    # forged headers, our cookies wherever they stand, and those of the portal
    device, session = v.jar["__Host-kosmo-device"], v.jar["__Host-kosmo"]
    names = {"Remote-User": "root", "Remote-Name": "root", "Remote-Method": "passkey", "Remote-Auth-Time": "9999999999",
             "remote_user": "root", "X-Forwarded-For": "192.0.2.66", "X-Real-IP": "192.0.2.66"}
    for cookies, left in (((f"a=1; __Host-kosmo={session}; b=2"), "a=1; b=2"),
                          ((f"__Host-kosmo={session}"), None),
                          ((f"__Host-kosmo={session};a=1;__Host-kosmo-device={device};b=2;__Host-kosmo-back=x;c=3"), "a=1;b=2;c=3"),
                          ((f"a=__Host; __Host-kosmo-back=x; __Host-kosmo-device={device}; __Host-kosmo={session}"), "a=__Host"),
                          ((f"__Host-kosmo={session}; " + "__Host-kosmo-back=x; " * 5 + "a=1"), None),
                          ((f"a=1;{' ;' * 3000}b=2; ;__Host-kosmo={session};"), f"a=1;{' ;' * 3000}b=2")):
        seen = v.echo("/portal/x", Cookie=cookies, **names)
        assert seen.get("cookie") == left, cookies
        assert (seen["remote-user"], seen["remote-name"]) == (v.person.login, f"Test%20{v.person.login}")
        assert seen["remote-method"] == "password+app" and abs(int(seen["remote-auth-time"]) - time.time()) < 60
        assert seen["x-forwarded-for"] == seen["x-real-ip"] == "127.0.0.7" and seen["host"] == f"localhost:{site.tls}"
        assert not [k for k in seen if k.startswith("remote") and k not in ("remote-user", "remote-name", "remote-method", "remote-auth-time")]
    seen = v.echo("/portal/public/x", **names)
    assert not [k for k in seen if k.startswith("remote")], "nobody is named where nobody was asked for"

    # the internal questions are nobody's to ask, and what a place needs is no visitor's to say
    for path in ("/kosmo/in", "/kosmo/passkey", "/auth/verify", "/auth/verify?need=second-factor"):
        assert v.get(path).status == 404, path
    assert v.get("/portal/records/x?need=second-factor&within=9999").status == 303

    assert v.get("/portal/x", Service_Worker="script").status == 403

    # the address is the browser's, not nginx's and not what it claims
    assert "127.0.0.7" in site.ctl("audit", "--person", v.person.login) and "192.0.2.66" not in site.ctl("audit")

    v.get("/logout")
    v.ask("POST", "/logout", {})
    assert v.follow().startswith("/login")
    assert v.get("/portal/x").status == 303
    v.jar["__Host-kosmo"] = session
    assert v.get("/portal/x").status == 303, "ended for good"


def test_calls_and_forms_are_not_led_back(site):
    v = enrolled(site)
    for headers in (CALL, {"Accept": "application/json", "Sec-Fetch-Mode": ""}, {"Accept": "text/html", "Sec-Fetch-Mode": "", "X-Requested-With": "XMLHttpRequest"}):
        v.ask("GET", "/portal/api", headers={k: v for k, v in headers.items()})
        assert (v.status, v.to, v.headers["Set-Cookie"]) == (401, None, None), headers
    v.ask("GET", "/portal/x", headers={"Sec-Fetch-Mode": ""})
    assert (v.status, v.to) == (303, "/login"), "an old browser"
    v.jar.clear()
    v.ask("POST", "/portal/form", {"a": "1"})
    assert (v.status, v.to) == (303, "/login") and "__Host-kosmo-back" not in v.jar
    v.get("/portal/x?y")
    assert "__Host-kosmo-back" in v.jar
    v.get("/")
    assert v.follow() == "/login"
    assert log_in(v) == "/portal/x?y"
    assert v.go("/") == "/portal/start", "the bare address, for whoever is in"
    assert v.go("/login") == "/portal/start"
    assert v.go("/account") == "/account" and 'href="/portal/start"' in v.text


def test_nowhere_but_here(site):
    """Whatever is asked for, or stands in the cookie: a login ends on our own origin."""
    v = Visitor(site)
    for path in ("//evil.example/x", "/\\evil.example", "/%2f%2fevil.example", "/%5cevil.example", "/portal/%0d%0aSet-Cookie:%20a=b", LONG,
                 "/portal/%00", "https://evil.example/portal/"):
        v.jar.clear()
        v.ask("GET", path)
        assert v.status in (303, 400, 404) or (v.status == 500 and path.startswith("https")), (path, v.status)  # another host: kosmo refuses
        assert "__Host-kosmo-back" not in v.jar or b"evil" not in base64.urlsafe_b64decode(v.jar["__Host-kosmo-back"][5:] + "=="), path
        assert v.status != 303 or v.to == "/login", (path, v.to)
    for path in ("/@evil.example", "/portal//evil.example", "/portal/?next=//evil.example"):
        v.jar.clear()
        v.ask("GET", path)
        assert (v.status, v.to) == (303, "/login") and "__Host-kosmo-back" in v.jar, path
    v = enrolled(site)
    v.go("/login")
    v.jar["__Host-kosmo-back"] = "path-" + base64.urlsafe_b64encode(b"//evil.example/").decode().rstrip("=")
    assert log_in(v) == "/portal/start"


def test_asked_once_more(site):
    """Within 5 minutes, then a passkey; for somebody who has one, and for somebody who has none."""
    v = enrolled(site)
    v.go("/portal/x")
    assert log_in(v) == "/portal/x"
    assert v.go("/portal/account/a?b=c") == "/portal/account/a?b=c", "proven just now"
    assert v.go("/portal/records/1?b=c").startswith("/passkey"), "has none: registers one"
    assert v.ask("GET", "/portal/records/1", headers=CALL).status == 403 and v.to is None
    credential = put_passkey(site, v.person)
    assert v.go("/portal/records/1?b=c") == "/account/confirm/passkey?next=/auth/next?n=passkey"
    assert "after a passkey was used" in v.text and "/account/confirm/another" not in v.text
    assert v.passkey(credential) == "/portal/records/1?b=c"
    assert json.loads(v.text)["headers"]["remote-method"] == "password+passkey"
    assert v.go("/portal/account/a") == "/portal/account/a"


def test_over_http2(site):
    f = site.folder / "front"
    out = subprocess.run(["curl", "-s", "--http2", "--cacert", f / "tls.pem", "-o", "/dev/null", "-w", "%{http_version} %{http_code} %{redirect_url}",
                          "-H", "Sec-Fetch-Mode: navigate", f"{site.url}/portal/x"], check=True, stdout=subprocess.PIPE).stdout.decode()
    assert out == f"2 303 {site.url}/login"
    out = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", f"http://localhost:{site.plain}/portal/x"],
                         check=True, stdout=subprocess.PIPE).stdout.decode()
    assert out == f"301 {site.url}/portal/x"


@pytest.mark.soak
def test_caddy(caddy):
    """The same behind Caddy's forward_auth: there and back, what the portal sees, a script's call, a passkey's place."""
    v = enrolled(caddy, "127.0.0.7")
    assert v.go("/portal/page?x=1&y=%E3%81%82") == "/login"
    assert log_in(v) == "/portal/page?x=1&y=%E3%81%82"
    session = v.jar["__Host-kosmo"]
    for cookies, left in ((f"a=1; __Host-kosmo={session}; b=2; __Host-kosmo-back=x", "a=1; kosmo=; b=2; kosmo="), (f"__Host-kosmo={session}; a=1", "kosmo=; a=1")):
        seen = v.echo("/portal/x", Cookie=cookies, **{"Remote-User": "root", "remote_user": "root", "Remote-Email": "root", "X-Forwarded-For": "192.0.2.66"})
        assert seen.get("cookie") == left and seen["remote-user"] == v.person.login and "remote-email" not in seen and "remote_user" not in seen
        assert seen["remote-name"] == f"Test%20{v.person.login}" and seen["remote-method"] == "password+app"
    assert "127.0.0.7" in caddy.ctl("audit", "--person", v.person.login) and "192.0.2.66" not in caddy.ctl("audit")
    credential = put_passkey(caddy, v.person)
    assert v.go("/portal/account/x") == "/portal/account/x"
    for path in ("/portal/records", "/portal/records/1?b=c"):
        assert v.go(path) == "/account/confirm/passkey?next=/auth/next?n=passkey"
    assert v.passkey(credential) == "/portal/records/1?b=c"
    v.ask("POST", "/portal/form", {"a": "1"})
    assert v.status == 200
    assert v.get("/portal/x", Service_Worker="script").status == 403
    v.jar.clear()
    v.ask("GET", "/portal/api", headers=CALL)
    assert (v.status, v.to) == (401, None)


def test_the_samples_know_all_our_paths():
    """So that no page of ours goes to the portal."""
    routes = (NGINX.parents[1] / "enroll/routes.c").read_text()
    ours = {p for p in re.findall(r'\{ROUTE_\w+, ROUTE_\w+, "([^"]+)"', routes)} - {"/", "/auth/verify"}
    pages = (NGINX / "kosmo-pages.conf").read_text()
    found = re.findall(r'location ~ "([^"]+)"', pages)
    caddy = re.search(r"@kosmo path (.*)", (NGINX / "Caddyfile").read_text()).group(1).split()
    for p in ours:
        path = p + "x" if p.endswith("/") else p
        assert any(re.match(r, path) for r in found), p
        assert any(path == c or (c.endswith("/*") and path.startswith(c[:-1])) for c in caddy), p
