"""kosmoctl store: check, backup, upgrade. tests/ctl/data/README says what the store of schema 1 is."""
import fcntl
import os
import pathlib
import random
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import time

import pytest
from conftest import BUILD, BUSY, FAILED, INPUT, KOSMOCTL, OK, USAGE, Instance

DATA = pathlib.Path(__file__).resolve().parent / "data"


def old_store(k):
    for f in k.dir.glob("kosmo.db*"):
        f.unlink()
    shutil.copy(DATA / "schema1.key", k.dir / "key")
    db = sqlite3.connect(k.db)
    db.executescript((DATA / "schema1.sql").read_text())
    db.close()
    for f in k.dir / "key", k.db:
        os.chown(f, k.dir.stat().st_uid, k.dir.stat().st_gid)
        f.chmod(0o600)


@pytest.fixture
def old(k):
    old_store(k)
    return k


@pytest.fixture
def people(k):
    k.load("login,birth_date,email,totp_secret\n" + "".join(f"p{i:03},1980-01-01,p{i}@example.jp,{'A' * 31}{'ABCDEFGH'[i % 8]}\n" for i in range(30)))
    return k


def rows(db, sql):
    with sqlite3.connect(db) as c:
        found = c.executescript(sql) if ";" in sql else c.execute(sql).fetchall()
    c.close()
    return found


