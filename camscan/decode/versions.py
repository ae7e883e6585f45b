"""When was a firmware built, and which of two versions is newer (facts: device_apis 11)?"""

from __future__ import annotations

import datetime as dt
import re

# Each form cites the maker it was seen with; the first form that gives a real date wins.
_FORMS: tuple[re.Pattern[str], ...] = (
    # Dahua "2.800.0000000.13.R, build:2022-06-14"; also a bare ISO date in BuildDate fields.
    re.compile(r"(?<!\d)(?P<y>(?:19|20)\d\d)[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})(?!\d)"),
    # TP-Link "1.3.6 Build 20240829 rel.71119"; Hikvision "V5.7.15 build 240201", "V1.0build200101".
    re.compile(
        r"build\s{0,4}[:=]?\s{0,4}(?P<y>(?:20)?\d\d)(?P<m>\d\d)(?P<d>\d\d)(?!\d)", re.IGNORECASE
    ),
    # Uniview "NVR-B3801.20.17.240507", Dahua "v2.820.0000000.48.R.220614".
    re.compile(r"\.(?P<y>\d\d)(?P<m>\d\d)(?P<d>\d\d)(?![\w.])"),
    # Xiongmai "V5.00.R02.20200624", Dahua "2.420.0000.0.R.20160727".
    re.compile(r"\.R?\d{0,2}\.(?P<y>20\d\d)(?P<m>\d\d)(?P<d>\d\d)(?![\w.])"),
    # Reolink "v3.0.0.20_20052300": build number, then day and number of the day.
    re.compile(r"(?<!\d)\d{1,6}_(?P<y>\d\d)(?P<m>\d\d)(?P<d>\d\d)\d\d(?!\d)"),
    # A whole value that is a date: "20240829".
    re.compile(r"^\s{0,8}(?P<y>20\d\d)(?P<m>\d\d)(?P<d>\d\d)\s{0,8}$"),
)
_NUMBERS = re.compile(r"\d{1,12}")
_VERSION = re.compile(r"(?<![\d.])\d{1,12}(?:[._]\d{1,12}){0,15}")
_OLDEST = dt.date(1995, 1, 1)


def build_date(text: str) -> dt.date | None:
    """Build date inside a version text, None when there is none or it is no real date.

    Two-digit years are of this century: no network camera firmware is older.
    """
    text = text[:512]
    for form in _FORMS:
        for match in form.finditer(text):
            year = int(match["y"])
            try:
                found = dt.date(
                    year + 2000 if year < 100 else year, int(match["m"]), int(match["d"])
                )
            except ValueError:
                continue
            if found >= _OLDEST:
                return found
    return None


def version_tuple(text: str) -> tuple[int, ...]:
    """Numbers of the first dotted version in a text: (5, 7, 15) of `V5.7.15 build 240201`."""
    text = text[:512]
    matches = [match[0] for match in _VERSION.finditer(text)]
    # A lone number may be a word's ordinal ("H264 DVR 4.02"); a dotted one is preferred.
    chosen = next((item for item in matches if "." in item or "_" in item), None)
    if chosen is None:
        chosen = next(iter(matches), "")
    return tuple(int(number) for number in _NUMBERS.findall(chosen))


def compare(left: str, right: str) -> int:
    """-1, 0 or 1 as `left` is older, equal or newer; 1.2 equals 1.2.0.

    Numbers only: callers compare versions of one platform's line and prefer build dates where
    both have one (Hikvision lines V4.x and V5.x cannot be compared).
    """
    first, second = version_tuple(left), version_tuple(right)
    width = max(len(first), len(second))
    padded_first = first + (0,) * (width - len(first))
    padded_second = second + (0,) * (width - len(second))
    return (padded_first > padded_second) - (padded_first < padded_second)
