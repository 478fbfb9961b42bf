"""kosmo-enrolld without a service manager: keeper and mailer beside it, and the end of all of them."""
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

import pytest

BUILD = pathlib.Path(os.environ.get("KOSMO_BUILD", pathlib.Path(__file__).parents[2] / "build"))
ENROLLD = BUILD / "enroll/kosmo-enrolld"


def accepts(path):
    with socket.socket(socket.AF_UNIX) as s:
        try:
            s.connect(str(path))
            return True
        except OSError:
            return False


def wait_until(condition, seconds=80):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


class Site:
    def __init__(self, owner=None):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="kosmo-"))
        self.top.chmod(0o755)
        self.dir = self.top / "k"
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.url = f"http://localhost:{s.getsockname()[1]}"
        subprocess.run([BUILD / "ctl/kosmoctl", "init", "--dir", self.dir, "--url", self.url], check=True, stdout=subprocess.DEVNULL)
        if owner:
            for p in [self.dir, *self.dir.rglob("*")]:
                os.chown(p, owner.pw_uid, owner.pw_gid)
        self.program = self.copied() if owner else ENROLLD
        self.log = self.top / "log"

    def start(self):
        with open(self.log, "ab") as log:
            self.p = subprocess.Popen([self.program, "-c", self.dir / "kosmo.conf"], stderr=log, start_new_session=True)
        wait_until(lambda: b"serving" in self.log.read_bytes() or self.p.poll() is not None)
        assert self.p.poll() is None, self.said()
        return self

    def copied(self):
        """The programs where the owner may go: the build may be in a private folder."""
        for name in "enroll/kosmo-enrolld", "enroll/kosmo-mailer", "keeper/kosmo-keeper":
            place = self.top / "build" / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(BUILD / name, place)
        return self.top / "build/enroll/kosmo-enrolld"

    def said(self):
        return self.log.read_text(errors="replace")

    def children(self):
        """{name: pid}"""
        out = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(self.p.pid)], capture_output=True, text=True).stdout
        return {line.split()[1].rsplit("/", 1)[1]: int(line.split()[0]) for line in out.splitlines()}

    def all_gone(self, pids):
        wait_until(lambda: not any(pathlib.Path(f"/proc/{pid}/exe").exists() for pid in pids), 10)

    def close(self):
        if self.p.poll() is None:
            self.p.terminate()
            self.p.wait(20)
        shutil.rmtree(self.top, ignore_errors=True)


@pytest.fixture
def site():
    s = Site().start()
    yield s
    s.close()


def test_starts_and_stops_all(site):
    pids = site.children()
    assert sorted(pids) == ["kosmo-enrolld", "kosmo-keeper", "kosmo-mailer"]
    assert accepts(site.dir / "run/web.sock")
    wait_until(lambda: accepts(site.dir / "run/mail.sock"))  # nobody waited for it
    assert b"/login" in urllib.request.urlopen(site.url + "/").read()
    site.p.terminate()
    assert site.p.wait(20) == 0, site.said()
    site.all_gone(pids.values())
    assert "stopping" not in site.said() and "no keeper" not in site.said()


def test_ctrl_c(site):
    """A terminal sends SIGINT to the whole group: only the first kosmo-enrolld is in it."""
    pids = site.children()
    os.killpg(site.p.pid, signal.SIGINT)
    assert site.p.wait(20) == 0, site.said()
    site.all_gone(pids.values())


@pytest.mark.parametrize("who,how", [("kosmo-keeper", signal.SIGKILL), ("kosmo-mailer", signal.SIGKILL), ("kosmo-keeper", signal.SIGTERM),
                                     ("kosmo-enrolld", signal.SIGKILL)])
def test_one_dies(site, who, how):
    pids = site.children()
    os.kill(pids[who], how)
    assert site.p.wait(20) == 1
    assert who in site.said() and "stopping" in site.said()
    site.all_gone(pids.values())


def test_killed_itself(site):
    pids = site.children()
    site.p.kill()
    site.p.wait()
    site.all_gone(pids.values())


def test_what_runs_already_is_left_alone(site):
    wait_until(lambda: accepts(site.dir / "run/mail.sock"))  # "serving" does not wait for it
    pids = site.children()
    conf = (site.dir / "kosmo.conf").read_text()
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    second = site.top / "second.conf"
    second.write_text(re.sub(r"^((web\.)?listen *=).*$", rf"\1 127.0.0.1:{port}", conf, flags=re.M))
    log = site.top / "log2"
    with open(log, "wb") as out:
        p = subprocess.Popen([ENROLLD, "-c", second], stderr=out)
    wait_until(lambda: b"serving" in log.read_bytes() or p.poll() is not None)
    assert p.poll() is None, log.read_text()
    assert subprocess.run(["ps", "-o", "pid=", "--ppid", str(p.pid)], capture_output=True).stdout == b""
    p.terminate()
    assert p.wait(20) == 0
    assert site.children() == pids


def test_cannot_start():
    s = Site()
    try:
        (s.dir / "key").write_text("nonsense\n")
        r = subprocess.run([ENROLLD, "-c", s.dir / "kosmo.conf"], capture_output=True, text=True, timeout=30)
        assert r.returncode == 1 and "kosmo-keeper" in r.stderr and "stopping" in r.stderr
    finally:
        shutil.rmtree(s.top, ignore_errors=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_becomes_the_owner():
    owner = pwd.getpwnam("nobody")
    s = Site(owner).start()
    try:
        for pid in (s.p.pid, *s.children().values()):
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            uids = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:]
            assert set(uids) == {str(owner.pw_uid)}
        pids = s.children()
        assert len(pids) == 3
        s.p.kill()
        s.p.wait()
        s.all_gone(pids.values())  # a change of user did not lose the parent's death signal
    finally:
        s.close()
