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
