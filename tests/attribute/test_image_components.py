"""Versions of components against published ranges and ends of support."""

from __future__ import annotations

import pytest

from camscan.attribute.images import affected, in_line
from camscan.model.imprint import Flaw


def flaw(**bounds):
    return Flaw(id="CVE-2000-0001", source="https://example.org", as_of="2026-11-25", **bounds)


@pytest.mark.parametrize(
    ("version", "bounds", "inside"),
    [
        ("1.0.1e", {"first": "1.0.1", "below": "1.0.1g"}, True),
        ("1.0.1", {"first": "1.0.1", "below": "1.0.1g"}, True),
        ("1.0.1g", {"first": "1.0.1", "below": "1.0.1g"}, False),
        ("1.0.0t", {"first": "1.0.1", "below": "1.0.1g"}, False),
        ("0.9.8y", {"first": "0.9.8", "below": "0.9.8za"}, True),
        ("1.20.2", {"below": "1.25.0"}, True),
        ("1.36.1", {"last": "1.35.0"}, False),
        ("2.5", {"last": "2.6"}, True),
        ("2.6.1", {"last": "2.6"}, True),
        ("2.7", {"last": "2.6"}, False),
        ("2.8", {"first": "2.7", "below": "2.8.48"}, False),
        ("2.8.30", {"first": "2.7", "below": "2.8.48"}, True),
        ("2013.58", {"below": "2016.74"}, True),
        ("6.6p1", {"last": "7.7"}, True),
        ("", {"below": "9"}, False),
        ("unknown", {"below": "9"}, False),
    ],
)
def test_ranges(version, bounds, inside):
    assert affected(version, flaw(**bounds)) is inside


@pytest.mark.parametrize(
    ("version", "line", "inside"),
    [
        ("1.0.1e", "1.0.1", True),
        ("1.0.2", "1.0.1", False),
        ("3.4.35", "3.4", True),
        ("3.10.14", "3.1", False),
        ("5.1.4", "5.1", True),
    ],
)
def test_lines_of_support(version, line, inside):
    assert in_line(version, line) is inside
