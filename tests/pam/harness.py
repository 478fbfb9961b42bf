"""An instance with a real keeper and imported people, and the real programs in front of it: sshd, su, sudo."""
import base64
import csv
import email
import email.policy
import hashlib
import hmac
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import threading
import time

import pexpect
from conftest import BUILD, MODULE

KOSMOCTL = BUILD / "ctl/kosmoctl"
KEEPER = BUILD / "keeper/kosmo-keeper"
MAILER = BUILD / "enroll/kosmo-mailer"
WRAPPERS = "libpam_wrapper.so libnss_wrapper.so"

# The keeper's wall clock: $CLOCK_FILE holds seconds to add, and a time to stand still at (0: it runs).
CLOCK_SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec *ts)
{
	static int (*real)(clockid_t, struct timespec *);
	static volatile long long *offset;
	if (!real) {
		int fd = open(getenv("CLOCK_FILE"), O_RDONLY);
		offset = mmap(NULL, 16, PROT_READ, MAP_SHARED, fd, 0);
		close(fd);
		real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	}
	int r = real(id, ts);
	if (!r && id == CLOCK_REALTIME && offset != MAP_FAILED)
		ts->tv_sec = offset[1] ? offset[1] : ts->tv_sec + offset[0];
	return r;
}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


PATIENCE = 4  # what should come within some seconds is given so many times as long: the machine may be busy, or stand still


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds * PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited {seconds * PATIENCE} s: {what}"
        time.sleep(0.02)


def accepts(family, address):
    with socket.socket(family) as s:
        s.settimeout(2)
        try:
            s.connect(address)
            return True
        except OSError:
            return False


def wait_out(failures=1):
    """After so many failures in a row of one person the keeper checks nothing for a while (kosmo-keeper(8))."""
    time.sleep(1.2 if failures < 3 else 3.2)


class Person:
    def __init__(self, login, role="staff", password=True, seed=True):
        self.login, self.role = login, role
        self.password = base64.urlsafe_b64encode(hashlib.sha256(login.encode()).digest())[:24].decode() if password else ""
        self.secret = hashlib.sha1(b"seed " + login.encode()).digest() if seed else b""

    def row(self):
        return [self.login, f"Test {self.login}", "1980-01-01", f"{self.login}@example.jp", self.role, self.password,
                base64.b32encode(self.secret).decode()]

    def code(self, step=0, at=None):
        """RFC 6238, SHA-1, six digits, 30 s; step: so many later than now."""
        counter = int(time.time() if at is None else at) // 30 + step
        mac = hmac.new(self.secret, struct.pack(">Q", counter), hashlib.sha1).digest()
        at = mac[-1] & 15
        return "%06d" % ((struct.unpack_from(">I", mac, at)[0] & 0x7fffffff) % 1000000)

    def codes(self):
        """The codes before, of and after now, by step: taken at one moment that is not a step's last."""
        if time.time() % 30 > 27:
            time.sleep(3.1)
        now = time.time()
        return {step: self.code(step, now) for step in (-1, 0, 1)}

    def wrong_code(self):
        right = {self.code(s) for s in (-2, -1, 0, 1, 2)}
        return next(c for c in ("000000", "111111", "222222", "333333", "444444", "555555") if c not in right)


class Process:
    """One that we started, and that we end by its own id."""

    def __init__(self, command, log, env=None, umask=0o022):
        self.log = pathlib.Path(log)
        with open(log, "ab") as out:
            self.p = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                      env={**os.environ, **(env or {})}, preexec_fn=lambda: os.umask(umask))

    def alive(self):
        return self.p.poll() is None

    def end(self):
        if self.alive():
            self.p.send_signal(signal.SIGCONT)
            self.p.terminate()
            try:
                self.p.wait(10)
            except subprocess.TimeoutExpired:
                self.p.kill()
        return self.p.wait()


class Syslog:
    """What programs say to /dev/log, whose own one nobody else has: they are started with `prefix` in front."""

    def __init__(self, folder, deaf=False):
        self.path, self.lines, self.lock = pathlib.Path(folder) / "devlog", [], threading.Lock()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.path.chmod(0o666)
        if not deaf:
            threading.Thread(target=self._drain, daemon=True).start()
        self.prefix = ["unshare", "-m", "--propagation", "private", "sh", "-c", "mount -t tmpfs -o mode=755 none /dev && "
                       "for n in null urandom; do mknod -m 666 /dev/$n c 1 $([ $n = null ] && echo 3 || echo 9); done && "
                       f'ln -s {self.path} /dev/log && exec "$@"', "sh"]

    def _drain(self):
        """A few unread lines are enough to make whoever writes wait."""
        while self.socket.fileno() >= 0:
            try:
                select.select([self.socket], [], [], 0.5)
                self.read()
            except (OSError, ValueError):
                return

    def read(self):
        """All lines so far, without priority and time."""
        with self.lock:
            while True:
                try:
                    line = self.socket.recv(65536, socket.MSG_DONTWAIT).decode(errors="replace")
                except BlockingIOError:
                    return self.lines
                self.lines.append(line[line.index(">") + 17:])

    def heads(self):
        return [line for line in self.read() if "audit head seq=" in line]

    def close(self):
        self.socket.close()


