"""Every part that can fail: one table for the terminal (tests/pam) and the browser (tests/web), and the site that it breaks:
keeper, mailer and enrolld as processes of their own, as under a service manager, for an owner who is not root."""
import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import time
import typing
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "pam")]

from conftest import BUILD, SANITIZED  # noqa: E402
from harness import CLOCK_SHIM, KEEPER, Instance, Process, accepts, wait_out, wait_until  # noqa: E402

# The keeper runs as OWNER: where that user cannot get at the build tree's translations, its words are English.
TRANSLATED = all(d.stat().st_mode & 1 for d in (BUILD, *BUILD.parents))
ENROLLD, MAILER = BUILD / "enroll/kosmo-enrolld", BUILD / "enroll/kosmo-mailer"
OWNER = 65534
REFUSED, SERVED, DENIED = "refused", "served", "denied"


class Site(Instance):
    """On a file system of its own where mounts are possible, so that it can be filled and made read-only."""

    def __init__(self, folder, people):
        k = pathlib.Path(folder) / "k"
        k.mkdir()
        self.mounted = os.getuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=0755", "kosmo-test", k],
                                                           stderr=subprocess.DEVNULL).returncode == 0
        if os.getuid() == 0:
            os.chown(k, OWNER, OWNER)
        try:
            super().__init__(folder, people)
            # In its own time a connection that is kept would hide what happens to the files.
            (self.dir / "kosmo.conf.d/50-test.conf").write_text("[web]\ntrusted_proxies = 127.0.0.1 ::1\n")
        except BaseException:
            self.close()
            raise
        self.db, self.key, self.run = self.dir / "kosmo.db", self.dir / "key", self.dir / "run"
        self.url = re.search(r"^url *= *(\S+)", self.conf.read_text(), re.M).group(1)
        self.port = int(self.url.rsplit(":", 1)[1])
        self.shelf = self.dir / "shelf"  # where moved things lie, on the same file system
        self.shelf.mkdir()
        self.mailer = self.enrolld = None
        self.clock = self.dir / "clock"  # where the keeper's sandbox lets it look
        source, self.shim = pathlib.Path(folder) / "shim.c", pathlib.Path(folder) / "shim.so"
        source.write_text(CLOCK_SHIM)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", self.shim, source, "-ldl"], check=True)
        self.clock.write_bytes(bytes(16))
        self.clock.chmod(0o644)
        self.marks = {}

    def move_clock(self, seconds):
        with open(self.clock, "r+b") as f:
            f.write(struct.pack("=qq", seconds, 0))

    def keeper_process(self):
        env = {"LD_PRELOAD": str(self.shim), "CLOCK_FILE": str(self.clock)}
        if SANITIZED:
            env["ASAN_OPTIONS"] = "verify_asan_link_order=0"
        return Process([KEEPER, "-c", self.conf], self.dir.parent / "keeper.log", env)

    def start_keeper(self):
        self.process = self.keeper_process()
        for name in "auth.sock", "web.sock":
            wait_until(lambda: accepts(socket.AF_UNIX, str(self.run / name)) or not self.process.alive(), 20, name)
        assert self.process.alive(), self.process.log.read_text()

    def start(self, env=None):
        self.start_keeper()
        self.start_mailer()
        self.start_enrolld()

    def start_enrolld(self):
        # As under a service manager it starts nothing beside itself, and lives when the keeper dies.
        self.enrolld_began = len(self.log("enrolld", 0))
        self.enrolld = Process([ENROLLD, "-c", self.conf], self.dir.parent / "enrolld.log", {"NOTIFY_SOCKET": str(self.shelf / "none")})
        wait_until(lambda: accepts(socket.AF_INET, ("127.0.0.1", self.port)) or not self.enrolld.alive(), 20, "enrolld")

    def start_mailer(self):
        self.mailer = Process([MAILER, "-c", self.conf], self.dir.parent / "mailer.log")
        wait_until(lambda: accepts(socket.AF_UNIX, str(self.run / "mail.sock")), 10, "the mailer")

    def kill_keeper(self):
        self.process.p.kill()
        self.process.p.wait()
        self.process = None

    def close(self):
        for p in (getattr(self, n, None) for n in ("enrolld", "process", "mailer")):
            if p is not None:
                p.end()
        if self.mounted:
            subprocess.run(["umount", "-l", self.dir.parent / "k"])

    # ---- what was logged ----

    def mark(self):
        self.marks = {n: len(self.log(n, 0)) for n in ("keeper", "enrolld")}

    def log(self, name, since=None):
        f = self.dir.parent / f"{name}.log"
        lines = f.read_text(errors="replace").splitlines() if f.exists() else []
        return lines[self.marks[name] if since is None else since:]

    def said(self, name, words):
        return [line for line in self.log(name) if all(w in line for w in words)]

    # ---- what is there ----

    def people_now(self):
        return json.loads(self.ctl("user", "list", "--json"))

    def enrolments(self):
        """All that was enrolled, row by row, but for what a login writes."""
        with contextlib.closing(sqlite3.connect(self.db, timeout=10)) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            return [db.execute(sql).fetchall() for sql in (
                "SELECT id, login, role, disabled, expires, created FROM person ORDER BY id",
                "SELECT id, person, kind, confirmed, created FROM authenticator ORDER BY id", "SELECT version FROM schema_version")]

    def files(self):
        return sorted(p.relative_to(self.dir).as_posix() for p in self.dir.rglob("*")
                      if p.suffix not in (".db-wal", ".db-shm", ".sock") and "mail" not in p.parts and "shelf" not in p.parts)

    def raw(self, sql, *args):
        with contextlib.closing(sqlite3.connect(self.db, timeout=10)) as db, db:
            db.execute(sql, args)


