"""Which leaves does an XML document of a device hold?

Well-formed text goes through defusedxml (no DTD, no entities); broken vendor XML (unterminated,
wrong encoding declaration, trailing zeros) through a tolerant scan of `<tag>text</tag>` leaves.
Names are local names: makers change namespaces (facts: device_apis 1).
"""

from __future__ import annotations

import codecs
import html
import re
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser
from msgspec import Struct

from camscan.decode.collect import MAX_VALUES, Collector
from camscan.decode.text import decode_text
from camscan.errors import DecodeError

MAX_DEPTH = 64
MAX_ELEMENTS = 20_000
MAX_BYTES = 262_144
MAX_LEAF = 8192


# The marks that decode/secrets.py leaves would be elements.
_CUT = re.compile(r"<(cut:[a-z-]{1,16}:\d{1,8})>")


class Leaf(Struct, frozen=True):
    """An element without children: its path of local names from the root, and its text."""

    path: tuple[str, ...]
    text: str

    @property
    def name(self) -> str:
        """Local name of the element itself."""
        return self.path[-1]


class XmlDocument(Struct, frozen=True):
    """Leaves of a document in document order; `prefixes` as `prefix=namespace`."""

    root: str
    namespace: str
    prefixes: tuple[str, ...]
    leaves: tuple[Leaf, ...]
    well_formed: bool

    def texts(self, name: str) -> tuple[str, ...]:
        """Texts of all leaves with this local name, without regard to case."""
        name = name.lower()
        return tuple([leaf.text for leaf in self.leaves if leaf.path[-1].lower() == name])

    def first(self, name: str) -> str | None:
        """The first non-empty text of the leaves with this local name."""
        return next((text for text in self.texts(name) if text), None)

    def add_to(self, out: Collector) -> None:
        """Add the fields root, namespace and path."""
        out.add("root", self.root)
        out.add("namespace", self.namespace)
        if not out.wants("path"):
            return
        for leaf in self.leaves[:MAX_VALUES]:
            out.add("path", f"{'/'.join(leaf.path)}={leaf.text}")


class _Leaves:
    """Target of the parser: keeps leaves, counts depth and elements."""

    __slots__ = (
        "_count",
        "_length",
        "_open",
        "_stack",
        "_text",
        "leaves",
        "namespace",
        "prefixes",
        "root",
    )

    def __init__(self) -> None:
        self.root = ""
        self.namespace = ""
        self.prefixes: list[str] = []
        self.leaves: list[Leaf] = []
        self._stack: list[str] = []
        self._text: list[str] = []
        self._length = 0
        self._open = False
        self._count = 0

    def start_ns(self, prefix: str | None, uri: str | None) -> None:
        if len(self.prefixes) < 64:
            self.prefixes.append(f"{prefix or ''}={uri or ''}")

    def start(self, tag: str, _attributes: object) -> None:
        """`tag`: `namespace}local`, as expat gives it."""
        local = tag[tag.rfind("}") + 1 :]
        self._count += 1
        if self._count > MAX_ELEMENTS:
            raise DecodeError(f"XML has more than {MAX_ELEMENTS} elements")
        if len(self._stack) >= MAX_DEPTH:
            raise DecodeError(f"XML is deeper than {MAX_DEPTH} elements")
        if not self._stack and not self.root:
            self.root, self.namespace = local, tag[: -len(local) - 1]
        self._stack.append(local)
        self._text = []
        self._length = 0
        self._open = True

    def data(self, text: str) -> None:
        if self._open and self._length < MAX_LEAF:
            self._text.append(text[: MAX_LEAF - self._length])
            self._length += len(text)

    def end(self, _tag: str) -> None:
        if self._open and self._stack:
            self.leaves.append(Leaf(tuple(self._stack), "".join(self._text).strip()))
        if self._stack:
            self._stack.pop()
        self._open = False

    def close(self) -> None:
        """Nothing to finish; the parser asks for it."""


def parse(data: bytes) -> XmlDocument:
    """Read a document; raises DecodeError for a DTD, a limit, or when there is no element."""
    text = _CUT.sub(r"&lt;\1&gt;", xml_text(data[:MAX_BYTES]))
    upper = text[:MAX_BYTES].upper()
    if "<!DOCTYPE" in upper or "<!ENTITY" in upper:
        raise DecodeError("XML with a document type declaration is not read")
    target = _Leaves()
    parser = DefusedXMLParser(target=target, forbid_dtd=True)
    # The target takes what expat gives; the layer between them, in pure Python, is half the time.
    parser.parser.StartElementHandler = target.start
    parser.parser.EndElementHandler = target.end
    try:
        parser.feed(text)
        parser.close()
    except (ParseError, DefusedXmlException, ValueError):
        return _scan(text)
    return _document(target, well_formed=True)


def xml_text(data: bytes) -> str:
    """The text from the first `<` to the last `>`, without declaration and zeros."""
    declaration = data[:200].lower()
    if b"encoding" in declaration and (b"gb2312" in declaration or b"gbk" in declaration):
        try:
            text = data.decode("gb18030")
        except UnicodeDecodeError:
            text = decode_text(data)
    elif data[:4] in {b"<\x00?\x00", b"<\x00s\x00"}:  # UTF-16 without its mark
        text = codecs.decode(data, "utf-16-le", "replace")
    else:
        text = decode_text(data)
    text = text.replace("\x00", "")
    start, end = text.find("<"), text.rfind(">")
    text = text[start : end + 1] if 0 <= start < end else ""
    if text.startswith("<?"):
        close = text.find("?>")
        text = text[close + 2 :] if close >= 0 else text
    return text.strip()


def _document(target: _Leaves, *, well_formed: bool) -> XmlDocument:
    if not target.root:
        raise DecodeError("no XML element found")
    return XmlDocument(
        root=target.root,
        namespace=target.namespace,
        prefixes=tuple(target.prefixes),
        leaves=tuple(target.leaves),
        well_formed=well_formed,
    )


def _scan(text: str) -> XmlDocument:
    """Read leaves of text that is not well formed; one pass, nothing is looked at twice."""
    target = _Leaves()
    stack: list[str] = []
    position = 0
    while (start := text.find("<", position)) >= 0:
        if stack:
            target.data(html.unescape(text[position:start][:MAX_LEAF]))
        end = text.find(">", start)
        if end < 0:
            break
        inner = text[start + 1 : end]
        position = end + 1
        if inner.startswith(("?", "!")):
            continue
        name = _local_name(inner)
        if not name:
            continue
        if inner.startswith("/"):
            _close(target, stack, name)
            continue
        if not target.root:
            target.namespace = _default_namespace(inner)
        namespace = f"{target.namespace}}}" if not target.root else ""
        target.start(namespace + name, None)
        stack.append(name)
        if inner.endswith("/"):
            target.end(name)
            stack.pop()
    return _document(target, well_formed=False)


def _local_name(inner: str) -> str:
    words = inner[:256].lstrip("/").split(None, 1)
    name = words[0].rstrip("/").rpartition(":")[2] if words else ""
    return name if name[:1].isalpha() or name[:1] == "_" else ""


def _default_namespace(inner: str) -> str:
    for quote in ('xmlns="', "xmlns='"):
        start = inner.find(quote)
        if start >= 0:
            return inner[start + len(quote) :].split(quote[-1], 1)[0].replace("}", "")
    return ""


def _close(target: _Leaves, stack: list[str], name: str) -> None:
    """Close up to the last open element of this name; a stray end tag closes nothing."""
    if name not in stack:
        return
    while stack:
        closed = stack.pop()
        target.end(closed)
        if closed == name:
            return
