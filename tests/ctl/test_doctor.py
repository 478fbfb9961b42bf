"""kosmoctl doctor: each thing is broken, found, named with its remedy; where that is a command it is run, and all is well."""
import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import time

import pytest
from conftest import BUILD, FAILED, OK, Instance, run, run_as_nobody
from made import made

root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
COMMANDS = ("chmod ", "chown ", "mkdir ", "rm ")


def doctor(k, *more):
    said = k("doctor", "--json", *more)
    assert said.err == "", said
    findings = said.json()
    assert said.exit == (FAILED if any(f["state"] == "fail" for f in findings) else OK)
    for f in findings:
        assert (f["remedy"] is not None) == (f["state"] in ("warn", "fail")), f
    return findings


def of(k, check, *more):
    return [f for f in doctor(k, *more) if f["check"] == check]


def bad(k, check, text, state="fail", *more):
    """The finding that says `text`; nothing else of that check is worse."""
    found = [f for f in of(k, check, *more) if text in f["text"]]
    assert found and found[0]["state"] == state, (check, text, doctor(k, *more))
    return found[0]


def drop_in(k, text):
    (k.dir / "kosmo.conf.d").mkdir(exist_ok=True)
    (k.dir / "kosmo.conf.d/test.conf").write_text(text)


@pytest.fixture(scope="module")
def tool():
    made("ctl")
    return BUILD / "tests/ctl/put_rows"


