"""Which files, links and folders does a filesystem hold whose entries name their folder by number?

Of flash filesystems: entries come in any order, some folders have lost their name, and damaged ones contain each
other. A folder is walked once, so nothing loops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import TypeVar

from camscan.observe.firmware.form import DEEPEST, Member, inner_path, text_of, too_deep

E = TypeVar("E")


def walk(
    label: str,
    root: int,
    folders: Mapping[int, Sequence[tuple[bytes, E]]],
    walked: set[int],
    member: Callable[[str, E], tuple[Member, int] | None],
) -> Iterator[Member]:
    """Everything below the folder `root`, which is called `label`.

    `folders`: number -> (name, entry). `walked`: numbers of folders that were listed, added to here. `member`:
    (inner path, entry) -> what it is and its number, None for kinds that hold nothing (devices, sockets).
    """
    stack = [(label, root, 0)]
    while stack:
        path, folder, depth = stack.pop()
        if folder in walked:
            continue
        walked.add(folder)
        below = []
        for name, entry in sorted(folders.get(folder, ()), key=itemgetter(0)):
            inner = inner_path(f"{path}/{text_of(name).replace('/', '_')}")
            found = member(inner, entry)
            if found is None:
                continue
            one, number = found
            yield one
            if one.kind == "directory" and depth < DEEPEST:
                below.append((inner, number, depth + 1))
            elif one.kind == "directory":
                yield Member(inner, "file", too_deep)
        stack.extend(reversed(below))
