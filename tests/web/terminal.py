"""A login at a terminal, one question after the other, and the QR code in what it shows."""
import pathlib
import re
import subprocess

import pexpect
from harness import spawn

URL = re.compile(r"(https?://\S+)/approve/([0-9a-z]{4}(?:-[0-9a-z]{4}){3})\s")
QUESTION = r"(?i)((?:current |new )?(?:password|code)[^\r\n:]*: )$"


class Terminal:
    def __init__(self, command, env=None):
        self.child = spawn(command, env={"LC_ALL": "C.UTF-8", **(env or {})}, cwd="/")
        self.asked, self.shown, self.address = [], "", None

    def question(self, timeout=30):
        """The next one: what is shown with it is in shown."""
        self.child.expect(QUESTION, timeout=timeout)
        self.shown = self.child.before.replace("\r", "")
        self.asked.append(self.child.match.group(1).strip())
        self.address = URL.search(self.shown) or self.address
        return self.asked[-1]

    def answer(self, text):
        self.child.waitnoecho(2)
        self.child.sendline(text)

    def __call__(self, *replies):
        """Answers these, and waits for the question behind them."""
        for r in replies:
            self.question()
            self.answer(r)
        self.question()
        return self

    @property
    def link(self):
        """The newest one that was shown."""
        assert self.address, self.shown
        return self.address.group(0).strip()

    @property
    def token(self):
        return self.address.group(2)

    def type(self, code):
        """To the question that waits; exit status and what was said, or None if it is asked again."""
        self.answer(code)
        what = self.child.expect([QUESTION, pexpect.EOF], timeout=30)
        self.shown = (self.child.before or "").replace("\r", "")
        if what == 0:
            self.asked.append(self.child.match.group(1).strip())
            return None
        self.child.close()
        return self.child.exitstatus

    def end(self):
        self.child.close(force=True)


def picture(shown, folder):
    """The QR code of this text as a dark terminal draws it, read by zbarimg."""
    blocks = {"█": (1, 1), "▀": (1, 0), "▄": (0, 1), " ": (0, 0)}
    utf8 = [line for line in shown.split("\n") if line and set(line) <= set(blocks) and set(line) - {" "}]
    ascii_ = [line for line in shown.split("\n") if line and set(line) <= {"#", " "}]
    rows = [[blocks[c][half] for c in line] for line in utf8 for half in (0, 1)] if utf8 else \
        [[int(c == "#") for c in line[::2]] for line in ascii_]
    assert rows, shown
    width, scale, dark = max(map(len, rows)), 6, 4
    rows = [[0] * dark + row + [0] * (width - len(row) + dark) for row in [[]] * dark + rows + [[]] * dark]
    pixels = "\n".join("\n".join([" ".join(str(255 * v) for v in row for _ in range(scale))] * scale) for row in rows)
    f = pathlib.Path(folder) / "terminal.pgm"
    f.write_text(f"P2\n{(width + 2 * dark) * scale} {len(rows) * scale}\n255\n{pixels}\n")
    p = subprocess.run(["zbarimg", "-q", "--raw", str(f)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert p.returncode == 0, (p.stderr, shown)
    return p.stdout.decode().strip(), len(utf8 or ascii_), width * (1 if utf8 else 2)