@contextlib.contextmanager
def running(k):
    """The site, which starts keeper and mailer beside it; its process."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        drop_in(k, f"[web]\nlisten = 127.0.0.1:{s.getsockname()[1]}\n")
    p = subprocess.Popen([BUILD / "enroll/kosmo-enrolld", "-c", k.conf], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 20
        while of(k, "site")[0]["state"] != "ok" or of(k, "sockets")[0]["state"] != "ok":
            assert time.monotonic() < end and p.poll() is None
        yield p
    finally:
        p.terminate()
        p.wait(10)


def test_all_is_well(k):
    with running(k):
        assert [f for f in doctor(k) if f["state"] == "fail"] == []
        said = k("doctor")
    assert said.exit == OK and said.out.splitlines()[-1].endswith(" 0 failures")


# What is broken, the check that says so, in which words.
FILES = {
    "configuration written by all": (lambda k: k.conf.chmod(0o666), "configuration", "others than its owner may write it"),
    "drop-in written by all": (lambda k: (drop_in(k, ""), (k.dir / "kosmo.conf.d/test.conf").chmod(0o666)), "configuration", "others"),
    "state_dir written by all": (lambda k: k.dir.chmod(0o777), "state_dir", "others than its owner may put files there"),
    "key for all": (lambda k: (k.dir / "key").chmod(0o644), "state_dir", "others have access"),
    "database for all": (lambda k: k.db.chmod(0o644), "state_dir", "others have access"),
    "log for all": (lambda k: (k.dir / "kosmo.db-wal").write_bytes(b""), "state_dir", "others have access"),
    "run_dir written by all": (lambda k: (k.dir / "run").chmod(0o777), "folders", "others may put their own files there"),
    "run_dir missing": (lambda k: (k.dir / "run").rmdir(), "folders", "there is no such folder"),
    "site_dir missing": (lambda k: shutil.move(k.dir / "site", k.dir / "was"), "folders", "there is no such folder"),
    "maildir missing": (lambda k: shutil.rmtree(k.dir / "mail"), "mail", "no folder, or others may write there"),
    "maildir written by all": (lambda k: (k.dir / "mail").chmod(0o777), "mail", "no folder, or others may write there"),
}


@pytest.mark.parametrize("what", FILES)
def test_files(k, what):
    breaks, check, text = FILES[what]
    old = os.umask(0o022)
    breaks(k)
    os.umask(old)
    remedy = bad(k, check, text)["remedy"]
    assert remedy.startswith(COMMANDS), remedy
    subprocess.run(["sh", "-ec", remedy], check=True)
    if what == "site_dir missing":
        bad(k, check, "no terms to show")
        for f in (k.dir / "was").iterdir():
            shutil.move(f, k.dir / "site")
    assert {f["state"] for f in of(k, check)} == {"ok"}, of(k, check)


@root
@pytest.mark.parametrize("name", ["key", "kosmo.db"])
def test_owner(k, name):
    os.chown(k.dir / name, 65534, 65534)
    remedy = bad(k, "state_dir", "belongs to nobody, and the keeper runs as root")["remedy"]
    subprocess.run(["sh", "-ec", remedy], check=True)
    assert of(k, "state_dir")[0]["state"] == "ok" and of(k, "store")[0]["state"] == "ok"


def test_conf(k):
    drop_in(k, "nonsense = 1\n")
    assert "config check" in bad(k, "configuration", "nonsense")["remedy"]
    assert {f["check"] for f in doctor(k)} == {"configuration", "clock", "module", "pam.d", "sshd"}
    (k.dir / "kosmo.conf.d/test.conf").unlink()
    k.conf.unlink()
    assert "kosmoctl init" in bad(k, "configuration", "kosmo.conf")["remedy"]


def test_key_and_database(k, folder):
    """What is missing, a link, of another instance or nonsense; the store is then left alone."""
    other = Instance(folder)
    key, was = k.dir / "key", (k.dir / "key").read_bytes()
    bytes_before = k.db.read_bytes()
    key.rename(k.dir / "key.was")
    assert "restore it from the backup" in bad(k, "state_dir", "key: No such file")["remedy"]
    assert of(k, "store") == [{"check": "store", "state": "left", "text": "not opened: mend state_dir first (above)", "remedy": None}]
    key.symlink_to(k.dir / "key.was")
    assert "links are never followed" in bad(k, "state_dir", "is no plain file")["remedy"]
    key.unlink()
    for text in b"", b"kosmo-key 1 AAAA\n", other.dir.joinpath("key").read_bytes():
        key.write_bytes(text)
        key.chmod(0o600)
        assert "backup" in bad(k, "store", "")["remedy"]
    key.write_bytes(was)
    assert of(k, "store")[0]["state"] == "ok" and "0 people" in of(k, "store")[0]["text"]
    k.db.write_bytes(b"x" * 8192)
    assert "backup" in bad(k, "store", "kosmo.db")["remedy"]
    k.db.write_bytes(bytes_before[:-4096])
    assert "backup" in bad(k, "store", "kosmo.db")["remedy"]
    k.db.unlink()
    assert "restore it from the backup" in bad(k, "state_dir", "kosmo.db: No such file")["remedy"]


def test_nothing_is_changed(k):
    def all_files():
        return {f: (f.lstat().st_mtime_ns, f.lstat().st_mode, f.read_bytes() if f.is_file() else b"") for f in k.dir.rglob("*")}
    k("user", "list")
    before = all_files()
    doctor(k)
    assert all_files() == before


def test_clock(k):
    os.utime(k.dir / "key", (time.time() + 86400,) * 2)
    assert "date -s" in bad(k, "clock", "but the key was made on")["remedy"]


@pytest.mark.skipif(os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode != 0,
                    reason="needs mount namespaces")
@pytest.mark.parametrize("size, state", [("3m", "FAIL"), ("64m", "warn")])
def test_disk(folder, size, state):
    ctl = BUILD / "ctl/kosmoctl"
    p = subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-ec", f"mount -t tmpfs -o size={size} t {folder}\n"
                        f"{ctl} init --dir {folder}/k --url http://localhost:1 >/dev/null\n{ctl} -c {folder}/k/kosmo.conf doctor || :"],
                       stdout=subprocess.PIPE, check=True)
    assert f"\n{state:4}  disk " in p.stdout.decode() and "make room" in p.stdout.decode()


def test_mail(k):
    with socket.socket() as relay:
        relay.bind(("127.0.0.1", 0))
        at = f"127.0.0.1:{relay.getsockname()[1]}"
        smtp = f"[mail]\ntransport = smtp\nsmtp = {at}\n"
        drop_in(k, smtp + "from =\n")
        bad(k, "mail", "mail.from is empty")
        bad(k, "mail", "nobody accepts a connection")
        relay.listen()
        drop_in(k, smtp + "from = kosmo@example.jp\n")
        assert of(k, "mail") == [{"check": "mail", "state": "ok", "remedy": None,
                                  "text": f"from kosmo@example.jp by {at}, which accepts connections"}]
        drop_in(k, smtp + "from = kosmo@localhost\n")
        bad(k, "mail", "no one outside takes mail", "warn")
        secret = k.dir / "relay"
        drop_in(k, smtp + f"from = kosmo@example.jp\nsmtp_user = u\nsmtp_password_file = {secret}\nsmtp_ca_file = {k.dir}/no-ca\n")
        bad(k, "mail", "no-ca: No such file")
        bad(k, "mail", "relay: No such file")
        secret.write_text("x\n")
        secret.chmod(0o644)
        remedy = bad(k, "mail", "it must be a file of mode 0600 or 0640")["remedy"]
        subprocess.run(["sh", "-ec", remedy], check=True)
        assert "smtp_password_file" not in str(of(k, "mail"))
    drop_in(k, "[mail]\ntransport = smtp\nsmtp = no-such-relay.invalid:25\nsmtp_tls = none\nfrom = kosmo@example.jp\n")
    bad(k, "mail", "for everyone to read", "warn")
    started = time.monotonic()
    found = bad(k, "mail", "mail.smtp = no-such-relay.invalid:25")
    assert "looked up" in found["text"] or "2 s" in found["text"]
    assert time.monotonic() - started < 20


def test_each_relay_is_looked_at(k):
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_server(("127.0.0.1", 0)) as other:
        relays = [f"127.0.0.1:{s.getsockname()[1]}" for s in (listener, other)]
        drop_in(k, f"[mail]\ntransport = smtp\nsmtp = {' '.join(relays)}\nsmtp_tls = none\nfrom = kosmo@example.jp\n")
        assert relays[0] + " " + relays[1] in of(k, "mail")[0]["text"] and of(k, "mail")[0]["state"] == "ok"
        other.close()
        assert bad(k, "mail", f"mail.smtp = {relays[1]}: nobody accepts")["state"] == "fail" and len(of(k, "mail")) == 1


def test_sendmail(k):
    program = k.dir / "sendmail"
    text = f"[mail]\ntransport = sendmail\nsendmail = {program}\n"
    drop_in(k, text + "from =\n")
    bad(k, "mail", "mail.from is empty")
    drop_in(k, text + "from = kosmo@example.jp\n")
    bad(k, "mail", "sendmail: No such file")
    program.mkdir()
    bad(k, "mail", "cannot be run")
    program.rmdir()
    program.write_text("#!/bin/sh\n")
    bad(k, "mail", "cannot be run")
    program.chmod(0o775)
    subprocess.run(["sh", "-ec", bad(k, "mail", "others may change it")["remedy"]], check=True)
    assert of(k, "mail") == [{"check": "mail", "state": "ok", "remedy": None, "text": f"from kosmo@example.jp by {program}"}]


def test_outbox_and_addresses(k, tool):
    assert "too few visitors" in of(k, "addresses")[0]["text"]
    subprocess.run([tool, k.conf, "visitors", "127.0.0.1", "8"], check=True)
    assert "X-Forwarded-For" in bad(k, "addresses", "all visitors of the site seem to come from 127.0.0.1", "warn")["remedy"]
    drop_in(k, "[web]\ntrusted_proxies = ::1\n")
    assert "web.trusted_proxies = ::1 127.0.0.1" in bad(k, "addresses", "127.0.0.1", "warn")["remedy"]
    subprocess.run([tool, k.conf, "visitors", "192.0.2.7", "1"], check=True)
    assert "addresses of their own" in of(k, "addresses")[0]["text"]
    assert of(k, "outbox")[0]["state"] == "ok"
    subprocess.run([tool, k.conf, "mail", "550 5.7.1 not with \x1b[31m us"], check=True)
    found = bad(k, "outbox", "1 were refused for good", "warn")
    assert "550 5.7.1 not with ?[31m us" in found["text"], "no control characters on the admin's terminal"


def test_sockets(k):
    bad(k, "sockets", "auth.sock: it is not there")
    bad(k, "sockets", "web.sock: it is not there")
    assert "kosmo-enrolld -c" in bad(k, "site", "does not answer")["remedy"]
    (k.dir / "run/auth.sock").write_text("")
    assert bad(k, "sockets", "is no socket")["remedy"].startswith(f"rm {k.dir}/run/auth.sock\n")
    (k.dir / "run/auth.sock").unlink()
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(k.dir / "run/auth.sock"))
        (k.dir / "run/auth.sock").chmod(0o666)
        bad(k, "sockets", "hung up, or nobody listens")
    (k.dir / "run/auth.sock").unlink()
    with running(k) as site:
        auth = k.dir / "run/auth.sock"
        for path, mode in (auth, 0o600), (k.dir / "run/web.sock", 0o666):
            before = stat.S_IMODE(path.stat().st_mode)
            path.chmod(mode)
            remedy = bad(k, "sockets", f"mode {mode:04o}, and it must be")["remedy"]
            subprocess.run(["sh", "-ec", remedy], check=True)
            assert stat.S_IMODE(path.stat().st_mode) == before and of(k, "sockets")[0]["state"] == "ok"
        keeper = int(subprocess.run(["pgrep", "-P", str(site.pid), "-f", "kosmo-keeper"], stdout=subprocess.PIPE, check=True).stdout.split()[0])
        os.kill(keeper, signal.SIGSTOP)
        try:
            bad(k, "sockets", "did not answer within 3 s")
        finally:
            os.kill(keeper, signal.SIGCONT)
        # Another configuration than the keeper's, whose run_dir is the same.
        other = k.dir / "other.conf"
        other.write_text(k.conf.read_text())
        said = run("-c", other, "doctor", "--json").json()
        assert any(f["check"] == "sockets" and 'not "ignore"' in f["text"] for f in said), said


@root
@pytest.mark.skipif(subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode != 0, reason="needs mount namespaces")
def test_installation(folder):
    """With the user kosmo, and a systemd that says what a script of ours says."""
    folder.chmod(0o755)
    tree = folder / "tree"
    (tree / "run/systemd/system").mkdir(parents=True)
    (tree / "etc/pam.d").mkdir(parents=True)
    shutil.copy("/etc/pam.d/sshd", tree / "etc/pam.d/none")
    systemctl = folder / "systemctl"
    passwd = folder / "passwd"
    users = [f"{n}:x:{u}:{u}::/:/bin/false\n" for n, u in (("kosmo", 7001), ("kosmo-web", 7002), ("kosmo-mail", 7003))]
    d = folder / "k"
    d.mkdir()
    os.chown(d, 7001, 7001)
    k = Instance(folder)
    script = folder / "go"
    script.write_text(f"set -e\nmount --bind {passwd} /etc/passwd\nmount --bind {systemctl} /usr/bin/systemctl\n"
                      f"exec {BUILD}/ctl/kosmoctl -c {k.conf} doctor --json --root {tree}\n")

    def look(unit, n=3):
        systemctl.write_text(f"#!/bin/sh\n{unit}\n")
        systemctl.chmod(0o755)
        passwd.write_text("root:x:0:0::/root:/bin/sh\n" + "".join(users[:n]))
        p = subprocess.run(["unshare", "-m", "--propagation", "private", "sh", script], stdout=subprocess.PIPE)
        import json
        return {(f["check"], f["state"]): f for f in json.loads(p.stdout)}

    well = 'case "$1" in is-failed) exit 1;; show) echo 0;; esac'
    said = look(well)
    assert ("users", "ok") in said and ("units", "ok") in said and ("state_dir", "ok") in said and ("store", "ok") in said, said
    assert look(well, 2)["users", "fail"]["remedy"] == "systemd-sysusers"
    said = look('case "$1 $2" in "is-enabled kosmo-mailer.socket") exit 1;; is-failed*) exit 1;; esac')
    assert said["units", "fail"]["text"] == "kosmo-mailer.socket: it will not start at boot"
    assert said["units", "fail"]["remedy"] == "systemctl enable --now kosmo-mailer.socket"
    assert "journalctl -u kosmo-mailer.service" in look("exit 0")["units", "fail"]["remedy"]
    # What the mailer's unit keeps from sendmail: Postfix' postdrop takes a group, Exim is root.
    sendmail, postdrop = folder / "sendmail", folder / "postdrop"
    for f in sendmail, postdrop:
        f.write_text("#!/bin/sh\n")
        f.chmod(0o755)
    drop_in(k, f"[mail]\ntransport = sendmail\nsendmail = {sendmail}\nfrom = kosmo@example.jp\n")
    assert ("mail", "ok") in look(well)
    os.chown(postdrop, 0, 8)
    postdrop.chmod(0o2755)
    found = look(well)["mail", "fail"]
    assert "postdrop needs the group mail" in found["text"] and found["remedy"].startswith("usermod -aG mail kosmo-mail;")
    users[2] = users[2].replace(":7003::", ":8::")
    assert ("mail", "ok") in look(well)
    sendmail.chmod(0o4755)
    assert "localhost:25" in look(well)["mail", "fail"]["remedy"]
    os.chown(d, 0, 0)
    passwd_owner = look(well)
    assert ("users", "left") in passwd_owner, "it is an instance of root's own then"
    # The old keeper runs on from a file that was replaced.
    os.chown(d, 7001, 7001)
    old = folder / "old"
    shutil.copy("/bin/sleep", old)
    p = subprocess.Popen([old, "60"])
    old.unlink()
    try:
        said = look(f'case "$1" in is-failed) exit 1;; show) [ "$4" != kosmo-keeper.service ] || echo {p.pid};; esac')
        assert said["versions", "warn"]["remedy"] == "systemctl restart kosmo-keeper.service"
    finally:
        p.kill()
        p.wait()


@root
def test_somebody_else(k):
    os.chmod(k.work, 0o755)
    p = run_as_nobody("-c", k.conf, "doctor", "--json")
    assert p.exit == FAILED and any("cannot be looked into as this user" in f["text"] for f in p.json())
