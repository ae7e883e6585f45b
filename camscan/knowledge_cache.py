"""Was exactly this knowledge read before on this machine?

Reading some thousand TOML records takes longer than a command should. The cache is keyed by the
content hash of signatures/ and the hash of the code that reads it, so a changed byte in either is a
miss; a damaged or foreign file is a miss too. Nothing depends on it: without it results are the same.
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
from camscan.model import claim, imprint, observation, probe
from camscan.model import knowledge as model
from camscan.model.knowledge import Knowledge

_LIMIT = 64 << 20
_KEEP = 4


def get(digest: str) -> Knowledge | None:
    """The knowledge with this content hash, None where it is not cached."""
    path = _path(digest)
    try:
        status = path.stat()
        if status.st_size > _LIMIT or not _ours(status.st_uid):
            return None
        found = msgspec.msgpack.decode(path.read_bytes(), type=Knowledge)
    except (OSError, msgspec.MsgspecError):
        return None
    return found if found.content_hash == digest else None


def put(digest: str, knowledge: Knowledge) -> None:
    """Remember it; a folder that cannot be written is no error."""
    path = _path(digest)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(msgspec.msgpack.encode(knowledge))
        Path(file.name).replace(path)
        old = sorted(path.parent.glob("knowledge-*.msgpack"), key=lambda p: p.stat().st_mtime_ns)
        for stale in old[:-_KEEP]:
            stale.unlink(missing_ok=True)
    except OSError:
        return


def _path(digest: str) -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "camscan" / f"knowledge-{digest[:32]}-{_code()[:16]}.msgpack"


def _ours(uid: int) -> bool:
    return sys.platform == "win32" or uid == os.getuid()


@lru_cache(maxsize=1)
def _code() -> str:
    whole = hashlib.sha256()
    readers = [m.__file__ for m in (claim, imprint, observation, probe, model, knowledge_records)]
    for name in (*readers, __file__, str(Path(__file__).with_name("knowledge.py"))):
        whole.update(Path(name or "").read_bytes())
    return whole.hexdigest()
