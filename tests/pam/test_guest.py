"""A good guest: what the module leaves as it was in its host, whatever happens to it there."""
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import pytest
import kosmo_wire as wire
from conftest import BUILD, MODULE, SANITIZED, THREAD_SANITIZED, Result
from fake_keeper import FakeKeeper, ask, tell, verdict
from harness import Instance, Person

TSAN = {"TSAN_OPTIONS": f"halt_on_error=0 exitcode=66 suppressions={pathlib.Path(__file__).with_name('tsan.supp')}"}
SUCCESS, PERM_DENIED, AUTH_ERR, UNAVAIL = 0, 6, 7, 9
LOGIN = [ask("Password: "), ask("Code: "), verdict("allow")]
RIGHT, WRONG = ["correct", "123456"], ["correct", "654321"]


def judge(conn):
    """A keeper that knows one password and one code."""
    given = []
    for text in "Password: ", "Code: ":
        conn.sendall(wire.encode(*ask(text)))
        given.append(wire.receive(conn)[1]["text"].decode())
    conn.sendall(wire.encode(*tell("one moment")))
    conn.sendall(wire.encode("verdict", {"verdict": "allow", "ticket": "t"} if given == RIGHT else {"verdict": "deny"}))


KEY = ("key", {"rp_id": "h", "hash": b"h" * 32, "seconds": 5, "allow.0": b"i", "text.pin": "P", "text.touch": "touch"})
# kosmo-fido2's place, for what is to be fast: somebody touches a key, and that was it
HELPER = "#!/bin/sh\nprintf '%s' >&0\nexec cat >&2\n" % "".join(f"\\{b:03o}" for b in wire.encode("touch", {"choose": 0}) +
                                                                wire.encode("done", {"status": "denied"}))


def judge_at_seat(conn):
    """... and of a key, which Enter asks for."""
    given = []
    for text in "Password: ", "Code: ":
        conn.sendall(wire.encode(*ask(text)))
        given.append(wire.receive(conn)[1]["text"].decode())
        if text == "Password: ":
            conn.sendall(wire.encode(*KEY))
            if wire.receive(conn)[1]["status"] not in (b"denied", b"error"):
                return
    conn.sendall(wire.encode("verdict", {"verdict": "allow", "ticket": "t"} if given == RIGHT else {"verdict": "deny"}))


