"""How does an image become a stream of its files, one at a time and never on disk?

`open_image` takes bytes, a file or an extracted tree. `Opening.entries()` walks depth first, in the order of
the bytes of the image; `opened` and `unopened` fill up on the way and are complete when it ends.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator
from pathlib import Path

from camscan.clock import iso
from camscan.model.firmware import Opened, Unopened
from camscan.observe.firmware import partitions
from camscan.observe.firmware.blank import WINDOW, filled, high, looks_encrypted
from camscan.observe.firmware.carve import Candidate, carve, probe
from camscan.observe.firmware.entry import NO_BYTES, Budget, Entry
from camscan.observe.firmware.form import BROKEN, Bytes, Found, Member
from camscan.observe.firmware.forms.nand import NAND
from camscan.observe.firmware.forms.registry import FORMS, WHOLE, dense
from camscan.observe.firmware.source import Source, map_file, walk_tree
from camscan.observe.firmware.watch import (
    BudgetError,
    EncryptedError,
    NoLibraryError,
    PartialError,
    Watch,
)

MOST_NOTES = 5000
"""Parts not examined that are named one by one; how many more there are is said in one line."""
_SMALLEST = 64
"""Bytes: nothing shorter is a container."""
UNKNOWN = "encrypted or compressed in a form not known, not examined"


def open_image(data_or_path: Bytes | Path | str, *, budget: Budget | None = None) -> Opening:
    """An image as bytes, the path of a file, or the path of an extracted tree.

    Raises OSError only where the image itself cannot be read.
    """
    return Opening(data_or_path, budget or Budget())


class Opening:
    """One image while it is being opened."""

    def __init__(self, what: Bytes | Path | str, budget: Budget) -> None:
        self.opened: list[Opened] = []
        self.unopened: list[Unopened] = []
        self.watch = Watch(budget)
        self._what = what
        self._more = 0
        self._at = 0
        self._source: Source | None = None
        self._tables: dict[str, partitions.Table] = {}
        """Path of flash contents -> names of its parts."""

    def entries(self) -> Iterator[Entry]:
        """The entries of the image; a second call opens it again from the beginning."""
        self.opened.clear()
        self.unopened.clear()
        self._more = 0
        self.watch = Watch(self.watch.budget)
        if isinstance(self._what, bytes | bytearray | memoryview):
            yield from self._image(Source(memoryview(self._what).cast("B").toreadonly()))
        elif (path := Path(self._what)).is_dir():
            yield from self._tree(path)
        else:
            yield from self._image(map_file(path))
        self._last_note()

    def sha256(self) -> str:
        """Lower-case hex of the whole image, "" of a tree or where the time of the budget is over.

        For use between or after the entries. Holes of a sparse file cost no reading.
        """
        digest = hashlib.sha256()
        if self._source is None:
            return ""
        try:
            for piece in self._source.pieces():
                digest.update(piece)
                self.watch.tick()
        except BudgetError:
            return ""
        return digest.hexdigest()

    def _image(self, source: Source) -> Iterator[Entry]:
        view = source.view
        self._source = source
        yield Entry("", "image", view, size=len(view))
        self._at = 0
        try:
            if not len(view):
                self._note("", 0, 0, "unknown-format", "empty file")
                return
            self._tables = {"": partitions.find(view)}
            yield from self._search(source, "", 0)
        except BudgetError as error:
            self._note("", self._at, len(view) - self._at, "budget", str(error))

    def _tree(self, root: Path) -> Iterator[Entry]:
        try:
            for member in walk_tree(root, self._refused, self.watch.budget.files):
                entry = self._entry(member, "")
                if entry is not None:
                    yield entry
                    yield from self._inside(entry, 0)
        except BudgetError as error:
            self._note("", 0, 0, "budget", f"{error}; the rest of the tree was not examined")

    def _refused(self, path: str, error: OSError) -> None:
        self._note(path, 0, 0, _reason(error), _said(error))

    def _search(self, source: Source, path: str, depth: int) -> Iterator[Entry]:
        """Containers at any place of these bytes; of the image itself (depth 0) also what lies between."""
        view = source.view
        end = 0
        opened_any = False
        candidates = self._candidates(source, path)
        ceilings = _ceilings(candidates, len(view))
        for i, candidate in enumerate(candidates):
            if candidate.at < end:
                continue
            found = self._validated(view, candidate, ceilings[i], path)
            if found is None:
                continue
            if depth >= self.watch.budget.depth:
                text = f"{found.form or candidate.form.name} inside {depth} containers"
                self._note(path, found.at, found.size, "budget", text)
                end = found.at + found.size
                continue
            if depth == 0:
                yield from self._between(source, end, found.at)
                self._at = found.at
            else:
                self._dense(source, end, found.at, path)
            inner = self._name(source, found, candidate, path)
            name = partitions.named(self._tables.get(path, ()), found.at)
            if name and found.size < len(view):
                found = found._replace(label=f"{found.label}, partition {name}".removeprefix(", "))
            yield from self._open(view, found, candidate.form.name, inner, depth)
            end = found.at + found.size
            opened_any = True
        if depth == 0:
            self._at = end
            yield from self._between(source, end, len(view))
            if not opened_any:
                text = "no known container; searched as raw bytes"
                self._note("", 0, len(view), "unknown-format", text)
        elif opened_any:
            self._dense(source, end, len(view), path)
        elif not dense(view):
            value = looks_encrypted(view)
            if value is not None:
                self._note(path, 0, len(view), "encrypted", UNKNOWN, value=value)

    def _candidates(self, source: Source, path: str) -> list[Candidate]:
        for form in WHOLE:
            try:
                found = probe(form, source.view, 0, self.watch)
            except BudgetError as error:
                if error.final:
                    raise
                self._note(path, 0, len(source.view), "budget", f"{form.name}: {error}")
                continue
            if found is not None:
                return [Candidate(0, form, found)]
        carved = carve(source.view, FORMS, self.watch, source.extents)
        for left_out in carved.left_out:
            self._note(path, 0, len(source.view), "budget", left_out)
        return carved.candidates

    def _validated(
        self, view: memoryview, candidate: Candidate, ceiling: int, path: str
    ) -> Found | None:
        """A stream may run up to the next validated container."""
        if candidate.found is not None:
            return candidate.found
        try:
            return probe(candidate.form, view[:ceiling], candidate.at, self.watch)
        except (BudgetError, NoLibraryError, MemoryError) as error:
            if isinstance(error, BudgetError) and error.final:
                raise
            size = ceiling - candidate.at
            self._note(path, candidate.at, size, _reason(error), _said(error))
        return None

    def _name(self, source: Source, found: Found, candidate: Candidate, path: str) -> str:
        """A container that is all of its parent needs no name of its own."""
        if found.at == 0 and next(filled(source, found.size, len(source.view)), None) is None:
            return path
        return _join(path, f"{candidate.form.name}@0x{found.at:x}")

    def _open(
        self, view: memoryview, found: Found, form: str, inner: str, depth: int
    ) -> Iterator[Entry]:
        place = len(self.opened)
        record = Opened(
            path=inner,
            offset=found.at,
            size=found.size,
            form=found.form or form,
            label=found.label,
            created=iso(found.created) if found.created else "",
        )
        self.opened.append(record)
        tried = given = files = 0
        failed = False
        try:
            for member in found.members(self.watch):
                tried += 1
                entry = self._entry(member, inner)
                if entry is not None:
                    given += 1
                    files += entry.kind == "file"
                    yield entry
                    if form == NAND.name:
                        self._tables[entry.path] = partitions.find(memoryview(entry.data))
                    if not _itself(entry.data, found.size, view[found.at :]):
                        yield from self._inside(entry, depth + 1)
        except (*BROKEN, MemoryError) as error:
            if isinstance(error, BudgetError) and error.final:
                raise
            failed = True
            self._note(inner, found.at, found.size, _reason(error), _said(error))
        finally:
            if not given and (failed or tried):
                del self.opened[place]  # nothing came out: it was not opened
            else:
                values = {f: getattr(record, f) for f in record.__struct_fields__}
                self.opened[place] = Opened(**(values | {"files": files}))
        if found.damage:
            self._note(inner, found.at, found.size, "damaged", found.damage)

    def _entry(self, member: Member, inner: str) -> Entry | None:
        self.watch.entry()
        path = _join(inner, member.name)
        mode = member.mode & 0o7777
        if member.kind != "file":
            return Entry(path, member.kind, NO_BYTES, member.target, mode, 0)
        data = self._read(member, path)
        if data is None:
            return None
        self.watch.grow(len(data))
        return Entry(path, "file", data, "", mode, max(member.size, len(data)))

    def _inside(self, entry: Entry, depth: int) -> Iterator[Entry]:
        """What lies in a file: containers are opened to the depth of the budget."""
        if entry.kind == "file" and len(entry.data) >= _SMALLEST:
            yield from self._search(Source(memoryview(entry.data)), entry.path, max(depth, 1))

    def _read(self, member: Member, path: str) -> Bytes | None:
        try:
            self.watch.fits(member.size)
            return member.read()
        except PartialError as error:
            got = len(error.data)
            self._note(path, got, max(0, member.size - got), "damaged", str(error))
            return error.data
        except (*BROKEN, MemoryError) as error:
            if isinstance(error, BudgetError) and error.final:
                raise
            self._note(path, 0, member.size, _reason(error), _said(error))
        return None

    def _between(self, source: Source, start: int, end: int) -> Iterator[Entry]:
        """Bytes of the image in no container: given out for searching, and said if they look encrypted."""
        for begin, stop in filled(source, start, end):
            self.watch.tick()
            for low, up, value in high(source.view, begin, stop):
                self._note("", low, up - low, "encrypted", UNKNOWN, value=value)
            piece = source.view[begin:stop]
            yield Entry(f"gap@0x{begin:x}", "gap", piece, size=len(piece), offset=begin)

    def _dense(self, source: Source, start: int, end: int, path: str) -> None:
        """What of these bytes beside containers looks encrypted; the file that holds them was given out already."""
        if end - start >= WINDOW:
            for begin, stop in filled(source, start, end):
                for low, up, value in high(source.view, begin, stop):
                    self._note(path, low, up - low, "encrypted", UNKNOWN, value=value)

    def _note(
        self,
        path: str,
        offset: int,
        size: int,
        reason: str,
        detail: str,
        *,
        value: float | None = None,
    ) -> None:
        if len(self.unopened) >= MOST_NOTES:
            self._more += 1
            return
        self.unopened.append(
            Unopened(
                path=path,
                offset=offset,
                size=size,
                reason=reason,
                detail=detail,
                entropy=None if value is None else round(value, 3),
            )
        )

    def _last_note(self) -> None:
        if self._more:
            detail = f"{self._more} more parts were not examined"
            self.unopened.append(
                Unopened(path="", offset=0, size=0, reason="budget", detail=detail)
            )


def _ceilings(candidates: list[Candidate], end: int) -> list[int]:
    """For every candidate where the next validated container begins."""
    ceilings = []
    for candidate in reversed(candidates):
        ceilings.append(end)
        if candidate.found is not None:
            end = candidate.at
    return ceilings[::-1]


def _itself(data: Bytes, size: int, container: memoryview) -> bool:
    """Whether a file is all of its container: then looking into it would find the container again."""
    return len(data) == size and data == container[:size]


def _join(outer: str, inner: str) -> str:
    return f"{outer}!/{inner}" if outer else inner


def _reason(error: BaseException) -> str:
    """The word of `Unopened.reason` for what went wrong."""
    if isinstance(error, BudgetError | MemoryError):
        return "budget"
    if isinstance(error, EncryptedError):
        return "encrypted"
    if isinstance(error, NoLibraryError):
        return "no-library"
    if isinstance(error, PermissionError):
        return "permission"
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return "budget"
    return "damaged"


def _said(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)[:200] or type(error).__name__
