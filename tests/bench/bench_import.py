#!/usr/bin/python3
"""Importing people with generated passwords, beside an fsync and a yescrypt of the same run, and how long another writer
waits meanwhile. Issue: a million in at most 75 s, 64 MB of memory, 1 KB a person on disk.

    bench_import.py [--people N] [--dir FOLDER] [--check]

--check: exit 1 if a bound is missed (the time's in proportion to N). KOSMO_BUILD: the build folder."""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import people_csv

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("KOSMO_BUILD", HERE.parent.parent / "build")).resolve()
KOSMOCTL, BASE = BUILD / "ctl/kosmoctl", BUILD / "tests/bench/bench_pam"
SECONDS, MEGABYTES, BYTES = 75, 64, 1024  # for a million; at the peak; a person


def base(*args):
    """A baseline's p50 in microseconds."""
    return float(subprocess.run([BASE, *map(str, args)], stdout=subprocess.PIPE, check=True).stdout.split()[2])


def write_once(conf, i):
    """Milliseconds of one small change by another process."""
    t = time.monotonic()
    subprocess.run([KOSMOCTL, "-c", conf, "user", "disable" if i % 2 else "enable", "witness"], check=True, stdout=subprocess.DEVNULL)
    return (time.monotonic() - t) * 1000


def quantile(times, q):
    return sorted(times)[min(len(times) - 1, int(len(times) * q))]


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--people", type=int, default=1000000)
    a.add_argument("--dir", default=None, help="where the instance is made (the file system matters)")
    a.add_argument("--check", action="store_true")
    o = a.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kosmo-bench-", dir=o.dir))
    try:
        d, sheet = folder / "k", folder / "people.csv"
        conf = d / "kosmo.conf"
        people_csv.write(o.people, sheet)
        subprocess.run([KOSMOCTL, "init", "--dir", d, "--url", "http://localhost:8480"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([KOSMOCTL, "-c", conf, "user", "add", "witness", "--birth-date", "1970-01-01", "--passwords",
                        folder / "w.csv"], check=True, stdout=subprocess.DEVNULL)
        fsync, yescrypt = base("fsync", folder, 100), base("yescrypt", 20)
        alone = [write_once(conf, i) for i in range(100)]
        t = time.monotonic()
        p = subprocess.Popen([KOSMOCTL, "-c", conf, "import", "--passwords", folder / "p.csv", sheet], stdout=subprocess.DEVNULL)
        meanwhile, usage = [], None
        while usage is None:
            meanwhile.append(write_once(conf, len(meanwhile)))
            pid, status, found = os.wait4(p.pid, os.WNOHANG)
            usage = found if pid else None
            time.sleep(0.2)
        seconds = time.monotonic() - t
        if status:
            return "the import failed"
        disk = sum(f.stat().st_size for f in d.glob("kosmo.db*"))
        print(f"{o.people} people: {seconds:.1f} s, {usage.ru_utime + usage.ru_stime:.1f} s of processor, "
              f"{usage.ru_maxrss / 1024:.1f} MB at the peak, {disk / o.people:.0f} bytes a person")
        each = seconds * 1e6 / o.people
        print(f"{each:.1f} us a person = {each / fsync:.3f} x fsync ({fsync:.0f} us) = {each / yescrypt:.4f} x yescrypt ({yescrypt:.0f} us)")
        for name, times in [("alone", alone), ("meanwhile", meanwhile)]:
            print(f"another writer {name + ':':11} p50 {quantile(times, 0.5):.1f} ms, p99 {quantile(times, 0.99):.1f} ms, "
                  f"longest {max(times):.1f} ms")
        missed = [w for w, is_so in [("time", seconds > SECONDS * o.people / 1e6), ("memory", usage.ru_maxrss > MEGABYTES * 1024),
                                     ("disk", disk > BYTES * o.people)] if is_so]
        for w in missed:
            print("missed:", w)
        return 1 if missed and o.check else 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
