"""A keeper that does what a script says, so that the module meets what a real keeper never does."""
import os
import socket
import threading

import kosmo_wire as wire


class FakeKeeper:
    """Serves every connection with the same steps, or with those that steps(begin) returns. A step is a message to send, as ("ask", {...}) after which an answer is
    awaited, or raw bytes, or a callable that gets the connection. Without further steps the connection is closed.
    What was received is in .seen: one list of (kind, fields, id) a connection."""

    def __init__(self, path, steps, backlog=8, accept=True):
        self.path, self.steps, self.seen, self.errors = path, steps if callable(steps) else lambda _: steps, [], []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(backlog)
        self.stopping = False
        self.thread = threading.Thread(target=self._serve, daemon=True)
        if accept:
            self.thread.start()

    def _serve(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            if self.stopping:
                conn.close()
                return
            with conn:
                conn.settimeout(20)
                seen = []
                self.seen.append(seen)
                try:
                    seen.append(wire.receive(conn))
                    for step in self.steps(seen[0]):
                        self._step(conn, step, seen)
                except (EOFError, OSError) as e:
                    self.errors.append(e)

    @staticmethod
    def _step(conn, step, seen):
        if callable(step):
            step(conn)
        elif isinstance(step, bytes):
            conn.sendall(step)
        else:
            conn.sendall(wire.encode(*step))
            if step[0] == "ask":
                seen.append(wire.receive(conn))

    def close(self):
        self.stopping = True
        if self.thread.is_alive():
            try:
                with socket.socket(socket.AF_UNIX) as s:  # wakes accept
                    s.settimeout(1)
                    s.connect(self.path)
            except OSError:
                pass
            self.thread.join(5)
        self.listener.close()
        os.unlink(self.path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def ask(text="Code: ", echo=0):
    return ("ask", {"text": text, "echo": echo})


def tell(text, error=0):
    return ("tell", {"text": text, "error": error})


def verdict(name):
    return ("verdict", {"verdict": name})
