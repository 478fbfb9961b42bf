import csv
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("KOSMO_BUILD", TOP / "build")).resolve()
KOSMOCTL = BUILD / "ctl/kosmoctl"

OK, FAILED, USAGE, INPUT, BUSY = range(5)


class Said:
    def __init__(self, p):
        self.exit, self.out, self.err = p.returncode, p.stdout.decode(), p.stderr.decode()

    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"exit {self.exit}\n{self.out}\n{self.err}"


def run(*args, stdin=b"", program=KOSMOCTL, **more):
    p = subprocess.run([str(a) for a in (program, *args)], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       timeout=300, **more)
    assert p.returncode in range(5), p.stderr.decode()
    return Said(p)


def run_as_nobody(*args):
    """The build may be where others cannot go."""
    with tempfile.TemporaryDirectory(prefix="kosmo-ctl-") as folder:
        os.chmod(folder, 0o755)
        return run(*args, program=shutil.copy(KOSMOCTL, folder), user=65534, group=65534, extra_groups=[], cwd="/")


class Instance:
    """An instance in a folder of its own; `work` is where its admin sits."""

    def __init__(self, folder):
        self.work = pathlib.Path(folder)
        self.dir = self.work / "k"
        self.conf = self.dir / "kosmo.conf"
        self.db = self.dir / "kosmo.db"
        self.passwords = self.work / "passwords.csv"
        said = run("init", "--dir", self.dir, "--url", "http://localhost:8480")
        assert said.exit == OK, said

    def __call__(self, *args, **more):
        return run("-c", self.conf, *args, cwd=more.pop("cwd", self.work), **more)

    def sheet(self, content, name="people.csv"):
        f = self.work / name
        f.write_bytes(content if isinstance(content, bytes) else content.encode())
        return f

    def load(self, content, *options):
        """Imports it; the passwords land in self.passwords, made anew."""
        self.passwords.unlink(missing_ok=True)
        return self("import", "--passwords", self.passwords, *options, self.sheet(content))

    def try_load(self, content, *options):
        return self("import", "--dry-run", "--json", *options, self.sheet(content))

    def initial(self):
        """login -> initial password, as the file for printing has them."""
        with open(self.passwords, encoding="utf-8-sig", newline="") as f:
            return {r["login"]: r["initial_password"] for r in csv.DictReader(f)}

    def show(self, login):
        said = self("user", "show", "--json", login)
        assert said.exit == OK, said
        return said.json()

    def logins(self):
        return [p["login"] for p in self("user", "list", "--json").json()]

    def events(self):
        return [a["event"] for a in self("audit", "--json", "--limit", "100000").json()]


@pytest.fixture
def k():
    folder = tempfile.mkdtemp(prefix="kosmo-ctl-")
    yield Instance(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def folder():
    folder = tempfile.mkdtemp(prefix="kosmo-ctl-")
    yield pathlib.Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