# ---- the table ----

@dataclasses.dataclass
class Failure:
    name: str
    how: typing.Callable  # a context manager over the Site: broken within it, mended after it
    terminal: str = REFUSED
    asked: int = 2  # questions until then
    login: str = REFUSED  # in the browser: the page of the login, its form, a page of somebody who is in
    form: str = REFUSED
    session: str = REFUSED
    log: tuple = ()  # (whose, words of the one line)
    starts: typing.Optional[bool] = None  # None: broken while the keeper runs; else before its start: does it start?
    needs_mount: bool = False
    session_after: bool = True  # a clock that was behind and is right again has them idle for too long


TABLE = []


def row(name, **kw):
    def add(f):
        TABLE.append(Failure(name, contextlib.contextmanager(f), **kw))
        return f
    return add


NO_STORE = dict(asked=1, log=("keeper", ["store:", "kosmo.db", "restore"]))
AT_START = dict(starts=False, asked=0)
RUNNING = dict(terminal=SERVED, login=SERVED, form=SERVED, session=SERVED)


def moved(site, *files):
    for f in files:
        f.rename(site.shelf / f.name)
    yield
    assert not any(f.exists() for f in files), "nobody made a new one"
    for f in files:
        (site.shelf / f.name).rename(f)


@contextlib.contextmanager
def bytes_kept(f):
    """Afterwards the file has the bytes that it had, in the same place."""
    kept = f.read_bytes()
    yield
    with open(f, "r+b") as out:
        out.write(kept)
        out.truncate(len(kept))


@contextlib.contextmanager
def mode(f, bits):
    before = f.stat().st_mode & 0o7777
    f.chmod(bits)
    yield
    f.chmod(before)


# -- the store, under a running keeper --

@row("the store moved away while it runs", **NO_STORE)
def _(site):
    yield from moved(site, site.db)


@row("the store and its log moved away while it runs", **NO_STORE)
def _(site):
    yield from moved(site, site.db, *(site.dir / f"kosmo.db-{s}" for s in ("wal", "shm")))


