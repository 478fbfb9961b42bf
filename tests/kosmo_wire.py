"""The codec of common/wire.h a second time, for tests, and a client for the daemons' sockets."""
import socket
import struct

MAX = 96 * 1024


def _name(s):
    b = s.encode() if isinstance(s, str) else s
    return bytes([len(b)]) + b + b"\0"


def encode(kind, fields, ident=1):
    """A whole frame with its length prefix. fields: a dict, or pairs in order; values: str, bytes or int, None is left out."""
    pairs = [(k, v) for k, v in (fields.items() if isinstance(fields, dict) else fields) if v is not None]
    body = struct.pack(">I", ident) + _name(kind) + struct.pack(">H", len(pairs))
    for name, value in pairs:
        v = value if isinstance(value, bytes) else str(value).encode()
        body += _name(name) + struct.pack(">I", len(v)) + v + b"\0"
    return struct.pack(">I", len(body)) + body


def _take_name(b, at):
    n = b[at]
    assert b[at + 1 + n] == 0, "a name without its NUL"
    return b[at + 1:at + 1 + n].decode(), at + n + 2


def decode(body):
    """(kind, {name: bytes}, id) of what follows the prefix."""
    ident, = struct.unpack_from(">I", body)
    kind, at = _take_name(body, 4)
    n, = struct.unpack_from(">H", body, at)
    at += 2
    fields = {}
    for _ in range(n):
        name, at = _take_name(body, at)
        size, = struct.unpack_from(">I", body, at)
        assert name not in fields, f"{name} twice"
        fields[name] = body[at + 4:at + 4 + size]
        assert body[at + 4 + size] == 0, "a value without its NUL"
        at += size + 5
    assert at == len(body), "trailing bytes"
    return kind, fields, ident


def _exactly(sock, n):
    b = b""
    while len(b) < n:
        more = sock.recv(n - len(b))
        if not more:
            raise EOFError("the other side hung up")
        b += more
    return b


def receive(sock):
    n, = struct.unpack(">I", _exactly(sock, 4))
    assert n <= MAX, n
    return decode(_exactly(sock, n))


class Client:
    """One connection to a daemon's socket. ask() sends and waits for the answer with the same id; text values come as str."""

    def __init__(self, path, timeout=30):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        self.sock.connect(str(path))
        self.ident = 0

    def send(self, kind, fields):
        self.ident += 1
        self.sock.sendall(encode(kind, fields, self.ident))
        return self.ident

    def receive(self):
        kind, fields, ident = receive(self.sock)
        return kind, {k: v.decode() for k, v in fields.items()}, ident

    def ask(self, kind, fields):
        """(kind, fields) of the answer."""
        mine = self.send(kind, fields)
        kind, fields, ident = self.receive()
        assert ident == mine, (ident, mine)
        return kind, fields

    def raw(self, data):
        self.sock.sendall(data)

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