def mailed(message):
    """(code, link) of a mail; link is None where it has none."""
    body = message.get_content()
    code = re.search(r"^\s+(\d{6})\s*$", body, re.M)
    link = re.search(r"https?://\S+/mail/\S+", body)
    return code and code.group(1), link and link.group(0)


class Instance:
    log = None  # a Syslog

    def __init__(self, folder, people):
        self.dir = pathlib.Path(folder) / "k"
        self.people = {p.login: p for p in people}
        self.process, self.so, self.seen = None, MODULE, set()
        self.conf, self.socket = self.dir / "kosmo.conf", self.dir / "run/auth.sock"
        pathlib.Path(folder).mkdir(exist_ok=True)
        subprocess.run([KOSMOCTL, "init", "--dir", self.dir, "--url", f"http://localhost:{free_port()}"], check=True,
                       stdout=subprocess.DEVNULL)
        sheet = self.dir / "people.csv"
        with open(sheet, "w", encoding="utf-8", newline="") as f:
            w = csv.writer(f)
            w.writerow(["login", "name", "birth_date", "email", "role", "password", "totp_secret"])
            w.writerows(p.row() for p in people)
        self.passwords = self.dir / "passwords.csv"
        self.ctl("import", "--passwords", self.passwords, sheet)

    def ctl(self, *args):
        p = subprocess.run([KOSMOCTL, "-c", self.conf, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert p.returncode == 0, (args, p.stdout.decode(), p.stderr.decode())
        return p.stdout.decode()

    def initial(self, login):
        """The initial password that the import made for this person."""
        for row in csv.reader(open(self.passwords, encoding="utf-8-sig")):
            if row and row[0] == login:
                return row[-1]
        raise KeyError(login)

    def rows(self, sql, *args):
        db = sqlite3.connect(self.dir / "kosmo.db", timeout=10)
        try:
            return db.execute(sql, args).fetchall()
        finally:
            db.close()

    def settled(self):
        wait_until(lambda: self.rows("SELECT count(*) FROM outbox WHERE state = 1") == [(0,)], 15, "the outbox")

    def snapshot(self):
        """All that is stored, but for when a session was last seen."""
        self.settled()
        db = sqlite3.connect(self.dir / "kosmo.db", timeout=10)
        try:
            db.execute("BEGIN")
            tables = [t for t, in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
            found = {}
            for t in tables:
                names = [r[1] for r in db.execute(f"PRAGMA table_info({t})") if (t, r[1]) != ("session", "seen")]
                found[t] = sorted(map(repr, db.execute(f"SELECT {', '.join(names)} FROM {t}")))
            return found
        finally:
            db.close()

    def write(self, sql, *args):
        """As time would have brought it about."""
        db = sqlite3.connect(self.dir / "kosmo.db", timeout=10)
        try:
            with db:
                assert db.execute(sql, args).rowcount > 0, sql
        finally:
            db.close()

    def start(self, env=None):
        self.process = Process([*(self.log.prefix if self.log else []), KEEPER, "-c", self.conf], self.dir / "keeper.log", env)
        wait_until(lambda: accepts(socket.AF_UNIX, str(self.socket)) or not self.process.alive(), 20, "the keeper")
        assert self.process.alive(), self.process.log.read_text()

    def mailer(self):
        """A kosmo-mailer beside it, which puts mails into the Maildir: a Process to be ended."""
        socket_path = self.dir / "run/mail.sock"
        socket_path.unlink(missing_ok=True)
        p = Process([MAILER, "-c", self.conf], self.dir / "mailer.log")
        wait_until(lambda: socket_path.exists() or not p.alive(), 10, "the mailer")
        assert p.alive(), p.log.read_text()
        return p

    def mail(self, to, seconds=15):
        """The next mail to this address (or this login's) that arrives in the Maildir, parsed; each is given once."""
        new = self.dir / "mail/new"
        address = to if "@" in to else f"{to}@example.jp"

        def next_one():
            for p in sorted((p for p in new.iterdir() if p.name not in self.seen), key=lambda p: p.stat().st_mtime_ns):
                m = email.message_from_bytes(p.read_bytes(), policy=email.policy.default)
                if m["To"].addresses[0].addr_spec == address:
                    self.seen.add(p.name)
                    return m
            return None

        found = []
        wait_until(lambda: found.append(next_one()) or found[-1], seconds, f"a mail to {address}")
        return found[-1]

    def start_by_socket(self):
        """As systemd would: somebody else listens, the first connection starts the keeper."""
        self.socket.unlink(missing_ok=True)
        self.process = Process(["systemd-socket-activate", "-l", self.socket, "--fdname=auth", KEEPER, "-c", self.conf],
                               self.dir / "keeper.log", umask=0)
        wait_until(self.socket.exists, 10, "systemd-socket-activate")

    def running(self):
        """The program that runs as our process by now."""
        return os.path.basename(os.readlink(f"/proc/{self.process.p.pid}/exe")).removeprefix("lt-")

    def stop(self):
        if self.process is not None:
            status = self.process.end()
            self.process = None
            return status
        return None

    def module(self, options=""):
        return f"{self.so} conf={self.conf} socket={self.socket} {options}"


class Conversation:
    """What a person sees at a terminal, and what they typed (or what a function returns once it is asked for); after: a line typed once all questions are answered."""

    def __init__(self, child, replies, timeout=30, after=None):
        self.asked, self.said, started = [], "", time.monotonic()
        replies = list(replies)
        while True:
            what = child.expect([r"(?i)((?:(?:current|new) )?(?:password|code)[^\r\n:]*: )$", pexpect.EOF], timeout=timeout)
            self.said += child.before
            if what == 1:
                break
            self.asked.append(child.match.group(1).strip())
            if not replies:
                child.close(force=True)
                raise AssertionError(f"asked once too often: {self.asked}")
            child.waitnoecho(2)
            reply = replies.pop(0)
            child.sendline(reply() if callable(reply) else reply)
            if after is not None and not replies:
                child.sendline(after)
        self.text = child.before
        child.close()
        self.exit = child.exitstatus
        self.seconds = time.monotonic() - started


def interruptible():
    """Before an exec: signals that whoever started the tests in the background has ignored, as its shell does."""
    for s in signal.SIGINT, signal.SIGQUIT:
        signal.signal(s, signal.SIG_DFL)


def spawn(command, env=None, cwd=None):
    # A wide terminal, so that no prompt is wrapped; stderr is the terminal too.
    return pexpect.spawn(str(command[0]), [str(c) for c in command[1:]], env={**os.environ, **(env or {})}, encoding="utf-8",
                         codec_errors="replace", dimensions=(40, 400), timeout=30, cwd=cwd, preexec_fn=interruptible)


def accounts(people, first_uid):
    return "".join(f"{p.login}:x:{first_uid + i}:{first_uid + i}::/:/bin/sh\n" for i, p in enumerate(people))


class Sshd:
    """The system's sshd on loopback. By itself: under a name of ours (it takes the PAM service from it), with accounts and a
    stack that exist only for it, by pam_wrapper and nss_wrapper. In a Namespace: with that one's, as the service sshd."""
    FIRST_UID = 20000

    def __init__(self, folder, people, stack, config="", service="kosmo-sshd", namespace=None):
        self.dir = pathlib.Path(folder) / "ssh"
        (self.dir / "pam.d").mkdir(parents=True)
        self.people, self.service = list(people), service
        for key in "host", "client":
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.dir / key], check=True)
        self.port = free_port()
        pathlib.Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        command, env = [self.dir / service, "-D", "-e", "-f", self.dir / "sshd_config"], {}
        if namespace is None:
            env = self.wrappers(stack)
            # What sshd starts (sftp-server, scp) looks its user up too.
            config += f"\nSetEnv LD_PRELOAD=libnss_wrapper.so NSS_WRAPPER_PASSWD={self.dir}/passwd NSS_WRAPPER_GROUP={self.dir}/group"
        else:
            command = namespace.command(0, *command)
        (self.dir / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.dir}/host\nPidFile none\nUsePAM yes\nStrictModes no\n"
            f"KbdInteractiveAuthentication yes\nPasswordAuthentication no\nAuthorizedKeysFile {self.dir}/client.pub\nPrintMotd no\n"
            f"MaxStartups 100\nLogLevel VERBOSE\nSubsystem sftp /usr/lib/openssh/sftp-server\n{config}\n")
        (self.dir / "known_hosts").write_text(f"[127.0.0.1]:{self.port} " + (self.dir / "host.pub").read_text())
        (self.dir / service).symlink_to("/usr/sbin/sshd")
        self.process = Process(command, self.dir / "log", env)
        wait_until(lambda: accepts(socket.AF_INET, ("127.0.0.1", self.port)) or not self.process.alive(), 10, "sshd")
        assert self.process.alive(), self.process.log.read_text()

    def wrappers(self, stack):
        self.stack(stack)
        (self.dir / "pam.d/other").write_text("auth required pam_deny.so\n")
        (self.dir / "passwd").write_text("root:x:0:0::/:/bin/sh\nsshd:x:19999:19999::/run/sshd:/usr/sbin/nologin\n" +
                                         accounts(self.people, self.FIRST_UID))
        (self.dir / "group").write_text("root:x:0:\nsshd:x:19999:\n" +
                                        "".join(f"{p.login}:x:{self.FIRST_UID + i}:\n" for i, p in enumerate(self.people)))
        return {"LD_PRELOAD": WRAPPERS, "PAM_WRAPPER": "1", "PAM_WRAPPER_SERVICE_DIR": str(self.dir / "pam.d"),
                "NSS_WRAPPER_PASSWD": str(self.dir / "passwd"), "NSS_WRAPPER_GROUP": str(self.dir / "group")}

    def stack(self, text):
        (self.dir / "pam.d" / self.service).write_text(text + "\nsession required pam_permit.so\n")

    def uid(self, login):
        return self.FIRST_UID + [p.login for p in self.people].index(login)

    def options(self, methods):
        return [f"-oPort={self.port}", f"-oUserKnownHostsFile={self.dir}/known_hosts", "-oStrictHostKeyChecking=yes", "-F", "none",
                f"-oPreferredAuthentications={methods}", "-oNumberOfPasswordPrompts=1", f"-oIdentityFile={self.dir}/client",
                "-oIdentitiesOnly=yes", "-oIdentityAgent=none"]

    def ssh(self, login, *replies, command="id -u", methods="keyboard-interactive"):
        child = spawn(["ssh", *self.options(methods), f"{login}@127.0.0.1", command])
        return Conversation(child, replies)

    def end(self):
        self.process.end()


