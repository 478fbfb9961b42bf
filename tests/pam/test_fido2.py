"""kosmo-fido2 by itself: what it does with keys, and what it is while it does it."""
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest
import kosmo_wire as wire
from conftest import SANITIZED
from console import HELPER, preload, unthreaded
from ctap_token import BE, UP, UV, Credential, Token
from harness import wait_until

RP, HASH = "login.example.org", bytes(range(32))
pytestmark = unthreaded


class Helper:
    """One run: say() and hear() are its socket."""

    def __init__(self, folder, allow, seconds=20, preexec=None, **fields):
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(30)
        env = {"LD_PRELOAD": preload(), "KOSMO_TOKENS": str(folder)}
        self.p = subprocess.Popen([HELPER], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, preexec_fn=preexec)
        theirs.close()
        self.say("get", {"rp_id": RP, "hash": HASH, "seconds": seconds, **{f"allow.{i}": a for i, a in enumerate(allow)}, **fields})

    def say(self, kind, fields):
        self.socket.sendall(wire.encode(kind, fields))

    def hear(self):
        kind, fields, _ = wire.receive(self.socket)
        return kind, fields

    def run(self, *pins):
        """Everything said until the end; at "pin" the next of pins is given."""
        heard, pins = [], list(pins)
        while not heard or heard[-1][0] != "done":
            heard.append(self.hear())
            if heard[-1][0] == "pin":
                pin = pins.pop(0)
                self.say("pin", {"pin": pin} if pin is not None else {})
        assert not pins, heard
        assert self.end() == 0
        return [k if k != "pin" else f"pin {f['tries'].decode()}{' wrong' if f['wrong'] == b'1' else ''}" for k, f in heard[:-1]], \
            heard[-1][1]

    def end(self):
        self.socket.close()
        out, err = self.p.communicate(timeout=20)
        assert (out, err) == (b"", b"")
        return self.p.returncode


@pytest.fixture
def keys(driver, folder):
    """keys.plug(credentials, ...) plugs one in; keys.helper([ids]) runs the program."""
    class Keys:
        dir, all = folder / "dev", []

        def plug(self, *credentials, **kw):
            self.all.append(Token(self.dir, *credentials, **kw))
            return self.all[-1]

        def helper(self, *allow, **kw):
            return Helper(self.dir, [c.ident if isinstance(c, Credential) else c for c in allow], **kw)
    k = Keys()
    k.dir.mkdir()
    yield k
    for t in k.all:
        t.end()
    assert not [e for t in k.all for e in t.errors]


def good(c, done, flags=UP | UV):
    assert done["status"] == b"ok" and done["id"] == c.ident
    assert done["authdata"][32] == flags
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    c.key.public_key().verify(done["signature"], done["authdata"] + HASH, ec.ECDSA(hashes.SHA256()))


def signed(token):
    """Assertions that a touch was wanted for."""
    return [p for c, p in token.asked if c == 2 and p.get(5, {}).get("up", True)]


@pytest.mark.parametrize("protect", [1, 3])
def test_right(keys, protect):
    """protect 3: a credential that the key tells nobody of without a PIN, as Chromium makes them."""
    c = Credential(RP, protect=protect)
    t = keys.plug(c)
    said, done = keys.helper(c).run("1234")
    assert said == ["pin 8", "touch"]
    good(c, done)
    assert t.touches == 1 and [p[2] for p in signed(t)] == [HASH]
    # untouched, it never signed what somebody is waiting for
    assert all(p[2] == bytes(32) for c, p in t.asked if c == 2 and p not in signed(t))


def test_wrong_pins(keys):
    c = Credential(RP)
    t = keys.plug(c)
    said, done = keys.helper(c).run("0000", "123", "1234")
    assert said == ["pin 8", "pin 7 wrong", "pin 7 wrong", "touch"]  # one that is too short costs no try
    good(c, done)
    said, done = keys.helper(c).run("0000", "0001", "0002")
    assert said == ["pin 8", "pin 7 wrong", "pin 6 wrong"] and done == {"status": b"pinwait"}
    said, done = keys.helper(c).run("1234")
    assert done == {"status": b"pinwait"} and t.touches == 1


