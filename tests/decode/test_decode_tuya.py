"""Is the broadcast of a Tuya device read in all three forms, and nothing else taken for one?"""

from __future__ import annotations

import hashlib
import zlib

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from camscan.decode import tuya, vendor_disc
from camscan.errors import DecodeError

KEY = hashlib.md5(b"yGAdlopoPVldABfn").digest()
TEXT = b'{"ip":"192.0.2.60","gwId":"bf01","active":2,"productKey":"key1","version":"3.3"}'


def old(content: bytes) -> bytes:
    body = bytes(4) + content
    frame = b"\0\0\x55\xaa" + bytes(7) + b"\x13" + (len(body) + 8).to_bytes(4, "big") + body
    return frame + zlib.crc32(frame).to_bytes(4, "big") + b"\0\0\xaa\x55"


def enciphered(text: bytes, key: bytes = KEY) -> bytes:
    pad = 16 - len(text) % 16
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return old(encryptor.update(text + bytes([pad]) * pad) + encryptor.finalize())


def new(text: bytes, key: bytes = KEY) -> bytes:
    content = bytes(4) + text
    head = bytes(9) + b"\x13" + (12 + len(content) + 16).to_bytes(4, "big")
    nonce = bytes(range(12))
    sealed = AESGCM(key).encrypt(nonce, content, head)
    return b"\0\0\x66\x99" + head + nonce + sealed + b"\0\0\x99\x66"


@pytest.mark.parametrize(
    ("form", "frame"),
    [("plain", old(TEXT)), ("enciphered", enciphered(TEXT)), ("authenticated", new(TEXT))],
)
def test_every_form_is_read(form, frame):
    fields = vendor_disc.parse(frame, 6667).fields()
    assert fields["protocol"] == ("tuya",)
    assert fields["ipv4-address"] == ("192.0.2.60",)
    assert fields["uid"] == ("bf01",)
    assert fields["field"] == (f"form={form}", "productKey=key1", "version=3.3", "active=2")


@pytest.mark.parametrize(
    "frame",
    [
        enciphered(TEXT, hashlib.md5(b"another key").digest()),
        new(TEXT, hashlib.md5(b"another key").digest()),
        enciphered(b'{"from":"app","ip":"192.0.2.61"}'),
        old(b"no json in here at all"),
        old(TEXT)[:-1],
        old(TEXT) + b"\0",
        new(TEXT)[:-1],
        b"\0\0\x55\xaa" + bytes(40),
        old(b""),
        old(b'{"gwId":"' + b"a" * 4096 + b'","productKey":"k"}'),
    ],
)
def test_anything_else_is_refused(frame):
    with pytest.raises(DecodeError):
        tuya.parse(frame)


@given(st.sampled_from([old, enciphered, new]), st.binary(max_size=300))
def test_hostile_contents_raise_decode_errors_only(build, content):
    try:
        answer = tuya.parse(build(content))
    except DecodeError:
        return
    assert b"gwId" in content
    assert answer.protocol == "tuya"


@given(st.binary(max_size=200), st.sampled_from(tuya.HEADS))
def test_hostile_frames_raise_decode_errors_only(data, head):
    with pytest.raises(DecodeError, match=r"Tuya|JSON|gwId"):
        tuya.parse(head + data)
