"""How does an emulated device speak TLS, and where do its certificates come from?"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import ipaddress
import os
import ssl
import tempfile
import warnings
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from lab.persona import Certificate, Tls

_OIDS = {
    "CN": NameOID.COMMON_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "C": NameOID.COUNTRY_NAME,
    "L": NameOID.LOCALITY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "EMAILADDRESS": NameOID.EMAIL_ADDRESS,
}
_VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}
_POOL = 32
"""Keys per kind: units take them in turn, so that only shared factory certificates share a key."""
_LEGACY_CONNECT = 0x4
_CHUNK = 16384
_memory: dict[str, Path] = {}


def cache_folder() -> Path:
    """`.lab-cache` of the checkout, or a private one where that cannot be written."""
    if "folder" not in _memory:
        folder = Path(__file__).parent.parent / ".lab-cache"
        try:
            folder.mkdir(exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError:
            folder = Path(tempfile.gettempdir()) / f"camscan-lab-cache-{os.getuid()}"
            folder.mkdir(mode=0o700, exist_ok=True)
            if folder.stat().st_uid != os.getuid():
                folder = Path(tempfile.mkdtemp(prefix="camscan-lab-cache-"))
        _memory["folder"] = folder
    return _memory["folder"]


def _store(name: str, data: bytes) -> Path:
    path = cache_folder() / name
    if not path.exists():
        with tempfile.NamedTemporaryFile(dir=cache_folder(), delete=False) as stream:
            stream.write(data)
        Path(stream.name).replace(path)
    return path


def _key(kind: str, bits: int, slot: str) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    path = cache_folder() / f"key-{kind}-{bits}-{slot}.pem"
    if path.exists():
        loaded = serialization.load_pem_private_key(path.read_bytes(), None)
        if isinstance(loaded, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            return loaded
    made: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    made = (
        ec.generate_private_key(ec.SECP256R1())
        if kind == "ec"
        else rsa.generate_private_key(65537, bits)
    )
    _store(path.name, _pem(made))
    return made


def _ensure(kind: str, bits: int, slot: str) -> None:
    if not (cache_folder() / f"key-{kind}-{bits}-{slot}.pem").exists():
        _key(kind, bits, slot)


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _name(text: str) -> x509.Name:
    parts = []
    for piece in text.replace("\\,", "\0").split(","):
        label, _, value = piece.strip().partition("=")
        oid = _OIDS.get(label.strip().upper())
        if oid is not None and value:
            # a few factory certificates carry a country longer than two letters
            parts.append(
                x509.NameAttribute(
                    oid, value.strip().replace("\0", ","), _validate=oid != NameOID.COUNTRY_NAME
                )
            )
    return x509.Name(parts)


def _san(text: str) -> x509.GeneralName | None:
    kind, _, value = text.partition(":")
    if kind == "DNS":
        return x509.DNSName(value)
    if kind == "IP":
        return x509.IPAddress(ipaddress.ip_address(value))
    return None


def certificate_file(cert: Certificate, subject: str, sans: tuple[str, ...], turn: int = 0) -> Path:
    """PEM file of key and certificate, made once and kept in the cache; `turn` picks the key."""
    identity = (
        f"{cert}|{subject}|{sans}|{turn % _POOL}" if not cert.shared else f"shared|{cert.shared}"
    )
    digest = hashlib.sha256(identity.encode()).hexdigest()
    path = cache_folder() / f"cert-{digest[:32]}.pem"
    if path.exists():
        return path
    if cert.shared:
        sans = tuple(name for name in sans if "{" not in name)
    slot = f"shared-{digest[:8]}" if cert.shared else str(turn % _POOL)
    key = _key(cert.key, cert.key_bits, slot)
    ca_slot = hashlib.sha256(cert.issuer.encode()).hexdigest()[:8]
    signer = _key("rsa", 2048, f"ca-{ca_slot}") if cert.issuer else key
    start = dt.datetime.fromisoformat(cert.not_before)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(cert.issuer or subject))
        .public_key(key.public_key())
        .serial_number(int(digest[:16], 16) | 1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=cert.days))
    )
    names = [name for name in map(_san, sans) if name is not None]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    algorithm = hashes.SHA1() if cert.hash == "sha1" else hashes.SHA256()
    try:
        made = builder.sign(signer, algorithm)
    except Exception:  # SHA-1 signatures are refused by some builds of the library
        made = builder.sign(signer, hashes.SHA256())
    return _store(path.name, _pem(key) + made.public_bytes(serialization.Encoding.PEM))


def warm(certificates: Iterable[Certificate]) -> None:
    """Make the keys that are missing, so that no device is slow at its first handshake."""
    for cert in certificates:
        if cert.shared:
            certificate_file(cert, cert.subject, ())
        else:
            for slot in range(_POOL):
                _ensure(cert.key, cert.key_bits, str(slot))
        if cert.issuer:
            _ensure("rsa", 2048, f"ca-{hashlib.sha256(cert.issuer.encode()).hexdigest()[:8]}")


def server_context(tls: Tls, subject: str, sans: tuple[str, ...], turn: int = 0) -> ssl.SSLContext:
    """A server context as old as the device."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old versions are the point
        context.minimum_version = _VERSIONS[tls.min]
        context.maximum_version = _VERSIONS[tls.max]
    with suppress(ssl.SSLError):
        context.set_ciphers("ALL:@SECLEVEL=0")
    context.options |= _LEGACY_CONNECT
    context.load_cert_chain(certificate_file(tls.cert, subject, sans, turn))
    return context


class TlsStream:
    """TLS over a non-blocking socket, with a pause where a slow device has one."""

    def __init__(
        self, sock: object, context: ssl.SSLContext, *, server: bool, name: str = ""
    ) -> None:
        import socket

        assert isinstance(sock, socket.socket)
        self._sock = sock
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._in, self._out, server_side=server, server_hostname=name or None
        )
        self._loop = asyncio.get_running_loop()
        self.wire_bytes = 0

    async def _flush(self) -> None:
        data = self._out.read()
        if data:
            await self._loop.sock_sendall(self._sock, data)

    async def _fill(self) -> bool:
        data = await self._loop.sock_recv(self._sock, _CHUNK)
        if not data:
            self._in.write_eof()
            return False
        self.wire_bytes += len(data)
        self._in.write(data)
        return True

    async def handshake(self, pause_s: float = 0) -> None:
        """Raises ssl.SSLError or OSError; a refusal's alert is still sent."""
        if pause_s:
            if not await self._fill():
                raise ConnectionResetError
            await asyncio.sleep(pause_s)
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._fill():
                    raise ConnectionResetError from None
            except ssl.SSLError:
                with suppress(OSError):
                    await self._flush()
                raise
            else:
                await self._flush()
                return

    async def recv(self) -> bytes:
        while True:
            try:
                return self._tls.read(_CHUNK)
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._fill():
                    return b""
            except ssl.SSLError:
                return b""

    async def send(self, data: bytes) -> None:
        self._tls.write(data)
        await self._flush()