def test_pin_blocks(keys):
    c = Credential(RP)
    keys.plug(c, tries=1)
    said, done = keys.helper(c).run("0000")
    assert said == ["pin 1"] and done == {"status": b"pinblocked"}
    said, done = keys.helper(c).run()
    assert said == [] and done == {"status": b"pinblocked"}


@pytest.mark.parametrize("pin", ["", None])
def test_another_way(keys, pin):
    c = Credential(RP)
    t = keys.plug(c)
    said, done = keys.helper(c).run(pin)
    assert said == ["pin 8"] and done == {"status": b"cancelled"} and t.tries == 8


def test_finger(keys):
    c = Credential(RP, protect=3)
    t = keys.plug(c, finger="yes")
    said, done = keys.helper(c).run()
    assert said == ["touch"]
    good(c, done)
    assert t.touches == 1
    t.finger = "wrong"
    said, done = keys.helper(c).run("1234")
    assert said == ["touch"] * 3 + ["pin 8", "touch"]
    good(c, done)


def test_nothing_there(keys):
    c = Credential(RP)
    assert keys.helper(c).run() == ([], {"status": b"none"})
    (keys.dir / "hidraw9").write_bytes(b"")  # a keyboard
    assert keys.helper(c).run() == ([], {"status": b"none"})
    (keys.dir / "hidraw9").unlink()
    t = keys.plug(Credential("other.example.org", ident=c.ident), pin=None)
    assert keys.helper(c).run() == ([], {"status": b"nocredential"})
    t.pin = "1234"  # it may have one that it tells nobody of
    assert keys.helper(c).run("1234") == (["pin 8"], {"status": b"nocredential"})
    assert t.touches == 0


def test_no_pin(keys):
    c = Credential(RP)
    keys.plug(c, pin=None)
    assert keys.helper(c).run() == ([], {"status": b"nopin"})


def test_touch(keys):
    c = Credential(RP)
    t = keys.plug(c, touch="denied")
    assert keys.helper(c).run("1234") == (["pin 8", "touch"], {"status": b"denied"})
    t.touch = "no"
    started = time.monotonic()
    assert keys.helper(c, seconds=1).run("1234") == (["pin 8", "touch"], {"status": b"timeout"})
    assert 0.9 < time.monotonic() - started < 20
    wait_until(lambda: t.asked[-1][0] == "cancel", 3, "the key stops blinking")


def test_several_keys(keys):
    """The one that has it is asked and no other; where none says, the one that is touched."""
    a, b = Credential(RP), Credential(RP)
    one, other = keys.plug(a), keys.plug(b)
    said, done = keys.helper(b).run("1234")
    assert said == ["pin 8", "touch"]
    good(b, done)
    assert one.touches == 0 and not [c for c, p in one.asked if c == 6 and p[2] in (5, 9)]
    a.protect = b.protect = 3
    one.touch = "no"
    other.touches = 0
    said, done = keys.helper(os.urandom(64), a, b).run("1234")
    assert said == ["touch", "pin 8", "touch"]
    good(b, done)
    assert (one.touches, other.touches) == (0, 2)


def test_several_of_many(keys):
    """Those that have it are asked to be touched, whatever else is plugged in before and between them."""
    a, b = Credential(RP), Credential(RP)
    plugged = {t.path.name: t for t in (keys.plug(pin=None) for _ in range(4))}
    before, one, other, behind = (plugged[name] for name in os.listdir(keys.dir))  # as the helper meets them
    one.credentials, other.credentials, one.pin, other.pin = [a], [b], "1234", "1234"
    for untouched, touched, c in ((one, other, b), (other, one, a)):
        untouched.touch, touched.touch = "no", "yes"
        said, done = keys.helper(a, b).run("1234")
        assert said == ["touch", "pin 8", "touch"]
        good(c, done)
    assert before.touches == behind.touches == 0


