"""What enrolld, the mailer and the keeper cannot do to each other: in their sandboxes under one user, and as three users
without any. sandbox_probe enters a daemon's sandbox and tries."""
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "pam"))

from conftest import BUILD, SANITIZED, make_folder  # noqa: E402
from harness import Instance, Person, Process, accepts, free_port, wait_until  # noqa: E402
from made import made

pytestmark = pytest.mark.skipif(SANITIZED, reason="a sanitizer attaches to its own process: no sandbox in such a build")
folder = pytest.fixture(make_folder, name="folder")

KEEPER, WEB, MAIL = 61001, 61002, 61003
DENIED = {"EPERM", "EACCES"}
KILLED = {"SIGSYS"}
OK = {"ok"}

# What the kernel's Landlock alone refuses; system calls that write are refused by seccomp as well.
FILES = ("read_key", "read_store", "list_state", "read_conf", "read_terms", "read_passwd", "read_root", "victim_environment",
         "victim_maps", "victim_files", "ask_users", "ask_names", "deliver", "write_store", "make_state", "remove_decoy", "write_terms",
         "make_tmp", "victim_memory", "own_memory")
# Nobody may.
NEVER = {**dict.fromkeys(("truncate_decoy", "chmod_decoy", "link_key", "make_folder", "make_socket", "read_root", "make_tmp", "victim_memory",
                          "victim_environment", "victim_maps", "victim_files", "own_memory", "victim_signal", "victim_thread_signal",
                          "victim_limits", "victim_descriptor", "victim_owns", "victim_owns_ioctl", "make_child", "become_root",
                          "be_dumpable", "keyring", "ring", "memory_wx", "memory_then_x", "socket_netlink", "socket_packet", "reconnect",
                          "connect_elsewhere", "listen_tcp"), DENIED),
         **dict.fromkeys(("victim_ptrace", "victim_read", "run_program", "mounts", "new_namespace", "bpf", "page_faults"), KILLED)}
# Who may, of the rest. relay and sendmail are the mailer, by its transport.
ALL = "keeper enrolld mailer relay sendmail"
MAY = {"connect_keeper": ALL, "make_thread": ALL, "load_library": ALL,
       "read_library": ALL, "read_terms": "keeper enrolld", "deliver": "keeper mailer",
       "read_key": "keeper", "read_store": "keeper", "write_store": "keeper", "list_state": "keeper", "make_state": "keeper",
       "remove_decoy": "keeper", "read_conf": "keeper", "write_terms": "keeper",
       "read_passwd": "keeper relay", "ask_users": "keeper relay", "ask_names": "keeper relay",
       "socket_inet": "relay", "socket_inet6": "relay", "connect_relay": "relay"}
# Another user's, without any sandbox: what the permissions of files and processes refuse.
OTHERS = ("read_key", "read_store", "write_store", "truncate_decoy", "chmod_decoy", "link_key", "list_state", "make_state",
          "make_folder", "make_socket", "remove_decoy", "victim_memory", "victim_environment", "victim_maps", "victim_files", "victim_signal",
          "victim_thread_signal", "victim_ptrace", "victim_limits", "victim_read", "victim_descriptor", "become_root")


def expected(program, landlock):
    """{attempt: what may come out of it}; in the demo's layout the keeper's folder holds the others' files too."""
    e = {**NEVER, **{name: OK if program in who.split() else DENIED for name, who in MAY.items()}}
    if landlock < 2:
        e = {name: v for name, v in e.items() if name not in FILES}
    if landlock < 4:
        e = {name: v for name, v in e.items() if name not in ("reconnect", "connect_elsewhere", "listen_tcp")}
    return e


@pytest.fixture(scope="module")
def probe():
    made("web")
    return BUILD / "tests/web/sandbox_probe"


@pytest.fixture
def instance(folder):
    i = Instance(folder, [Person("hanako")])
    yield i
    i.stop()


def run(command, instance, program, victim):
    """(Landlock's version, {attempt: result})"""
    (instance.dir / "decoy").write_text("x")
    for path in ("made", "site/key"):
        (instance.dir / path).unlink(missing_ok=True)
    p = subprocess.run([*command, program, instance.conf, str(victim)], capture_output=True, text=True, timeout=60)
    assert p.returncode == 0, p.stderr
    results = dict(line.split() for line in p.stdout.splitlines())
    pathlib.Path("/tmp/kosmo-sandbox-probe").unlink(missing_ok=True)
    return int(results.pop("landlock")), results


def differs(results, wanted):
    return {name: results.get(name) for name, may in wanted.items() if results.get(name) not in may}


