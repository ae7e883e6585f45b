"""The title of a page, and nothing else of it: in any segments, chunked or compressed, with or without an end."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_bodies import asked, facts_of, observed, sent

from camscan.decode.registry import decode
from camscan.identify.devices import identify
from camscan.knowledge import load
from camscan.model.claim import Attribute
from camscan.observe.traffic import pages
from camscan.observe.traffic.facts import Facts

KNOWLEDGE = load()
PAGE = (
    b"<!DOCTYPE html>\n<html><head><meta charset=utf-8><script>var token = 'sessionNumber';</script>\n"
    b"<title>\n  NETSurveillance WEB </title><link rel=x href=y></head>\n"
    b"<body onload=go()><input value='TypedByHim'><img src=data:image/jpeg;base64,PICTURE></body></html>\n"
) + b"<!-- filler -->" * 200  # fmt: skip
HTML = b"text/html; charset=utf-8"


def answer(body=PAGE, *, kind=HTML, more=b"", status=b"200 OK", length=True):
    stated = b"Content-Length: %d\r\n" % len(body) if length else b""
    return (
        b"HTTP/1.1 %s\r\nServer: uc-httpd 1.0.0\r\nSet-Cookie: s=CookieOfHis\r\nContent-Type: %s\r\n%s%s\r\n%s"
        % (status, kind, stated, more, body)
    )  # fmt: skip


def chunked(body, size):
    parts = [body[n : n + size] for n in range(0, len(body), size)]
    whole = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    return answer(whole, more=b"Transfer-Encoding: chunked\r\n", length=False)


def titles(facts):
    return [x for x in facts if x.kind == "title"]


RAW = zlib.compressobj(9, zlib.DEFLATED, -15)
FORMS = {
    "plain": answer(),
    "no length": answer(length=False),
    "upper case": answer(PAGE.replace(b"title>", b"TITLE>").replace(b"head>", b"HEAD>")),
    "chunked": chunked(PAGE, 100),
    "chunks of two bytes": chunked(PAGE, 2),
    "gzip": answer(gzip.compress(PAGE), more=b"Content-Encoding: gzip\r\n"),
    "zlib": answer(zlib.compress(PAGE), more=b"Content-Encoding: deflate\r\n"),
    "deflate": answer(RAW.compress(PAGE) + RAW.flush(), more=b"Content-Encoding: deflate\r\n"),
}


@pytest.mark.parametrize("size", [7, 60, 500, 1400])
@pytest.mark.parametrize("form", FORMS)
def test_the_title_of_a_page_is_kept_and_nothing_behind_it(form, size):
    (fact,) = titles(facts_of(*sent(FORMS[form], size=size)))
    assert fact.payload == (
        b"HTTP/1.1 200 OK\r\nServer: uc-httpd 1.0.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
        b"<title>NETSurveillance WEB</title>"
    )
    assert (fact.request, fact.flags, fact.port) == (None, ("fragment",), 80)
    fields = decode(observed([fact])[0])
    assert (fields["title"], fields["status"]) == (("NETSurveillance WEB",), ("200",))


def test_chunks_in_gzip_in_chunks():
    packed = gzip.compress(PAGE)
    parts = [packed[n : n + 30] for n in range(0, len(packed), 30)]
    body = b"".join(b"%X;a=b\r\n%s\r\n" % (len(part), part) for part in parts)
    more = b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"
    (fact,) = titles(facts_of(*sent(answer(body, more=more, length=False), size=50)))
    assert fact.payload.endswith(b"<title>NETSurveillance WEB</title>")


def test_the_head_is_kept_as_before_even_where_the_page_never_comes_whole():
    first, *_ = sent(answer(), size=190)
    (head,) = facts_of(first)
    assert head.kind == "http"
    assert head.payload.endswith(b"\r\n\r\n")
    assert [x.kind for x in facts_of(*sent(answer(), size=190))] == ["http", "title"]


def test_a_device_is_named_by_the_page_another_one_fetched():
    facts = facts_of(*asked(b"GET / HTTP/1.1\r\nHost: 10.20.0.9\r\n\r\n"), *sent(answer()))
    (device,) = [d for d in identify(observed(facts), KNOWLEDGE) if d.is_camera]
    assert device.value(Attribute.PLATFORM) == "xiongmai"
    by_title = [
        e for claim in device.claims for e in claim.evidence if e.signature == "xiongmai.http.title"
    ]
    assert by_title
    assert all(e.level.value <= "E2" for e in by_title)
    (alone,) = identify(observed([f for f in facts if f.kind != "title"]), KNOWLEDGE)
    assert "xiongmai.http.title" not in repr(alone)


@pytest.mark.parametrize(
    "data",
    [
        answer(kind=b"text/plain"),
        answer(kind=b"application/json"),
        answer(kind=b"image/svg+xml"),
        answer(b"<html><head></head><body><title>NETSurveillance WEB</title></body></html>"),
        answer(b"<html><head><title>" + b"a " * 150 + b"</title></head></html>"),
        answer(b"<html><head><title> \n </title></head></html>"),
        answer(b"<html><head>" + b"<meta x>" * 3000 + b"<title>NETSurveillance WEB</title>"),
        answer(PAGE, more=b"Content-Encoding: br\r\n"),
        answer(bytes(range(256)), more=b"Content-Encoding: gzip\r\n"),
        answer(b"zz\r\n" + PAGE, more=b"Transfer-Encoding: chunked\r\n", length=False),
        answer(PAGE, status=b"304 Not Modified"),
    ],
)  # fmt: skip
def test_what_is_no_page_or_names_nothing_has_no_title(data):
    facts = facts_of(*sent(data, size=300))
    assert [x.kind for x in facts] == ["http"]
    assert facts[0].payload.endswith(b"\r\n\r\n")


def test_an_answer_to_head_has_no_page_and_the_next_one_has():
    head = answer(b"", more=b"Content-Length: 900\r\n", length=False)
    seen = facts_of(*asked(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"), *sent(head + answer()))
    assert titles(seen) == []


def test_only_servers_of_the_owner_are_read():
    facts = Facts(lambda address: address == "10.20.0.50")
    for packet in sent(answer()):
        facts.segment(packet)
    assert facts.done() == ()


@pytest.mark.parametrize(
    ("title", "kept"),
    [
        (b"Index of /snap.cgi?user=admin&amp;code=TopSecret", b"Index of <cut:query:39>"),
        (b"Login password=TopSecret", b"Login <cut:query:18>"),
        (b"/login%3Fuser%3Dadmin%26code%3DTopSecret missing", b"<cut:query:40> missing"),
        (b"Session 0123456789abcdef0123456789ABCDEF open", b"Session <cut:query:32> open"),
        (b"rtsp://admin:TopSecret@10.0.0.9/live", b"rtsp://admin:<cut:password:9>@10.0.0.9/live"),
        (b"Playback: /rec/2026-11-01_0215.MP4", b"Playback: <cut:query:24>"),
        (b"DS-2CD2143G0-IS - Network Camera", b"DS-2CD2143G0-IS - Network Camera"),
    ],
)
def test_what_a_title_repeats_of_a_login_is_cut(title, kept):
    body = b"<html><head><title>" + title + b"</title></head></html>"
    (fact,) = titles(facts_of(*sent(answer(body))))
    assert fact.payload.endswith(b"<title>" + kept + b"</title>")


def test_a_server_of_many_titles_fills_no_table():
    packets = []
    for number in range(60):
        body = b"<html><head><title>Message %d</title></head></html>" % number
        packets += [p._replace(sport=80) for p in sent(answer(body), at=float(number))]
    facts = Facts(lambda _: True)
    for packet in packets:
        facts.segment(packet)
    found = facts.done()
    assert len(titles(found)) == 8
    assert [x.kind for x in found if x.kind != "title"] == ["http"]
    assert facts.not_examined == {"answers of devices beyond the limit": 52}


def test_a_page_that_inflates_without_end_is_let_go():
    bomb = gzip.compress(b"<html><head>" + bytes(50_000_000))
    facts = facts_of(*sent(answer(bomb, more=b"Content-Encoding: gzip\r\n")))
    assert [x.kind for x in facts] == ["http"]


@given(st.binary(max_size=600), st.sampled_from([b"", b"gzip", b"deflate"]), st.booleans())
def test_any_page_is_read_or_left(body, coding, in_chunks):
    more = b"Content-Encoding: %s\r\n" % coding if coding else b""
    more += b"Transfer-Encoding: chunked\r\n" if in_chunks else b""
    for data in (body, PAGE[:100] + body, gzip.compress(PAGE)[:60] + body):
        found, _ = pages.title_of(answer(data, more=more, length=not in_chunks))
        assert len(found) < 1000
        assert found == b"" or found.endswith(b"</title>")
        assert found.count(b"<title>") <= 1


@given(st.binary(max_size=200))
def test_bytes_that_are_no_answer_have_no_title(data):
    assert pages.title_of(data)[0] == b""
