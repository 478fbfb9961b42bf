"""The console: a security key logs its owner in where they sit; whatever stands in its way leads on to the next way."""
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pexpect
import pytest
import kosmo_wire as wire
from conftest import BUILD, MODULE, SANITIZED
from console import CODE, HELPER, MAILED, PIN, TOUCH, Pam, helper, script, unthreaded
from ctap_token import UP, UV, Credential, Token
from fake_keeper import FakeKeeper, ask, verdict
from harness import Instance, Namespace, Person, spawn, wait_until

SUCCESS, AUTH_ERR = 0, 7


@pytest.fixture(scope="module")
def world(driver, module_folder):
    class World:
        people = [Person(f"p{n}") for n in range(60)]
        i = Instance(module_folder, people + [Person("app")])

        def next(self):
            """A person whom nobody has kept waiting, with a passkey on a security key, as .key."""
            p = self.people.pop()
            p.key = Credential("localhost", protect=3)
            subprocess.run([BUILD / "tests/pam/put_passkey", self.i.conf, p.login, p.key.ident.hex(), p.key.cose().hex()], check=True)
            return p
    w = World()
    w.i.conf.write_text("passkey.pam = forbidden\n" + w.i.conf.read_text())
    w.i.start()
    yield w
    w.i.stop()


@pytest.fixture
def console(driver, folder, world):
    """The real keeper, the real helper; plug() plugs a key in."""
    dev = folder / "dev"
    dev.mkdir()
    p = Pam(driver, folder, world.i.module(), helper(folder, dev))
    tokens, p.person = [], world.next()
    p.user = p.person.login

    def plug(*credentials, **kw):
        tokens.append(Token(dev, *credentials, **kw))
        return tokens[-1]
    p.plug, p.password, p.key = plug, p.person.password, p.person.key
    yield p
    for t in tokens:
        t.end()
    assert not [e for t in tokens for e in t.errors]


