"""Many people who log in at the keeper's socket, each code once, while something else goes on."""
import threading
import time

from harness import Person
from kosmo_wire import Client


class Crowd:
    """Staff with password and app. Free ones are handed out one at a time, so that nobody's logins meet."""

    def __init__(self, n, prefix="c"):
        self.people = [Person(f"{prefix}{i:03}") for i in range(n)]
        self.free, self.lock = list(self.people), threading.Lock()
        self.step = dict.fromkeys(self.people, 0)  # the newest step whose code was sent

    def next_code(self, p, now=None):
        """A code that was not sent yet and is good for a moment; None: wait."""
        now = time.time() if now is None else now
        # the oldest that is still good in five seconds
        step = max(self.step[p] + 1, int(now + 5) // 30 - 1)
        if step > int(now) // 30 + 1:
            return None
        self.step[p] = step
        return p.code(at=step * 30)

    def take(self):
        """(person, code) of somebody who is at nobody's hands; give() brings them back."""
        while True:
            with self.lock:
                for i, p in enumerate(self.free):
                    code = self.next_code(p)
                    if code is not None:
                        del self.free[i]
                        return p, code
            time.sleep(0.2)

    def give(self, p):
        with self.lock:
            self.free.append(p)


def dialogue(socket, p, code, timeout=10, rhost="192.0.2.8"):
    """The verdict of one login."""
    with Client(socket, timeout) as c:
        said = c.ask("begin", {"phase": "auth", "service": "test", "user": p.login, "rhost": rhost})
        for text in p.password, code:
            if said[0] != "ask":
                break
            said = c.ask("answer", {"text": text})
    return said[1].get("verdict", "nothing")


def login(i, crowd):
    """Somebody's right login; the seconds it took."""
    p, code = crowd.take()
    started = time.monotonic()
    try:
        said = dialogue(i.socket, p, code)
    finally:
        crowd.give(p)
    assert said == "allow", (p.login, said)
    return time.monotonic() - started
