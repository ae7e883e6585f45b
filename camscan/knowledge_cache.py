"""Was exactly this knowledge read before on this machine?

Reading some thousand TOML records takes longer than a command should. The cache is keyed by the
content hash of signatures/ and the hash of the code that reads it, so a changed byte in either is a
miss. The file begins with the SHA-256 of what follows, so one changed byte in itself is a miss too; so
is a file of somebody else, or one that others may write. Nothing depends on it: without it, or where
it cannot be written, results are the same and half a second later. A part of the knowledge that is asked
for by itself has a file of its own: most of a start would be the reading of what is not wanted.
"""

from __future__ import annotations

import hashlib
import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import msgspec

Part = TypeVar("Part", bound=msgspec.Struct)
_LIMIT = 64 << 20
_KEEP = 4
_SUM = 32
"""Bytes of the SHA-256 at the beginning."""
_READERS = (
    *(
        f"model/{name}.py"
        for name in (
            "claim", "imprint", "knowledge", "observation", "party", "probe", "product", "service",
        )
    ),
    "knowledge.py", "knowledge_build.py", "knowledge_cache.py", "knowledge_records.py",
)  # fmt: skip
"""The code a cached result depends on. By name: most commands that read the cache need little of it."""


def get(digest: str, kind: type[Part]) -> Part | None:
    """The knowledge with this content hash, or a part of it; None where it is not cached."""
    path = _path(digest, kind)
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_size > _LIMIT or not _ours(status):
                return None
            data = memoryview(file.read())
        if hashlib.sha256(data[_SUM:]).digest() != data[:_SUM]:
            return None
        found = msgspec.msgpack.decode(data[_SUM:], type=kind)
    except (OSError, msgspec.MsgspecError):
        return None
    return found if getattr(found, "content_hash", "") == digest else None


def put(digest: str, part: msgspec.Struct) -> None:
    """Remember it; a folder that cannot be written is no error."""
    import tempfile  # only where something is written

    path = _path(digest, type(part))
    data = msgspec.msgpack.encode(part)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=_prefix(type(part)), delete=False
        ) as file:
            file.write(hashlib.sha256(data).digest())
            file.write(data)
        Path(file.name).replace(path)
        old = sorted(
            path.parent.glob(f"{_prefix(type(part))}*"), key=lambda p: p.stat().st_mtime_ns
        )
        for stale in old[:-_KEEP]:
            stale.unlink(missing_ok=True)
    except OSError:
        return


def _prefix(kind: type[msgspec.Struct]) -> str:
    return f"{kind.__name__.lower()}-"


def _path(digest: str, kind: type[msgspec.Struct]) -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "camscan" / f"{_prefix(kind)}{digest[:32]}-{_code()[:16]}.msgpack"


def _ours(status: os.stat_result) -> bool:
    """Nobody else may have written it."""
    if sys.platform == "win32":
        return True
    return status.st_uid == os.getuid() and not status.st_mode & 0o022


@lru_cache(maxsize=1)
def _code() -> str:
    whole = hashlib.sha256()
    for name in _READERS:
        whole.update((Path(__file__).parent / name).read_bytes())
    return whole.hexdigest()