def content(db):
    """All rows of the tables and columns that schema 1 had, but for the audit row and the version of an upgrade, and the
    counters and codes, which are of another form since schemas 2 and 3."""
    c = sqlite3.connect(f"file:{db}?immutable=1", uri=True)
    try:
        old = sqlite3.connect(":memory:")
        old.executescript((DATA / "schema1.sql").read_text())
        tables = [t for t, in old.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('schema_version', 'counter', 'code')")]
        columns = {t: ", ".join(r[1] for r in old.execute(f"PRAGMA table_info({t})")) for t in tables}
        return {t: sorted(map(repr, c.execute(f"SELECT {columns[t]} FROM {t}" + " WHERE event <> 'store.upgrade'" * (t == "audit"))))
                for t in tables}
    finally:
        c.close()


def backups(k):
    return sorted(k.dir.glob("kosmo.db.backup-*"))


def nothing_left(k, *but):
    left = {f.name for f in k.dir.glob("kosmo.db*")} - {"kosmo.db", "kosmo.db-wal", "kosmo.db-shm", *but}
    assert not left, left


# ---- upgrade ----

def test_upgrade(old):
    before = content(old.db)
    for command in ("user", "list"), ("audit",), ("store", "check"):
        said = old(*command)
        assert said.exit == FAILED and "has schema 1, this program needs 5: run `kosmoctl store upgrade`" in said.err, said
    said = old("store", "upgrade")
    assert said.exit == OK and "from schema 1 to 5, 7 people" in said.out, said
    backup, = backups(old)
    assert str(backup) in said.out and backup.name.startswith("kosmo.db.backup-1-20")
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600 and backup.stat().st_uid == old.dir.stat().st_uid
    nothing_left(old, backup.name)
    assert content(backup) == before == content(old.db)
    assert rows(backup, "SELECT version FROM schema_version") == [(1,)]
    assert old("store", "check").exit == OK
    j = old("audit", "--verify", "--json").json()
    assert j["whole"] and j["entries"] == 25
    assert old("audit", "--json", "--limit", "1").json()[0]["event"] == "store.upgrade"
    assert old.show("hanako")["authenticators"] and old.logins() == ["hanako", "ken", "kiyo", "mika", "natsu", "sato", "taro"]
    # and from here on as any other
    assert old("user", "enable", "ken").exit == OK and old("user", "delete", "--yes", "taro").exit == OK
    assert old("store", "check").exit == OK
    # once more: nothing
    said = old("store", "upgrade")
    assert said.exit == OK and "has schema 5 already" in said.out and len(backups(old)) == 1
    # the backup is a store
    for f in old.dir.glob("kosmo.db-*"):
        f.unlink()
    shutil.copy(backup, old.db)
    assert old("store", "upgrade").exit == OK and old("store", "check").exit == OK


def test_upgrade_and_a_login(old):
    """What was registered with the old version opens the door of the new one."""
    import sys
    sys.path.insert(0, str(DATA.parent.parent))
    from kosmo_wire import Client
    import base64, hashlib, hmac, struct
    assert old("store", "upgrade").exit == OK
    keeper = subprocess.Popen([BUILD / "keeper/kosmo-keeper", "-c", old.conf], stderr=subprocess.PIPE)
    try:
        end = time.monotonic() + 10
        while not (old.dir / "run/auth.sock").exists():
            assert time.monotonic() < end and keeper.poll() is None
            time.sleep(0.02)
        secret = hashlib.sha1(b"seed kiyo").digest()
        password = base64.urlsafe_b64encode(hashlib.sha256(b"kiyo").digest())[:24].decode()
        mac = hmac.new(secret, struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
        code = "%06d" % ((struct.unpack_from(">I", mac, mac[-1] & 15)[0] & 0x7fffffff) % 1000000)
        c = Client(old.dir / "run/auth.sock")
        kind, _ = c.ask("begin", {"phase": "auth", "service": "sshd", "user": "kiyo", "ruid": "0"})
        assert kind == "ask"
        assert c.ask("answer", {"text": password})[0] == "ask"
        assert c.ask("answer", {"text": code})[1]["verdict"] == "allow"
    finally:
        keeper.terminate()
        assert keeper.wait(10) == 0
    assert old("audit", "--verify").exit == OK


def test_upgrade_while_it_is_used(old):
    before = content(old.db)
    other = sqlite3.connect(old.db)
    other.execute("SELECT count(*) FROM person").fetchall()  # idle, but it has seen schema 1
    said = old("store", "upgrade")
    assert said.exit == BUSY and "stop kosmo-keeper first" in said.err and not backups(old), said
    other.close()
    assert content(old.db) == before
    nothing_left(old)
    assert old("store", "upgrade").exit == OK


def test_upgrade_with_another_key(old):
    shutil.copy(old.dir / "key", old.work / "key")
    line = (old.dir / "key").read_text()
    (old.dir / "key").write_text(line[:20] + ("A" if line[20] != "A" else "B") + line[21:])
    said = old("store", "upgrade")
    assert said.exit == FAILED and "another key" in said.err and not backups(old), said


@pytest.mark.parametrize("sql, why", [("UPDATE schema_version SET version = 6", "a newer version"), ("UPDATE schema_version SET version = 0", "no schema"),
                                      ("DELETE FROM schema_version", "not a store"), ("DROP TABLE person", "nothing was changed")])
def test_upgrade_of_something_else(old, sql, why):
    rows(old.db, sql + ";")
    said = old("store", "upgrade")
    assert said.exit == FAILED and why in said.err and not backups(old), said
    nothing_left(old)


def test_upgrade_with_somebody_damaged(old):
    rows(old.db, "UPDATE person SET role = 2 WHERE login = 'mika'")
    said = old("store", "upgrade")
    assert said.exit == FAILED and "1 people's rows had been changed" in said.err and len(backups(old)) == 1, said
    said = old("store", "check")
    assert said.exit == FAILED and "person mika: was changed or damaged" in said.err, said


def test_upgrade_where_nobody_fits(old):
    rows(old.db, "UPDATE person SET terms = 9")
    said = old("store", "upgrade")
    assert said.exit == FAILED and "nobody's row fits" in said.err and not backups(old), said
    assert rows(old.db, "SELECT version FROM schema_version") == [(1,)]


@pytest.mark.parametrize("kib", [8, 64, 110, 180])
def test_upgrade_on_a_full_disk(old, kib):
    """As far as a limit on a file's size can play it: in the copy, and in the log of the change itself."""
    before = content(old.db)
    said = old("store", "upgrade", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (kib * 1024, kib * 1024)))
    if said.exit == OK:  # there was room enough
        assert kib > 112
        return
    assert said.exit == FAILED and ("full" in said.err or "disk" in said.err or "File too large" in said.err), said
    nothing_left(old)
    assert content(old.db) == before and rows(old.db, "SELECT version FROM schema_version") == [(1,)]
    assert old("store", "upgrade").exit == OK and old("store", "check").exit == OK


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to mount a small file system")
def test_upgrade_on_a_small_file_system(old):
    small, before = old.work / "small", content(old.db)
    small.mkdir()
    script = f"""
        mount -t tmpfs none {small} 2>/dev/null || exit 77
        for kib in $(seq 120 20 380); do
            mount -t tmpfs -o size=${{kib}}k,mode=711 none {old.dir}
            cp -p {small}.kept/* {old.dir} || exit 1
            {KOSMOCTL} -c {small}.conf store upgrade >/dev/null 2>{small}/err
            echo $kib $? $(ls {old.dir} | grep -c backup) $(tr '\n' ' ' <{small}/err)
            mkdir {small}.$kib && cp -p {old.dir}/* {small}.$kib
            umount {old.dir}
        done"""
    pathlib.Path(f"{small}.conf").write_text(old.conf.read_text())
    kept = pathlib.Path(f"{small}.kept")
    kept.mkdir()
    for name in "key", "kosmo.db":
        shutil.copy2(old.dir / name, kept)
    p = subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if p.returncode == 77 or b"unshare" in p.stderr:
        pytest.skip("no mounts here")
    said = [line.split(None, 3) for line in p.stdout.decode().splitlines()]
    for kib, status, n, *err in said:
        after = pathlib.Path(f"{small}.{kib}")
        version, = rows(after / "kosmo.db", "SELECT version FROM schema_version")[0]
        assert content(after / "kosmo.db") == before
        if int(status) == OK:
            assert version == 5 and n == "1", (kib, err)
        else:
            # where the commit itself failed the copy stays
            assert int(status) == FAILED and version == 1 and ("full" in err[0] or "disk I/O" in err[0]), (kib, n, err)
            assert n == ("1" if "the copy of before is" in err[0] else "0"), (kib, n, err)
    assert {s for _, s, *_ in said} == {"0", "1"}, said


def killed_upgrade(k, after):
    p = subprocess.Popen([KOSMOCTL, "-c", k.conf, "store", "upgrade"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(after)
    p.send_signal(signal.SIGKILL)
    p.wait()


def killed(k, times):
    took = time.monotonic()
    assert k("store", "upgrade").exit == OK
    took = time.monotonic() - took
    seen = set()
    for i in range(times):
        old_store(k)
        before = content(k.db)
        killed_upgrade(k, took * (i + random.random()) / times)
        version, = rows(k.db, "SELECT version FROM schema_version")[0]
        seen.add(version)
        rows(k.db, "PRAGMA wal_checkpoint;")
        assert content(k.db) == before
        assert (version == 5) == bool(rows(k.db, "SELECT 1 FROM sqlite_master WHERE name = 'login'"))
        for b in backups(k):
            assert content(b) == before
        assert k("store", "upgrade").exit == OK and k("store", "check").exit == OK
        nothing_left(k, *(b.name for b in backups(k)))
    assert 1 in seen


def test_upgrade_killed(k):
    killed(k, 12)


@pytest.mark.soak
def test_upgrade_killed_often(k):
    killed(k, 400)


# ---- backup ----

def test_backup(people):
    target = people.work / "backup"
    # somebody reads, somebody has just written
    other = sqlite3.connect(people.db)
    other.execute("BEGIN").execute("SELECT count(*) FROM person").fetchall()
    assert people("user", "disable", "p001").exit == OK
    said = people("store", "backup", "backup")
    other.close()
    assert said.exit == OK and "key" in said.out, said
    assert stat.S_IMODE(target.stat().st_mode) == 0o600 and not (people.work / "backup.new").exists()
    nothing_left(people)
    assert rows(target, "PRAGMA integrity_check") == [("ok",)]
    state = people("user", "list").out
    again = people("store", "backup", target)
    assert again.exit == INPUT and "exists already" in again.err
    assert people("user", "delete", "--yes", "p001").exit == OK
    for f in people.dir.glob("kosmo.db*"):
        f.unlink()
    shutil.copy(target, people.db)
    people.db.chmod(0o600)
    os.chown(people.db, people.dir.stat().st_uid, -1)
    assert people("user", "list").out == state and people("store", "check").exit == OK


def test_backup_beside_another(people):
    """Both copy under one name first: never the other's half."""
    folder = os.open(people.dir, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    said = people("store", "backup", "second")
    assert said.exit == BUSY and "another backup" in said.err and not list(people.work.glob("second*")), said
    os.close(folder)
    assert people("store", "backup", "second").exit == OK


def test_backup_that_fails(people):
    for target, status in (people.work / "no/such", FAILED), (people.work, INPUT), ("/dev/full", INPUT), ("", INPUT):
        said = people("store", "backup", target)
        assert said.exit == status, said
    assert people("store", "backup").exit == people("store", "backup", "a", "b").exit == USAGE
    (people.work / "left.new").write_bytes(b"x")
    said = people("store", "backup", "left")
    assert said.exit == INPUT and "left.new" in said.err and not (people.work / "left").exists()
    said = people("store", "backup", "small", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536)))
    assert said.exit == FAILED and not list(people.work.glob("small*")), said
    nothing_left(people)
    with sqlite3.connect(people.db) as db:
        db.execute("DELETE FROM schema_version")
    said = people("store", "backup", "none")
    assert said.exit == FAILED and not list(people.work.glob("none*")), said


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to be somebody else")
def test_backup_into_a_folder_of_roots(folder):
    """The database's owner could not write there."""
    subprocess.run(["chown", "65534:65534", folder], check=True)
    folder.chmod(0o755)
    (folder / "k").mkdir()
    os.chown(folder / "k", 65534, 65534)
    k = Instance(folder)
    (folder / "root").mkdir(mode=0o700)
    said = k("store", "backup", folder / "root/backup")
    assert said.exit == OK, said
    s = (folder / "root/backup").stat()
    assert s.st_uid == 0 and stat.S_IMODE(s.st_mode) == 0o600
    assert rows(folder / "root/backup", "PRAGMA integrity_check") == [("ok",)]


# ---- check ----

def test_check(people):
    said = people("store", "check")
    assert said.exit == OK and "30 people" in said.out and "all whole" in said.out, said
    assert people("store", "check", "--json").json()["people"] == 30


FINDS = [
    ("UPDATE person SET role = 2 WHERE login = 'p007'", "person p007: was changed"),
    ("UPDATE person SET profile = (SELECT profile FROM person WHERE login = 'p001') WHERE login = 'p002'", "person p002: "),
    ("DELETE FROM authenticator WHERE person = (SELECT id FROM person WHERE login = 'p003')", "person p003: "),
    ("UPDATE authenticator SET secret = x'00' WHERE person = (SELECT id FROM person WHERE login = 'p029')", "person p029: "),
    ("UPDATE authenticator SET name = x'00' WHERE person = (SELECT id FROM person WHERE login = 'p000')", "person p000: "),
    ("UPDATE person SET login = char(27) || '[2J' WHERE login = 'p004'", "person 1b5b324a: "),
    ("DELETE FROM person WHERE login = 'p005'", "1 rows belong to nobody"),
    ("INSERT INTO known VALUES (x'00', 1, x'00', 0, 0, 0)", "1 rows belong to nobody"),
    ("INSERT INTO recovery VALUES (x'00', x'00', x'00', 0)", "1 rows belong to nobody"),
    ("INSERT INTO outbox VALUES (randomblob(16), NULL, 1, 0, 0, 0, 0, 0, NULL, x'00', 0)", "mail "),
    ("INSERT INTO session VALUES (randomblob(32), (SELECT id FROM person LIMIT 1), 3, 1, 1, 1, 1, x'00', 0)", "session "),
    ("INSERT INTO code VALUES (randomblob(16), (SELECT id FROM person LIMIT 1), 1, x'00', NULL, NULL, x'00', 10, 1, 1, 0, NULL, 0)", "code "),
    ("UPDATE audit SET sealed = x'00'", "audit: 1 entries cannot be opened"),
    ("UPDATE audit SET event = 'x'", "audit: entry 1 does not fit"),
]


def test_check_finds(people):
    whole = people.db.read_bytes()
    for sql, why in FINDS:
        rows(people.db, sql)
        said = people("store", "check")
        assert said.exit == FAILED and why in said.err and "not all whole" in said.out, (sql, said)
        people.db.write_bytes(whole)
    rows(people.db, FINDS[0][0])
    j = people("store", "check", "--json").json()
    assert (j["whole"], j["damage"], j["bad"]) == (False, None, 1)


def test_check_finds_damage_of_the_file(people):
    size = people.db.stat().st_size
    with open(people.db, "r+b") as f:
        root, = rows(people.db, "SELECT rootpage FROM sqlite_master WHERE name = 'person_batch'")[0]
        assert root * 4096 <= size
        f.seek((root - 1) * 4096)
        f.write(os.urandom(4096))
    said = people("store", "check")
    assert said.exit == FAILED and "damaged" in said.err, said
    assert people("store", "backup", "x").exit == FAILED and not (people.work / "x").exists()
