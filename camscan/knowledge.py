"""How does the folder signatures/ become one typed, frozen, hashed Knowledge?

The content hash is SHA-256 over the sorted (relative path, bytes) of every file that was read. Where exactly these
files were read before, the result comes from a cache; else `knowledge_build` reads them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from camscan import knowledge_cache
from camscan.errors import KnowledgeError

if TYPE_CHECKING:
    from camscan.model.knowledge import Knowledge

_OWN = "local."
"""Stands before the paths of a user's own folder in the content hash."""
MAX_FILE = 4 << 20
_Files = Mapping[str, bytes]
_MISTAKEN = frozenset({".toml", ".yaml", ".yml", ".json", ".tml", ".ini", ".conf", ".cfg"})


def load(directory: Path | None = None, local: Path | None = None) -> Knowledge:
    """Everything signatures/ knows, validated and frozen.

    `directory`: default the folder shipped in the wheel, else that of the checkout. `local`: a user's
    own folder of the same layout; it only adds records whose id starts with `local.`.
    Raises KnowledgeError naming file, record id and field.
    """
    return _whole(*_found(directory, local))


def load_part(
    kind: type[knowledge_cache.Part], directory: Path | None = None, local: Path | None = None
) -> knowledge_cache.Part:
    """As `load`, but only the fields that `kind` has in common with Knowledge: who needs few starts faster.

    One of them is `content_hash`.
    """
    files, own, digest = _found(directory, local)
    part = knowledge_cache.get(digest, kind)
    if part is None:
        whole = _whole(files, own, digest)
        part = kind(**{name: getattr(whole, name) for name in kind.__struct_fields__})
        knowledge_cache.put(digest, part)
    return part


def _found(directory: Path | None, local: Path | None) -> tuple[_Files, _Files, str]:
    """The files of both folders, and the content hash."""
    files = _read(directory if directory is not None else shipped())
    own = _read(local) if local is not None else {}
    if local is not None and (strange := _strange(local)):
        raise KnowledgeError(
            f"{strange}: would not be read; records stand in files that end in .toml"
        )
    if local is not None and not own:
        raise KnowledgeError(
            f"{local}: no .toml file below it; give a folder laid out like signatures/"
        )
    return files, own, _content_hash(files, own)


def _whole(files: _Files, own: _Files, digest: str) -> Knowledge:
    from camscan.model.knowledge import Knowledge

    known = knowledge_cache.get(digest, Knowledge)
    if known is None:
        known = _build(files, own, digest)
        knowledge_cache.put(digest, known)
    return known


def _build(files: _Files, own: _Files, digest: str) -> Knowledge:
    # It brings every type of record, and TOML.
    from camscan.knowledge_build import build

    return build(files, own, digest)


def shipped() -> Path:
    """The folder of the installed wheel, else of the checkout this module stands in."""
    checkout = Path(__file__).resolve().parent.parent / "signatures"
    packaged = Path(__file__).resolve().parent / "_signatures"
    for place in (packaged, checkout):
        if place.is_dir():
            return place
    raise KnowledgeError(
        f"signatures/ was found neither in the installed package ({packaged}) nor beside the checkout "
        f"({checkout}); install camscan again or give --signatures-root",
    )


def _strange(root: Path) -> str:
    """A file of a user's own folder that looks like records and would be passed over, empty if none."""
    found = (p for p in sorted(root.rglob("*")) if p.suffix.casefold() in _MISTAKEN)
    wrong = (p for p in found if p.suffix != ".toml" and p.is_file())
    return next((p.relative_to(root).as_posix() for p in wrong), "")


def _read(root: Path) -> dict[str, bytes]:
    if not root.is_dir():
        raise KnowledgeError(f"{root}: not a folder; expected the layout of signatures/")
    found: dict[str, bytes] = {}
    for name in sorted(_names(root)):
        try:
            with (root / name).open("rb", buffering=0) as file:
                data = file.read()
        except OSError as error:
            raise KnowledgeError(f"{name}: cannot be read: {error.strerror}") from error
        if len(data) > MAX_FILE:
            raise KnowledgeError(f"{name}: {len(data)} bytes; split it, {MAX_FILE} is the limit")
        found[name] = data
    return found


def _names(root: Path) -> Iterator[str]:
    """The TOML files by their path below the root, with `/`. Most commands wait for this, so no Path for each."""
    for folder, folders, files in os.walk(root):
        below = Path(folder).relative_to(root).as_posix()
        for name in (*files, *folders):
            if name.endswith(".toml"):
                yield name if below == "." else f"{below}/{name}"


def _content_hash(files: _Files, own: _Files) -> str:
    whole = hashlib.sha256()
    for prefix, group in (("", files), (_OWN, own)):
        for name in sorted(group):
            for part in (f"{prefix}{name}".encode(), group[name]):
                whole.update(len(part).to_bytes(8, "big"))
                whole.update(part)
    return whole.hexdigest()
