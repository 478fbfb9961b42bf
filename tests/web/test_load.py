"""The keeper under parallel load at both of its doors, and enrolld before it: logins, peers that leave in the middle, peers that
do not read. With a build under ThreadSanitizer (./runtests --only tsan) this is the check for data races."""
import http.client
import os
import pathlib
import random
import re
import shutil
import socket
import sys
import tempfile
import threading
import time
import urllib.parse

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "pam"))

from browser import Site  # noqa: E402
from harness import Instance, Person, accepts, wait_until  # noqa: E402
from kosmo_wire import Client, encode  # noqa: E402

TSAN = {"TSAN_OPTIONS": "halt_on_error=0 exitcode=66"}
SECONDS = float(os.environ.get("KOSMO_LOAD_SECONDS", "5"))


@pytest.fixture
def instance():
    folder = tempfile.mkdtemp(prefix="kosmo-")
    i = Instance(folder, [Person(f"s{n:02d}") for n in range(24)])
    i.url = re.search(r"^url *= *(\S+)", i.conf.read_text(), re.M).group(1)
    i.web = i.dir / "run/web.sock"
    i.start(TSAN)
    wait_until(lambda: accepts(socket.AF_UNIX, str(i.web)), 10, "web.sock")
    yield i
    i.stop()
    shutil.rmtree(folder, ignore_errors=True)


def web(i, **fields):
    return {"session": None, "csrf": None, "origin": i.url, "addr": "192.0.2.7", "agent": "load", "lang": "en", "secure": "0",
            "method": "GET", **fields}


def web_login(i, person):
    with Client(i.web, 30) as c:
        view = c.ask("web", web(i, action="login"))[1]
        cookie, csrf = view["cookie.session"], view["v.csrf"]
        view = c.ask("web", web(i, action="login", method="POST", session=cookie, csrf=csrf,
                                **{"f.login": person.login, "f.password": person.password}))[1]
        cookie = view.get("cookie.session", cookie)
        for action in ("home", "code", "account", "birth"):
            c.ask("web", web(i, action=action, session=cookie))


def web_crowd(i, _):
    """Many requests in flight on one connection; their answers are read late."""
    with Client(i.web, 30) as c:
        for n in range(200):
            c.send("web", web(i, action=("login", "home", "link", "logout.ask")[n % 4], **{"f.token": "x"}))
        time.sleep(random.random() / 10)
        assert sorted(c.receive()[2] for _ in range(200)) == list(range(1, 201))


def web_gone(i, person):
    """Leaves with hashes and pages under way."""
    with Client(i.web, 30) as c:
        view = c.ask("web", web(i, action="login"))[1]
        for _ in range(5):
            c.send("web", web(i, action="login", method="POST", session=view["cookie.session"], csrf=view["v.csrf"],
                              **{"f.login": person.login, "f.password": "wrong"}))
            c.send("web", web(i, action="login"))


def web_deaf(i, _):
    """Never reads: what waits for it is bounded, nobody else waits."""
    with Client(i.web, 30) as c:
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.sock.settimeout(0.5)
        try:
            for _ in range(1000):
                c.send("web", web(i, action="login", **{"f.login": "x" * 30000}))
        except OSError:
            pass


def begin(i, person):
    return {"phase": "auth", "service": "load", "user": person.login, "rhost": "192.0.2.8"}


asked_for_code = []


def pam_login(i, person):
    with Client(i.socket, 30) as c:
        for kind, fields in (("begin", begin(i, person)), ("answer", {"text": person.password})):
            asked = c.ask(kind, fields)
            if asked[:2] == ("verdict", {"verdict": "unavailable"}):
                return  # the queue was full of what others left behind: a refusal, and the next one is served
            assert asked[0] == "ask", asked
        asked_for_code.append(person.login)
        assert c.ask("answer", {"text": person.code()})[0] == "verdict"


def pam_gone(i, person):
    with Client(i.socket, 30) as c:
        if random.random() < 0.5:
            c.ask("begin", begin(i, person))
        else:
            c.send("begin", begin(i, person))
        if random.random() < 0.7:
            c.send("answer", {"text": "wrong"})


