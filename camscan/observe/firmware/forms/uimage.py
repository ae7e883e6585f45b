"""What lies in a U-Boot image: the legacy header with its checksum, or a flattened image tree (FIT)?

Layout: U-Boot include/image.h and doc/uImage.FIT; devicetree specification 0.4 chapter 5. A device tree that holds
no images is a file of its own.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from functools import partial

from camscan.errors import DecodeError
from camscan.observe.firmware.form import (
    FILESYSTEM,
    Bytes,
    Form,
    Found,
    Member,
    inner_path,
    text_of,
    zero_ended,
)
from camscan.observe.firmware.forms.stream import payload
from camscan.observe.firmware.watch import NoLibraryError, PartialError, Watch

_COMPRESSIONS = {1: "gzip", 2: "bzip2", 3: "lzma", 4: "lzo", 5: "lz4", 6: "zstd"}
_OTHERS = re.compile(
    rb"\x1f\x8b\x08|\xfd7zXZ\0|BZh|\x28\xb5\x2f\xfd|\x02\x21\x4c\x18|\x89LZO|\x5d\0\0|hsqs|07070[12]"
)
_NAMES = {v: v for v in _COMPRESSIONS.values()}
_TYPES = {
    2: "kernel",
    3: "ramdisk",
    4: "multi",
    5: "firmware",
    6: "script",
    7: "filesystem",
    8: "device-tree",
}
_MULTI, _SCRIPT = 4, 6
_NODES = 4096


def _expand(kind: str | None, data: memoryview, watch: Watch) -> Bytes:
    """The content, expanded where it is compressed; where that fails the stored bytes are still given out."""
    if kind is None:
        return data
    try:
        made = payload(kind, data, watch)
    except NoLibraryError:
        raise
    except DecodeError as error:
        raise PartialError(str(error), bytes(data)) from None
    if made.damage and not len(made.data) and _OTHERS.match(data):
        return data  # the header names the wrong compression: the right one is found by its own magic number
    if made.damage:
        raise PartialError(made.damage, made.data or bytes(data))
    return made.data


def _legacy(view: memoryview, at: int, watch: Watch) -> Found | None:
    del watch
    head = bytes(view[at : at + 64])
    stated, created, size = struct.unpack_from(">III", head, 4)
    data_sum = struct.unpack_from(">I", head, 24)[0]
    if len(head) < 64 or zlib.crc32(head[:4] + bytes(4) + head[8:]) != stated:
        return None
    kind, compression = head[30], head[31]
    data = view[at + 64 : at + 64 + size]
    damage = ""
    if len(data) < size:
        damage = f"uimage: {size - len(data)} bytes are missing at the end"
    elif zlib.crc32(data) != data_sum:
        damage = "uimage: the checksum of the data is wrong"
    members = partial(_parts, data, kind, _COMPRESSIONS.get(compression))
    label = text_of(zero_ended(head[32:64]))
    return Found(at, 64 + len(data), members, label, created, "uimage", damage)


def _parts(data: memoryview, kind: int, compression: str | None, watch: Watch) -> Iterator[Member]:
    name = _TYPES.get(kind, "data")
    if kind not in {_MULTI, _SCRIPT}:
        yield Member(name, "file", partial(_expand, compression, data, watch), len(data))
        return
    sizes = []
    at = 0
    while at + 4 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        at += 4
        if not size:
            break
        sizes.append(size)
        if len(sizes) > 256:
            raise DecodeError("uimage: more than 256 parts")
    for i, size in enumerate(sizes):
        part = data[at : at + size]
        # Of several parts U-Boot expands the first alone.
        how = compression if not i and kind == _MULTI else None
        yield Member(f"part{i}", "file", partial(_expand, how, part, watch), len(part))
        at += (size + 3) // 4 * 4


class _Node:
    __slots__ = ("path", "values")

    def __init__(self, path: str) -> None:
        self.path = path
        self.values: dict[str, memoryview] = {}


def _tree(blob: memoryview) -> list[_Node]:
    """The nodes of a device tree, in order."""
    _, total, struct_at, strings_at, _, _, _, _, strings_size, struct_size = struct.unpack_from(
        ">10I", blob
    )
    names = bytes(blob[strings_at : strings_at + strings_size])
    end = min(struct_at + struct_size, total, len(blob))
    stack: list[_Node] = []
    nodes: list[_Node] = []
    at = struct_at
    while at + 4 <= end:
        (token,) = struct.unpack_from(">I", blob, at)
        at += 4
        if token == 1:
            raw = zero_ended(blob[at : at + 256])
            at += (len(raw) + 4) // 4 * 4
            above = stack[-1].path if stack else ""
            node = _Node(f"{above}/{text_of(raw)}" if raw else above)
            if len(stack) > 64 or len(nodes) > _NODES:
                raise DecodeError("device tree: too many nodes")
            stack.append(node)
            nodes.append(node)
        elif token == 2:
            if not stack:
                raise DecodeError("device tree: node ends before it begins")
            stack.pop()
        elif token == 3:
            size, name_at = struct.unpack_from(">II", blob, at)
            at += 8
            if stack and at + size <= len(blob):
                key = text_of(zero_ended(names[name_at : name_at + 64]))
                stack[-1].values[key] = blob[at : at + size]
            at += (size + 3) // 4 * 4
        elif token == 9:
            return nodes
        elif token != 4:
            raise DecodeError("device tree: unknown token")
    raise DecodeError("device tree: no end")


def _fit(view: memoryview, at: int, watch: Watch) -> Found | None:
    del watch
    fields = struct.unpack_from(">10I", view, at)
    total, version = fields[1], fields[5]
    if not 56 <= total <= len(view) - at or not 2 <= version <= 32 or fields[2] > total:
        return None
    blob = view[at : at + total]
    nodes = _tree(blob)
    images = [n for n in nodes if n.path.startswith("/images/") and n.path.count("/") == 2]
    root = nodes[0].values if nodes else {}
    label = text_of(zero_ended(root.get("description", root.get("model", memoryview(b"")))))
    stamp = root.get("timestamp", memoryview(b""))
    created = int.from_bytes(stamp, "big") if len(stamp) == 4 else 0
    end = at + total
    parts = []
    for node in images:
        data = node.values.get("data")
        size = int.from_bytes(node.values.get("data-size", memoryview(b"")), "big")
        if data is None and size:
            place = node.values.get("data-position")
            begin = at + int.from_bytes(place, "big") if place is not None else 0
            if place is None:
                shift = int.from_bytes(node.values.get("data-offset", memoryview(b"")), "big")
                begin = at + (total + 3) // 4 * 4 + shift
            data = view[begin : begin + size]
            end = max(end, begin + len(data))
        if data is not None:
            kind = text_of(zero_ended(node.values.get("compression", memoryview(b"none"))))
            parts.append((node.path.rsplit("/", 1)[-1], kind, data))
    form = "fit" if parts else "device-tree"
    return Found(at, end - at, partial(_images, blob, tuple(parts)), label, created, form)


def _images(
    blob: memoryview, parts: tuple[tuple[str, str, memoryview], ...], watch: Watch
) -> Iterator[Member]:
    if not parts:
        yield Member("device-tree", "file", lambda: blob[:], len(blob))
    for name, kind, data in parts:
        read = partial(_expand, _NAMES.get(kind), data, watch)
        yield Member(inner_path(name) or "image", "file", read, len(data))


UIMAGE = Form("uimage", FILESYSTEM, ((r"\x27\x05\x19\x56", 0),), _legacy)
FIT = Form("fit", FILESYSTEM, ((r"\xd0\x0d\xfe\xed\x00", 0),), _fit)