@unthreaded
class TestKey:
    def test_in(self, console, world):
        t = console.plug(console.key)
        before = len(world.i.rows("SELECT seq FROM audit"))
        r = console(console.password, "", "1234")
        assert r.code() == SUCCESS and r.shown == ["Password: ", CODE, PIN, TOUCH]
        assert t.touches == 1
        log = world.i.process.log.read_text().splitlines()[-1]
        assert f"user={console.user} " in log and "verdict=allow by passkey" in log and "1234" not in world.i.process.log.read_text()
        assert len(world.i.rows("SELECT seq FROM audit")) > before
        # each login has a hash of its own
        assert console(console.password, "", "1234").code() == SUCCESS
        hashes = [p[2] for c, p in t.asked if c == 2 and p.get(5, {}).get("up", True)]
        assert len(hashes) == len(set(hashes)) == 2

    def test_wrong_password(self, console, world):
        """The key is asked all the same, and the refusal is the one of everybody."""
        t = console.plug(console.key)
        r = console("wrong", "", "1234")
        assert r.code() == AUTH_ERR and r.shown == ["Password: ", CODE, PIN, TOUCH] and t.touches == 1

    def test_another_persons(self, console, world):
        t = console.plug(world.next().key)
        r = console(console.password, "", "1234", "")
        assert r.code() == AUTH_ERR and t.touches == 0
        assert r.shown == ["Password: ", CODE, PIN, "The security key has no passkey for this login.\n" + MAILED]

    def test_wrong_pin(self, console, world):
        console.plug(console.key)
        r = console(console.password, "", "0000", "1234")
        assert r.code() == SUCCESS
        assert r.shown[2:4] == [PIN, "That PIN is wrong, 7 tries are left. PIN (Enter: another way): "]

    def test_pin_blocks(self, console, world):
        console.plug(console.key, tries=2)
        r = console(console.password, "", "0000", "0000", "")
        assert r.code() == AUTH_ERR and r.shown[2] == "PIN of your security key (2 tries left; Enter: another way): "
        assert r.shown[3].startswith("One try is left.")
        assert r.shown[4] == "The security key has blocked itself after too many wrong PINs.\n" + MAILED

    @pytest.mark.parametrize("odd", [{"bad_signature": True}, {"flags": UP}, {"flags": UV}])
    def test_refused(self, console, world, odd):
        """A wrong signature; nobody verified; nobody present."""
        console.plug(console.key, **odd)
        r = console(console.password, "", "1234")
        assert r.code() == AUTH_ERR and r.shown == ["Password: ", CODE, PIN, TOUCH]

    def test_touch(self, console, world):
        t = console.plug(console.key, touch="denied")
        r = console(console.password, "", "1234", "")
        assert r.code() == AUTH_ERR and r.shown[-1] == "The security key was told to refuse.\n" + MAILED and t.touches == 1

    def test_two_keys(self, console, world):
        other = console.plug(Credential("localhost"))
        console.key.protect = 1
        console.plug(console.key)
        assert console(console.password, "", "1234").code() == SUCCESS
        assert other.touches == 0

    def test_enter_instead(self, console, world):
        t = console.plug(console.key)
        r = console(console.password, "", "", "")
        assert r.code() == AUTH_ERR and r.shown[-1] == MAILED and t.tries == 8

    def test_code_still_good(self, console, world):
        console.plug(console.key)
        r = console(console.password, console.person.code())
        assert r.code() == SUCCESS and r.shown == ["Password: ", CODE]

    def test_silent(self, console, world):
        """sudo's PAM_SILENT does not leave anybody waiting for they know not what."""
        console.plug(console.key)
        r = console(console.password, "", "1234", options=("-t", "tty1", "-q"))
        assert r.code() == SUCCESS and r.shown[-1] == TOUCH

    def test_interrupted_host(self, console, world):
        """Signals that a host handles come all the time."""
        console.plug(console.key)
        r = console(console.password, "", "1234", options=("-t", "tty1", "-S", "2000", "-i", str(int(signal.SIGCHLD))))
        assert r.code() == SUCCESS


def test_the_same_for_everybody(console, world):
    """No key is plugged in: known and unknown, with a passkey and without, see the same."""
    shown = set()
    for user in console.user, "app", "nobody-of-that-name", "":
        r = console("wrong", "", "", user=user)
        assert r.code() == AUTH_ERR
        shown.add(tuple(r.shown))
    assert shown == {("Password: ", CODE, "No security key is plugged in.\n" + MAILED)}


@unthreaded
def test_decoys(console, world):
    """Whoever looks at what a key is asked for sees credentials of everybody, each time the same ones."""
    asked = {}
    t = console.plug(Credential("localhost"))
    for user in console.user, "app", "nobody-of-that-name", "other-nobody":
        for _ in range(2):
            t.asked.clear()
            console("wrong", "", "", "", user=user)
            asked.setdefault(user, []).append([d["id"] for c, p in t.asked if c == 2 for d in p[3]])
    assert all(first == again and first for first, again in asked.values())
    assert len({i for ids, _ in asked.values() for i in ids}) == sum(len(ids) for ids, _ in asked.values())
    assert all(16 <= len(i) <= 64 for ids, _ in asked.values() for i in ids)


NOT_AT_A_SEAT = [("-t", "tty1", "-r", "192.0.2.1"), ("-t", "tty1", "-r", "host"), ("-t", "ttyS0"), ("-t", "ssh"), ("-t", "tty"), ("-t", "tty0"),
                 ("-t", "/dev/pts/1"), ("-t", "localhost:0"), ("-t", ":"), ("-t", ":x"), ("-t", ":0.x"), ("-t", "tty1x"), ()]
AT_A_SEAT = [("-t", "tty1"), ("-t", "/dev/tty12"), ("-t", ":0"), ("-t", ":1.0"), ("-t", "tty1", "-r", "")]


