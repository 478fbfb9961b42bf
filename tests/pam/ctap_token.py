"""A security key in software: CTAP 2.1 in CTAPHID frames over a Unix socket, which hidraw.c puts in a device's place."""
import hashlib
import hmac
import os
import pathlib
import select
import socket
import struct
import threading
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

INVALID_CBOR, INVALID_COMMAND, NO_CREDENTIALS, DENIED, ACTION_TIMEOUT, CANCELLED = 0x12, 0x01, 0x2E, 0x27, 0x3A, 0x2D
PIN_INVALID, PIN_BLOCKED, PIN_AUTH_INVALID, PIN_AUTH_BLOCKED, PIN_NOT_SET, PIN_REQUIRED = 0x31, 0x32, 0x33, 0x34, 0x35, 0x36
UV_BLOCKED, UV_INVALID, TOO_LARGE = 0x3C, 0x3F, 0x39
UP, UV, BE, BS = 1, 4, 8, 16


def cbor(v):
    def head(major, n):
        for most, code, form in ((24, None, "B"), (1 << 8, 24, "BB"), (1 << 16, 25, "BH"), (1 << 32, 26, "BI")):
            if n < most:
                return struct.pack(">" + form, *([major << 5 | n] if code is None else [major << 5 | code, n]))
        raise ValueError(n)
    if isinstance(v, bool):
        return b"\xf5" if v else b"\xf4"
    if isinstance(v, int):
        return head(0, v) if v >= 0 else head(1, -1 - v)
    if isinstance(v, bytes):
        return head(2, len(v)) + v
    if isinstance(v, str):
        return head(3, len(v.encode())) + v.encode()
    if isinstance(v, list):
        return head(4, len(v)) + b"".join(map(cbor, v))
    pairs = sorted(((cbor(k), cbor(w)) for k, w in v.items()), key=lambda p: (len(p[0]), p[0]))
    return head(5, len(v)) + b"".join(k + w for k, w in pairs)


def uncbor(b, at=0):
    """(value, where it ends)"""
    major, n = b[at] >> 5, b[at] & 31
    at += 1
    if major == 7:
        return {20: False, 21: True}[n], at
    if n >= 24:
        size = 1 << n - 24
        n, at = int.from_bytes(b[at:at + size], "big"), at + size
    if major < 2:
        return (n if major == 0 else -1 - n), at
    if major < 4:
        assert at + n <= len(b)
        return (b[at:at + n] if major == 2 else b[at:at + n].decode()), at + n
    items = []
    for _ in range(n * (major - 3)):
        v, at = uncbor(b, at)
        items.append(v)
    return (items if major == 4 else dict(zip(items[::2], items[1::2]))), at


class Credential:
    """pkcs8: a private key as WebAuthn.getCredentials exports it; none: a new one of ES256."""

    def __init__(self, rp_id, ident=None, pkcs8=None, protect=1, flags=0):
        self.rp_id, self.ident, self.protect, self.flags, self.counter = rp_id, ident or os.urandom(32), protect, flags, 1
        self.key = serialization.load_der_private_key(pkcs8, None) if pkcs8 else ec.generate_private_key(ec.SECP256R1())

    def cose(self):
        n = self.key.public_key().public_numbers()
        return cbor({1: 2, 3: -7, -1: 1, -2: n.x.to_bytes(32, "big"), -3: n.y.to_bytes(32, "big")})

    def sign(self, data):
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(data)
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return self.key.sign(data, ec.ECDSA(hashes.SHA256()))
        return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())


class Gone(Exception):
    pass


