"""Where in a run of bytes do containers begin, and which of two that overlap is real?

One pass looks for the magic numbers of all forms. A filesystem or container counts once its superblock,
checksum or tables were validated; the search goes on behind its end, so nothing inside it is taken for a
container of its own. Compressed streams cannot be validated without expanding them: they are candidates, tried
in the bytes that no validated container covers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import re2

from camscan.observe.firmware.form import BROKEN, STREAM, Form, Found, pattern
from camscan.observe.firmware.watch import BudgetError, NoLibraryError, Watch

MOST_STREAMS = 50_000
"""Candidates for compressed streams in one run of bytes; random data has a few per MiB."""
_PIECE = 1 << 30
"""RE2 counts in 32 bits."""
_OVERLAP = 64


class Candidate(NamedTuple):
    """A place where a container begins (`found`), or where a compressed stream may begin (None)."""

    at: int
    form: Form
    found: Found | None


@cache
def _search(forms: tuple[Form, ...]) -> re2._Regexp:
    return pattern(*(magic for form in forms for magic, _ in form.magics))


@cache
def _tests(forms: tuple[Form, ...]) -> tuple[tuple[re.Pattern[bytes], int, Form], ...]:
    return tuple(
        (re.compile(magic.encode("ascii"), re.DOTALL), back, form)
        for form in forms
        for magic, back in form.magics
    )


def carve(
    view: memoryview, forms: tuple[Form, ...], watch: Watch, extents: Iterable[tuple[int, int]]
) -> list[Candidate]:
    """All candidates of `view`, by place; `extents` are the parts that hold data (all of it, or of a sparse file)."""
    search, tests = _search(forms), _tests(forms)
    kept: list[Candidate] = []
    streams = 0
    end = 0
    for start, stop in _pieces(extents):
        at = max(start, end)
        while at < stop:
            hit = search.search(view, at, min(stop + _OVERLAP, len(view)))
            if hit is None:
                break
            place = hit.start()
            at = place + 1
            watch.tick()
            head = view[place : place + _OVERLAP]
            for test, back, form in tests:
                begin = place - back
                if begin < end or not test.match(head):
                    continue
                if form.rank == STREAM:
                    streams += 1
                    if streams > MOST_STREAMS:
                        raise BudgetError(
                            f"more than {MOST_STREAMS} streams may begin", final=False
                        )
                    kept.append(Candidate(begin, form, None))
                    continue
                found = probe(form, view, begin, watch)
                if found is not None:
                    kept.append(Candidate(begin, form, found))
                    end = at = max(at, begin + found.size)
                    break
    kept.sort(key=lambda c: (c.at, c.form.rank))
    return kept


def probe(form: Form, view: memoryview, at: int, watch: Watch) -> Found | None:
    """A validated container, or None where the bytes only look like one."""
    try:
        return form.probe(view, at, watch)
    except (BudgetError, NoLibraryError):
        raise
    except BROKEN:
        return None


def _pieces(extents: Iterable[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    for start, end in extents:
        for at in range(start, end, _PIECE):
            yield at, min(at + _PIECE, end)