class Fake(Pam):
    """A scripted keeper, and a helper that is not ours."""
    key = ("key", {"rp_id": "localhost", "hash": b"h" * 32, "seconds": 5, "allow.0": b"id", "text.pin": "PIN: ", "text.few": "{tries}: ",
                   "text.wrong": "wrong {tries}: ", "text.last": "last: ", "text.touch": "touch", "text.choose": "choose"})

    def __init__(self, driver, folder, helper="/bin/false"):
        super().__init__(driver, folder, f"{MODULE} socket={folder}/auth.sock", helper)

    def run(self, *replies, **kw):
        """(result, what the keeper was told about the key)"""
        told = []

        def judge(conn):
            conn.settimeout(90)
            conn.sendall(wire.encode(*self.key))
            told.append(wire.receive(conn)[1])
            conn.sendall(wire.encode(*verdict("deny")))
        with FakeKeeper(f"{self.dir}/auth.sock", [judge]) as k:
            r = self(*replies, **kw)
        assert not k.errors
        return r, told[0]


@pytest.fixture
def fake(driver, folder):
    return Fake(driver, folder)


def claims(fake, options):
    with FakeKeeper(f"{fake.dir}/auth.sock", [verdict("deny")]) as k:
        fake(options=options)
    return k.seen[0][0][1].get("seat") == b"1"


def test_seats(fake):
    local = fake.helper
    assert {o: claims(fake, o) for o in NOT_AT_A_SEAT} == dict.fromkeys(NOT_AT_A_SEAT, False)
    assert {o: claims(fake, o) for o in AT_A_SEAT} == dict.fromkeys(AT_A_SEAT, True)
    for missing in fake.dir / "nothing", fake.dir, "/etc/passwd":
        fake.helper = missing
        assert not claims(fake, ("-t", "tty1"))
    fake.helper = local


def test_remote_never_asked(console, world):
    """The module said nothing of a seat; a keeper that is told so by somebody who has a remote host believes nothing."""
    for options in ("-t", "tty1", "-r", "192.0.2.1"), ("-t", "ssh"):
        r = console("wrong", "", "", options=options)
        assert r.shown == ["Password: ", "Code: ", MAILED]
    with wire.Client(world.i.socket) as c:
        c.ask("begin", {"phase": "auth", "service": "x", "user": console.user, "seat": "1", "rhost": "192.0.2.1"})
        assert c.ask("answer", {"text": "wrong"}) == ("ask", {"text": "Code: ", "echo": "0"})
        assert c.ask("answer", {"text": ""})[0] == "ask"
        kind, f = c.ask("key", {"status": "ok"})
        assert (kind, f["verdict"]) == ("verdict", "internal")


def test_nameless(console, world):
    """No name, but a signature of somebody's key over the right hash: it is not that person who comes in."""
    for login, status in (console.user, "verdict"), ("", "ask"):
        with wire.Client(world.i.socket) as c:
            c.send("begin", {"phase": "auth", "service": "x", "user": login, "seat": "1", "opt.0": "password=skip"})
            wire.receive(c.sock)
            c.send("answer", {"text": ""})
            asked = wire.receive(c.sock)[1]
            data = hashlib.sha256(b"localhost").digest() + bytes([UP | UV, 0, 0, 0, 9])
            c.send("key", {"status": "ok", "id": console.key.ident, "authdata": data, "signature": console.key.sign(data + asked["hash"])})
            kind, f, _ = wire.receive(c.sock)
            assert kind == status and f.get("verdict", b"allow") == b"allow"


HOSTILE = [{}, {"status": "ok"}, {"status": "ok", "id": b"", "authdata": b"a", "signature": b"s"}, {"status": b"o\0k"}, {"status": "x" * 5000},
           {"status": "ok", "id": b"i" * 1024, "authdata": b"a", "signature": b"s"}, {"status": "ok", "id": b"i", "authdata": b"a" * 4097, "signature": b"s"}]


