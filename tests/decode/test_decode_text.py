"""Is a device's text harmless after cleaning?"""

from __future__ import annotations

import sys
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from camscan.decode.text import clean, clean_lines, decode_text


def test_no_unsafe_character_of_unicode_is_left():
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code)) in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
            # ESC and CSI take the character they introduce.
            left = {"a"} if code in {0x1B, 0x9B} else {"ab", "a b"}
            assert clean(f"a{chr(code)}b") in left, hex(code)


def test_terminal_sequences_go_as_a_whole():
    assert clean("\x1b[31mred\x1b[0m \x1b]0;title\x07x\x9b1mz") == "red xz"
    assert clean("a\r\n\tb\u202ec\u2066") == "a bc"
    assert clean_lines("a\r\nb\x00\tc\rd") == "a\nb\tc\nd"


def test_encodings():
    assert decode_text("Kamera ž".encode()) == "Kamera ž"
    assert decode_text(b"caf\xe9 1") == "café 1"
    assert decode_text(b"\xff\xfea\x00") == "a"
    assert decode_text("摄像".encode()[:-1]) == "摄"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=512))
def test_cleaning_is_final(data):
    text = clean(decode_text(data))
    assert clean(text) == text
    assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cs"} for char in text)