@row("the log removed while it runs", asked=1, log=("keeper", ["store:", "kosmo.db-wal", "restart kosmo-keeper"]))
def _(site):
    (site.dir / "kosmo.db-wal").unlink()
    yield
    site.stop()
    site.start_keeper()


@row("another store put in its place while it runs", asked=1,
     log=("keeper", ["store:", "kosmo.db", "another file was put in its place", "stop kosmo-keeper"]))
def _(site):
    site.db.rename(site.shelf / "kosmo.db")
    shutil.copy(site.shelf / "kosmo.db", site.db)
    os.chown(site.db, OWNER, OWNER)
    yield
    (site.shelf / "kosmo.db").rename(site.db)


@row("the store cut short while it runs", asked=1, log=("keeper", ["store:", "kosmo.db", "cut short", "restore the backup"]))
def _(site):
    with bytes_kept(site.db):
        os.truncate(site.db, 8192)
        yield


@row("the store locked by another program", login=SERVED, session=SERVED, asked=1,
     log=("keeper", ["store:", "kosmo.db", "locked", "fuser"]))
def _(site):
    with contextlib.closing(sqlite3.connect(site.db, timeout=10, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield


@row("the disk full while it runs", login=SERVED, session=SERVED, asked=1, needs_mount=True,
     log=("keeper", ["store:", "kosmo.db", "the disk is full", "make room"]))
def _(site):
    site.stop()  # the log is short again: what is to be written finds no room in it
    site.start_keeper()
    with filled(site):
        yield


@contextlib.contextmanager
def filled(site):
    ballast = site.dir / "ballast"
    with open(ballast, "wb", buffering=0) as f:
        for size in 1 << 20, 4096, 1:
            with contextlib.suppress(OSError):
                while True:
                    f.write(bytes(size))
    yield
    ballast.unlink()


# -- the store, before the keeper starts --

@row("the store missing", log=("keeper", ["kosmo.db", "no such database", "restore"]), **AT_START)
def _(site):
    yield from moved(site, site.db)


@row("the store unreadable", log=("keeper", ["kosmo.db", "Permission denied", "must belong to uid"]), **AT_START)
def _(site):
    os.chown(site.db, 0, 0)
    yield
    os.chown(site.db, OWNER, OWNER)


@row("the store read-only", log=("keeper", ["kosmo.db", "cannot be opened for writing", "must"]), **AT_START)
def _(site):
    with mode(site.db, 0o400):
        yield


@row("the disk read-only", log=("keeper", ["kosmo.db", "cannot be opened for writing", "disk must be writable"]), needs_mount=True, **AT_START)
def _(site):
    with stopped(site.mailer):
        subprocess.run(["mount", "-o", "remount,ro", site.dir], check=True)
        yield
        subprocess.run(["mount", "-o", "remount,rw", site.dir], check=True)


@row("the disk full", log=("keeper", ["kosmo.db", "the disk is full", "make room"]), needs_mount=True, **AT_START)
def _(site):
    with filled(site):
        yield


@row("the store readable by others", log=("keeper", ["kosmo.db", "chmod 600"]), **AT_START)
def _(site):
    with mode(site.db, 0o644):
        yield


@row("the store cut short", log=("keeper", ["kosmo.db", "damaged", "restore the backup"]), **AT_START)
def _(site):
    with bytes_kept(site.db):
        os.truncate(site.db, 2000)
        yield


@row("the store empty", log=("keeper", ["kosmo.db", "damaged", "restore the backup"]), **AT_START)
def _(site):
    with bytes_kept(site.db):
        os.truncate(site.db, 0)
        yield


@row("garbage where the store begins", log=("keeper", ["kosmo.db", "damaged", "restore the backup"]), **AT_START)
def _(site):
    with bytes_kept(site.db), open(site.db, "r+b") as f:
        f.write(b"\xa5" * 4096)
        f.flush()
        yield


@row("garbage in the middle of the store", starts=True, asked=1, login=SERVED, log=("keeper", ["kosmo.db", "damaged", "restore the backup"]))
def _(site):
    with bytes_kept(site.db), open(site.db, "r+b") as f:
        with contextlib.closing(sqlite3.connect(site.db)) as db:
            pages = [p for p, in db.execute("SELECT rootpage FROM sqlite_master WHERE tbl_name = 'person'")]
        for page in pages:
            f.seek((page - 1) * 4096)
            f.write(b"\xa5" * 4096)
        f.flush()
        yield
        site.stop()
        for s in "wal", "shm":
            (site.dir / f"kosmo.db-{s}").unlink(missing_ok=True)


def schema(site, change):
    with contextlib.closing(sqlite3.connect(site.db)) as db:
        now, = db.execute("SELECT version FROM schema_version").fetchone()
    site.raw("UPDATE schema_version SET version = ?", change(now))
    yield
    site.raw("UPDATE schema_version SET version = ?", now)


@row("a store of an older version", log=("keeper", ["kosmo.db", "has schema 1", "kosmoctl store upgrade"]), **AT_START)
def _(site):
    yield from schema(site, lambda now: 1)


@row("a store of a newer version", log=("keeper", ["kosmo.db", "has schema", "newer version"]), **AT_START)
def _(site):
    yield from schema(site, lambda now: now + 2)


# -- the key --

def other_key(site, text=None, bits=0o600, make=None):
    site.key.rename(site.shelf / "key")
    if make is not None:
        make(site.key)
    else:
        site.key.write_text(text)
        site.key.chmod(bits)
        os.chown(site.key, OWNER, OWNER)
    yield
    site.key.unlink()
    (site.shelf / "key").rename(site.key)


@row("the key missing", log=("keeper", ["/key", "no such key file", "restore it from the backup"]), **AT_START)
def _(site):
    yield from moved(site, site.key)


@row("another key", log=("keeper", ["kosmo.db", "another key", "restore"]), **AT_START)
def _(site):
    yield from other_key(site, "kosmo-key 1 " + "A" * 43 + "\n")


@row("a short key", log=("keeper", ["/key", "not a key file", "restore it from the backup"]), **AT_START)
def _(site):
    yield from other_key(site, "kosmo-key 1 " + "A" * 20 + "\n")


@row("an empty key", log=("keeper", ["/key", "not a key file", "restore it from the backup"]), **AT_START)
def _(site):
    yield from other_key(site, "")


@row("a key that the world can read", log=("keeper", ["/key", "0644", "chmod it to 0600"]), **AT_START)
def _(site):
    with mode(site.key, 0o644):
        yield


@row("a FIFO for a key", log=("keeper", ["/key", "regular file"]), **AT_START)
def _(site):
    yield from other_key(site, make=os.mkfifo)


@row("the key changed while it runs", **RUNNING)
def _(site):
    yield from other_key(site, "kosmo-key 1 " + "A" * 43 + "\n")


# -- the configuration --

def drop_in(site, text):
    f = site.dir / "kosmo.conf.d/90-broken.conf"
    f.write_text(text)
    yield
    f.unlink()


@row("the configuration missing", log=("keeper", ["kosmo.conf", "No such file", "kosmoctl init"]), **AT_START)
def _(site):
    yield from moved(site, site.conf)


@row("an unknown key in the configuration", log=("keeper", ["kosmo.conf", "colour"]), **AT_START)
def _(site):
    with bytes_kept(site.conf):
        site.conf.write_text("colour = blue\n" + site.conf.read_text())
        yield


@row("a bad value in the configuration", log=("keeper", ["kosmo.conf", "session.idle"]), **AT_START)
def _(site):
    with bytes_kept(site.conf):
        with open(site.conf, "a") as f:
            f.write("[session]\nidle = soon\n")
        yield


@row("a broken drop-in", log=("keeper", ["90-broken.conf:2"]), **AT_START)
def _(site):
    yield from drop_in(site, "[session]\nidle\n")


@row("a broken drop-in while it runs", **RUNNING)
def _(site):
    yield from drop_in(site, "[session]\nidle\n")


# -- the keeper --

@contextlib.contextmanager
def stopped(process):
    os.kill(process.p.pid, signal.SIGSTOP)
    yield
    os.kill(process.p.pid, signal.SIGCONT)


@row("the keeper stopped", asked=0, log=("enrolld", ["does not answer", "restart kosmo-keeper"]))
def _(site):
    with stopped(site.process):
        yield


@row("the keeper killed", asked=0, log=("enrolld", ["no keeper at", "start kosmo-keeper"]))
def _(site):
    site.kill_keeper()
    yield
    site.start_keeper()


class Impostor:
    """Listens on both sockets in the keeper's place; says what it was given to everybody who says something."""

    def __init__(self, site, says):
        self.says, self.socks, self.conns = says, [], []
        for name in "auth.sock", "web.sock":
            (site.run / name).unlink(missing_ok=True)
            s = socket.socket(socket.AF_UNIX)
            s.bind(str(site.run / name))
            (site.run / name).chmod(0o666)
            s.listen(64)
            self.socks.append(s)
            import threading
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, listener):
        import threading
        with contextlib.suppress(OSError):
            while True:
                c, _ = listener.accept()
                self.conns.append(c)
                threading.Thread(target=self.answer, args=(c,), daemon=True).start()

    def answer(self, c):
        with contextlib.suppress(OSError):
            while c.recv(4096):
                if self.says:
                    c.sendall(self.says)

    def close(self):
        for s in self.socks + self.conns:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()


def impostor(site, says):
    site.stop()
    with contextlib.closing(Impostor(site, says)):
        yield
    site.start_keeper()


@row("a keeper that never answers", asked=0, log=("enrolld", ["does not answer", "restart kosmo-keeper"]))
def _(site):
    yield from impostor(site, b"")


@row("garbage in place of answers", asked=0, log=("enrolld", ["is no kosmo-keeper", "start kosmo-keeper"]))
def _(site):
    yield from impostor(site, b"HTTP/1.1 400 Bad Request\r\n\r\n")


# -- the sockets --

@row("the sockets removed while it runs", asked=0, login=SERVED, form=SERVED, session=SERVED)
def _(site):
    yield from moved(site, site.run / "auth.sock", site.run / "web.sock")


@row("sockets that nobody may open but root", **RUNNING)
def _(site):
    with mode(site.run / "auth.sock", 0), mode(site.run / "web.sock", 0):
        yield


@row("a plain file for a socket", log=("keeper", ["auth.sock", "not a socket", "move it away"]), **AT_START)
def _(site):
    f = site.run / "auth.sock"
    f.write_text("")
    yield
    f.unlink()


@row("a folder for a socket", log=("keeper", ["web.sock", "not a socket", "move it away"]), **AT_START)
def _(site):
    f = site.run / "web.sock"
    f.mkdir()
    yield
    f.rmdir()


@row("no folder for the sockets", log=("keeper", ["auth.sock", "No such file or directory", "run_dir"]), **AT_START)
def _(site):
    site.mailer.end()
    yield from moved(site, site.run)
    site.start_mailer()


# -- the mailer --

@row("the mailer dead", **RUNNING)
def _(site):
    site.mailer.end()
    yield
    site.start_mailer()


@row("the mailer stopped", **RUNNING)
def _(site):
    with stopped(site.mailer):
        yield


# -- the clock --

def clock(site, seconds):
    site.move_clock(seconds)
    yield
    site.move_clock(0)


@row("the clock an hour ahead", terminal=DENIED, login=SERVED, form=DENIED, session=DENIED, log=("keeper", ["verdict=deny"]))
def _(site):
    yield from clock(site, 3600)


@row("the clock an hour behind", terminal=DENIED, login=SERVED, form=DENIED, session=SERVED, session_after=False, log=("keeper", ["verdict=deny"]))
def _(site):
    yield from clock(site, -3600)


@contextlib.contextmanager
def broken(site, failure):
    """Breaks it; mends it when the block ends, however it does, and then the keeper runs again."""
    site.mark()
    if failure.starts is not None:
        site.stop()
        site.marks["keeper"] = len(site.log("keeper", 0))
    how, wrong = failure.how(site), None
    how.__enter__()
    try:
        if failure.starts is not None:
            start_broken(site, failure)
        yield
    except BaseException as e:
        wrong = e
    how.__exit__(None, None, None)
    if failure.starts is not None:
        site.stop()
        site.start_keeper()
    if wrong is not None:
        raise wrong


def start_broken(site, failure):
    if failure.starts:
        site.start_keeper()
        return
    p = site.keeper_process()
    status = p.p.wait(3)
    assert status == 1, (failure.name, status)
    assert len(site.log("keeper")) == 1 and len(site.said("keeper", failure.log[1])) == 1, site.log("keeper")


def intact(site, before):
    assert site.enrolments() == before["enrolments"]
    assert [p["login"] for p in site.people_now()] == before["logins"]
    assert site.files() == before["files"]


def state(site):
    return {"enrolments": site.enrolments(), "logins": [p["login"] for p in site.people_now()], "files": site.files()}


def params(select=lambda f: True):
    import pytest
    return [pytest.param(f, id=re.sub(r"\W+", "-", f.name)) for f in TABLE if select(f)]


# ---- a browser without pages ----

class Page:
    def __init__(self, response, seconds):
        self.status, self.seconds, self.headers = response.status, seconds, response.headers
        self.text = response.read().decode()
        self.location = response.headers.get("Location", "")

    def csrf(self):
        return re.search(r'name="csrf" value="([^"]+)"', self.text).group(1)


class Web:
    """One person's browser."""

    def __init__(self, site, lang="ja"):
        self.site, self.lang, self.cookie, self.form = site, lang, None, ""

    def __call__(self, path, **fields):
        c = http.client.HTTPConnection("127.0.0.1", self.site.port, timeout=20)
        head = {"Host": f"localhost:{self.site.port}", "Accept-Language": self.lang}
        if self.cookie:
            head["Cookie"] = self.cookie
        body = None
        if fields:
            head.update({"Origin": self.site.url, "Content-Type": "application/x-www-form-urlencoded"})
            body = urllib.parse.urlencode({"csrf": self.form, **fields})
        started = time.monotonic()
        with contextlib.closing(c):
            c.request("POST" if fields else "GET", path, body, head)
            page = Page(c.getresponse(), time.monotonic() - started)
        for value in page.headers.get_all("Set-Cookie") or []:
            if value.startswith("kosmo="):
                self.cookie = value.split(";")[0]
        found = re.search(r'name="csrf" value="([^"]+)"', page.text)
        if found:
            self.form = found.group(1)
        return page

    def follow(self, path, **fields):
        """The page at the end of the redirects; its path in .path."""
        page = self(path, **fields)
        while page.status == 303:
            path = page.location
            page = self(path)
        page.path = path.split("?")[0]
        return page

    def password(self, person):
        return self.follow("/login", login=person.login, password=person.password)

    def code(self, code):
        return self.follow("/login/code", code=code)

    def log_in_after_a_wait(self, person):
        """With a refused one noted at another time: it binds no longer than its wait, from the next try on."""
        self("/login")
        assert self.password(person).path == "/login/code"
        self.code(person.code())
        wait_out()
        assert self.code(person.code()).path.startswith("/first/")

    def log_in(self, person, code=None):
        """The path of the page behind the login."""
        assert self("/login").status == 200
        page = self.password(person)
        assert (page.status, page.path) == (200, "/login/code"), (page.status, page.path, self.site.log("keeper"))
        page = self.code(code or person.code())
        assert page.status == 200 and page.path.startswith("/first/"), (page.status, page.path, self.site.log("keeper"))
        return page.path
