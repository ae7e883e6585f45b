"""Was exactly this knowledge read before on this machine?

Reading some thousand TOML records takes longer than a command should. The cache is keyed by the
content hash of signatures/ and the hash of the code that reads it, so a changed byte in either is a
miss. The file begins with the SHA-256 of what follows, so one changed byte in itself is a miss too; so
is a file of somebody else, or one that others may write. Nothing depends on it: without it, or where
it cannot be written, results are the same and half a second later.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

import msgspec

from camscan import knowledge_records
from camscan.model import claim, imprint, observation, party, probe, product, service
from camscan.model import knowledge as model
from camscan.model.knowledge import Knowledge

_LIMIT = 64 << 20
_KEEP = 4
_PREFIX = "knowledge-"
_SUM = 32
"""Bytes of the SHA-256 at the beginning."""


def get(digest: str) -> Knowledge | None:
    """The knowledge with this content hash, None where it is not cached."""
    path = _path(digest)
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_size > _LIMIT or not _ours(status):
                return None
            data = file.read()
        if hashlib.sha256(data[_SUM:]).digest() != data[:_SUM]:
            return None
        found = msgspec.msgpack.decode(memoryview(data)[_SUM:], type=Knowledge)
    except (OSError, msgspec.MsgspecError):
        return None
    return found if found.content_hash == digest else None


def put(digest: str, knowledge: Knowledge) -> None:
    """Remember it; a folder that cannot be written is no error."""
    path = _path(digest)
    data = msgspec.msgpack.encode(knowledge)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=_PREFIX, delete=False) as file:
            file.write(hashlib.sha256(data).digest())
            file.write(data)
        Path(file.name).replace(path)
        old = sorted(path.parent.glob(f"{_PREFIX}*"), key=lambda p: p.stat().st_mtime_ns)
        for stale in old[:-_KEEP]:
            stale.unlink(missing_ok=True)
    except OSError:
        return


def _path(digest: str) -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "camscan" / f"{_PREFIX}{digest[:32]}-{_code()[:16]}.msgpack"


def _ours(status: os.stat_result) -> bool:
    """Nobody else may have written it."""
    if sys.platform == "win32":
        return True
    return status.st_uid == os.getuid() and not status.st_mode & 0o022


@lru_cache(maxsize=1)
def _code() -> str:
    whole = hashlib.sha256()
    modules = (claim, imprint, observation, party, probe, product, service, model)
    readers = [m.__file__ for m in (*modules, knowledge_records)]
    for name in (*readers, __file__, str(Path(__file__).with_name("knowledge.py"))):
        whole.update(Path(name or "").read_bytes())
    return whole.hexdigest()
