"""An import that is killed, stopped or disturbed: nobody is half there, and the next one works."""
import csv
import fcntl
import os
import resource
import signal
import subprocess
import sys
import time

import pytest
from conftest import BUSY, FAILED, KOSMOCTL, OK, TOP

N = 20000


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    f = tmp_path_factory.mktemp("crowd") / "crowd.csv"
    subprocess.run([sys.executable, str(TOP / "tests/bench/people_csv.py"), str(N), str(f)], check=True)
    return f


def begin(k, crowd, passwords):
    return subprocess.Popen([KOSMOCTL, "-c", k.conf, "import", "--passwords", passwords, crowd], cwd=k.work,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def rows(f):
    with open(f, encoding="utf-8-sig", newline="") as f:
        return list(csv.reader(f))


def size_of(k):
    return sum(f.stat().st_size for f in k.dir.glob("kosmo.db*"))


def wait_for_growth(k, p, before, size):
    """Until so much of the new people is in the store's files, beyond what was there before."""
    while p.poll() is None and size_of(k) < before + size:
        time.sleep(0.002)


@pytest.mark.parametrize("size", [50_000, 800_000, 2_300_000, 3_800_000])
def test_killed(k, crowd, size):
    k.load("login,birth_date\nhanako,1980-01-01\n")
    before = size_of(k)
    p = begin(k, crowd, k.work / "first.csv")
    wait_for_growth(k, p, before, size)
    p.kill()
    p.communicate()
    # all with all their passwords on paper, or nobody
    seen = k.logins()
    if p.returncode == 0:
        pytest.skip("it was through already")
    assert seen == ["hanako"] and k("user", "show", "m00000000").exit != OK
    # nobody is to be seen, but the login is taken: said so, and what to do
    said = k("user", "add", "--passwords", k.work / "add.csv", "--birth-date", "1980-01-01", "m00000000")
    assert said.exit == BUSY and "import its file again" in said.err and "m00000000" not in k.logins(), said
    second = k("import", "--passwords", k.work / "second.csv", crowd)
    assert second.exit == OK and f"{N} new" in second.out, second
    assert "an earlier import was interrupted" in second.err and "void" in second.err
    assert len(k.logins()) == N + 1 and len(rows(k.work / "second.csv")) == N + 1


def test_visible_only_with_all_passwords_written(k, crowd):
    """Watched while it runs: the moment people are seen, the file is whole."""
    p = begin(k, crowd, k.passwords)
    while p.poll() is None:
        if k("user", "show", "m00000000").exit == OK:
            assert len(rows(k.passwords)) == N + 1
            break
        time.sleep(0.05)
    assert p.wait() == 0 and len(rows(k.passwords)) == N + 1
    p.communicate()


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped(k, crowd, sig):
    before = size_of(k)
    p = begin(k, crowd, k.passwords)
    wait_for_growth(k, p, before, 800_000)
    p.send_signal(sig)
    out, err = p.communicate()
    if p.returncode == OK:
        pytest.skip("it was through already")
    assert p.returncode == FAILED and b"no new person is visible" in err
    assert k.logins() == [] and not k.passwords.exists()
    assert k("import", "--passwords", k.passwords, crowd).exit == OK


def test_updates_go_on_where_they_were(k, crowd):
    k("import", "--passwords", k.passwords, crowd)
    k.passwords.unlink()
    changed = k.sheet(crowd.read_text().replace(",ja", ",en"))
    p = begin(k, changed, k.passwords)
    time.sleep(0.4)
    p.kill()
    p.communicate()
    k.passwords.unlink(missing_ok=True)
    said = k("import", "--json", "--passwords", k.passwords, changed).json()
    assert said["new"] == 0 and said["updated"] + said["unchanged"] == N
    assert k.show("m00000000")["locale"] == "en"
    assert k("import", "--json", "--dry-run", changed).json()["unchanged"] == N


def test_two_at_once(k, crowd):
    fd = os.open(k.dir, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    said = k("import", "--passwords", k.passwords, crowd)
    assert said.exit == BUSY and "another import" in said.err
    assert not k.passwords.exists()
    os.close(fd)


def test_held_lock(k):
    """Somebody sits on the database: busy, after a while, and not for ever."""
    import sqlite3
    db = sqlite3.connect(k.db, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    said = k("user", "add", "hanako", "--birth-date", "1980-01-01", "--passwords", k.passwords)
    assert said.exit == BUSY and "busy" in said.err, said
    assert not k.passwords.exists()
    db.execute("ROLLBACK")
    db.close()
    assert k("user", "add", "hanako", "--birth-date", "1980-01-01", "--passwords", k.passwords).exit == OK


def test_the_store_cannot_grow(k, crowd):
    k.load("login,birth_date\nhanako,1980-01-01\n")
    p = subprocess.run([KOSMOCTL, "-c", k.conf, "import", "--passwords", "second.csv", crowd], cwd=k.work, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000)))
    assert p.returncode == FAILED and f"{k.dir}: input/output error".encode() in p.stderr, p.stderr
    assert k.logins() == ["hanako"] and not (k.work / "second.csv").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_the_passwords_do_not_fit(k, crowd):
    """Nobody becomes visible whose password is not on disk."""
    small = k.work / "small"
    small.mkdir()
    p = subprocess.run(["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=64k none "$1" && exec "$2" -c "$3" import --passwords "$1/p.csv" "$4"',
                        "sh", small, KOSMOCTL, k.conf, crowd], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if b"mount" in p.stderr or b"unshare" in p.stderr:
        pytest.skip("no mounts here")
    assert p.returncode == FAILED and f"{small}/p.csv: No space left on device".encode() in p.stderr, p.stderr
    assert k.logins() == []