def pam_rude(i, person):
    """Talks out of turn, or sends what is no message."""
    frames = [encode("answer", {"text": "x"}), encode("begin", {"phase": "auth"}), b"\0\0\0\x10" + b"\xff" * 16, b"\xff" * 64,
              encode("begin", begin(i, person)) * 3, encode("begin", begin(i, person))[:9]]
    try:
        with Client(i.socket, 0.3) as c:
            c.raw(random.choice(frames))
            if random.random() < 0.5:
                c.sock.recv(100)
    except OSError:
        pass


def pam_account(i, person):
    with Client(i.socket, 30) as c:
        assert c.ask("begin", {**begin(i, person), "phase": "account"})[0] == "verdict"


def run_all(i, jobs):
    """Each job in a thread of its own, again and again for SECONDS."""
    failures, end = [], time.monotonic() + SECONDS
    people = list(i.people.values())

    def worker(work, n):
        while time.monotonic() < end and not failures:
            try:
                work(i, people[n % len(people)])
            except Exception as e:  # noqa: BLE001
                failures.append((work.__name__, repr(e)))

    threads = [threading.Thread(target=worker, args=(w, n)) for n, w in enumerate(jobs)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures, (failures, i.process.log.read_text()[-2000:])


def test_both_doors_under_load(instance):
    i, people = instance, list(instance.people.values())
    jobs = [web_login, web_crowd, web_gone, web_deaf, pam_login, pam_gone, pam_rude, pam_account, web_login, pam_login]
    run_all(i, jobs)
    assert len(asked_for_code) >= 5, "people got in between"
    fds = f"/proc/{i.process.p.pid}/fd"
    # what left is let go: listeners, epoll, signals, the workers' stores
    wait_until(lambda: not [f for f in os.listdir(fds) if os.readlink(f"{fds}/{f}").startswith("socket:")][3:], 20,
               "connections that nobody holds")
    pam_account(i, people[0])
    log = i.process.log
    assert i.stop() == 0, log.read_text()[-6000:]
    assert "ThreadSanitizer" not in log.read_text(), log.read_text()[:8000]


def http_login(site, person):
    """As a browser does it, over one connection."""
    c = http.client.HTTPConnection("localhost", site.port, timeout=30)
    c.request("GET", "/login")
    r = c.getresponse()
    page, cookie = r.read().decode(), r.headers["Set-Cookie"].split(";")[0]
    csrf = re.search(r'name="csrf" value="([^"]+)"', page).group(1)
    for password in "wrong", person.password:
        c.request("POST", "/login", urllib.parse.urlencode({"csrf": csrf, "login": person.login, "password": password}),
                  {"Cookie": cookie, "Origin": site.url, "Content-Type": "application/x-www-form-urlencoded"})
        r = c.getresponse()
        r.read()
        http_seen.add(r.status)
    c.close()


def http_pages(site, _):
    c = http.client.HTTPConnection("localhost", site.port, timeout=30)
    for path in "/login", "/healthz", "/static/kosmo.css", "/account", "/none", "/mail/" + "x" * 32:
        c.request("GET", path)
        r = c.getresponse()
        r.read()
        http_seen.add(r.status)
    c.close()


def http_gone(site, _):
    """Leaves before the answer, or in the middle of the question."""
    with socket.create_connection(("localhost", site.port), 30) as s:
        s.sendall(b"GET /login HTTP/1.1\r\nHost: localhost:%d\r\n%b" % (site.port, random.choice([b"\r\n", b"Cookie: ", b""])))


http_seen = set()


@pytest.mark.tsan
def test_enrolld_under_load():
    """The keeper and the mailer that it started beside itself leave with it; what they say is in its log."""
    folder = tempfile.mkdtemp(prefix="kosmo-")
    site = Site(folder, [Person(f"s{n:02d}") for n in range(24)])
    site.start(TSAN)
    try:
        run_all(site, [http_login, http_pages, http_gone, http_login, http_pages, http_gone, http_login, http_login])
        assert {200, 303, 404} <= http_seen and not {s for s in http_seen if s >= 500} - {503}, http_seen
        log = site.process.log
        assert site.stop() == 0, log.read_text()[-6000:]
        assert "ThreadSanitizer" not in log.read_text(), log.read_text()[:8000]
    finally:
        site.stop()
        shutil.rmtree(folder, ignore_errors=True)
