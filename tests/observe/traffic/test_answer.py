"""Bytes of an answer in order whatever the network did to its segments; holes are said and never filled."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camscan.observe.traffic import answer as module
from camscan.observe.traffic.answer import Answer, Segments

BODY = bytes(random.Random(1).randbytes(3000))


def head(*fields, status="200 OK"):
    return "\r\n".join((f"HTTP/1.1 {status}", *fields, "", "")).encode()


def chunks(body, size=700):
    out = b"".join(
        b"%x;ext=1\r\n%s\r\n" % (len(body[i : i + size]), body[i : i + size])
        for i in range(0, len(body), size)
    )
    return out + b"0\r\nTrailer: x\r\n\r\n"


FORMS = {
    "length": (head("Content-Length: 3000") + BODY, True),
    "chunks": (head("Transfer-Encoding: chunked") + chunks(BODY), True),
    "connection": (head("Content-Type: x/y") + BODY, False),
}


def read(pieces, *, ended=False):
    answer, body = Answer(), bytearray()
    for piece in pieces:
        for place, data in answer.take(piece):
            body[len(body) :] = bytes(place - len(body)) if place > len(body) else b""
            body[place : place + len(data)] = data
        if answer.done:
            break
    answer.close(ended=ended)
    return answer, bytes(body)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [1, 2, 7, 1000, 9000])
def test_a_body_is_put_together_from_pieces_of_any_size(form, size):
    raw, framed = FORMS[form]
    answer, body = read([raw[i : i + size] for i in range(0, len(raw), size)], ended=True)
    assert body == BODY
    assert answer.whole
    assert answer.done
    assert answer.size == 3000
    assert not framed or not read([raw[:-600]])[0].whole


def test_what_follows_a_body_is_left():
    raw, _ = FORMS["length"]
    answer, _ = read([raw + b"HTTP/1.1 404 "])
    assert answer.rest == b"HTTP/1.1 404 "


def test_an_answer_that_ends_with_its_connection_is_whole_only_then():
    assert read([FORMS["connection"][0]], ended=False)[0].whole is False


def test_the_head_is_read():
    found = module.head_of(
        head("Content-Type: Application/Octet-Stream; x=y", "content-range: bytes 5-9/100", "Content-Length: 5", status="206 P")
    )  # fmt: skip
    assert found is not None
    assert (found.status, found.kind, found.length) == (206, "application/octet-stream", 5)
    assert (found.begin, found.total) == (5, 100)
    assert module.head_of(b"HTTP/1.1 abc\r\n") is None


@pytest.mark.parametrize("form", ["length", "connection"])
def test_a_hole_leaves_its_place(form):
    raw, _ = FORMS[form]
    answer, body = read([raw[:1000], 500, raw[1500:]], ended=True)
    assert answer.whole
    assert len(body) == 3000
    start = 1000 - (len(raw) - 3000)
    assert body == BODY[:start] + bytes(500) + BODY[start + 500 :]


def test_a_hole_in_the_framing_of_chunks_ends_the_answer():
    raw, _ = FORMS["chunks"]
    answer, body = read([raw[:1000], 1500, raw[2500:]])
    assert answer.done
    assert not answer.whole
    assert BODY.startswith(body)


def test_a_hole_within_one_chunk_is_a_hole():
    raw = head("Transfer-Encoding: chunked") + chunks(BODY, 3000)
    answer, body = read([raw[:1000], 500, raw[1500:]])
    assert answer.whole
    assert len(body) == 3000


@pytest.mark.parametrize(
    "raw",
    [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabXX", b"SSH-2.0", b"HTTP/1.1 200 " + b"x" * 20_000],
)  # fmt: skip
def test_what_is_no_answer_ends_at_once(raw):
    answer, body = read([raw])
    assert answer.done
    assert not answer.whole
    assert body in {b"", b"ab"}


def segments(data, rng, *, base, lost=(), mixed=4):
    """(sequence number, bytes): some twice, overlapping, out of order, some not at all."""
    cut = sorted({0, len(data), *(rng.randrange(len(data)) for _ in range(20))})
    parts = [(a, data[a:b]) for a, b in pairwise(cut)]
    parts = [p for n, p in enumerate(parts) if n not in lost]
    for _ in range(mixed):
        at = rng.randrange(len(data))
        if not lost:
            parts.insert(rng.randrange(1, len(parts) + 1), (at, data[at : at + 400]))
    for _ in range(mixed):
        i = rng.randrange(1, len(parts) - 1)
        parts[i], parts[i + 1] = parts[i + 1], parts[i]
    return [((base + at) & 0xFFFFFFFF, part) for at, part in parts]


@pytest.mark.parametrize("seed", range(40))
def test_segments_come_in_order_over_the_end_of_the_numbers(seed):
    rng = random.Random(seed)
    data = rng.randbytes(5000)
    base = 0xFFFFFFFF - rng.randrange(6000)
    order = Segments(base)
    got = [p for seq, part in segments(data, rng, base=base) for p in order.add(seq, part)]
    got += order.end()
    assert b"".join(p for p in got if isinstance(p, bytes)) == data
    assert not [p for p in got if isinstance(p, int)]


@pytest.mark.parametrize("seed", range(40))
def test_what_is_lost_is_a_hole_of_its_size(seed):
    rng = random.Random(seed)
    data = rng.randbytes(5000)
    order = Segments(7)
    lost = set(rng.sample(range(1, 9), 2))
    got = [p for seq, part in segments(data, rng, base=7, lost=lost) for p in order.add(seq, part)]
    got += order.end()
    whole = b"".join(p if isinstance(p, bytes) else bytes(p) for p in got)
    assert len(whole) <= len(data)
    held = [(i, b) for i, b in enumerate(whole) if b]
    assert all(data[i] == b for i, b in held)
    assert any(isinstance(p, int) for p in got)


def test_no_more_is_held_back_than_the_window(monkeypatch):
    monkeypatch.setattr(module, "WINDOW", 1000)
    order = Segments(0)
    got = [p for n in range(1, 50) for p in order.add(100 * n, bytes(100))]
    assert got[0] == 100
    assert order._held <= 1000


@given(st.lists(st.one_of(st.binary(max_size=60), st.integers(1, 90), st.sampled_from(
    [head("Content-Length: 9"), head("Transfer-Encoding: chunked"), b"5\r\nabcde\r\n", b"0\r\n\r\n", b"\r\n", b"HTTP/1.1 200 OK\r\n"])), max_size=20))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_any_pieces_are_taken(pieces):
    answer, _ = read(pieces)
    assert answer.done
    assert answer.size >= 0


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.binary(max_size=30)), max_size=30))
@settings(max_examples=300, deadline=None)
def test_any_segments_are_taken(parts):
    order = Segments(0)
    for seq, part in parts:
        for piece in order.add(seq, part):
            assert piece
    assert all(order.end())
