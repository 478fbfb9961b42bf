"""kosmoctl pam enable, confirm, undo, disable, in trees of their own. The real su: tests/pam/test_admin.py."""
import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest
from conftest import BUILD, INPUT, KOSMOCTL, OK, TOP, USAGE, run_as_nobody

MODULE = BUILD / "pam/.libs/pam_kosmo.so"
SSHD = "UsePAM yes\nKbdInteractiveAuthentication yes\nPasswordAuthentication no\nAuthenticationMethods keyboard-interactive:pam\n"
SU = "auth sufficient pam_rootok.so\n@include common-auth\n@include common-account\n@include common-session\n"
LOGIN = "auth optional pam_faildelay.so delay=1\nauth requisite pam_nologin.so\n@include common-auth\nauth optional pam_group.so\n" + \
    "account required pam_access.so\n@include common-account\n@include common-session"


class Tree:
    def __init__(self, k, folder):
        self.k, self.top = k, folder / "t"
        self.pam = self.top / "etc/pam.d"
        self.pam.mkdir(parents=True)
        (self.top / "etc/ssh").mkdir()
        (self.top / "etc/ssh/sshd_config").write_text(SSHD)
        for common in pathlib.Path("/etc/pam.d").glob("common-*"):
            shutil.copy(common, self.pam)
        shutil.copy(TOP / "dist/pam.d/sshd-password-code", self.pam / "sshd")
        stack = (self.pam / "sshd").read_text()
        (self.pam / "sshd").write_text("".join(l for l in stack.splitlines(True) if "pam_kosmo" not in l))
        (self.pam / "su").write_text(SU)
        (self.pam / "login").write_text(LOGIN)
        (self.pam / "cron").write_text("@include common-auth\n@include common-account\n")
        where = next(f["text"].split(": ")[0] for f in k("doctor", "--json", "--root", self.top).json() if f["check"] == "module")
        pathlib.Path(where).parent.mkdir(parents=True)
        shutil.copy(MODULE, where)

    def __call__(self, *args):
        return self.k("pam", *args, "--root", self.top)

    def files(self):
        return {f.name: f.read_text() for f in self.pam.iterdir()}

    def stack(self, service):
        return (self.pam / service).read_text()

    def lines(self, service):
        """What libpam would read there: type, control, module; comments and includes as they are."""
        return [l for l in self.stack(service).splitlines() if l and not l.startswith("#")]


@pytest.fixture
def tree(k, folder):
    return Tree(k, folder)