class Namespace:
    """Programs that ignore LD_PRELOAD (su, sudo): a mount namespace with other files over /etc's."""
    FIRST_UID = 1000

    def __init__(self, folder, people, stacks, root_password):
        self.etc = pathlib.Path(folder) / "etc"
        (self.etc / "pam.d").mkdir(parents=True)
        self.people = list(people)
        for common in pathlib.Path("/etc/pam.d").glob("common-*"):
            shutil.copy(common, self.etc / "pam.d")
        for name, text in {"other": "auth required pam_deny.so\naccount required pam_deny.so\n", **stacks}.items():
            if "session" not in text:
                text += "\nsession required pam_permit.so\n"
            (self.etc / "pam.d" / name).write_text(text)
        root_hash = subprocess.run(["perl", "-e", "print crypt($ARGV[0], '$6$kosmotest$')", root_password],
                                   stdout=subprocess.PIPE, check=True).stdout.decode()
        (self.etc / "passwd").write_text("root:x:0:0::/root:/bin/sh\nsshd:x:999:999::/run/sshd:/usr/sbin/nologin\n" +
                                         accounts(self.people, self.FIRST_UID))
        (self.etc / "group").write_text("root:x:0:\n" +
                                        "".join(f"{p.login}:x:{self.FIRST_UID + i}:\n" for i, p in enumerate(self.people)) +
                                        f"sudo:x:27:{self.people[0].login}\n")
        (self.etc / "shadow").write_text(f"root:{root_hash}:19000::::::\n" +
                                         "".join(f"{p.login}:*:19000::::::\n" for p in self.people))
        (self.etc / "sudoers").write_text("Defaults !lecture, timestamp_timeout=0\nroot ALL=(ALL) ALL\n" +
                                          "".join(f"{p.login} ALL=(ALL) ALL\n" for p in self.people))
        for name, mode in ("shadow", 0o600), ("sudoers", 0o440):
            (self.etc / name).chmod(mode)
        self.script = self.etc / "run"
        self.script.write_text("set -e\n" + "".join(f"mount --bind {self.etc}/{n} /etc/{n}\n" for n in
                                                    ("pam.d", "passwd", "group", "shadow", "sudoers")) +
                               'uid=$1\nshift\nexec setpriv --reuid="$uid" --regid="$uid" --clear-groups -- "$@"\n')

    def command(self, uid, *command):
        return ["unshare", "-m", "--propagation", "private", "sh", self.script, uid, *command]

    def uid(self, person):
        return self.FIRST_UID + self.people.index(person)

    def run(self, uid, command, *replies, after=None):
        return Conversation(spawn(self.command(uid, *command), cwd="/"), replies, after=after)

    @staticmethod
    def possible():
        return os.getuid() == 0 and shutil.which("unshare") is not None and \
            subprocess.run(["unshare", "-m", "--propagation", "private", "mount", "--bind", "/tmp", "/tmp"],
                           stderr=subprocess.DEVNULL).returncode == 0