@pytest.fixture
def guest(driver, folder):
    """guest(replies, options=[of the driver], args="of the module") runs the driver; nothing may have changed in it."""
    class Guest:
        socket, dir = str(folder / "auth.sock"), folder

        def stack(self, args=""):
            m = f"{MODULE} socket={self.socket} {args}"
            (folder / "guest").write_text("".join(f"{f} required {m}\n" for f in ("auth", "account", "password")) +
                                          f"session optional {m}\nsession required pam_permit.so\n")

        def command(self, replies=(), options=()):
            return [str(c) for c in (driver, "-d", folder, "-s", "guest", "-u", "hanako", *options, *replies)]

        def __call__(self, replies=(), options=(), args="", timeout=60, **kw):
            self.stack(args)
            started = time.monotonic()
            p = subprocess.run(self.command(replies, options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               timeout=timeout, **kw)
            r = Result(p, time.monotonic() - started)
            assert p.returncode in (0, 1) and not [l for l in r.lines if "changed" in l], (r.lines, r.stderr)
            return r
    return Guest()


def keeper(guest, *steps, **kw):
    return FakeKeeper(guest.socket, list(steps), **kw)


TYPED = ["text:correct", "text:123456"]


def helper(guest):
    (guest.dir / "helper").write_text(HELPER)
    (guest.dir / "helper").chmod(0o755)
    return f"fido2={guest.dir}/helper"


def chaos(guest, which, *options, user="hanako", args="password=skip", before=(), timeout=300):
    """pam_permit stands behind the module: ignored means in."""
    args = f"{args} {helper(guest)}"
    (guest.dir / "chaos").write_text("".join(f"{f} required {MODULE} socket={guest.socket} {args}\n{f} required pam_permit.so\n"
                                             for f in ("auth", "account", "password")))
    p = subprocess.run([str(c) for c in (*before, BUILD / "tests/pam/pam_chaos", "-d", guest.dir, "-s", "chaos", "-u", user, "-w", which, *options)],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
    lines = p.stdout.decode().splitlines()
    assert p.returncode == 0, lines[-40:]
    print(lines[-1])
    runs, disturbed, let_in = (int(n) for n in re.findall(r"\d+", lines[-1]))
    return {l.split(":")[0]: int(l.split()[1]) for l in lines[:-1]}, runs, disturbed, let_in


unsanitized = pytest.mark.skipif(SANITIZED, reason="the sanitizer has malloc for itself")
CLOSED = ("sh", "-c", 'exec "$@" <&-', "-")
CHAOS = {  # what the keeper says, what the application replies, for whom, more options and arguments
    "right": ("right", [judge], RIGHT, {}), "wrong": ("wrong", [judge], WRONG, {}),
    "closed stdin": ("wrong", [judge], WRONG, {"before": CLOSED}),
    "account allowed": ("right", [verdict("allow")], ["-c"], {}), "account denied": ("wrong", [tell("no"), verdict("deny")], ["-c"], {}),
    "change allowed": ("right", [verdict("allow")], ["-p"], {}), "change denied": ("wrong", [tell("no"), verdict("deny")], ["-p"], {}),
    "at the console": ("right", [judge_at_seat], ["-k", "tty1", *RIGHT], {}), "and wrong": ("wrong", [judge_at_seat], ["-k", "tty1", *WRONG], {}),
    "in a session": ("right", [judge], ["-k", "pts/1", *RIGHT], {}),
    "below uid_min": ("right", [judge], WRONG, {"user": "root"}),
    "below uid_min, no skip": ("wrong", [judge], WRONG, {"user": "root", "args": ""}),
    "caller": ("wrong", [judge], WRONG, {"args": "person=caller uid_min=0"}),
    "caller below uid_min": ("wrong", [judge], WRONG, {"args": "person=caller password=skip"}),
}


@unsanitized
def test_each_call_fails(guest):
    """Each in turn, in each way, and then by chance: nobody gets in who would not, nothing is left, nothing hangs."""
    reached, total = set(), 0
    for what, (which, steps, options, kw) in CHAOS.items():
        with keeper(guest, *steps):
            kinds, runs, disturbed, let_in = chaos(guest, which, "-r", "300", *options, **kw)
        assert disturbed > 100 and (let_in > 0) == (which == "right"), (what, kinds)
        reached |= {k for k, n in kinds.items() if n > 0}
        total += disturbed
    print(f"{total} disturbed transactions")
    assert reached == set(kinds), f"never called: {set(kinds) - reached}"


@unsanitized
def test_each_call_fails_in_a_change(guest):
    """It may be made, but the present password is wrong: however libpam's two calls fail, never SUCCESS."""
    def change(conn):
        (judge if k.seen[-1][0][1]["phase"] == b"password" else lambda c: c.sendall(wire.encode(*verdict("allow"))))(conn)

    k = FakeKeeper(guest.socket, [change])
    with k:
        _, _, disturbed, let_in = chaos(guest, "wrong", "-p", "-r", "300", *WRONG)
    assert disturbed > 150 and let_in == 0


@unsanitized
@pytest.mark.soak
@pytest.mark.parametrize("what", CHAOS)
def test_calls_fail_for_good(guest, what):
    """Each kind from its first call on, and many by chance: at the longest, the keeper's three seconds."""
    which, steps, options, kw = CHAOS[what]
    with keeper(guest, *steps):
        chaos(guest, which, "-o", "-r", "5000", "-S", "100000", *options, **kw, timeout=900)


# What cannot fail and changes nothing outside the module; all others are in chaos.c's table.
HARMLESS = {"geteuid", "sigemptyset", "sigfillset", "strspn", "strstr", "__errno_location", "__explicit_bzero_chk", "explicit_bzero", "__stack_chk_fail", "free", "getuid", "memchr", "memcpy", "memset",
            "pam_syslog", "strchr", "strcmp", "strcspn", "strlen", "strncmp", "strtoul", "__isoc23_strtoul",
            "kill",  # of a helper that would not leave: its own child
            "getrandom"}  # of common/secret.c; nothing calls it here
FORTIFIED = {"__snprintf_chk": "snprintf", "__vsnprintf_chk": "snprintf", "vsnprintf": "snprintf"}


@unsanitized
def test_imports(driver):
    """The module calls nothing that could change its host, and nothing that is not made to fail above."""
    out = subprocess.run(["nm", "-D", "--undefined-only", MODULE], stdout=subprocess.PIPE, check=True).stdout.decode()
    names = {l.split()[1].split("@")[0] for l in out.splitlines() if l.split()[0] == "U"}
    table = set(re.findall(r'\{"(\w+)", \{', (pathlib.Path(__file__).parent / "chaos.c").read_text()))
    assert {FORTIFIED.get(n, n) for n in names - HARMLESS} <= table
    headers = subprocess.run(["readelf", "-lW", MODULE], stdout=subprocess.PIPE, check=True).stdout.decode()
    assert " TLS " not in headers, "nothing of a thread's points into the module when it is gone"


DEAD = None
KEEPERS = {
    "allows": ([ask("Password: "), tell("well"), ask("Code: "), verdict("allow")], 0), "denies": (LOGIN[:2] + [verdict("deny")], 1),
    "hangs up": ([ask("Password: "), ask("Code: ")], 1), "hangs up at once": ([], 1),
    "resets": ([lambda c: (c.sendall(wire.encode(*ask())), c.close())], 1), "talks rubbish": ([ask(), b"\xff" * 200], 1), "is dead": (DEAD, 1),
}
HOSTS = {"plain": [], "without children's signals": ["-i", signal.SIGCHLD], "without SIGPIPE": ["-i", signal.SIGPIPE],
         "in a storm": ["-S", "1000"], "silent": ["-q"], "no texts": ["-T"], "no conversation": ["-N"]}


@pytest.mark.parametrize("what", KEEPERS)
def test_hosts(guest, what):
    """Each phase, in each kind of program, with each kind of keeper: nothing changes, SIGPIPE (not ignored here) never comes."""
    steps, code = KEEPERS[what]
    k = keeper(guest, *steps) if steps is not DEAD else None
    for host, options in HOSTS.items():
        r = guest(TYPED * 2, options=[*options, "-p", "acpsox"])
        assert r.code("open") == r.code("close") == SUCCESS and (r.code("setcred") == SUCCESS or r.code() != SUCCESS)
        assert (r.code() == SUCCESS and r.code("account") == SUCCESS) == (code == 0 and host != "no conversation"), (host, r.lines)
    if k is not None:
        k.close()


def sessions(guest, *starts, seconds):
    """Several drivers at once, because each waits long: (options, replies) each. Their results, with how long the slowest took."""
    guest.stack()
    started = time.monotonic()
    running = [subprocess.Popen(guest.command(replies, options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
               for options, replies in starts]
    ends = []
    for p in running:
        out = p.communicate(timeout=60)[0]
        ends.append((p.returncode, time.monotonic() - started, out.decode()))
    for (code, took, out), (options, _) in zip(ends, starts):
        assert code in (0, 1) and "changed" not in out and seconds[0] < took < seconds[1], (options, took, out)
    return ends


def test_hung_keeper(guest):
    """Three seconds in every kind of program, and afterwards it is what it was."""
    with keeper(guest, accept=False, backlog=64):
        ends = sessions(guest, *[([*o, "-p", phase], TYPED) for o in HOSTS.values() for phase in "ac"], seconds=(2.5, 15))
    assert [code for code, _, _ in ends] == [1] * len(ends)


def test_slow_person(guest):
    """Longer at the prompts than the keeper would be given; a storm of signals does not matter."""
    def each(conn):  # connections do not wait for one another
        conn = conn.dup()
        threading.Thread(target=lambda: (judge(conn), conn.close()), daemon=True).start()
    slow = ["late:3300:correct", "text:123456"]
    with keeper(guest, each):
        ends = sessions(guest, ([], slow), (["-S", "1000"], slow), seconds=(3.3, 15))
    assert [code for code, _, _ in ends] == [0, 0]


def test_chattering_keeper(guest):
    """Texts do not prolong its time; those 2 s, after what a person typed, are its own."""
    chatter = [step for _ in range(8) for step in (lambda c: time.sleep(0.5), tell("wait"))]
    with keeper(guest, *chatter, verdict("allow")):
        r = guest()
    assert r.code() == UNAVAIL and 2.5 < r.seconds < 15


CONVERSATIONS = {"null": AUTH_ERR, "none": AUTH_ERR, "fail": AUTH_ERR, "again": AUTH_ERR, "abort": AUTH_ERR, "size:513": AUTH_ERR,
                 "size:65536": AUTH_ERR, "hex:ff": AUTH_ERR, "hex:c3": AUTH_ERR, "text:": AUTH_ERR, "size:512": AUTH_ERR,
                 "hex:636f72726563740078": None, "text:correct": None}


@pytest.mark.parametrize("reply", CONVERSATIONS)
def test_conversations(guest, reply):
    """At each prompt. What a reply holds behind a NUL is no part of it."""
    with keeper(guest, judge) as k:
        assert guest([reply, "text:123456"], args="password=skip").code() == (SUCCESS if CONVERSATIONS[reply] is None else AUTH_ERR)
        assert guest(["text:correct", reply], args="password=skip").code() == AUTH_ERR
    assert all(b"\0" not in fields["text"] for seen in k.seen for _, fields, _ in seen[1:])


def test_no_conversation(guest):
    with keeper(guest, judge):
        r = guest(options=["-N"])
        assert r.code() == AUTH_ERR and r.asked() == []


def test_fork_between_phases(guest):
    """Parent and child go on by themselves, each with connections of its own."""
    with keeper(guest, verdict("allow"), backlog=64) as k:
        r = guest(options=["-f", "phase", "-p", "acsox"])
    assert r.lines.count("child 0") == 4 and r.exit == 0 and len(k.seen) == 3, r.lines
    with keeper(guest, verdict("deny")):
        r = guest(options=["-f", "phase", "-p", "aca"])
    assert r.lines.count("child 1") == 2 and r.exit == 1, r.lines


def test_fork_at_a_prompt(guest):
    with keeper(guest, judge):
        r = guest(TYPED, options=["-f", "ask"])
        assert r.lines.count("child 0") == 2 and r.code() == SUCCESS
        assert guest(["text:correct", "text:0"], options=["-f", "ask"]).code() == AUTH_ERR
    for _ in range(20):
        with keeper(guest, judge):
            r = guest(TYPED, options=["-f", "both"])
        codes = [int(l.split()[1]) for l in r.lines if l.startswith("auth")]
        assert len(codes) + r.lines.count("child 1") + r.lines.count("child 0") >= 2 and r.seconds < 7, r.lines
        assert (r.exit, r.lines.count("child 0")) != (0, 1), "one connection lets one in"
        assert "child -1" not in r.lines, "nobody crashed"


def by_phase(begin):
    return LOGIN if begin[1]["phase"] == b"auth" else [verdict("allow")]


def test_ten_thousand_cycles(guest):
    """Loaded, used and unloaded: memory, mappings and descriptors as after the first ones; likewise for those who are refused."""
    for steps, cycles, end in (by_phase, 10000, "10000 of 10000"), ([ask(), verdict("deny")], 1000, "0 of 1000"), ([ask()], 1000, "0 of 1000"):
        with FakeKeeper(guest.socket, steps):
            r = guest(TYPED, options=["-m", "-n", cycles, "-p", "acsox" if callable(steps) else "a"], timeout=300)
        assert r.lines[-1] == end, (r.lines, r.stderr)
        heap, resident = (int(n) for n in re.findall(r"-?\d+", r.lines[-2]))
        print(cycles, "cycles:", r.lines[-2], f"{r.seconds:.1f} s")
        if not SANITIZED:  # they keep freed memory
            assert heap < 16 * cycles and resident <= 1 << 19, (r.lines, "the smallest leak is 32 bytes a cycle")


def test_cycles_at_a_seat(guest):
    """A helper each time: no memory and no descriptor stays, no child is met by anybody's wait; eight at once as well."""
    with FakeKeeper(guest.socket, [judge_at_seat], backlog=256):
        r = guest(TYPED, ["-t", "tty1", "-m", "-n", "1000"], helper(guest), timeout=300)
        assert r.lines[-1] == "1000 of 1000", (r.lines, r.stderr)
        heap, resident = (int(n) for n in re.findall(r"-?\d+", r.lines[-2]))
        if not SANITIZED:
            assert heap < 16000 and resident <= 1 << 19, r.lines
        if not THREAD_SANITIZED:
            assert guest(TYPED, ["-t", "tty1", "-j", "8", "-n", "20"], helper(guest)).lines == ["160 of 160"]


def threads(guest, n, cycles, timeout):
    with FakeKeeper(guest.socket, by_phase, backlog=256):
        r = guest(TYPED, ["-j", n, "-n", cycles, "-p", "acsox"], timeout=timeout, env={**os.environ, **TSAN})
    assert r.lines == [f"{n * cycles} of {n * cycles}"] and "ThreadSanitizer" not in r.stderr, (r.lines, r.stderr[:8000])
    print(f"{n} threads x {cycles}: {r.seconds:.1f} s")


def test_threads(guest):
    threads(guest, 8, 100, 120)


@pytest.mark.tsan
@pytest.mark.skipif(not THREAD_SANITIZED, reason="./runtests --all builds with ThreadSanitizer")
def test_threads_under_the_sanitizer(guest):
    threads(guest, 64, 1000, 1500)


@pytest.mark.tsan
@pytest.mark.skipif(not THREAD_SANITIZED, reason="./runtests --all builds with ThreadSanitizer")
def test_keeper_under_the_sanitizer(guest, driver):
    """The module's threads before a real keeper's; a code is right once."""
    person = Person("hanako")
    i = Instance(guest.dir, [person])
    i.start(TSAN)
    guest.socket = i.socket
    for code, n in (person.code(), 1), (person.wrong_code(), 0):
        r = guest(["text:" + person.password, "text:" + code], ["-j", 8, "-n", 5, "-p", "a"], args=f"conf={i.conf}", env={**os.environ, **TSAN})
        assert r.lines[-1] == f"{n} of 40" and "ThreadSanitizer" not in r.stderr, (r.lines, r.stderr[:8000])
    log = i.process.log
    assert i.stop() == 0 and "ThreadSanitizer" not in log.read_text(), log.read_text()[:8000]
