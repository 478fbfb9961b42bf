import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from made import BUILD, made  # noqa: E402

MODULE = BUILD / "pam/.libs/pam_kosmo.so"
THREAD_SANITIZED, SANITIZED = False, False
if MODULE.exists():
    symbols = subprocess.run(["nm", "-D", MODULE], stdout=subprocess.PIPE, check=True).stdout
    THREAD_SANITIZED = b"__tsan_init" in symbols
    SANITIZED = THREAD_SANITIZED or b"__asan_init" in symbols


class Result:
    def __init__(self, process, seconds):
        self.lines = process.stdout.decode(errors="replace").splitlines()
        self.stderr = process.stderr.decode(errors="replace")
        self.exit = process.returncode
        self.seconds = seconds

    def code(self, phase="auth"):
        """What the phase returned, as a number."""
        found = [int(l.split()[1]) for l in self.lines if l.startswith(phase + " ")]
        assert found, (self.lines, self.stderr)
        return found[-1]

    def asked(self):
        return [l[6:] for l in self.lines if l.startswith("ask ")]


@pytest.fixture(scope="session")
def driver():
    made("pam")
    return BUILD / "tests/pam/pam_driver"


def make_folder():
    """Short, for socket paths have 107 bytes; open to other users, for tests that become one (pytest's own is not)."""
    d = pathlib.Path(tempfile.mkdtemp(prefix="kosmo-"))
    d.chmod(0o755)
    yield d
    shutil.rmtree(d, ignore_errors=True)


folder = pytest.fixture(make_folder, name="folder")
module_folder = pytest.fixture(make_folder, scope="module", name="module_folder")
