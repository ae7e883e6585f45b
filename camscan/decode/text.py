"""Which characters of a device's text may reach a reader?

Everything a device says is hostile (DESIGN rule 9). `clean` removes what a terminal, a browser or
a spreadsheet could act on; `decode_text` never raises.
"""

from __future__ import annotations

import codecs
import re

# ECMA-48: CSI (ESC [ or 0x9B) with parameters, OSC/DCS/PM/APC strings, two-character escapes.
# Each class excludes ESC, so no text is scanned twice.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,16}[@-~]"
    r"|\x1b[\]PX^_][^\x07\x1b\n]{0,512}(?:\x07|\x1b\\)"
    r"|\x1b[ -/]{0,4}[0-~]"
)

# Unicode categories Cc, Cf, Cs, Zl and Zp (Unicode 14, as in Python 3.11) without the three
# white-space controls, which `clean` turns into a space first. Cf holds every bidi control.
_UNSAFE = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e007f"
)
_CONTROLS = re.compile(f"[{_UNSAFE}]")
_SPACES = re.compile(r"[\t\n\r]+")


def clean(text: str) -> str:
    """One line without control, bidi, zero-width and terminal-escape characters, stripped.

    Line breaks and tabs become one space.
    """
    if text.isprintable():  # categories C and Z but for the space are not: nothing to remove
        return text.strip()
    return _CONTROLS.sub("", _ESCAPES.sub("", _SPACES.sub(" ", text))).strip()


def clean_lines(text: str) -> str:
    r"""As `clean`, but line breaks (all as `\n`) and tabs are kept, and nothing is stripped."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


def decode_text(data: bytes) -> str:
    """UTF-8, UTF-16 by byte order mark, else Latin-1; a cut last character is dropped."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            return data[: error.start].decode("utf-8")
        return data.decode("latin-1")
