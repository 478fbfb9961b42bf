"""kosmoctl doctor over stacks and sshd_config, in trees of their own: each dangerous shape is named, each sample is not."""
import pathlib
import shutil
import tempfile

import pytest
from conftest import BUILD, TOP, Instance
from test_doctor import bad, doctor, of

MODULE = BUILD / "pam/.libs/pam_kosmo.so"
SSHD = "UsePAM yes\nKbdInteractiveAuthentication yes\nPasswordAuthentication no\nAuthenticationMethods keyboard-interactive:pam\n"
KEY = SSHD.replace("Methods ", "Methods publickey,")
WAY_ON = "auth [success=done user_unknown=ignore default=die] pam_kosmo.so\n"
AUTH = WAY_ON + "@include common-auth\n"
ACCOUNT = "account required pam_kosmo.so\n@include common-account\n"


@pytest.fixture(scope="module")
def k():
    """One whose sockets would be where an installation's are."""
    folder = tempfile.mkdtemp(prefix="kosmo-ctl-")
    k = Instance(folder)
    (k.dir / "kosmo.conf.d").mkdir(exist_ok=True)
    (k.dir / "kosmo.conf.d/test.conf").write_text("run_dir = /run/kosmo\n")
    yield k
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def tree(folder):
    t = folder / "t"
    (t / "etc/pam.d").mkdir(parents=True)
    (t / "etc/ssh").mkdir()
    for common in pathlib.Path("/etc/pam.d").glob("common-*"):
        shutil.copy(common, t / "etc/pam.d")
    return t


@pytest.fixture
def look(k, tree):
    """look(service=stack, ..., sshd_config=): the findings of one check."""
    where = next(f["text"].split(":")[0] for f in doctor(k, "--root", tree) if f["check"] == "module")
    pathlib.Path(where).parent.mkdir(parents=True)
    shutil.copy(MODULE, where)
    tree_module[0] = pathlib.Path(where)

    def look(stacks, sshd_config=SSHD):
        for name, text in stacks.items():
            (tree / "etc/pam.d" / name).write_text(text)
        (tree / "etc/ssh/sshd_config").write_text(sshd_config)
        return [f for f in doctor(k, "--root", tree) if f["check"] in ("pam.d", "sshd", "module")]
    return look


tree_module = [None]


def worst(findings):
    return [f["text"] for f in findings if f["state"] in ("warn", "fail")]


def test_samples(look):
    """What dist/pam.d holds is what doctor wants."""
    stacks = {n.split("-")[0]: (TOP / "dist/pam.d" / n).read_text() for n in ("sshd-password-code", "sudo", "su")}
    found = look(stacks)
    assert worst(found) == [] and sum("refuses when it refuses" in f["text"] for f in found) == 3
    found = look({"sshd": (TOP / "dist/pam.d/sshd-key-code").read_text()}, KEY)
    assert worst(found) == []
    assert "no service asks pam_kosmo yet" in str(look({n: AUTH.replace(WAY_ON, "") for n in stacks}))


