"""Are build dates and versions read as makers write them (facts: device_apis 11)?"""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camscan.decode.versions import build_date, compare, version_tuple


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("V5.7.15 build 240201", dt.date(2024, 2, 1)),
        ("V1.0build 200101", dt.date(2020, 1, 1)),
        ("build 211215", dt.date(2021, 12, 15)),
        ("2.800.0000000.13.R, build:2022-06-14", dt.date(2022, 6, 14)),
        ("v2.820.0000000.48.R.220614", dt.date(2022, 6, 14)),
        ("NVR-B3801.20.17.240507", dt.date(2024, 5, 7)),
        ("DIPC-B1213.6.5.230215", dt.date(2023, 2, 15)),
        ("1.2.5 Build 241224", dt.date(2024, 12, 24)),
        ("1.3.6 Build 20240829 rel.71119", dt.date(2024, 8, 29)),
        ("2019-03-04 10:11:12", dt.date(2019, 3, 4)),
        ("V5.00.R02.20200624", dt.date(2020, 6, 24)),
        ("2.420.0000.0.R.20160727", dt.date(2016, 7, 27)),
        ("v3.0.0.20_20052300", dt.date(2020, 5, 23)),
        ("20_20999900", None),
        ("10.12.114", None),
        ("V5.7.15 build 241399", None),
        ("2.622.0000000.1.R", None),
        ("", None),
    ],
)
def test_build_dates(text, date):
    assert build_date(text) == date


def test_version_tuples():
    assert version_tuple("V5.7.15 build 240201") == (5, 7, 15)
    assert version_tuple("H264 DVR 4.02") == (4, 2)
    assert version_tuple("none") == ()


def test_comparison():
    assert compare("2.9", "2.10") == -1
    assert compare("1.2", "1.2.0") == 0
    assert compare("V5.7.15", "V5.7.3") == 1


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text(left, right):
    assert compare(left, right) == -compare(right, left)
    found = build_date(left)
    assert found is None or 1995 <= found.year < 2100
