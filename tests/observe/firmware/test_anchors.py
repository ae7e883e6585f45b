"""The places that searches are held to are all of the places their expressions match at."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camscan.observe.firmware import addresses, anchors, keys, names, printable, suffixes

ENDINGS = suffixes.load().endings
FORMS = {
    "quads": addresses._QUAD,
    "sixes": addresses._SIX,
    "elements": keys._DER_KEY,
    "certificates": keys._DER_CERTIFICATE,
    "blocks": keys._PEM,
}
PARTS = st.one_of(
    st.binary(max_size=6),
    st.sampled_from(
        [b"a.com", b".cn", b".COM", b"x.cnn", b"api.netx", b".x", b"1.2.3.4", b".1.22.333.4444", b"2001:db8::1", b"2abc:",
         b"\x30\x82\x01\x0a\x02\x01\x00\x02\x82\x01", b"\x30\x77\x02\x01\x01\x04\x20", b"\x30\x81\x90\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48",
         b"\x30\x82\x03\x0a\x30\x82\x01\x0a\xa0\x03\x02\x01\x02", b"\x30\x82\x03\x0a\x30\x81\x90\xa0\x03\x02\x01\x02",
         b"-----BEGIN PRIVATE KEY-----\n" + b"A" * 40 + b"-----END PRIVATE KEY-----", "a.com".encode("utf-16-le"), "api.cn".encode("utf-16-be"), b"GOKE", b"\0GOKE\xff", b"Boa/0.94"]
    ),
)  # fmt: skip
BYTES = st.lists(PARTS, max_size=40).map(b"".join)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(printable, "SMALL", 0)
    monkeypatch.setattr(printable, "STEP", 32)


def spans(found):
    return [match.span() for match in found]


@given(BYTES)
@settings(max_examples=400, deadline=None)
def test_the_places_are_all_of_the_places(data):
    found = anchors.Finder(ENDINGS).find(data)
    for name, form in FORMS.items():
        places = found.elements if name == "certificates" else getattr(found, name)
        assert spans(anchors.matches(form, data, places)) == spans(form.finditer(data))


@given(BYTES)
@settings(max_examples=400, deadline=None)
def test_names_lose_nothing_that_ends_as_names_do(data):
    found = anchors.Finder(ENDINGS).find(data)
    form = names._ANCHOR
    ending = {
        m.span()
        for m in form.finditer(data)
        if m[0][1:].lower() in ENDINGS and m.start() and data[m.start() - 1] in names._HOST
    }
    wide = {m.span() for m in form.finditer(data) if m[0][1] == 0}
    assert ending | wide <= set(spans(anchors.matches(form, data, found.names)))


def test_a_flood_of_places_is_searched_as_a_whole(monkeypatch):
    monkeypatch.setattr(anchors, "MOST", 10)
    data = b"a.com " * 40 + b" 1.2.3.4 "
    found = anchors.Finder(ENDINGS).find(data)
    assert found.names is None
    assert found.quads is not None
    assert len(spans(anchors.matches(names._ANCHOR, data, found.names))) == 40


def test_a_small_file_is_searched_as_it_is(monkeypatch):
    monkeypatch.setattr(printable, "SMALL", 100)
    found = anchors.Finder(ENDINGS).find(b"\0a.com")
    assert found[:-1] == (None,) * 5
    assert found.text.joined == b"\0a.com"
