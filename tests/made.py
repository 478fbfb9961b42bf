"""The tests' own programs: made once a test asks for them, so that a plain build does not need them. Tests that run side by
side wait for each other: make would write a program that another one is just running."""
import fcntl
import os
import pathlib
import subprocess

BUILD = pathlib.Path(os.environ.get("KOSMO_BUILD", pathlib.Path(__file__).resolve().parents[1] / "build")).resolve()


def made(folder, *names):
    """The folder in the build, with these programs in it (none named: all of the folder's)."""
    with open(BUILD / "tests/made.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["make", "-s", "-C", BUILD / "tests" / folder, *(names or ["tools"])], check=True, stdout=subprocess.DEVNULL)
    return BUILD / "tests" / folder


def made_npm(folder):
    """The folder of the packages that the package-lock.json in this folder names, got once from npm into the build."""
    there = BUILD / "tests/npm"
    wanted = {name: (folder / name).read_bytes() for name in ("package.json", "package-lock.json", ".npmrc")}
    (BUILD / "tests").mkdir(exist_ok=True)
    with open(BUILD / "tests/made.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = there / "done"
        if not done.exists() or done.read_bytes() != wanted["package-lock.json"]:
            there.mkdir(exist_ok=True)
            for name, text in wanted.items():
                (there / name).write_bytes(text)
            r = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=there, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            assert r.returncode == 0, f"npm could not get the packages that the tests of the pages need: {r.stdout}"
            done.write_bytes(wanted["package-lock.json"])
    return there / "node_modules"