def test_short_list(keys):
    """A key takes only so many ids at once."""
    c = Credential(RP, protect=3)
    t = keys.plug(c, list=2)
    others = [os.urandom(64) for _ in range(7)]
    said, done = keys.helper(*others, c).run("1234")
    assert said == ["pin 8", "touch"]
    good(c, done)
    assert max(len(p[3]) for k, p in t.asked if k == 2) == 2


@pytest.mark.parametrize("how", ["interrupt", "hangup", "out of turn"])
def test_cancel(keys, how):
    c = Credential(RP)
    t = keys.plug(c, touch="no")
    h = keys.helper(c)
    assert h.hear()[0] == "pin"
    h.say("pin", {"pin": "1234"})
    assert h.hear()[0] == "touch"
    assert t.waiting.wait(10)
    if how == "interrupt":
        h.p.send_signal(signal.SIGINT)
        assert h.hear() == ("done", {"status": b"cancelled"})
    elif how == "out of turn":
        h.say("get", {})
        assert h.hear() == ("done", {"status": b"cancelled"})
    assert h.end() == 0
    wait_until(lambda: t.asked[-1][0] == "cancel", 3, "the key stops blinking")


@pytest.mark.parametrize("odd", [{"mute": True}, {"rubbish": True}, {"garble": 4}, {"garble": 2}, {"garble": 6}, {"unplug": 2}, {"unplug": 6}])
def test_odd_keys(keys, odd):
    c = Credential(RP)
    keys.plug(c, **odd)
    said, done = keys.helper(c).run()
    assert done["status"] in (b"none", b"nocredential", b"error"), (said, done)


BAD = [{"rp_id": ""}, {"rp_id": None}, {"rp_id": b"a\0b"}, {"rp_id": "x" * 254}, {"hash": b"short"}, {"hash": None}, {"seconds": 0}, {"seconds": 121},
       {"seconds": "x"}, {"allow.0": b""}, {"allow.0": b"x" * 1024}, {"allow.0": None}]


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_bad_requests(keys, bad):
    h = keys.helper(b"id", **bad)
    with pytest.raises(EOFError):
        h.hear()
    assert h.end() == 1


def status(pid):
    return dict(l.split(":\t", 1) for l in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())


@pytest.mark.skipif(os.getuid() != 0, reason="root has something to give up")
def test_confined(keys):
    """Nobody, in nothing, with nothing."""
    c = Credential(RP)
    keys.plug(c)
    (keys.dir / "hidraw9").write_bytes(b"")
    h = keys.helper(c, preexec=lambda: os.setgroups([0, 27]))
    assert h.hear()[0] == "pin"
    s = status(h.p.pid)
    assert s["Uid"].split() == s["Gid"].split() == ["65534"] * 4 and s["Groups"].strip() == ""
    assert all(int(s[c], 16) == 0 for c in ("CapPrm", "CapEff", "CapInh", "CapAmb"))
    assert s["NoNewPrivs"] == "1" and (s["Seccomp"] == "2" or SANITIZED)
    limits = pathlib.Path(f"/proc/{h.p.pid}/limits").read_text()
    assert [l.split()[4:6] for l in limits.splitlines() if l.startswith("Max core")] == [["0", "0"]]
    fds = {int(p.name): os.readlink(p) for p in pathlib.Path(f"/proc/{h.p.pid}/fd").iterdir()}
    assert len(fds) == 4 and fds[0].startswith("socket:") and not [f for f in fds.values() if "hidraw9" in f], fds
    h.say("pin", {})
    assert h.hear() == ("done", {"status": b"cancelled"}) and h.end() == 0


def test_by_hand():
    p = subprocess.run([HELPER], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert p.returncode == 2 and b"kosmo-fido2(8)" in p.stderr and p.stdout == b""