class Token:
    """Plugged in as long as it is not ended. touch: "yes", "no" (never), "denied"; finger: as touch, or "wrong" (never recognised), None: it reads none.
    Whatever was asked of it is in .asked: (command, parameters)."""

    def __init__(self, folder, *credentials, pin="1234", finger=None, touch="yes", tries=8, **odd):
        self.credentials, self.pin, self.finger, self.touch, self.tries, self.wrong, self.odd = \
            list(credentials), pin, finger, touch, tries, 0, odd
        self.asked, self.touches, self.unknown, self.token, self.errors = [], 0, 0, os.urandom(32), []
        self.waiting = threading.Event()
        self.ecdh = ec.generate_private_key(ec.SECP256R1())
        folder = pathlib.Path(folder)
        folder.mkdir(exist_ok=True)
        self.path = folder / f"hidraw{len(list(folder.iterdir()))}"
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(str(self.path))
        self.listener.listen(4)
        self.listener.settimeout(0.2)
        self.stopping = False
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def end(self):
        self.stopping = True
        self.thread.join(10)
        self.listener.close()
        self.path.unlink(missing_ok=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    # CTAPHID (section 11.2)
    def _accept(self):
        while not self.stopping:
            try:
                conn, _ = self.listener.accept()
            except socket.timeout:
                continue
            with conn:
                try:
                    self._serve(conn)
                except Gone:
                    pass
                except Exception as e:
                    self.errors.append(e)
                    raise

    def _report(self, conn, seconds):
        """The next one, None after so many seconds."""
        end = time.monotonic() + seconds
        while not self.stopping:
            if select.select([conn], [], [], max(0, min(0.2, end - time.monotonic())))[0]:
                try:
                    report = conn.recv(128)
                except OSError:
                    report = b""
                if not report:
                    raise Gone
                assert len(report) == 65 and report[0] == 0, "a report's number and 64 bytes"
                return report[1:]
            if time.monotonic() >= end:
                return None
        raise Gone

    def _message(self, conn):
        while (r := self._report(conn, 60)) is not None:
            if r[4] & 0x80:
                break
        if r is None:
            raise Gone
        channel, command, size = r[:4], r[4] & 0x7f, struct.unpack_from(">H", r, 5)[0]
        data = r[7:]
        while len(data) < size:
            more = self._report(conn, 5)
            assert more and more[:4] == channel and not more[4] & 0x80
            data += more[5:]
        return channel, command, data[:size]

    def _say(self, conn, channel, command, data):
        frames = [channel + bytes([command | 0x80]) + struct.pack(">H", len(data)) + data[:57]]
        for seq, at in enumerate(range(57, len(data), 59)):
            frames.append(channel + bytes([seq]) + data[at:at + 59])
        try:
            for f in frames:
                conn.send(f.ljust(64, b"\0"))
        except OSError:
            raise Gone from None

    def _serve(self, conn):
        while True:
            channel, command, data = self._message(conn)
            if self.odd.get("mute"):
                continue
            if self.odd.get("rubbish"):
                conn.send(os.urandom(64))
                continue
            if command == 0x06:
                self._say(conn, channel, command, data[:8] + os.urandom(4) + bytes([2, 1, 0, 0, 0x04 | 0x08]))
            elif command == 0x10:
                status, answer = self._cbor(conn, channel, data)
                if self.odd.get("garble") == data[0]:
                    status, answer = 0, os.urandom(60)
                if self.odd.get("unplug") == data[0]:
                    raise Gone
                self._say(conn, channel, command, bytes([status]) + (answer if isinstance(answer, bytes) else cbor(answer) if answer else b""))

    # CTAP 2.1 (section 6)
    def _cbor(self, conn, channel, data):
        try:
            p = uncbor(data, 1)[0] if len(data) > 1 else {}
        except (IndexError, AssertionError, KeyError):
            return INVALID_CBOR, None
        self.asked.append((data[0], p))
        self._person = lambda: self._touch(conn, channel)
        handler = {0x01: self._make, 0x02: self._get, 0x04: self._info, 0x06: self._pin}.get(data[0])
        return handler(p) if handler else (INVALID_COMMAND, None)

    def _touch(self, conn, channel):
        """Waits for the person: 0, or why not."""
        self.waiting.set()
        end = time.monotonic() + 30
        while self.touch == "no" and time.monotonic() < end:
            r = self._report(conn, 0.1)
            if r is not None and r[4] == 0x91:
                self.asked.append(("cancel", {}))
                return CANCELLED
            self._say(conn, channel, 0x3b, b"\x02")
        self.touches += 1
        return {"yes": 0, "denied": DENIED}.get(self.touch, ACTION_TIMEOUT)

    def _info(self, _):
        options = {"rk": True, "up": True, "clientPin": self.pin is not None, "pinUvAuthToken": True}
        if self.finger:
            options["uv"] = True
        info = {1: ["FIDO_2_0", "FIDO_2_1"], 2: ["credProtect"], 3: bytes(16), 4: options, 5: 1200, 6: [1], 7: self.odd.get("list", 8), 8: 128}
        return 0, info

    def _shared(self, p):
        x, y = (int.from_bytes(p[3][i], "big") for i in (-2, -3))
        peer = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        return hashlib.sha256(self.ecdh.exchange(ec.ECDH(), peer)).digest()

    def _pin(self, p):
        if p[2] == 1:
            return 0, {3: self.tries}
        if p[2] == 2:
            n = self.ecdh.public_key().public_numbers()
            return 0, {1: {1: 2, 3: -25, -1: 1, -2: n.x.to_bytes(32, "big"), -3: n.y.to_bytes(32, "big")}}
        if p[2] not in (5, 6, 9):
            return INVALID_COMMAND, None
        key = self._shared(p)
        aes = lambda: Cipher(algorithms.AES(key), modes.CBC(bytes(16)))
        status = self._finger() if p[2] == 6 else self._pin_right(aes().decryptor().update(p[6]))
        return (status, None) if status else (0, {2: aes().encryptor().update(self.token)})

    def _finger(self):
        if self.finger == "wrong":
            self.unknown += 1
            return UV_INVALID if self.unknown < 3 else UV_BLOCKED
        self.fresh = True
        return self._person()

    def _pin_right(self, digest):
        if self.pin is None:
            return PIN_NOT_SET
        if self.tries <= 0:
            return PIN_BLOCKED
        if self.wrong >= 3:
            return PIN_AUTH_BLOCKED
        self.tries -= 1
        if not hmac.compare_digest(hashlib.sha256(self.pin.encode()).digest()[:16], digest):
            self.wrong += 1
            return PIN_BLOCKED if self.tries == 0 else PIN_AUTH_BLOCKED if self.wrong >= 3 else PIN_INVALID
        self.tries, self.wrong = 8, 0
        return 0

    def _make(self, p):
        """Only as the question whether it is this key that is touched."""
        assert p.get(8) == b"", "no credential is made here"
        return self._person() or (PIN_INVALID if self.pin else PIN_NOT_SET), None

    def _get(self, p):
        verified = False
        if len(p.get(3, [])) > self.odd.get("list", 8):
            return TOO_LARGE, None
        if 6 in p:
            if not hmac.compare_digest(hmac.new(self.token, p[2], hashlib.sha256).digest()[:16], p[6]):
                return PIN_AUTH_INVALID, None
            verified = True
        elif self.odd.get("always_uv"):
            return PIN_REQUIRED, None
        allowed = [d["id"] for d in p.get(3, [])]
        c = next((c for c in self.credentials if c.rp_id == p[1] and c.ident in allowed and (c.protect < 3 or verified)), None)
        if c is None:
            return NO_CREDENTIALS, None
        up = p.get(5, {}).get("up", True)
        if up and not self.__dict__.pop("fresh", False):
            status = self._person()
            if status:
                return status, None
        c.counter += 1
        flags = self.odd.get("flags", (UP if up else 0) | (UV if verified else 0) | c.flags)
        data = hashlib.sha256(p[1].encode()).digest() + struct.pack(">BI", flags, self.odd.get("counter", c.counter))
        signature = c.sign(data + (os.urandom(32) if self.odd.get("bad_signature") else p[2]))
        return 0, {1: {"id": c.ident, "type": "public-key"}, 2: data, 3: signature}
