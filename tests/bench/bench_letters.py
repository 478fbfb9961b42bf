#!/usr/bin/python3
"""Letters as a PDF: how many a minute, the memory at the peak, the file's size. Issue: 1,000 a minute or better.

    bench_letters.py [--people N] [--check]

--check: exit 1 if there are fewer. KOSMO_BUILD: the build folder."""
import argparse
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import people_csv

HERE = pathlib.Path(__file__).resolve().parent
KOSMOCTL = pathlib.Path(os.environ.get("KOSMO_BUILD", HERE.parent.parent / "build")).resolve() / "ctl/kosmoctl"
A_MINUTE = 1000


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--people", type=int, default=10000)
    a.add_argument("--check", action="store_true")
    o = a.parse_args()
    with tempfile.TemporaryDirectory(prefix="kosmo-bench-") as folder:
        folder = pathlib.Path(folder)
        conf, sheet, pdf = folder / "k/kosmo.conf", folder / "people.csv", folder / "letters.pdf"
        people_csv.write(o.people, sheet)
        quiet = {"check": True, "stdout": subprocess.DEVNULL}
        subprocess.run([KOSMOCTL, "init", "--dir", folder / "k", "--url", "http://localhost:8480"], **quiet)
        subprocess.run([KOSMOCTL, "-c", conf, "import", "--letters", sheet], **quiet)
        t = time.monotonic()
        subprocess.run([KOSMOCTL, "-c", conf, "letters", "--pdf", pdf], **quiet)
        t = time.monotonic() - t
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"{o.people} letters in {t:.1f} s: {o.people / t * 60:.0f} a minute, {peak:.0f} MB at the peak of a process, "
              f"{pdf.stat().st_size / o.people:.0f} bytes a letter")
    return 1 if o.check and o.people / t * 60 < A_MINUTE else 0


if __name__ == "__main__":
    sys.exit(main())
