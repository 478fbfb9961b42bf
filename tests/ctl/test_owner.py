"""Called by root for an instance of somebody else's: files as root, the store as its owner."""
import os
import shutil
import stat
import subprocess

import pytest
from conftest import FAILED, INPUT, KOSMOCTL, OK, Instance, run

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
NOBODY = 65534
HEAD = "login,birth_date\n"


@pytest.fixture
def theirs(folder):
    folder.chmod(0o755)
    d = folder / "k"
    d.mkdir()
    os.chown(d, NOBODY, NOBODY)
    k = Instance(folder)
    k.root = folder / "root"
    k.root.mkdir(mode=0o700)
    k.passwords = k.root / "passwords.csv"
    return k


def test_init_becomes_the_owner(theirs):
    assert {f.stat().st_uid for f in theirs.dir.rglob("*")} == {NOBODY}


def test_roots_files_the_owners_store(theirs):
    sheet = theirs.root / "people.csv"
    sheet.write_text(HEAD + "hanako,1980-01-01\n")
    said = theirs("import", "--passwords", theirs.passwords, sheet, cwd=theirs.root)
    assert said.exit == OK, said
    st = theirs.passwords.stat()
    assert st.st_uid == 0 and stat.S_IMODE(st.st_mode) == 0o600 and list(theirs.initial()) == ["hanako"]
    assert {f.stat().st_uid for f in theirs.dir.rglob("*")} == {NOBODY}
    assert theirs.events()[0] == "import.publish"


def test_no_empty_file_is_left_in_roots_folder(theirs):
    """By then the program is the owner, who may not write there."""
    sheet = theirs.root / "people.csv"
    here = sorted(p.name for p in theirs.root.iterdir())
    sheet.write_text(HEAD + "hanako,1980-13-01\n")
    said = theirs("import", sheet, cwd=theirs.root)
    assert said.exit == INPUT and "holds nothing of use" not in said.err, said
    sheet.write_text(HEAD + "hanako,1980-01-01\n")
    assert theirs("import", "--passwords", theirs.passwords, sheet).exit == OK
    kept = theirs.passwords.read_bytes()
    for again in [("import", sheet), ("user", "reissue", "nobody"), ("user", "add", "hanako", "--birth-date", "1980-01-01")]:
        said = theirs(*again, cwd=theirs.root)
        assert said.exit in (OK, INPUT) and "holds nothing of use" not in said.err, said
    assert sorted(p.name for p in theirs.root.iterdir()) == sorted({*here, "people.csv", theirs.passwords.name})
    assert theirs.passwords.read_bytes() == kept


def test_config_check_looks_at_the_relays_password_with_the_mailers_eyes(theirs):
    secret = theirs.work / "relay-password"
    secret.write_text("x\n")
    (theirs.dir / "kosmo.conf.d/x.conf").write_text(
        f"[mail]\ntransport = smtp\nfrom = a@example.jp\nsmtp_user = u\nsmtp_password_file = {secret}\n")
    for owner, mode, why in [(0, 0o600, "cannot read it"), (NOBODY, 0o644, "mode 0600 or 0640"), (NOBODY, 0o200, "cannot read it"),
                             (NOBODY, 0o600, ""), (0, 0o640, "")]:
        os.chown(secret, owner, NOBODY)
        secret.chmod(mode)
        said = theirs("config", "check")
        assert said.exit == (FAILED if why else OK) and why in said.err, (owner, oct(mode), said)


def test_strangers_are_refused(theirs, folder):
    folder.chmod(0o755)
    program = shutil.copy(KOSMOCTL, folder)  # the build may be where others cannot go
    p = subprocess.run([program, "-c", theirs.conf, "user", "list"], user=NOBODY - 1, group=NOBODY - 1, extra_groups=[],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/")
    assert p.returncode == FAILED and p.stdout == b"" and p.stderr
    p = subprocess.run([program, "-c", theirs.conf, "user", "list"], user=NOBODY, group=NOBODY, extra_groups=[],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/")
    assert p.returncode == OK, p.stderr


def test_system_wide_as_root(folder):
    """The configuration is root's, key and database the owner's; if these fail, the configuration goes away again."""
    folder.chmod(0o755)
    etc, state = folder / "etc", folder / "state"
    etc.mkdir()
    state.mkdir(mode=0o700)
    os.chown(state, NOBODY, NOBODY)
    conf = etc / "kosmo.conf"
    conf.write_text(f"url = https://login.example.jp\nstate_dir = {state}\nrun_dir = {folder}/run\nsite_dir = {etc}\n")
    assert run("-c", conf, "init").exit == OK
    assert {(f.name, f.stat().st_uid) for f in state.iterdir()} == {("key", NOBODY), ("kosmo.db", NOBODY)}
    assert run("-c", conf, "user", "list").exit == OK