def status(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {k: v.strip() for k, v in (line.split(":", 1) for line in lines)}


def check_running(pid):
    s = status(pid)
    assert (s["NoNewPrivs"], s["Seccomp"], int(s["CapEff"], 16), int(s["CapPrm"], 16)) == ("1", "2", 0, 0), s["Name"]
    return s


def children(pid):
    return {status(c)["Name"]: int(c) for c in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


@pytest.mark.parametrize("program", ["enrolld", "keeper", "mailer", "relay", "sendmail"])
def test_one_user(instance, probe, program):
    """Everything belongs to one user, as kosmoctl init --dir makes it: there the sandbox is the only wall."""
    if program == "relay":
        drop = instance.dir / "kosmo.conf.d/50-relay.conf"
        drop.write_text(f"[mail]\ntransport = smtp\nfrom = kosmo@example.jp\nsmtp = localhost:{free_port()}\nsmtp_tls = none\n")
    if program == "sendmail":
        (instance.dir / "kosmo.conf.d/50-sendmail.conf").write_text("mail.transport = sendmail\nmail.sendmail = /bin/true\n")
    instance.start()
    landlock, free = run([probe], instance, "none", instance.process.p.pid)
    wall = [name for name in expected("enrolld", landlock) if name in OTHERS and name != "become_root"]
    assert not differs(free, dict.fromkeys(wall, OK)), "without the sandbox all of it works"
    landlock, results = run([probe], instance, "mailer" if program in ("relay", "sendmail") else program, instance.process.p.pid)
    assert not differs(results, expected(program, landlock))
    assert instance.process.alive()
    if landlock < 2:
        pytest.skip("this kernel has no Landlock: under one user nothing keeps the programs from each other's files")


def test_running(instance):
    """The real ones, started by kosmo-enrolld beside itself, and what they say of it."""
    log = instance.dir / "enrolld.log"
    instance.process = Process([BUILD / "enroll/kosmo-enrolld", "-c", instance.conf], log)
    wait_until(lambda: "serving" in log.read_text() or not instance.process.alive(), 20, "enrolld")
    found = children(instance.process.p.pid)
    assert sorted(found) == ["kosmo-enrolld", "kosmo-keeper", "kosmo-mailer"]
    for name, pid in found.items():
        wait_until(lambda: status(pid)["Seccomp"] == "2", 10, name)
        check_running(pid)
    # What the unit allows for its sake, the program's own filter must not forbid.
    nice = {(t / "comm").read_text().strip(): os.getpriority(os.PRIO_PROCESS, int(t.name))
            for t in pathlib.Path(f"/proc/{found['kosmo-keeper']}/task").iterdir()}
    assert nice["web-hasher"] > nice["web-hash"] == nice["auth-hash"] == os.getpriority(os.PRIO_PROCESS, 0)
    landlock = subprocess.run([sys.executable, "-c", "import ctypes; print(ctypes.CDLL(None).syscall(444, None, 0, 1))"],
                              stdout=subprocess.PIPE, check=True).stdout
    assert ("sandbox goes without" in log.read_text()) == (int(landlock) < 2)


class Users:
    """Three users and passed sockets, as the units have it, without a service manager."""

    def __init__(self, folder, instance):
        self.instance, self.folder, self.processes = instance, folder, []
        for p in instance.dir, *instance.dir.rglob("*"):
            os.chown(p, KEEPER, KEEPER)
        for p in instance.dir / "mail", *(instance.dir / "mail").rglob("*"):
            os.chown(p, MAIL, MAIL)
        self.port = int(next(line for line in instance.conf.read_text().splitlines() if line.startswith("url")).rsplit(":", 1)[1])

    def place(self, program):
        """The build may be where others cannot go."""
        return shutil.copy(BUILD / program, self.folder)

    def start(self, program, uid, names, *listen):
        command = ["systemd-socket-activate", *(a for where in listen for a in ("-l", str(where))), f"--fdname={names}",
                   "/usr/bin/setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--", self.place(program), "-c", self.instance.conf]
        p = Process(command, self.folder / f"{uid}.log")
        self.processes.append(p)
        family, address = (socket.AF_UNIX, str(listen[0])) if "/" in str(listen[0]) else (socket.AF_INET, ("127.0.0.1", self.port))
        for path in (where for where in listen if family == socket.AF_UNIX):
            wait_until(path.exists, 10, path)
            path.chmod(0o666)  # the units give it to a group
        wait_until(lambda: accepts(family, address), 10, program)  # which starts it
        wait_until(lambda: status(p.p.pid)["Seccomp"] == "2" or not p.alive(), 20, program)
        assert p.alive(), p.log.read_text()
        return p.p.pid

    def answers(self, path):
        try:
            with urllib.request.urlopen(f"http://localhost:{self.port}{path}", timeout=10) as page:
                return page.read()
        except urllib.error.HTTPError:
            return None

    def end(self):
        for p in reversed(self.processes):
            p.end()


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to start programs as other users")
@pytest.mark.skipif(not shutil.which("systemd-socket-activate"), reason="needs systemd-socket-activate")
def test_three_users(folder, instance, probe):
    """As three users the permissions refuse it all, whatever the kernel; and each sandbox holds what its program needs."""
    u = Users(folder, instance)
    sockets = instance.dir / "run"
    try:
        keeper = u.start("keeper/kosmo-keeper", KEEPER, "web:auth", sockets / "web.sock", sockets / "auth.sock")
        mailer = u.start("enroll/kosmo-mailer", MAIL, "mail", sockets / "mail.sock")
        enrolld = u.start("enroll/kosmo-enrolld", WEB, "http", f"127.0.0.1:{u.port}")
        for pid, uid in (keeper, KEEPER), (mailer, MAIL), (enrolld, WEB):
            assert set(check_running(pid)["Uid"].split()) == {str(uid)}
        wait_until(lambda: u.answers("/healthz"), 10, "enrolld's connection to the keeper")
        assert b"password" in u.answers("/login")
        tried = u.place(probe)
        for uid, program in (WEB, "enrolld"), (MAIL, "mailer"):
            as_user = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--", tried]
            _, plain = run(as_user, instance, "none", keeper)
            assert not differs(plain, dict.fromkeys(OTHERS, DENIED)), uid
            landlock, results = run(as_user, instance, program, keeper)
            assert not differs(results, expected(program, landlock)), uid
    finally:
        u.end()
