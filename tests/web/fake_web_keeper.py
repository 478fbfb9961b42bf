"""A keeper at web.sock for tests of the browser door alone: answers each request from a function, in any order."""
import os
import pathlib
import socket
import threading

import kosmo_wire as wire


class FakeKeeper:
    """handler(fields) -> fields of the view, None: no answer, bytes: sent as they are; runs in a thread of its own."""

    def __init__(self, path, handler):
        self.path = str(path)
        self.handler = handler
        self.seen = []
        self.connections = []
        self.lock = threading.Lock()
        pathlib.Path(self.path).unlink(missing_ok=True)
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(self.path)
        os.chmod(self.path, 0o600)
        self.sock.listen(8)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            self.connections.append(conn)
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn):
        try:
            while True:
                kind, fields, ident = wire.receive(conn)
                answer = {"web": "view", "verify": "verified"}[kind]
                fields = {k: v.decode() for k, v in fields.items()}
                self.seen.append(fields)
                threading.Thread(target=self._answer, args=(conn, answer, fields, ident), daemon=True).start()
        except (EOFError, OSError):
            return

    def _answer(self, conn, kind, fields, ident):
        view = self.handler(fields)
        if view is None:
            return
        frame = view if isinstance(view, bytes) else wire.encode(kind, view, ident)
        try:
            with self.lock:
                conn.sendall(frame)
        except OSError:
            pass

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        for c in self.connections:
            try:
                c.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            c.close()
        pathlib.Path(self.path).unlink(missing_ok=True)
