"""The stacks that we document (dist/pam.d), each as a whole, in the programs they are for."""
import os

import pytest
from conftest import SANITIZED, TOP
from harness import Instance, Namespace, Person, Sshd, wait_out

pytestmark = [pytest.mark.skipif(os.getuid() != 0, reason="sshd, su and sudo for other people need root"),
              pytest.mark.skipif(SANITIZED, reason="the system's programs cannot load a sanitized module"),
              pytest.mark.skipif(not Namespace.possible(), reason="no mount namespaces here")]

STAFF = [Person(f"s{i:02}") for i in range(16)]
UNUSED = iter(STAFF[2:])  # s00 is in the group sudo, s01 is not
ASKED = ["Password:", "Code:"]
ROOT_PASSWORD = "root-no-himitsu-7"


@pytest.fixture(scope="module")
def instance(module_folder):
    i = Instance(module_folder, STAFF)
    i.start()
    yield i
    i.stop()


def documented(instance, name):
    """Where the file names pam_kosmo.so: ours. What needs a kernel's audit or a seat is no part of the question."""
    lines = (TOP / "dist/pam.d" / name).read_text().replace("pam_kosmo.so", instance.module()).splitlines(keepends=True)
    return "".join(l for l in lines if "pam_loginuid" not in l and "pam_selinux" not in l)


def hosts(instance, folder, **stacks):
    return Namespace(instance.dir / folder, STAFF, {k.replace("_", "-"): documented(instance, v) for k, v in stacks.items()}, ROOT_PASSWORD)


@pytest.fixture(scope="module")
def password_code(instance):
    d = Sshd(instance.dir / "pc", STAFF, None, "AuthenticationMethods keyboard-interactive:pam\nPermitRootLogin yes", "sshd",
             hosts(instance, "pc", sshd="sshd-password-code"))
    yield d
    d.end()


@pytest.fixture(scope="module")
def key_code(instance):
    d = Sshd(instance.dir / "kc", STAFF, None, "AuthenticationMethods publickey,keyboard-interactive:pam\nPermitRootLogin yes", "sshd",
             hosts(instance, "kc", sshd="sshd-key-code"))
    yield d
    d.end()


def test_sshd_password_code(password_code):
    p = next(UNUSED)
    assert password_code.ssh(p.login, p.password, p.wrong_code()).exit == 255
    wait_out()
    r = password_code.ssh(p.login, p.password, p.code())
    assert (r.asked, r.exit) == (ASKED, 0), r.text
    assert password_code.ssh("nobody-knows", "x", "123456").asked == ASKED
    r = password_code.ssh("root", ROOT_PASSWORD)
    assert (r.asked, r.exit, r.text.strip()) == (["Password:"], 0, "0")
    assert password_code.ssh("root", "wrong").exit == 255


def test_sshd_key_code(key_code):
    p = next(UNUSED)
    methods = "publickey,keyboard-interactive"
    assert key_code.ssh(p.login, p.wrong_code(), methods=methods).exit == 255
    wait_out()
    r = key_code.ssh(p.login, p.code(), methods=methods)
    assert (r.asked, r.exit) == (["Code:"], 0), r.text
    r = key_code.ssh("root", ROOT_PASSWORD, methods=methods)
    assert (r.asked, r.exit, r.text.strip()) == (["Password:"], 0, "0")
    assert key_code.ssh("root", "wrong", methods=methods).exit == 255


def test_root_while_the_keeper_is_away(instance, password_code, key_code):
    p = next(UNUSED)
    instance.stop()
    try:
        assert password_code.ssh("root", ROOT_PASSWORD).text.strip() == "0"
        assert key_code.ssh("root", ROOT_PASSWORD, methods="publickey,keyboard-interactive").text.strip() == "0"
        assert password_code.ssh(p.login).exit == 255
        assert key_code.ssh(p.login, methods="publickey,keyboard-interactive").exit == 255
    finally:
        instance.start()


@pytest.fixture(scope="module")
def local(instance):
    return hosts(instance, "local", su="su", su_l="su", sudo="sudo", sudo_i="sudo")


def test_su(local):
    admin, plain, other = STAFF[0], STAFF[1], next(UNUSED)
    id_ = ["-c", "id -ru"]
    r = local.run(1001, ["su", other.login, *id_], other.password, other.code())
    assert (r.asked, r.exit, r.text.strip()) == (ASKED, 0, str(local.uid(other)))
    r = local.run(1001, ["su", "root", *id_])
    assert (r.asked, r.exit) == ([], 1), "not in the group"
    r = local.run(1000, ["su", "root", *id_], plain.password, plain.code())
    assert (r.asked, r.exit) == (ASKED, 1), "another's"
    assert local.run(1000, ["su", "root", *id_], ROOT_PASSWORD, admin.code()).exit == 1
    wait_out(3)
    codes = admin.codes()
    r = local.run(1000, ["su", "root", *id_], admin.password, codes[0])
    assert (r.asked, r.exit, r.text.strip()) == (ASKED, 0, "0")
    r = local.run(1000, ["su", "-", "root", *id_], admin.password, codes[1])
    assert (r.asked, r.exit, r.text.strip()) == (ASKED, 0, "0")
    r = local.run(0, ["su", plain.login, *id_])
    assert (r.asked, r.exit, r.text.strip()) == ([], 0, "1001"), "root goes to anyone"


def test_sudo(local):
    me = next(UNUSED)
    r = local.run(local.uid(me), ["sudo", "id", "-u"], me.password, me.code())
    assert (len(r.asked), r.exit, r.text.strip()) == (2, 0, "0")
    assert local.run(0, ["sudo", "id", "-u"]).exit == 0
