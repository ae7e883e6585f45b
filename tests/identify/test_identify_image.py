"""What an image is by its facts: one value, a conflict, or unknown."""

from __future__ import annotations

import functools

import pytest

from camscan import knowledge
from camscan.identify.image import image_identity
from camscan.model.firmware import ImageFact, ImageReport


@functools.lru_cache(maxsize=1)
def known():
    return knowledge.load()


def identity(*facts):
    made = tuple(
        ImageFact(attribute=a, value=v, path="p", offset=0, signature=s) for a, v, s in facts
    )
    return image_identity(ImageReport(image="x", size=1, sha256="0" * 64, facts=made), known())


def test_nothing_stated_is_unknown():
    found = identity()
    assert (found.maker, found.platform, found.version, found.build_date) == (None,) * 4
    assert found.conflicts == ()


def test_a_platform_names_its_maker_and_an_sdk_names_nobody():
    assert identity(("platform", "dahua", "a")).maker == "dahua"
    assert identity(("platform", "cs2", "a")).maker is None
    both = identity(("platform", "cs2", "a"), ("platform", "v380", "b"))
    assert (both.platform, both.conflicts) == ("v380", ())


def test_two_unrelated_values_are_a_conflict_in_any_order():
    facts = [("platform", "dahua", "a"), ("platform", "xiongmai", "b")]
    for order in (facts, facts[::-1]):
        found = identity(*order)
        assert (found.platform, found.maker) == (None, None)
        assert found.conflicts == ("platform: dahua | xiongmai",)


def test_a_version_that_is_part_of_another_agrees():
    found = identity(("firmware", "V5.4.5", "a"), ("firmware", "V5.4.5_build170124", "b"))
    assert found.version == "V5.4.5_build170124"
    assert identity(("firmware", "1.2.3", "a"), ("firmware", "2.0.0", "b")).version is None


def test_the_base_system_speaks_only_where_nothing_else_does():
    base = ("firmware", "2016.02", "build.os-release.version")
    assert identity(base).version == "2016.02"
    assert identity(base, ("firmware", "10.0.6.2", "build.appver.key")).version == "10.0.6.2"


@pytest.mark.parametrize(
    ("facts", "day", "words"),
    [
        ([("build_date", "2017-06-21", "a")], "2017-06-21", "stated"),
        ([("build_date", "20170621", "a")], "2017-06-21", "stated"),
        ([("kernel_date", "Mon Jun 26 16:23:45 CST 2017", "a")], "2017-06-26", "not before"),
        (
            [
                ("boot_date", "Jun 12 2015", "a"),
                ("container_date", "2018-01-02T00:00:00.000Z", "b"),
            ],
            "2018-01-02",
            "not before",
        ),
        ([("kernel_date", "Thu Jan  1 00:00:00 UTC 1970", "a")], None, ""),
        ([("build_date", "2017-13-41", "a")], None, ""),
        ([("build_date", "2017-06-21", "a"), ("build_date", "2018-06-21", "b")], None, ""),
    ],
)
def test_the_build_date_is_stated_or_a_lower_bound(facts, day, words):
    found = identity(*facts)
    assert found.build_date == day
    assert words in found.build_date_from


def test_release_files_of_the_base_system_count_only_where_nothing_else_does():
    base = ("firmware", "15.05.1", "build.openwrt.release")
    assert identity(base).version == "15.05.1"
    assert identity(base, ("firmware", "1.0.17", "build.tp-link.version")).version == "1.0.17"


def test_the_release_of_a_base_system_is_no_day():
    found = identity(
        ("firmware", "2023.02.1", "build.os-release.version"),
        ("firmware", "2.4.04.13", "build.openipc.version"),
        ("build_date", "2024-04-13", "build.openipc.date"),
    )
    assert (found.version, found.build_date, found.conflicts) == ("2.4.04.13", "2024-04-13", ())
