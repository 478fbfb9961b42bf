"""What a newcomer does: ./quickstart, the wizard in a browser, ./quickstart login, ./quickstart ssh."""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
import types

import pexpect
import pytest
from browser import Browser, app_code, mailed
from conftest import BUILD, TOP
from harness import accepts, free_port, interruptible
from test_wizard import NEW_PASSWORD, Site, begin, enrol

pytestmark = pytest.mark.skipif(BUILD != (TOP / "build").resolve(), reason="quickstart is about build/")
QUICKSTART = str(TOP / "quickstart")


def quickstart(*args, cwd="/"):
    p = subprocess.run([QUICKSTART, *map(str, args)], cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    return types.SimpleNamespace(exit=p.returncode, text=p.stdout.decode())


class Demo(Site):
    """The instance that quickstart made, for the functions of the other tests."""

    def __init__(self, folder, port):
        self.dir, self.port, self.url, self.seen = pathlib.Path(folder), port, f"http://localhost:{port}", set()


@pytest.fixture(scope="module")
def demo():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kosmo-")) / "d"
    port = free_port()
    r = quickstart("--no-wait", "--dir", folder, "--port", port)
    assert r.exit == 0, r.text
    d = Demo(folder, port)
    d.said = r.text
    yield d
    quickstart("stop", "--dir", folder)
    shutil.rmtree(folder.parent, ignore_errors=True)


@pytest.fixture(scope="module")
def person(demo):
    """hanako, enrolled in the browser by nothing but what the letter says."""
    initial = re.search(r"Initial password +(\S+)", demo.said).group(1)
    p = types.SimpleNamespace(login=re.search(r"User ID +(\S+)", demo.said).group(1), initial=initial, codes=set())
    b = Browser()
    try:
        p.secret, p.recovery, used = enrol(b, demo, p)
        p.codes.add(used)
    finally:
        b.close()
    return p


def code(person):
    """A code that was not used; the next step's is good as well."""
    while True:
        for at in (time.time(), time.time() + 30):
            c = app_code(person.secret, at)
            if c not in person.codes:
                person.codes.add(c)
                return c
        time.sleep(1)


def converse(command, password, code, end=pexpect.EOF):
    child = pexpect.spawn(command[0], [str(c) for c in command[1:]], encoding="utf-8", timeout=60, cwd="/")
    child.expect("Password: ")
    child.sendline(password)
    child.expect("Code: ")
    child.sendline(code)
    child.expect(end)
    return child


def test_said(demo):
    assert f"http://localhost:{demo.port}" in demo.said
    assert "login" in demo.said and "hanako" in demo.said
    assert not (demo.dir / "demo/letter.txt").stat().st_mode & 0o077


def test_login(demo, person):
    first = code(person)
    command = [QUICKSTART, "login", "--dir", demo.dir]
    c = converse(command, NEW_PASSWORD, first)
    c.close()
    assert c.exitstatus == 0 and "Logged in" in c.before, c.before
    for password, again in ((NEW_PASSWORD, first), ("wrong", code(person))):
        c = converse(command, password, again)
        c.close()
        assert c.exitstatus == 1 and "Not logged in" in c.before, c.before


@pytest.mark.skipif(os.getuid() != 0, reason="an sshd needs root")
def test_ssh(demo, person):
    port = free_port()
    r = quickstart("ssh", "--no-wait", "--dir", demo.dir, "--ssh-port", port)
    assert r.exit == 0, r.text
    command = re.search(r"^ +(ssh -p .*)$", r.text, re.M).group(1).split()
    c = converse([*command, "id", "-u"], NEW_PASSWORD, code(person))
    c.close()
    assert (c.exitstatus, c.before.strip()) == (0, "61234"), c.before


def test_a_second_one(demo):
    r = quickstart("--no-wait", "--dir", demo.dir)
    assert r.exit == 1 and "running" in r.text
    with tempfile.TemporaryDirectory(prefix="kosmo-") as other:
        r = quickstart("--no-wait", "--dir", f"{other}/d", "--port", demo.port)
        assert r.exit == 1 and "taken" in r.text and "--port" in r.text
        (pathlib.Path(other) / "something").write_text("")
        r = quickstart("--no-wait", "--dir", other)
        assert r.exit == 1 and "not empty" in r.text
        assert sorted(os.listdir(other)) == ["d", "something"]


@pytest.mark.parametrize("arguments", [["--port", "x"], ["--port", "70000"], ["--dir"], ["--nonsense"], ["login", "--dir", "/nowhere"],
                                       ["stop", "--dir", "/nowhere"], ["--no-wait", "--dir", "/tmp/" + "x" * 120]])
def test_refused(arguments):
    r = quickstart(*arguments)
    assert r.exit == 1 and "quickstart: " in r.text, r.text


def test_ctrl_c_ends_everything():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kosmo-"))
    port = free_port()
    child = pexpect.spawn(QUICKSTART, ["--dir", str(folder / "d"), "--port", str(port)], encoding="utf-8", timeout=120, cwd="/",
                          preexec_fn=interruptible)
    try:
        child.expect("Ctrl-C ends everything")
        demo = Demo(folder / "d", port)
        initial = re.search(r"Initial password +(\S+)", child.before).group(1)
        b = Browser()
        try:
            begin(b, demo, types.SimpleNamespace(login="hanako", initial=initial))
            b.press()
        finally:
            b.close()
        shown = mailed(demo.mail("hanako@example.jp"))[0]
        child.expect(shown)
        child.sendcontrol("c")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0, child.before
        assert not accepts(socket.AF_INET, ("127.0.0.1", port))
        left = subprocess.run(["pgrep", "-f", str(folder)], stdout=subprocess.PIPE).stdout.decode()
        assert left == ""
    finally:
        child.close(force=True)
        shutil.rmtree(folder, ignore_errors=True)
