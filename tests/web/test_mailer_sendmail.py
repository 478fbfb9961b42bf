"""kosmo-mailer with mail.transport = sendmail: the program is started as it must be, and what it says is understood."""
import json
import os
import pathlib
import signal
import threading
import time

import pytest
from test_mailer import MAIL, TO, instance, send  # noqa: F401

PROGRAM = """#!/usr/bin/python3
import json, os, pathlib, signal, sys
here = pathlib.Path(__file__).parent
mail = sys.stdin.buffer.read()
said = dict(argv=sys.argv[1:], env=dict(os.environ), fds=sorted(int(f) for f in os.listdir("/proc/self/fd")), cwd=os.getcwd(),
            mail=mail.decode("latin-1"), group=os.getpgrp() == os.getpid(), masked=sorted(signal.pthread_sigmask(0, [])),
            ignored=[n for n in (1, 2, 13, 15, 17, 25) if n != 13 and n != 25 and signal.getsignal(n) == signal.SIG_IGN])
name = here / f"took-{os.getpid()}"
name.write_text(json.dumps(said))
name.rename(here / f"mail-{os.getpid()}")
"""


@pytest.fixture
def program(tmp_path):
    folder = tmp_path / "sendmail"
    folder.mkdir()

    class Program:
        path = folder / "sendmail"

        def write(self, rest="", whole=None):
            self.path.write_text(whole or PROGRAM + rest)
            self.path.chmod(0o755)

        def taken(self):
            return [json.loads(f.read_text()) for f in sorted(folder.glob("mail-*"), key=os.path.getmtime)]

        def options(self):
            return {"transport": "sendmail", "sendmail": self.path}

    p = Program()
    p.write()
    return p


def test_how_it_is_started(instance, program):
    client = instance(**program.options()).start()
    assert send(client, MAIL.replace("\n", "\r\n")) == ("sent", "")
    said, = program.taken()
    assert said["argv"] == ["-i", "-f", "no-reply@example.jp", "--", TO]
    assert said["mail"].encode("latin-1") == MAIL.encode()
    assert said["env"].keys() <= {"LC_CTYPE"}  # Python's own
    assert said["fds"] == [0, 1, 2, 3]  # 3: the listing itself
    assert said["cwd"] == "/" and said["group"] and said["masked"] == [] and said["ignored"] == []


def test_a_long_one_and_many_at_once(instance, program):
    i = instance(**program.options())
    clients = [i.start()]
    mail = "Subject: x\n\n" + "0123456789\n" * 8000
    results = []

    def some():
        from kosmo_wire import Client
        with Client(i.socket, timeout=60) as c:
            results.extend(send(c, mail) for _ in range(3))

    threads = [threading.Thread(target=some) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == [("sent", "")] * 18 and [s["mail"] for s in program.taken()] == [mail] * 18
    clients[0].close()


@pytest.mark.parametrize("code, state, name", [(65, "permanent", "EX_DATAERR"), (67, "permanent", "EX_NOUSER"), (68, "permanent", "EX_NOHOST"),
                                               (64, "temporary", "EX_USAGE"), (69, "temporary", "EX_UNAVAILABLE"), (75, "temporary", "EX_TEMPFAIL"),
                                               (77, "temporary", "EX_NOPERM"), (78, "temporary", "EX_CONFIG"), (1, "temporary", ""),
                                               (127, "temporary", "")])
def test_exit_status(instance, program, code, state, name):
    program.write(f"print('hanako@example.jp: so it is', flush=True); print('\\0\\xff', file=sys.stderr); sys.exit({code})\n")
    client = instance(**program.options()).start()
    got, reason = send(client)
    assert got == state and reason.startswith(f"sendmail: exit status {code}{' ' * bool(name)}{name}: (address) so it is")


def test_it_says_very_much(instance, program):
    program.write("sys.stderr.write('x' * 1000000); sys.exit(75)\n")
    client = instance(**program.options()).start()
    state, reason = send(client)
    assert state == "temporary" and len(reason) == 200
    program.write("sys.stderr.write('x' * 1000000)\n")
    assert send(client) == ("sent", "")


def test_killed_and_not_there(instance, program):
    program.write("os.kill(os.getpid(), 9)\n")
    client = instance(**program.options()).start()
    assert send(client) == ("temporary", "sendmail was ended by a signal:")
    program.path.unlink()
    state, reason = send(client)
    assert state == "temporary" and reason.startswith("sendmail: exit status 127: ") and "No such file" in reason
    program.write()
    assert send(client) == ("sent", "")


def test_a_child_that_stays_holds_nothing_up(instance, program):
    """Exim's delivers in the background and keeps what we listen on."""
    program.write("if os.fork() == 0:\n    import time\n    while not (here / 'go').exists():\n        time.sleep(0.02)\n"
                  "    (here / 'late').touch()\n    os._exit(0)\n")
    client = instance(**program.options()).start()
    assert send(client) == ("sent", "")
    (program.path.parent / "go").touch()
    wait_for(lambda: (program.path.parent / "late").exists(), 60)  # it was let live


def wait_for(what, seconds):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


STUCK = "(here / 'pid').write_text(str(os.getpid()))\nimport subprocess\nsubprocess.run(['/bin/sleep', '300'])\n"


def alive(pid):
    stat = pathlib.Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")")[1].split()[0] not in "ZX"


@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.soak)])
def test_a_stuck_one_ends_with_the_mailer(instance, program, how):
    program.write(STUCK)
    i = instance(**program.options())
    client = i.start()
    client.send("send", {"to": TO, "message": MAIL})
    pid = program.path.parent / "pid"
    wait_for(lambda: pid.exists() and pid.read_text(), 10)
    i.process.send_signal(how)
    if how == signal.SIGTERM:
        assert client.receive()[:2] == ("result", {"state": "temporary", "reason": "sendmail did not end"})
    else:
        with pytest.raises((EOFError, ConnectionError)):
            client.receive()
    i.process.wait(timeout=15)
    i.process.stderr.close()
    wait_for(lambda: not alive(pid.read_text()), 10)


@pytest.mark.soak
def test_a_stuck_one_is_given_up(instance, program):
    program.write("sys.stderr.write('waiting'); sys.stderr.flush()\n" + STUCK)
    client = instance(**program.options()).start()
    begin = time.monotonic()
    assert send(client) == ("temporary", "sendmail did not end in time: waiting")
    assert 58 < time.monotonic() - begin < 66
    assert not alive((program.path.parent / "pid").read_text())


def hands(pid):
    return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_without_its_hand_the_mailer_ends(instance, program):
    i = instance(**program.options())
    client = i.start()
    assert send(client) == ("sent", "")
    hand, = hands(i.process.pid)
    assert sorted(os.listdir(f"/proc/{hand}/fd")) == ["0", "1", "2", "3"]
    os.kill(hand, signal.SIGKILL)
    assert i.process.wait(timeout=10) == 1 and b"the process that starts sendmail has ended" in i.process.stderr.read()
    client.close()


def test_the_hand_ends_with_the_mailer(instance, program):
    i = instance(**program.options())
    client = i.start()
    assert send(client) == ("sent", "")
    hand, = hands(i.process.pid)
    i.process.kill()
    i.process.wait()
    i.process.stderr.close()
    wait_for(lambda: not alive(hand), 5)
    client.close()


def test_refuses_to_start(instance, program, tmp_path):
    from test_mailer import refused_to_start
    refused_to_start(instance(transport="sendmail", sendmail=tmp_path / "none"), "mail.sendmail")
    refused_to_start(instance(**program.options(), **{"from": ""}), "mail.from")
