"""A login at the console, with keys in software (ctap_token.py) plugged in."""
import subprocess
import time

import pytest
from conftest import BUILD, SANITIZED, THREAD_SANITIZED, Result

HELPER = BUILD / "fido/kosmo-fido2"
CODE, MAILED = "Code (Enter: security key, or another way): ", "If what you typed was right, a code has been mailed to you.\nCode: "
PIN, TOUCH = "PIN of your security key (Enter: another way): ", "Touch your security key now."


unthreaded = pytest.mark.skipif(THREAD_SANITIZED, reason="the sanitizer's library wants to be the first one")


def preload():
    """LD_PRELOAD of a kosmo-fido2 whose /dev/hidrawN are $KOSMO_TOKENS' sockets."""
    asan = [subprocess.run(["gcc", "-print-file-name=libasan.so"], stdout=subprocess.PIPE, check=True).stdout.decode().strip()] if SANITIZED else []
    return ":".join([*asan, str(BUILD / "tests/pam/.libs/hidraw.so")])


def script(path, text):
    path.write_text(text)
    path.chmod(0o755)
    return path


class Pam:
    """pam(replies) runs the driver; `helper` is what stands in kosmo-fido2's place."""

    def __init__(self, driver, folder, module, helper):
        self.driver, self.dir, self.module, self.helper = driver, folder, module, helper

    user = "hanako"

    def command(self, *replies, user=None, options=("-t", "tty1"), args=""):
        (self.dir / "console").write_text("".join(f"{phase} required {self.module} fido2={self.helper} {args}\n" for phase in ("auth", "account")))
        return [str(c) for c in (self.driver, "-d", self.dir, "-s", "console", "-u", self.user if user is None else user, *options, *replies)]

    def __call__(self, *replies, check=True, **kw):
        started = time.monotonic()
        p = subprocess.run(self.command(*[f"text:{r}" if ":" not in r and r not in ("null", "none", "fail") else r for r in replies], **kw),
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        r = Result(p, time.monotonic() - started)
        # 3: something of the host was changed, or is left
        assert p.returncode in (0, 1) and not [l for l in r.lines if "changed" in l], (r.lines, r.stderr)
        r.shown = [l.split(" ", 1)[1].replace("\\n", "\n").removeprefix("0 ") for l in r.lines if l.startswith(("ask", "tell", "error"))]
        return r


def helper(folder, dev):
    """kosmo-fido2 for a machine whose keys are the sockets in dev."""
    return script(folder / "helper", f"#!/bin/sh\nexec env -i LD_PRELOAD={preload()} KOSMO_TOKENS={dev} {HELPER}\n")
