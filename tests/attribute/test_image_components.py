"""Versions of components against published ranges and ends of support."""

from __future__ import annotations

import functools

import pytest

from camscan import knowledge
from camscan.attribute.images import _dated, affected, in_line
from camscan.model.firmware import ImageComponent
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


@functools.lru_cache(maxsize=1)
def shipped():
    return {c.id: c for c in knowledge.load().firmware.components}


def dated(component, version):
    found = ImageComponent(
        component=component, version=version, path="a", offset=0, signature="s", excerpt="e"
    )
    return _dated(found, shipped())


@pytest.mark.parametrize(
    ("component", "version", "flaws"),
    [
        # Each bound as the record or the maker's page states it.
        ("goahead", "5.0.1", {"CVE-2019-5096", "CVE-2021-42342"}),
        ("goahead", "5.0.0", {"CVE-2021-42342"}),
        ("goahead", "3.6.4", {"CVE-2017-17562"}),
        ("mbedtls", "2.1.10", set()),
        ("mbedtls", "2.1.9", {"CVE-2018-0487"}),
        ("mbedtls", "2.6.0", {"CVE-2018-0487"}),
        ("polarssl", "1.2.13", set()),
        ("polarssl", "1.2.12", {"CVE-2015-1182"}),
        ("polarssl", "1.3.9", {"CVE-2015-1182"}),
        ("samba", "4.6.3", {"CVE-2017-7494"}),
        ("samba", "4.5.10", set()),
        ("openssl", "1.0.0l", {"CVE-2014-0224"}),
        ("openssl", "1.0.2zc", {"CVE-2022-0778"}),
        ("openssl", "1.0.2zd", set()),
        ("zlib", "1.2.8", {"CVE-2016-9841", "CVE-2018-25032", "CVE-2022-37434"}),
        ("zlib", "1.2.5", {"CVE-2018-25032", "CVE-2022-37434"}),
        ("uclibc", "0.9.33.2", {"CVE-2021-43523"}),
        ("uclibc-ng", "1.0.11", {"CVE-2016-2224", "CVE-2021-43523"}),
        ("tutk", "3.1.10", set()),
        ("tutk", "3.1.5", {"CVE-2021-28372", "CVE-2021-32934"}),
        ("thttpd", "2.25", set()),
        ("thttpd", "2.25b", {"CVE-2006-1078"}),
        ("libpng", "1.6.18", {"CVE-2015-8126"}),
        ("curl", "8.4.0", set()),
        ("freetype", "2.5.5", set()),
    ],
)
def test_shipped_ranges(component, version, flaws):
    found = [a.partition(":")[0] for a in dated(component, version).advisories]
    assert set(found) == flaws
    assert len(found) == len(flaws)


@pytest.mark.parametrize(
    ("component", "version", "unverified"),
    [
        ("openssl", "1.0.1e", False),
        ("linux", "3.4.35", False),
        ("linux", "3.0.8", True),
        ("wpa-supplicant", "2.5", True),
        ("wpa-supplicant", "2.7", True),
        ("dropbear", "2013.58", False),
        ("cjson", "9.9.9", False),
    ],
)
def test_the_mark_stands_where_a_row_that_applies_was_not_read(component, version, unverified):
    assert dated(component, version).unverified is unverified


def test_the_mark_of_one_row_is_not_that_of_its_neighbours():
    newer = dated("live555", "2018.11.01")
    assert [a.partition(":")[0] for a in newer.advisories] == ["CVE-2019-7314"]
    assert newer.unverified is False
    assert dated("live555", "2018.01.01").unverified is True
