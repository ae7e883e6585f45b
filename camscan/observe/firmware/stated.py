"""What do the containers of an image state of it: times, names, versions, whose update file it is?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from camscan.decode.text import clean
from camscan.model.firmware import ImageFact, Opened

_ARCHIVES = frozenset({"gzip", "xz", "lzma", "zip", "bzip2", "zstd", "tar", "cpio"})
"""Their times are those of single files, at times of years before the image."""
_UPDATES = {
    "hikvision-dav": "hikvision",
    "dahua-zip": "dahua",
    "xiongmai-zip": "xiongmai",
    "reolink-pak": "reolink",
    "vstarcam-update": "vstarcam",
}
"""Form of an update file -> platform that invented it."""
_VERSIONED = frozenset({"esp-image", "rbl"})
"""Forms whose label holds the version of the whole firmware."""
_VERSION = re.compile(r", version ([\w.+-]{1,48})")
_BUILT = frozenset({"esp-image", "rockchip-rkfw", "rbl"})
"""Forms whose time is that of the build of the whole."""


def facts(opened: Iterable[Opened]) -> Iterator[ImageFact]:
    """The facts of all containers, in their order."""
    for container in opened:
        form = container.form
        if container.created:
            kind = "archive_date" if form in _ARCHIVES else "container_date"
            kind = "build_date" if form in _BUILT else kind
            note = f"time a {form} states; clocks of build machines may be wrong"
            yield _fact(container, kind, container.created, note)
        if container.label:
            note = f"name a {form} states"
            yield _fact(container, "container_label", clean(container.label)[:120], note)
        if form in _UPDATES:
            note = f"update file in the form {form}; one platform serves many brands"
            yield _fact(container, "platform", _UPDATES[form], note, f"container.{form}")
        if form in _VERSIONED and (match := _VERSION.search(container.label)):
            yield _fact(
                container,
                "firmware",
                clean(match[1]),
                f"version a {form} states",
                f"container.{form}",
            )


def _fact(
    container: Opened, attribute: str, value: str, note: str, signature: str = ""
) -> ImageFact:
    return ImageFact(
        attribute=attribute,
        value=value,
        path=container.path,
        offset=container.offset,
        note=note,
        signature=signature,
    )
