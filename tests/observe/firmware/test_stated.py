"""Which facts follow from what the containers of an image state?"""

from __future__ import annotations

import pytest
from firmware_images import opened
from test_chip import esp
from test_vendor import CONTENT, dahua, hikvision, reolink, vstarcam

from camscan import knowledge
from camscan.identify.image import image_identity
from camscan.model.firmware import ImageReport, Opened
from camscan.observe.firmware.stated import facts


def _facts(image: bytes) -> set[tuple[str, str]]:
    _, opening = opened(image)
    return {(f.attribute, f.value) for f in facts(opening.opened)}


@pytest.mark.parametrize(
    ("image", "platform"),
    [
        (hikvision(CONTENT), "hikvision"),
        (dahua(CONTENT), "dahua"),
        (reolink(CONTENT, wide=True), "reolink"),
        (vstarcam(CONTENT), "vstarcam"),
    ],
)
def test_the_form_of_an_update_file_names_its_platform(image, platform):
    assert ("platform", platform) in _facts(image)


def test_an_application_states_version_and_day():
    found = _facts(esp())
    assert ("firmware", "2.4.1") in found
    assert ("build_date", "2022-03-04T10:11:12.000Z") in found
    assert not any(a == "platform" for a, _ in found)


def test_the_day_in_the_header_of_an_update():
    assert ("container_date", "2015-03-15T00:00:00.000Z") in _facts(
        hikvision(CONTENT, day=0x20150315)
    )
    assert "container_date" not in {a for a, _ in _facts(hikvision(CONTENT, day=0x20159915))}


def test_times_of_archives_are_no_times_of_the_image():
    made = [
        Opened(path="a", offset=0, size=1, form=form, created="2001-02-03T04:05:06.000Z")
        for form in ("zip", "squashfs")
    ]
    assert [f.attribute for f in facts(made)] == ["archive_date", "container_date"]


def test_two_update_forms_in_one_image_are_a_conflict_that_is_shown():
    made = [Opened(path=p, offset=0, size=1, form=p) for p in ("dahua-zip", "reolink-pak")]
    report = ImageReport(image="x", size=1, sha256="0" * 64, facts=tuple(facts(made)))
    identity = image_identity(report, knowledge.load())
    assert identity.platform is None
    assert identity.conflicts == ("platform: dahua | reolink",)
