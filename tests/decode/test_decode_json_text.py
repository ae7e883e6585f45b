"""The two readers of JSON find the same leaves wherever the fast one answers at all."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camscan.decode import json_text

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["null", "true", '"', "\\", "a\nb", "\ud800", "\u202e", "}", ","]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(values, st.sampled_from([None, 1]), st.booleans())
def test_proper_json_reads_alike(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only).strip()
    if not text.startswith(("{", "[")):
        return
    fast = json_text._well_formed(text)
    if fast is not None:
        assert fast == json_text._tolerant(text)


@given(st.text(alphabet='{}[]",:\\ab1 \n\t\x00null', max_size=60))
def test_any_text_reads_alike_where_it_is_proper(text):
    text = text.strip()
    if text.startswith(("{", "[")):
        fast = json_text._well_formed(text)
        if fast is not None:
            assert fast == json_text._tolerant(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": ' + "9" * 300 + "}",
        "[" * 65 + "1" + "]" * 65,
        '{"a": "' + "x" * 70_000 + '"}',
        '{"a": "unterminated, "b": 1}',
        '{"a": "\x01"}',
    ],
)
def test_what_the_fast_reader_leaves_to_the_other(text):
    assert json_text._well_formed(text) is None


def test_double_keys_and_lists_keep_their_order():
    found = json_text.parse(b'{"a": [1, {"b": 2.50}], "a": true, "n": null}')
    assert [(x.path, x.text) for x in found.leaves] == [
        (("a",), "1"),
        (("a", "b"), "2.50"),
        (("a",), "true"),
    ]
