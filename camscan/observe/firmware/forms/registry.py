"""Which container forms are known, and which known forms of files are dense without being encrypted?"""

from __future__ import annotations

from camscan.observe.firmware.form import Form
from camscan.observe.firmware.forms.ar import AR
from camscan.observe.firmware.forms.board import BOARD
from camscan.observe.firmware.forms.chip import CHIP
from camscan.observe.firmware.forms.closed import CLOSED
from camscan.observe.firmware.forms.cpio import CPIO
from camscan.observe.firmware.forms.cramfs import CRAMFS
from camscan.observe.firmware.forms.environment import ENVIRONMENT
from camscan.observe.firmware.forms.ext import EXT
from camscan.observe.firmware.forms.fat import FAT
from camscan.observe.firmware.forms.hexfile import HEXFILE
from camscan.observe.firmware.forms.jffs2 import JFFS2
from camscan.observe.firmware.forms.nand import NAND
from camscan.observe.firmware.forms.romfs import ROMFS
from camscan.observe.firmware.forms.sevenzip import SEVENZIP
from camscan.observe.firmware.forms.sparse import SPARSE
from camscan.observe.firmware.forms.squashfs import SQUASHFS
from camscan.observe.firmware.forms.stream import STREAMS
from camscan.observe.firmware.forms.tar import TAR
from camscan.observe.firmware.forms.ubi import UBI
from camscan.observe.firmware.forms.ubifs import UBIFS
from camscan.observe.firmware.forms.uimage import FIT, UIMAGE
from camscan.observe.firmware.forms.unread import UNREAD
from camscan.observe.firmware.forms.vendor import BEKEN, HIKVISION, REOLINK, VSTARCAM
from camscan.observe.firmware.forms.yaffs import YAFFS
from camscan.observe.firmware.forms.zip import ZIP

WHOLE: tuple[Form, ...] = (BEKEN, NAND, HEXFILE)
"""Forms without a magic number: they begin with the first byte, or not at all."""

FORMS: tuple[Form, ...] = (
    HIKVISION,
    REOLINK,
    VSTARCAM,
    *BOARD,
    *CHIP,
    UIMAGE,
    FIT,
    SPARSE,
    SQUASHFS,
    JFFS2,
    CRAMFS,
    ROMFS,
    UBI,
    UBIFS,
    YAFFS,
    EXT,
    FAT,
    CPIO,
    TAR,
    ZIP,
    SEVENZIP,
    AR,
    ENVIRONMENT,
    *UNREAD,
    *CLOSED,
    *STREAMS,
)

_DENSE = (
    b"\xff\xd8\xff",  # JPEG
    b"\x89PNG",
    b"GIF8",
    b"RIFF",
    b"OggS",
    b"fLaC",
    b"ID3",
    b"\xff\xfb",  # MPEG audio
    b"\xff\xf3",
    b"\xff\xf1",  # AAC
    b"wOFF",
    b"wOF2",
    b"%PDF",
    b"\x00\x00\x00\x01\x67",  # H.264
    b"\x00\x00\x00\x01\x40",  # H.265
    b"\x47\x40",  # MPEG transport stream
    b"FLV\x01",
)


def dense(data: memoryview) -> bool:
    """Whether these bytes begin as a picture, sound, film, font or document: dense by nature."""
    head = bytes(data[:12])
    return head.startswith(_DENSE) or head[4:8] == b"ftyp"