# stack of a service -> what is said of it, and how bad that is
SHAPES = {
    "sufficient": ("sudo", "auth sufficient pam_kosmo.so\n@include common-auth\n" + ACCOUNT, "another password alone lets in", "fail"),
    "optional": ("sudo", "auth optional pam_kosmo.so\n@include common-auth\n" + ACCOUNT, "another password alone lets in", "fail"),
    "ignore and permit": ("sudo", "auth [success=done ignore=ignore default=die] pam_kosmo.so password=skip\nauth required pam_permit.so\n"
                          + ACCOUNT, "when pam_kosmo says PAM_IGNORE, the stack lets in without any password", "fail"),
    "way on and permit": ("sudo", WAY_ON + "auth required pam_permit.so\n" + ACCOUNT, "PAM_USER_UNKNOWN, the stack lets in without", "fail"),
    "everything ignored": ("sudo", "auth [default=ignore] pam_kosmo.so\nauth required pam_permit.so\n" + ACCOUNT,
                           "PAM_AUTH_ERR, the stack lets in without", "fail"),
    "keeper down": ("sudo", "auth [success=done authinfo_unavail=ignore default=die] pam_kosmo.so\n@include common-auth\n" + ACCOUNT,
                    "PAM_AUTHINFO_UNAVAIL, another password alone", "fail"),
    "jump over the denial": ("sudo", "auth [success=1 default=2] pam_kosmo.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n"
                             "auth required pam_permit.so\n" + ACCOUNT, "lets in without any password", "fail"),
    "code alone": ("sudo", "auth required pam_kosmo.so password=skip\n" + ACCOUNT, "a code alone lets in", "fail"),
    "behind a substack": ("sudo", "auth substack common-auth\nauth optional pam_kosmo.so\n" + ACCOUNT, "the code is no condition", "fail"),
    "nobody gets in": ("sudo", "auth required pam_deny.so\n" + AUTH + ACCOUNT, "nobody gets in", "fail"),
    "no way for root": ("sudo", "auth required pam_kosmo.so\n" + ACCOUNT, "have no way in", "warn"),
    "no way for root at the console": ("login", "auth required pam_kosmo.so\n" + ACCOUNT, "have no way in", "fail"),
    "caller for all": ("su", "auth [success=done default=ignore] pam_kosmo.so person=caller\nauth required pam_permit.so\n" + ACCOUNT,
                       "lets in without any password", "fail"),
    "account ignored": ("sudo", AUTH + "account optional pam_kosmo.so\n@include common-account\n", "account: when pam_kosmo says PAM_PERM_DENIED",
                        "fail"),
    "account alone": ("sudo", AUTH + "account required pam_kosmo.so\n", "everyone else who is not the keeper's is refused", "fail"),
    "no account": ("sudo", AUTH + "@include common-account\n", "no account line", "warn"),
    "no auth": ("sudo", "@include common-auth\n" + ACCOUNT, "no auth line", "warn"),
    "cron": ("cron", "@include common-auth\n" + ACCOUNT, "people's jobs stop whenever the keeper does", "fail"),
    "unknown argument": ("sudo", AUTH.replace("kosmo.so", "kosmo.so nonsense") + ACCOUNT, 'unknown option "nonsense"', "fail"),
    "bad password=": ("sudo", AUTH.replace("kosmo.so", "kosmo.so password=no") + ACCOUNT, "password= takes", "fail"),
    "bad uid_min=": ("sudo", AUTH.replace("kosmo.so", "kosmo.so uid_min=x") + ACCOUNT, "uid_min=x: a bad value", "fail"),
    "a passkey alone": ("sudo", AUTH.replace("kosmo.so", "kosmo.so passkey=alone") + ACCOUNT, "passkey=alone: whoever knows a login", "warn"),
    "a prompt for no mail": ("sudo", AUTH.replace("kosmo.so", "kosmo.so mailcode=forbidden prompt_by_method=yes") + ACCOUNT,
                             "prompt_by_method=yes has no effect", "warn"),
    "twice": ("sudo", AUTH.replace("kosmo.so", "kosmo.so also=a also=b") + ACCOUNT, "also=b: given twice", "fail"),
    "another keeper": ("sudo", AUTH.replace("kosmo.so", "kosmo.so socket=/run/x.sock") + ACCOUNT, "the module asks at /run/x.sock", "fail"),
    "another file": ("sudo", AUTH.replace("kosmo.so", "kosmo.so conf=/etc/x.conf") + ACCOUNT, "is not the file that the keeper runs on", "fail"),
    "another module": ("sudo", AUTH.replace("pam_kosmo", "/usr/lib/pam_kosmo") + ACCOUNT, "/usr/lib/pam_kosmo.so: it is missing", "fail"),
    "no type": ("sudo", "oath required pam_kosmo.so\n", '"oath" is no type', "warn"),
    "an include that is missing": ("sudo", AUTH + "@include nothing\n", "includes nothing, which is missing", "fail"),
}


@pytest.mark.parametrize("what", SHAPES)
def test_shapes(look, what):
    service, stack, text, state = SHAPES[what]
    found = [f for f in look({service: stack}) if text in f["text"]]
    assert found and found[0]["state"] == state and found[0]["remedy"], look({})


def test_codes_by_mail_and_no_sender(k, look):
    """A code by mail needs somebody who sends it."""
    drop = k.dir / "kosmo.conf.d/zz-mail.conf"
    said = "codes by mail are a way here, but mail.from is empty"
    try:
        for conf, option, warned in (("", "", True), ("", "mailcode=forbidden", False), ("[mailcode]\npam = forbidden\n", "", False),
                                     ("[mailcode]\npam = forbidden\n", "mailcode=last", True)):
            drop.write_text(f'[mail]\ntransport = smtp\nfrom =\n{conf}')
            found = look({"sudo": AUTH.replace("kosmo.so", "kosmo.so " + option) + ACCOUNT})
            assert any(said in text for text in worst(found)) == warned, (conf, option, found)
    finally:
        drop.unlink()


def test_common_file(look, tree):
    common = (tree / "etc/pam.d/common-auth").read_text()
    said = look({"common-auth": WAY_ON + common, "sudo": "@include common-auth\n" + ACCOUNT})
    assert any("common-auth:1: in a common file" in f["text"] for f in said)


