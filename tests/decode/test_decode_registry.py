"""Does every kind decode into its own closed list of fields, and only DecodeError escape?"""

from __future__ import annotations

import base64
from contextlib import suppress

import pytest
from decode_samples import SAMPLES
from hypothesis import given, settings
from hypothesis import strategies as st

from camscan.decode.collect import MAX_BODY, MAX_VALUE, MAX_VALUES
from camscan.decode.registry import DECODERS, decode
from camscan.decode.text import clean
from camscan.errors import DecodeError
from camscan.model.observation import FIELDS, Fields, Kind, Observation


def read(
    kind: Kind, response: bytes, request: str | None = None, port: int | None = None
) -> Fields:
    return decode(
        Observation(
            id="t:1", device_id="d", kind=kind, response=response, request=request, port=port
        )
    )


def check(kind: Kind, fields: Fields) -> None:
    assert set(fields) <= set(FIELDS[kind])
    for name, values in fields.items():
        assert 0 < len(values) <= MAX_VALUES
        for value in values:
            assert 0 < len(value) <= (MAX_BODY if name == "body" else MAX_VALUE)
            if name != "body":
                assert clean(value) == value


def test_every_kind_has_a_decoder():
    assert set(DECODERS) == set(Kind)
    assert {kind for kind, _ in SAMPLES} == set(Kind)


@pytest.mark.parametrize(("kind", "response"), SAMPLES)
def test_samples_decode_into_their_fields(kind, response):
    fields = read(kind, response)
    check(kind, fields)
    assert fields


@pytest.mark.parametrize("kind", list(Kind))
@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=2048))
def test_arbitrary_bytes(kind, data):
    with suppress(DecodeError):
        check(kind, read(kind, data))


@settings(max_examples=1500, deadline=None)
@given(data=st.data())
def test_mutations_of_valid_messages(data):
    kind, response = data.draw(st.sampled_from(SAMPLES))
    start = data.draw(st.integers(0, len(response)))
    end = data.draw(st.integers(start, min(len(response), start + 16)))
    middle = data.draw(st.binary(max_size=12))
    mutated = response[:start] + middle + response[end : data.draw(st.integers(end, len(response)))]
    with suppress(DecodeError):
        check(
            kind,
            read(kind, mutated, port=data.draw(st.sampled_from([None, 80, 10001, 7711, 10669]))),
        )


def test_an_empty_answer_is_never_an_observation():
    for kind in Kind:
        with pytest.raises(DecodeError):
            read(kind, b"")


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize(
    "unit", [b"<a>", b'{"a":', b"[", b"a=b\n", b"\x30\x80", b"A: b\r\n", b"\xc0\x0c"]
)
def test_large_repetitive_input_stays_bounded(kind, unit):
    with suppress(DecodeError):
        check(kind, read(kind, (unit * 65_536)[:65_536]))


def test_xml_kinds_keep_the_http_answer_when_there_is_no_xml():
    fields = read(
        Kind.ISAPI,
        b"HTTP/1.1 404 Not Found\r\nServer: x\r\n\r\n<!DOCTYPE html><p>no",
        "GET /ISAPI/x",
    )
    assert fields["status"] == ("404",)
    assert fields["request-path"] == ("/ISAPI/x",)
    assert "root" not in fields


def test_exchange_forms_of_headers():
    assert read(Kind.SERVER_HEADER, b"App-webs/")["server"] == ("App-webs/",)
    assert read(Kind.WWWAUTH, b'Digest realm="x", qop="auth"')["auth-params"] == (
        "realm,qop",
        "qop=auth",
    )
    assert read(Kind.TITLE, b"NETSurveillance WEB")["title"] == ("NETSurveillance WEB",)


def test_base64_of_nothing_printable_is_still_bounded():
    noise = base64.b64encode(bytes(range(256)) * 64)
    assert read(Kind.GREETING, noise)["length"] == (str(len(noise)),)
