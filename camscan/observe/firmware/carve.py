"""Where in a run of bytes do containers begin, and which of two that overlap is real?

One pass looks for the magic numbers of all forms. A filesystem or container counts once its superblock,
checksum or tables were validated; the search goes on behind its end, so nothing inside it is taken for a
container of its own. Compressed streams cannot be validated without expanding them: they are candidates, tried
in the bytes that no validated container covers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import re2

from camscan.observe.firmware.form import BROKEN, STREAM, Form, Found, pattern
from camscan.observe.firmware.watch import BudgetError, NoLibraryError, Watch

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


class Carved(NamedTuple):
    """What one run of bytes gave."""

    candidates: list[Candidate]
    """By place."""
    left_out: list[str]
    """Forms that were given up, and containers too large, in words."""


def carve(
    view: memoryview, forms: tuple[Form, ...], watch: Watch, extents: Iterable[tuple[int, int]]
) -> Carved:
    """All candidates of `view`; `extents` are the parts that hold data (all of it, or of a sparse file).

    A form that looks like itself at too many places is given up, so that a flood of its magic number does not
    use up the time of everything else.
    """
    search, tests = _search(forms), _tests(forms)
    carved = Carved([], [])
    looks: Counter[str] = Counter()
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
                looks[form.name] += 1
                if looks[form.name] > form.looks:
                    carved.left_out.append(f"{form.name}: at more than {form.looks} places")
                    forms = tuple(f for f in forms if f is not form)
                    search, tests = _search(forms), _tests(forms)
                    break
                if form.rank == STREAM:
                    carved.candidates.append(Candidate(begin, form, None))
                    continue
                try:
                    found = probe(form, view, begin, watch)
                except (BudgetError, NoLibraryError) as error:
                    if isinstance(error, BudgetError) and error.final:
                        raise
                    carved.left_out.append(f"{form.name} at 0x{begin:x}: {error}")
                    continue
                # Some are known by what stands inside them: they begin earlier, but never in another container.
                if found is not None and found.at >= end:
                    carved.candidates.append(Candidate(found.at, form, found))
                    end = at = max(at, found.at + found.size)
                    break
    carved.candidates.sort(key=lambda c: (c.at, c.form.rank))
    return carved


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
