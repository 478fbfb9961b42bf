"""The audit log of a running keeper: its head goes to the journal, and nothing is decided that cannot be noted."""
import pathlib
import sqlite3
import subprocess
import time

import pytest
from harness import KOSMOCTL, Instance, Namespace, Person, Syslog, wait_until

SUCCESS, UNAVAIL = 0, 9
PEOPLE = [Person(f"a{i}", password=False) for i in range(12)]
own_log = pytest.mark.skipif(not Namespace.possible(), reason="no mount namespaces here, for a /dev/log of its own")


@pytest.fixture
def instance(folder):
    i = Instance(folder, PEOPLE)
    yield i
    i.stop()


@pytest.fixture
def login(driver, instance, folder):
    unused = iter(PEOPLE)

    def login():
        """What pam_authenticate says to one who is right, each time another person."""
        p = next(unused)
        (folder / "kosmo-test").write_text(f"auth required {instance.module('password=skip')}\n")
        said = subprocess.run([driver, "-d", folder, "-s", "kosmo-test", "-u", p.login, "text:" + p.code()], stdout=subprocess.PIPE)
        return int(next(line for line in said.stdout.decode().splitlines() if line.startswith("auth ")).split()[1])
    return login


def write(instance, sql):
    """As somebody who can write rows, and has no key."""
    with sqlite3.connect(instance.dir / "kosmo.db", timeout=10) as db:
        db.execute(sql)
    db.close()


def verify(instance, *options):
    return subprocess.run([KOSMOCTL, "-c", instance.conf, "audit", "--verify", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@own_log
def test_a_journal_that_hangs_holds_nobody_up(instance, driver, folder):
    """A socket that nobody reads is full after a few lines; what did not fit is counted when it is read again."""
    instance.log = Syslog(folder, deaf=True)
    instance.start()
    (folder / "kosmo-test").write_text(f"auth required {instance.module('password=skip')}\n")
    lines = int(pathlib.Path("/proc/sys/net/unix/max_dgram_qlen").read_text()) + 20
    for i in range(lines):
        r = subprocess.run([driver, "-d", folder, "-s", "kosmo-test", "-u", f"nobody{i}", "text:123456"], stdout=subprocess.PIPE)
        assert b"auth 7" in r.stdout.splitlines()[-1], f"login {i} waited for the journal: {r.stdout}"  # 9: for 3 s, in vain
    before = len(instance.log.read())
    assert before < lines, "the socket was full"
    subprocess.run([driver, "-d", folder, "-s", "kosmo-test", "-u", "somebody", "text:123456"], stdout=subprocess.DEVNULL)
    wait_until(lambda: len(instance.log.read()) >= before + 2, 5, "the journal again")
    assert "lines before this one are lost" in instance.log.read()[before], instance.log.read()[before:]


@own_log
def test_heads_in_the_journal(instance, login, folder):
    instance.log = Syslog(folder)
    instance.start()
    wait_until(instance.log.heads, 10, "the head at the start")
    assert [login() for _ in range(3)] == [SUCCESS] * 3
    assert instance.stop() == 0
    heads = instance.log.heads()
    assert len(heads) == 2 and heads[0] != heads[1], heads
    assert all(line.startswith("kosmo-keeper[") for line in heads)
    journal = folder / "journal"
    journal.write_text("\n".join(instance.log.read()))
    said = verify(instance, "--heads", journal)
    assert said.returncode == 0 and b"2 of 2 noted heads fit" in said.stdout, said
    newest = instance.rows("SELECT max(seq) FROM audit")[0][0]
    assert f"seq={newest} " in heads[1]
    # Everything in the store as it was a login ago (here: with its old head): the store alone cannot tell, the journal can.
    instance.start()
    wait_until(lambda: len(instance.log.heads()) == 3, 10, "the head at the start")
    old = instance.rows("SELECT kind, seq, hex(mac), hex(proof) FROM audit_mark")
    assert login() == SUCCESS
    assert instance.stop() == 0
    assert len(instance.log.heads()) == 4
    journal.write_text("\n".join(instance.log.read()))
    for sql in ["DELETE FROM audit WHERE seq > %d" % newest] + \
               ["UPDATE audit_mark SET seq = %d, mac = x'%s', proof = x'%s' WHERE kind = %d" % (*m[1:], m[0]) for m in old]:
        write(instance, sql)
    assert verify(instance).returncode == 0
    said = verify(instance, "--heads", journal)
    assert said.returncode == 1 and b"are missing: the log was cut off behind %d" % newest in said.stderr, said
    instance.log.close()


@own_log
@pytest.mark.soak
def test_a_head_each_minute(instance, login, folder):
    instance.log = Syslog(folder)
    instance.start()
    wait_until(instance.log.heads, 10, "the head at the start")
    begin = time.monotonic()
    assert login() == SUCCESS
    wait_until(lambda: len(instance.log.heads()) == 2, 120, "the next head")
    assert 25 < time.monotonic() - begin < 100
    instance.log.close()


@pytest.mark.parametrize("sql", [
    "UPDATE audit_mark SET seq = seq + 1",
    "DELETE FROM audit_mark",
    "INSERT INTO audit SELECT seq + 1, time, person, event, door, sealed, mac FROM audit ORDER BY seq DESC LIMIT 1",
    "DROP TABLE audit",
])
def test_no_login_without_its_entry(instance, login, sql):
    """The right code of a registered person: refused as long as the log takes no entry, and not used up in vain."""
    instance.start()
    assert login() == SUCCESS
    count = "SELECT count(*) FROM authenticator WHERE last_step > 0"
    before = instance.rows(count)
    write(instance, sql)
    assert login() not in (SUCCESS, 25)  # 25: PAM_IGNORE
    assert instance.rows(count) == before
