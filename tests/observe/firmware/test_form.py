"""Are names and paths of containers printable, and do they stay inside?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camscan.observe.firmware.form import inner_path, text_of, zero_ended


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain.txt", "plain.txt"),
        ("größe".encode(), "größe"),
        (b"caf\xe9", "caf\\xe9"),
        (b"a\x1b[0mb\n", "a\\x1b[0mb\\x0a"),
        ("txt\u202eexe".encode(), "txt\\xe2\\x80\\xaeexe"),
    ],
)
def test_bytes_that_are_no_text_are_written_as_numbers(raw, text):
    assert text_of(raw) == text


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("/etc/passwd", "etc/passwd"),
        ("../../a/./b//c/..", "a/b/c"),
        ("..", ""),
        ("x!/y!z", "x\\x21/y!z"),
    ],
)
def test_paths_stay_inside(name, path):
    assert inner_path(name) == path


@given(st.binary(max_size=200))
def test_any_name_is_printable_and_inside(raw):
    path = inner_path(text_of(raw))
    assert path.isprintable()
    assert not path.startswith("/")
    assert not {"", ".", ".."} & set(path.split("/")) or path == ""
    assert "!/" not in path
    assert b"\0" not in zero_ended(raw)
