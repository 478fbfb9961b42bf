"""The codec of common/wire.h, a second time, for tests."""
import struct


def _name(s):
    b = s.encode()
    return bytes([len(b)]) + b + b"\0"


def encode(kind, fields, ident=1):
    """A whole frame with its length prefix. Values: str, bytes or int."""
    body = struct.pack(">I", ident) + _name(kind) + struct.pack(">H", len(fields))
    for name, value in fields.items():
        v = value if isinstance(value, bytes) else str(value).encode()
        body += _name(name) + struct.pack(">I", len(v)) + v + b"\0"
    return struct.pack(">I", len(body)) + body


def _take_name(b, at):
    n = b[at]
    return b[at + 1:at + 1 + n].decode(), at + n + 2


def decode(body):
    """(kind, fields, id) of what follows the prefix."""
    ident, = struct.unpack_from(">I", body)
    kind, at = _take_name(body, 4)
    n, = struct.unpack_from(">H", body, at)
    at += 2
    fields = {}
    for _ in range(n):
        name, at = _take_name(body, at)
        size, = struct.unpack_from(">I", body, at)
        fields[name] = body[at + 4:at + 4 + size]
        at += size + 5
    assert at == len(body), "trailing bytes"
    return kind, fields, ident


def _exactly(sock, n):
    b = b""
    while len(b) < n:
        more = sock.recv(n - len(b))
        if not more:
            raise EOFError
        b += more
    return b


def receive(sock):
    n, = struct.unpack(">I", _exactly(sock, 4))
    return decode(_exactly(sock, n))