@pytest.mark.parametrize("said", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_module(console, world, said):
    with wire.Client(world.i.socket) as c:
        c.ask("begin", {"phase": "auth", "service": "x", "user": console.user, "seat": "1", "opt.0": "password=skip"})
        c.send("answer", {"text": ""})
        wire.receive(c.sock)
        assert c.ask("key", said) == ("ask", {"echo": "0", "text": "The security key could not be used.\n" + MAILED})
        # asked once only
        assert c.ask("answer", {"text": ""})[1]["verdict"] == "deny"


def test_forbidden(driver, folder, module_folder, world):
    """passkey.console = no: as if there were no seat."""
    conf = world.i.conf.read_text()
    world.i.stop()
    try:
        world.i.conf.write_text("passkey.console = no\n" + conf)
        world.i.start()
        r = Pam(driver, folder, world.i.module(), HELPER)("wrong", "", "")
        assert r.shown == ["Password: ", "Code: ", MAILED]
    finally:
        world.i.stop()
        world.i.conf.write_text(conf)
        world.i.start()


LOOK = r"""#!/usr/bin/python3 -IS
import json, os, sys
status = dict(l.split(":\t", 1) for l in open("/proc/self/status").read().splitlines())
fds = {n: os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{n}")}
json.dump({"env": sorted(os.environ), "fds": fds, "uid": status["Uid"].split(), "gid": status["Gid"].split(), "groups": status["Groups"].split(),
           "blocked": int(status["SigBlk"], 16), "cwd": os.getcwd(), "pid": os.getpid(), "parent": os.getppid()}, open("FILE", "w"))
print("noise"); sys.stderr.write("noise")
"""


@pytest.mark.parametrize("host", ["plain", "<&-", "2>&-", "<&- 2>&-"])
def test_what_it_is_run_as(fake, host):
    """An empty environment, no descriptor of the host's, nobody's signals; what it prints is nobody's."""
    seen = fake.dir / "seen"
    fake.helper = script(fake.dir / "helper", LOOK.replace("FILE", str(seen)))
    read, write = os.pipe()
    os.set_inheritable(write, True)
    os.environ["SECRET"] = "1"
    try:
        told = []
        with FakeKeeper(f"{fake.dir}/auth.sock", [lambda c: (c.sendall(wire.encode(*fake.key)), told.append(wire.receive(c)),
                                                             c.sendall(wire.encode(*verdict("deny"))))]):
            closed = [] if host == "plain" else ["sh", "-c", f'exec "$@" {host}', "sh"]
            p = subprocess.run([*closed, *fake.command()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, close_fds=False, timeout=60)
        assert p.returncode == 1 and b"noise" not in p.stdout + p.stderr and b"changed" not in p.stdout
    finally:
        del os.environ["SECRET"]
        os.close(read)
        os.close(write)
    assert told[0][1] == {"status": b"error"}
    s = json.loads(seen.read_text())
    assert [n for n in s["env"] if n != "LC_CTYPE"] == []  # python's own
    assert s["fds"].pop("0").startswith("socket:") and s["fds"].pop("1") == s["fds"].pop("2") == "/dev/null"
    assert all("/proc/" in f or str(seen) in f for f in s["fds"].values()), s["fds"]
    assert s["blocked"] == 0 and s["cwd"] == "/" and s["uid"] == [str(os.getuid())] * 4
    assert not os.path.exists(f"/proc/{s['pid']}") and not os.path.exists(f"/proc/{s['parent']}")


SETUID = pytest.mark.skipif(os.getuid() != 0, reason="a setuid program")


@SETUID
def test_run_by_su(fake):
    """su's caller may send signals to what has their real uid: the helper has not."""
    seen = fake.dir / "seen"
    fake.dir.chmod(0o777)
    fake.helper = script(fake.dir / "helper", LOOK.replace("FILE", str(seen)))
    code = "import os,sys; os.setgroups([1000]); os.setresgid(1000, 0, 0); os.setresuid(1000, 0, 0); os.execv(sys.argv[1], sys.argv[1:])"
    with FakeKeeper(f"{fake.dir}/auth.sock", [lambda c: (c.sendall(wire.encode(*fake.key)), wire.receive(c), c.sendall(wire.encode(*verdict("deny"))))]):
        subprocess.run(["/usr/bin/python3", "-c", code, *fake.command()], stdout=subprocess.PIPE, timeout=60)
    s = json.loads(seen.read_text())
    assert s["uid"] == s["gid"] == ["0"] * 4 and s["groups"] == []


@pytest.mark.skipif(SANITIZED, reason="su is no sanitized program")
@pytest.mark.skipif(not Namespace.possible() or shutil.which("su") is None, reason="needs root, unshare and su")
@pytest.mark.parametrize("session", ["SEAT=seat0\nREMOTE=0\nACTIVE=1", "SEAT=seat0\nREMOTE=1\nACTIVE=1", "SEAT=\nREMOTE=0\nACTIVE=1",
                                     "SEAT=seat0\nREMOTE=0\nACTIVE=0", "MYSEAT=seat0\nREMOTE=0\nACTIVE=1"])
def test_su_in_a_session(console, world, session):
    """A real su in a terminal window: where its session sits is what logind says, by the kernel's number of it."""
    me = world.next()
    console.plug(console.key)
    console.dir.chmod(0o755)
    ns = Namespace(console.dir, [me, console.person], {"su": f"auth required {console.module} fido2={console.helper}\naccount required pam_permit.so"}, "x")
    sessions = console.dir / "sessions"
    sessions.mkdir()
    (sessions / "7").write_text(f"UID=1000\n{session}\nTYPE=x11\n")
    (console.dir / "id").write_text("7")
    ns.script.write_text(ns.script.read_text().replace("uid=$1\n", "mount -t tmpfs none /run\nmkdir -p /run/systemd/sessions\n"
                         f"cp {sessions}/7 /run/systemd/sessions/7\nmount --bind {console.dir}/id /proc/$$/sessionid\nuid=$1\n"))
    # what connects to the keeper is not in /run
    child = spawn(ns.command(1000, "su", console.user, "-c", "id -un"), cwd="/")
    child.expect_exact("Password: ")
    child.sendline(console.password)
    seat = session.startswith("SEAT=seat0\nREMOTE=0\nACTIVE=1")
    child.expect_exact(CODE if seat else "Code: ")
    child.sendline("")
    if seat:
        child.expect_exact(PIN)
        child.sendline("1234")
        child.expect_exact(TOUCH)
        child.expect(rf"\r\n{console.user}\r\n")
        child.expect_exact(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0
    else:
        child.expect_exact("a code has been mailed to you.")
        child.close(force=True)


BROKEN = {
    "leaves": "exit 0", "is killed": "kill -9 $$", "talks rubbish": "printf '\\377\\377\\377\\377' >&0; exec sleep 30",
    "talks of nothing": r"printf '\0\0\0\011\0\0\0\001\001x\0\0\0' >&0; exec sleep 30", "cannot be run": None,
}


@pytest.mark.parametrize("how", BROKEN)
def test_broken_helpers(fake, how):
    fake.helper = script(fake.dir / "helper", f"#!/bin/sh\n{BROKEN[how]}\n" if BROKEN[how] else "#!/nowhere/at/all\n")
    r, told = fake.run()
    assert told == {"status": b"error"} and r.code() == AUTH_ERR and r.seconds < 5


@pytest.mark.parametrize("how", ["it ends", "it must be killed"])
def test_nothing_left(fake, how):
    """The host is gone in the middle of it: so is the helper."""
    pid = fake.dir / "pid"
    fake.helper = script(fake.dir / "helper", f"#!/bin/sh\necho $$ >{pid}.new; mv {pid}.new {pid}; exec sleep 100\n")
    with FakeKeeper(f"{fake.dir}/auth.sock", [lambda c: (c.sendall(wire.encode(*fake.key)), wire.receive(c))]):
        p = subprocess.Popen(fake.command(), stdout=subprocess.PIPE)
        wait_until(pid.exists, 10, "the helper")
        helper = int(pid.read_text())
        os.kill(p.pid, signal.SIGKILL if how == "it must be killed" else signal.SIGTERM)
        p.communicate()
        wait_until(lambda: not os.path.exists(f"/proc/{helper}"), 10, "the helper's end")


@pytest.mark.soak
def test_hangs(fake):
    """The time limit; then it is killed."""
    pid = fake.dir / "pid"
    fake.helper = script(fake.dir / "helper", f"#!/bin/sh\ntrap '' TERM HUP; echo $$ >{pid}; while :; do sleep 1; done\n")
    r, told = fake.run()
    assert told == {"status": b"error"} and 60 < r.seconds < 75
    wait_until(lambda: not os.path.exists(f"/proc/{int(pid.read_text())}"), 10, "the helper's end")


SPEAKER = r"""#!/usr/bin/python3 -IS
import socket, sys
sys.path.insert(0, "TESTS")
import kosmo_wire as wire
s = socket.socket(fileno=0)
wire.receive(s)
for kind, fields in SAYS:
    s.sendall(wire.encode(kind, fields))
    if kind == "pin":
        got = wire.receive(s)
        open("FILE", "a").write(repr(got[1]) + "\n")
s.recv(1)
"""
OK = {"status": "ok", "id": b"i", "authdata": b"a" * 4096, "signature": b"s"}
SAYS = {
    "a PIN": ([("pin", {"tries": 8, "wrong": 0}), ("done", OK)], ["1234"], ["PIN: "], {k: v if isinstance(v, bytes) else v.encode() for k, v in OK.items()}),
    "few": ([("pin", {"tries": 3, "wrong": 0}), ("pin", {"tries": 2, "wrong": 1}), ("pin", {"tries": 1, "wrong": 1}), ("done", {"status": "pinblocked"})],
            ["1", "2", "3"], ["3: ", "wrong 2: ", "last: "], {"status": b"pinblocked"}),
    "no reply": ([("pin", {"tries": 8, "wrong": 0}), ("done", {"status": "cancelled"})], ["null"], ["PIN: "], {"status": b"cancelled"}),
    "touches": ([("touch", {"choose": 1}), ("touch", {"choose": 0}), ("done", {"status": "timeout"})], [], ["choose", "touch"], {"status": b"timeout"}),
    "too long": ([("done", {**OK, "authdata": b"a" * 4097})], [], [], {"status": b"ok", "id": b"i", "signature": b"s"}),
    "no status": ([("done", {})], [], [], {"status": b"error"}),
    "no number": ([("pin", {})], [], [], {"status": b"error"}),
    "endless": ([("touch", {"choose": 0})] * 40 + [("done", OK)], [], ["touch"] * 32, {"status": b"error"}),
}


@pytest.mark.parametrize("what", SAYS)
def test_dialogue(fake, what):
    says, replies, shown, told = SAYS[what]
    seen = fake.dir / "seen"
    fake.helper = script(fake.dir / "helper", SPEAKER.replace("TESTS", str(pathlib.Path(__file__).parent.parent)).replace("FILE", str(seen))
                         .replace("SAYS", repr(says)))
    r, got = fake.run(*replies)
    assert r.shown == shown and got == told and r.seconds < 10
    pins = [p for p in replies if p != "null"]
    assert not pins or [re.search(r"b'(.*)'", l)[1] for l in seen.read_text().splitlines()] == pins
