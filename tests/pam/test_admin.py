"""kosmoctl's pam commands over the real libpam and su, in a mount namespace with an /etc/pam.d of its own."""
import os
import re

import pexpect
import pytest
from conftest import MODULE, SANITIZED
from harness import KOSMOCTL, Instance, Namespace, Person, spawn, wait_out, wait_until

pytestmark = [pytest.mark.skipif(os.getuid() != 0 or not Namespace.possible(), reason="needs root and mount namespaces"),
              pytest.mark.skipif(SANITIZED, reason="su cannot load a sanitized module")]
SU = "auth sufficient pam_rootok.so\n@include common-auth\n@include common-account\n@include common-session\n"


def test_real_su(folder):
    """su with the real libpam: tried, enabled, used, confirmed by a su of its own; and enabled, forgotten, back."""
    jiro, taro = Person("jiro"), Person("taro")
    instance = Instance(folder / "i", [jiro, taro])
    instance.dir.parent.chmod(0o755)
    instance.start()
    shell = None
    try:
        ns = Namespace(folder, [jiro, taro], {"su": SU}, "root-no-himitsu-7")
        before = (ns.etc / "pam.d/su").read_text()
        # One namespace for all: its shell stays, others enter it.
        shell = spawn(ns.command(0, "sh", "-c", "echo ready $$; exec cat"))
        shell.expect(r"ready (\d+)")
        pid = shell.match.group(1)
        ctl = f"{KOSMOCTL} -c {instance.conf}"

        def go(*command):
            return spawn(["nsenter", "-t", pid, "-m", "setsid", "-c", "-w", *command], cwd="/")

        def dialogue(child, *replies):
            asked = []
            for r in replies:
                child.expect(r"(Password|Code): $")
                asked.append(child.match.group(1))
                child.waitnoecho(2)
                child.sendline(r)
            child.expect(pexpect.EOF)
            child.close()
            return asked, child.before, child.exitstatus

        # Tried before it is there, with a file of one's own.
        stack = folder / "stack"
        module = f"pam_kosmo.so conf={instance.conf} socket={instance.socket}"
        stack.write_text(f"auth required {MODULE} {module[13:]}\naccount required {MODULE} {module[13:]}\n")
        codes = jiro.codes()
        asked, said, status = dialogue(go("sh", "-c", f"{ctl} pam try --file {stack} --rhost 192.0.2.1 su jiro"), jiro.password, codes[0])
        assert asked == ["Password", "Code"] and status == 0, said
        assert "auth: passed (PAM_SUCCESS)" in said and "account: passed" in said and "jiro would be let in through su" in said
        asked, said, status = dialogue(go("sh", "-c", f"{ctl} pam try --file {stack} su jiro"), jiro.password, codes[0])
        assert status == 1 and "auth: refused" in said and "PAM_AUTH_ERR" in said and "the keeper: " in said, said
        wait_out()
        assert (ns.etc / "pam.d/su").read_text() == before

        # From one terminal it is enabled, and cannot be confirmed there.
        first = go("sh", "-c", f"{ctl} pam enable su; echo status $?; {ctl} pam confirm su; echo status $?; read x")
        first.expect(r"status 0")
        assert "pam_wheel.so group=sudo" in first.before and "person=caller" in first.before, first.before
        first.expect(r"this is the terminal in which it was enabled.*status 3")
        # A second terminal that did not come through su proves nothing.
        asked, said, status = dialogue(go("sh", "-c", f"{ctl} pam confirm su; exit $?"))
        assert status == 3 and "not reached through that service" in said, said
        # jiro becomes root by it with his own password and code, and confirms there.
        su = go("setpriv", f"--reuid={ns.uid(jiro)}", f"--regid={ns.uid(jiro)}", "--clear-groups", "su", "-c", f"{ctl} pam confirm su; exit $?")
        asked, said, status = dialogue(su, jiro.password, codes[1])
        assert asked == ["Password", "Code"] and status == 0 and "/etc/pam.d/su: kept" in said, said
        first.sendline("")
        first.close()

        # Once more, and nobody confirms: root's own way is never lost, and the old stack comes back.
        asked, said, status = dialogue(go("sh", "-c", f"{ctl} pam disable su && {ctl} pam enable --minutes 0.03 su && su root -c 'echo root passes'"))
        assert status == 0 and "root passes" in said
        wait_until(lambda: (ns.etc / "pam.d/su").read_text() == before, 20, "the old file")
        wait_until(lambda: "pam.undo" in instance.ctl("audit"), 20, "the audit")

        # The waiting process is killed: the next kosmoctl of root's brings it back.
        asked, said, status = dialogue(go("sh", "-c", f"{ctl} pam enable su"))
        armed = ns.etc / "pam.d/.su.kosmo-undo"
        armed.write_text(re.sub(r"(kosmo-undo 1) \d+", r"\1 1", armed.read_text()))
        asked, said, status = dialogue(go("sh", "-c", f"{ctl} user list"))
        assert "was not confirmed in time: the old file is back" in said and (ns.etc / "pam.d/su").read_text() == before, said
    finally:
        if shell is not None:
            shell.close(force=True)
        instance.stop()