def test_module_and_files(k, look, tree):
    look({"sudo": AUTH + ACCOUNT})
    so, stack = tree_module[0], tree / "etc/pam.d/sudo"
    so.chmod(0o666)
    assert "every login runs it as root" in bad(k, "module", "others may write it", "fail", "--root", tree)["text"]
    assert bad(k, "pam.d", "others may write it", "fail", "--root", tree)["remedy"].endswith(f"chmod go-w {so}")
    so.chmod(0o644)
    stack.chmod(0o666)
    assert bad(k, "pam.d", "others may write it", "fail", "--root", tree)["remedy"].endswith(f"chmod go-w {stack}")
    stack.chmod(0o644)
    so.unlink()
    bad(k, "module", "it is missing", "warn", "--root", tree)
    assert "install pam_kosmo.so as" in bad(k, "pam.d", "it is missing", "fail", "--root", tree)["remedy"]


SSHD_SHAPES = [
    (AUTH, SSHD.replace("UsePAM yes", ""), "UsePAM no", "fail"),
    (AUTH, SSHD.replace("KbdInteractiveAuthentication yes", "ChallengeResponseAuthentication no"), "can never be asked for", "fail"),
    (AUTH, SSHD.replace("AuthenticationMethods keyboard-interactive:pam", ""), "a public key alone", "warn"),
    (AUTH, SSHD.replace("Methods key", "Methods publickey key"), "a public key alone", "warn"),
    (AUTH, SSHD.replace("PasswordAuthentication no", "").replace("Methods key", "Methods password key"), "cannot carry the question", "warn"),
    (AUTH, SSHD + "PermitRootLogin yes\n", "root is below uid_min", "warn"),
    (AUTH, SSHD + "UseDNS yes\n", "need the address", "warn"),
    (AUTH, SSHD + "MaxAuthTries 1\n", "MaxAuthTries 1", "warn"),
    (AUTH, SSHD + "LoginGraceTime 30s\n", "too short", "warn"),
    (AUTH, SSHD + "Match User x\n\tPasswordAuthentication yes\n", "stands in a Match block", "warn"),
    (AUTH, 'Include "sshd_config.d/*.conf"\n' + SSHD, "cannot carry the question", "warn"),
    ("auth required pam_kosmo.so password=skip\n", SSHD, "a code alone logs in", "fail"),
    ("auth required pam_kosmo.so password=skip\n", KEY.replace("publickey,", "publickey,keyboard-interactive:pam "), "a code alone logs in", "fail"),
]


@pytest.mark.parametrize("i", range(len(SSHD_SHAPES)))
def test_sshd_config(look, tree, i):
    auth, config, text, state = SSHD_SHAPES[i]
    if "Include" in config:
        (tree / "etc/ssh/sshd_config.d").mkdir()
        (tree / "etc/ssh/sshd_config.d/a.conf").write_text("PasswordAuthentication yes\nAuthenticationMethods any\n")
    found = [f for f in look({"sshd": auth + ACCOUNT}, config) if f["check"] == "sshd" and text in f["text"]]
    assert found and found[0]["state"] == state, look({})


@pytest.mark.parametrize("config", [SSHD.replace("UsePAM yes", 'UsePAM  "yes"\t# as it was'), SSHD.replace("UsePAM yes", "UsePAM=yes\r"),
                                    SSHD + "Match User root\n\tAuthenticationMethods publickey\n",
                                    SSHD.replace("Methods ", "Methods\t") + "LoginGraceTime 1m30s # long\n",
                                    SSHD.replace("Methods keyboard-interactive:pam", 'Methods "publickey,keyboard-interactive" "keyboard-interactive" # x')])
def test_sshd_config_odd(look, config):
    """As OpenSSH 9.2 reads it."""
    assert not [f for f in look({"sshd": AUTH + ACCOUNT}, config) if f["check"] == "sshd" and f["state"] != "ok"]


@pytest.mark.parametrize("root, said", [("", True), ("PermitRootLogin without-password\n", True), ("PermitRootLogin no\n", False)])
def test_root_with_a_key(look, root, said):
    """The remedy would end root's logins by key, and no undo brings sshd_config back."""
    found = look({"sshd": AUTH + ACCOUNT}, SSHD.replace("AuthenticationMethods keyboard-interactive:pam", "") + root)
    remedy = next(f["remedy"] for f in found if "a public key alone" in f["text"])
    assert ("Match User root" in remedy) == said


def test_sshd_config_with_nothing_to_say(look):
    for auth, config in (AUTH, SSHD), ("auth required pam_kosmo.so password=skip\n", KEY), \
            (AUTH, "usepam=yes\n" + SSHD.replace("UsePAM yes", "UsePAM no")), (AUTH, SSHD + "LoginGraceTime 1m30s\nMatch all\nMaxAuthTries 6\n"):
        assert [f["state"] for f in look({"sshd": auth + ACCOUNT}, config) if f["check"] == "sshd"] == ["ok"], config
    assert [f["state"] for f in look({"sshd": "@include common-auth\n"}) if f["check"] == "sshd"] == ["left"]