def until(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


@pytest.mark.parametrize("service", ["sshd", "login"])
def test_enable_confirm_disable(k, tree, service):
    before = tree.files()
    (tree.pam / service).chmod(0o640)
    said = tree("enable", service, "--dry-run")
    assert said.exit == OK and "+ auth " in said.out and tree.files() == before
    said = tree("enable", service)
    assert said.exit == OK and f"pam confirm --root {tree.top} {service}" in said.out
    changed = [l for l in tree.lines(service) if l not in before[service].splitlines()]
    args = f"pam_kosmo.so conf={k.conf} socket={k.dir}/run/auth.sock"
    password = [f"password [success=done ignore=ignore default=die] {args}"]
    assert changed == [f"auth     [success=done user_unknown=ignore default=die] {args}", f"account  required   {args}", *password,
                       *(["@include common-password"] if "common-password" not in before[service] else [])]
    # Behind what opens the stack, before what asks for a password.
    lines = tree.lines(service)
    assert lines.index(changed[0]) == lines.index("@include common-auth") - 1
    assert (tree.pam / service).stat().st_mode & 0o777 == 0o640
    assert tree.stack(service + ".before-kosmo") == before[service]
    assert tree("enable", service).exit == INPUT, "it waits"
    assert "waits for a confirmation" in str(k("doctor", "--json", "--root", tree.top).json())
    assert "this is the terminal in which it was enabled" in tree("confirm", service).err
    assert tree("confirm", service, "--force").exit == OK
    assert tree("confirm", service, "--force").exit == INPUT, "nothing waits any more"
    assert "already" in tree("enable", service).err
    assert tree("undo", service).exit == INPUT
    said = tree("disable", service, "--dry-run")
    assert said.exit == OK and "- auth " in said.out and changed[0] in tree.lines(service)
    assert tree("disable", service).exit == OK
    assert tree.stack(service).rstrip("\n") == before[service].rstrip("\n")
    assert "is not in it" in tree("disable", service).err
    assert [e for e in reversed(k.events()) if e.startswith("pam.")] == ["pam.enable", "pam.confirm", "pam.disable"]


def test_undoes_itself(k, tree):
    before = tree.stack("sshd")
    started = time.monotonic()
    assert tree("enable", "sshd", "--minutes", "0.03").exit == OK
    assert "pam_kosmo" in tree.stack("sshd")
    (tree.pam / "sshd").write_text(tree.stack("sshd") + "# somebody's\n")
    until(lambda: tree.stack("sshd") == before, "the old file")
    assert time.monotonic() - started >= 1.7
    until(lambda: "pam.undo" in k.events(), "the audit")
    assert "# somebody's" in tree.stack("sshd.undone-kosmo"), "nothing is lost"
    assert sorted(f for f in tree.files() if "sshd" in f) == ["sshd", "sshd.undone-kosmo"]
    assert "nothing waits" in tree("confirm", "sshd", "--force").err


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_undone_on_a_full_disk(k, tree):
    """The old file needs no room to come back."""
    before = tree.stack("sshd")
    script = f"""mount -t tmpfs -o size=64k t {tree.pam}.new && cp -a {tree.pam}/. {tree.pam}.new && mount --move {tree.pam}.new {tree.pam}
{BUILD}/ctl/kosmoctl -c {k.conf} pam enable sshd --root {tree.top} || exit 9
dd if=/dev/zero of={tree.pam}/full bs=1k 2>/dev/null
{BUILD}/ctl/kosmoctl -c {k.conf} pam undo sshd --root {tree.top} || exit 8
ls {tree.pam} >&2; cat {tree.pam}/sshd"""
    pathlib.Path(f"{tree.pam}.new").mkdir()
    p = subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if b"unshare" in p.stderr:
        pytest.skip("no mount namespaces here")
    assert p.returncode == 0 and p.stdout.decode().endswith(before), p.stderr
    assert b"full" in p.stderr and b"undone-kosmo" not in p.stderr and b".before-kosmo" not in p.stderr


def test_undo_at_once_and_when_due(tree):
    before = tree.stack("sshd")
    assert tree("enable", "sshd").exit == OK
    assert tree("undo", "--due", "sshd").exit == OK and "pam_kosmo" in tree.stack("sshd"), "it is not due"
    assert tree("undo", "sshd").exit == OK and tree.stack("sshd") == before
    # The machine went down meanwhile: another boot.
    assert tree("enable", "sshd").exit == OK
    armed = tree.pam / ".sshd.kosmo-undo"
    armed.write_text(re.sub(r"[0-9a-f-]{36}", "0" * 8 + "-0000" * 3 + "-" + "0" * 12, armed.read_text()))
    assert tree("undo", "--due", "sshd").exit == OK and tree.stack("sshd") == before
    # Whatever else it says, it is armed.
    assert tree("enable", "sshd").exit == OK
    armed.write_text("nonsense")
    assert tree("undo", "--due", "sshd").exit == OK and tree.stack("sshd") == before


def test_the_old_file_is_gone(tree):
    """Somebody tidied up, or the machine went down when it was just back: no dead end, and pam_kosmo is out."""
    before = tree.stack("sshd")
    assert tree("enable", "sshd").exit == OK
    armed = (tree.pam / ".sshd.kosmo-undo").read_text()
    (tree.pam / "sshd.before-kosmo").unlink()
    assert tree("undo", "sshd").exit == OK and tree.stack("sshd") == before
    assert "pam_kosmo" in tree.stack("sshd.undone-kosmo")
    (tree.pam / ".sshd.kosmo-undo").write_text(armed)
    assert tree("undo", "sshd").exit == OK and tree.stack("sshd") == before
    assert not (tree.pam / ".sshd.kosmo-undo").exists() and tree("enable", "sshd").exit == OK


@pytest.mark.skipif(not shutil.which("strace") or b"__asan_init" in KOSMOCTL.read_bytes(), reason="needs strace; LeakSanitizer cannot be traced")
@pytest.mark.parametrize("call", ["renameat", "fsync"])
def test_written_or_not(tree, call):
    """Each of these calls fails in turn: the file is the old one, or somebody waits to bring it back."""
    before = tree.stack("sshd")
    for i in range(1, 12):
        p = subprocess.run(["strace", "-qq", "-o", "/dev/null", "-e", f"inject={call}:error=EIO:when={i}", KOSMOCTL, "-c", tree.k.conf,
                            "pam", "enable", "--root", tree.top, "sshd"], capture_output=True, text=True)
        if p.returncode == OK:
            break
        assert (tree.stack("sshd") == before) != (tree.pam / ".sshd.kosmo-undo").exists(), f"the {i}th: {p.stderr}"
        tree("undo", "sshd")
        assert tree.stack("sshd") == before
    assert 2 < i < 11


def test_confirmed_just_in_time(tree):
    assert tree("enable", "sshd", "--minutes", "0.02").exit == OK
    assert tree("confirm", "sshd", "--force").exit == OK
    # Disabled and enabled anew: the first one's end is not the second one's.
    assert tree("disable", "sshd").exit == OK and tree("enable", "sshd").exit == OK
    time_is_over = time.monotonic() + 2
    until(lambda: time.monotonic() > time_is_over, "the first one's end")
    assert "pam_kosmo" in tree.stack("sshd")
    assert tree("undo", "sshd").exit == OK


@pytest.mark.parametrize("args, exit, why", [
    (["cron"], INPUT, "nobody who could|without anybody"), (["other"], INPUT, "left alone"), (["common-auth"], INPUT, "left alone"),
    (["runuser"], INPUT, "left alone"), (["../sshd"], INPUT, "no PAM service"), ([".sshd"], INPUT, "no PAM service"),
    (["nothing"], INPUT, "No such file"), (["sshd", "--with", "x"], USAGE, "--with takes"), (["sshd", "--with", "caller"], INPUT, "is for su"),
    (["login", "--with", "key+code"], INPUT, "is for sshd"), (["sshd", "--minutes", "0"], USAGE, "--minutes"),
    (["sshd", "--minutes", "nan"], USAGE, "--minutes"), (["sshd", "--with", "key+code"], INPUT, "a code alone logs in"),
])
def test_refused(tree, args, exit, why):
    before = tree.files()
    said = tree("enable", *args)
    assert said.exit == exit and re.search(why, said.err), said
    assert tree.files() == before


def test_judged_first(k, tree):
    before = tree.files()
    (tree.top / "etc/ssh/sshd_config").write_text("UsePAM no\n")
    said = tree("enable", "sshd")
    assert said.exit == INPUT and "sshd does not ask PAM at all" in said.err and tree.files() == before
    assert tree("enable", "sshd", "--force").exit == OK
    assert tree("undo", "sshd").exit == OK
    (tree.top / "etc/ssh/sshd_config").write_text(SSHD.replace("Methods ", "Methods publickey,"))
    assert tree("enable", "sshd", "--with", "key+code").exit == OK and "password=skip" in tree.stack("sshd")
    assert tree("disable", "sshd").exit == OK and tree.stack("sshd") == before["sshd"]
    # Lines that are counted, a stack that asks for nothing, a link, somebody else's file, no module.
    for text, why in ("auth [success=2 default=ignore] pam_rootok.so\n" + SU, "counts lines"), ("auth required pam_permit.so\n", "no auth line"), \
            ("oath required x.so\n", "is no type"), ("", "no auth line"):
        (tree.pam / "su").write_text(text)
        assert why in tree("enable", "su", "--with", "password+code").err and tree.stack("su") == text
    (tree.pam / "su").unlink()
    (tree.pam / "su").symlink_to(tree.pam / "login")
    assert "is a link" in tree("enable", "su", "--with", "password+code").err
    (tree.pam / "login").chmod(0o666)
    assert "others than root may write it" in tree("enable", "login").err
    (tree.pam / "login").chmod(0o644)
    next(tree.top.rglob("pam_kosmo.so")).unlink()
    said = tree("enable", "login")
    assert said.exit == INPUT and "it is missing" in said.err


def test_disable_what_others_wrote(tree):
    kosmo = "auth [success=done user_unknown=ignore default=die] pam_kosmo.so\n"
    for text, why in (kosmo, "no auth line would ask"), (kosmo.replace("done", "1") + SU, "counts lines"), ("@include x\n" + SU, "another file"), \
            (kosmo.replace("so\n", "so \\\n  password=ask\n") + SU, "goes on in the next"):
        (tree.pam / "x").write_text(kosmo)
        (tree.pam / "su").write_text(text)
        assert why in tree("disable", "su").err and tree.stack("su") == text
    (tree.pam / "su").write_text(kosmo + SU)
    assert tree("disable", "su").exit == OK and tree.stack("su") == SU
    assert tree("enable", "su", "--with", "password+code").exit == OK
    (tree.pam / "su").write_text(tree.stack("su") + "# mine\n")
    assert tree("disable", "su").exit == OK and tree.stack("su") == SU + "# mine\n", "what was added meanwhile stays"


def test_without_a_store(k, tree):
    """The stack can be changed, and taken back, when all else is broken."""
    (k.dir / "key").unlink()
    said = tree("enable", "sshd")
    assert said.exit == OK and "not in the audit" in said.err
    assert tree("undo", "sshd").exit == OK
    k.conf.unlink()
    (tree.top / "etc/ssh/sshd_config").write_text(SSHD)
    said = tree("enable", "sshd")
    assert said.exit == OK and "pam_kosmo.so\n" in tree.stack("sshd"), said
    assert tree("disable", "sshd").exit == OK


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_only_root(k):
    os.chmod(k.work, 0o755)
    for args in ("try", "sshd", "root"), ("enable", "sshd"), ("disable", "sshd"), ("confirm", "sshd"), ("undo", "sshd"):
        said = run_as_nobody("-c", k.conf, "pam", *args)
        assert said.exit == INPUT and "root" in said.err, said
