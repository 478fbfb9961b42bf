"""su, whose caller sets its limits and holds its terminal: whoever would be refused is refused, and the keeper is left alone."""
import concurrent.futures
import os

import pexpect
import pytest
from conftest import SANITIZED
from harness import Instance, Namespace, Person, spawn, wait_until

pytestmark = [pytest.mark.skipif(os.getuid() != 0, reason="su for other people needs root"),
              pytest.mark.skipif(SANITIZED, reason="su cannot load a sanitized module"),
              pytest.mark.skipif(not Namespace.possible(), reason="no mount namespaces here")]

STAFF = [Person(f"s{i:02}") for i in range(60)]
UNUSED = iter(STAFF[1:])
ID = ["-c", "id -ru"]


@pytest.fixture(scope="module")
def instance(module_folder):
    i = Instance(module_folder, STAFF)
    i.start()
    yield i
    i.stop()


@pytest.fixture(scope="module")
def host(instance):
    m = instance.module()
    return Namespace(instance.dir / "host", STAFF, {"su": f"auth required {m}\naccount required {m}", "su-l": "auth required pam_unix.so\naccount required pam_unix.so"},
                     "unused-1234")


def connections(instance):
    fds = f"/proc/{instance.process.p.pid}/fd"
    return len([f for f in os.listdir(fds) if os.readlink(f"{fds}/{f}").startswith("socket:")])


@pytest.fixture
def quiet(instance):
    """Afterwards the keeper holds no connection more than before."""
    before = connections(instance)
    yield
    wait_until(lambda: connections(instance) <= before, 5, "connections that nobody holds")


LIMITS = {  # whether the right person gets in all the same; None: either, and su may not even start
    "nofile=0": False, "nofile=3": False, "nofile=5": None, "as=1000000": None, "as=8000000": None, "as=16000000": None, "as=40000000": None,
    "cpu=1": True, "fsize=0": True, "stack=65536": None, "data=200000": None, "nproc=1": None, "memlock=0": True, "core=0": True,
    "sigpending=0": True, "nice=0": True,
}


def test_limits_of_the_caller(host, quiet):
    def one(limit, right):
        p = next(UNUSED)
        return host.run(1000, ["prlimit", "--" + limit, "su", p.login, *ID], p.password, p.code() if right else p.wrong_code()), str(host.uid(p))

    cases = [(limit, right) for limit in LIMITS for right in (True, False)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for (limit, right), (r, uid) in zip(cases, pool.map(lambda c: one(*c), cases)):
            let_in = r.exit == 0 or uid in r.text.split()
            print(limit, right, let_in, r.asked, f"{r.seconds:.1f} s", r.text.strip()[-80:])
            assert not let_in or right, (limit, r.text)
            assert LIMITS[limit] in (None, let_in) or not right, (limit, r.text)
            assert r.seconds < 10, (limit, r.seconds)
    p = next(UNUSED)
    assert host.run(1000, ["su", p.login, *ID], p.password, p.code()).exit == 0


def interrupt(host, su, key, *replies):
    """Sends the key at the prompt behind the replies; (what su said then, how the terminal is set when su is gone)."""
    shell = spawn(host.command(1000, "sh", "-c", f"trap : INT QUIT; {su}; echo END $?; stty -a"), cwd="/")
    for reply in [*replies, None]:
        shell.expect("(Password|Code): ")
        shell.waitnoecho(2)
        if reply is not None:
            shell.sendline(reply)
    shell.send(key)
    shell.expect(r"END (\d+)\r\n", timeout=30)
    said, status = shell.before, int(shell.match.group(1))
    shell.expect(pexpect.EOF)
    terminal = shell.before
    shell.close()
    return said.strip(), status, terminal


@pytest.mark.parametrize("key,status", [("\x03", 130), ("\x1c", 131)])
def test_interrupted(host, quiet, key, status):
    """^C and ^\\ at each prompt: su ends at once, the keeper's end of the connection is closed, the terminal is as su leaves it
    where pam_unix asks (without echo: shells that talk to people see to that)."""
    p = next(UNUSED)
    terminals = set()
    for su, *replies in [f"su {p.login} -c id"], [f"su {p.login} -c id", p.password], ["su - root -c id"]:
        said, r, terminal = interrupt(host, su, key, *replies)
        assert r == status and "uid=" not in said, said
        terminals.add(terminal)
    assert len(terminals) == 1, terminals
    assert host.run(1000, ["su", p.login, *ID], p.password, p.code()).exit == 0, "and it is not held against anyone"


def test_end_of_input(host, quiet):
    """^D at each prompt: no reply, and a refusal."""
    p = next(UNUSED)
    for replies in [], [p.password]:
        said, status, _ = interrupt(host, f"su {p.login} -c id", "\x04", *replies)
        assert status == 1 and said == "su: Authentication failure", said
