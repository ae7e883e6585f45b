"""Does an upload look like pictures? Judged by rate, shape and duration."""

from __future__ import annotations

import pytest

from camscan.model.traffic import Minute
from camscan.observe.traffic.media import Upload, judged, judged_each


def upload(rates, *, down=0, mean=1000, seconds=None):
    """`rates`: kbit/s sent in each minute."""
    sent = [round(rate * 1000 / 8 * 60) for rate in rates]
    minutes = tuple(
        Minute(start=60 * n, bytes_up=size, bytes_down=0) for n, size in enumerate(sent)
    )
    up = sum(sent)
    return Upload(max(up // mean, 1), up, down, seconds or 60.0 * len(rates), minutes)


CASES = [
    # a stream of a camera, minute after minute
    (upload([800] * 10), True, "rate and shape of a picture stream"),
    (upload([800] * 8 + [0] * 2), True, "8 of 10 minutes"),
    # clips now and then
    (upload([2000] + [0.1] * 9), None, "clips, pictures or a software image"),
    # telemetry for hours
    (upload([2] * 60), False, "too slow for sound or pictures"),
    # small packets both ways
    (upload([40] * 10, down=3_000_000, mean=90), False, "no picture stream"),
    (upload([400] * 10, down=30_000_000, mean=300), None, "not the shape"),
    (upload([20] * 10), None, "sound or many small pictures"),
    (Upload(4, 900, 100, 3.0, ()), False, "too little"),
    (Upload(0, 0, 9000, 3.0, ()), False, "nothing was sent"),
    # inside the owner's networks minutes are not counted: nothing is said of the rate
    (Upload(900_000, 900_000_000, 5_000_000, 600.0, ()), None, "not judged"),
]


@pytest.mark.parametrize(("sent", "media", "words"), CASES)
def test_an_upload_is_judged_by_what_it_needs(sent, media, words):
    found, why = judged(sent)
    assert found is media
    assert words in why


def test_many_uploads_are_judged_as_each_of_them():
    uploads = [sent for sent, _, _ in CASES] * 2
    # The same bytes, sent in another time and without a packet: a verdict of one is none of the other.
    uploads += [Upload(0, 900, 1, 9.0, ()), Upload(9, 900, 1, 90.0, ()), Upload(0, 0, 1, 9.0, ())]
    assert list(judged_each(*zip(*uploads, strict=True))) == [judged(sent) for sent in uploads]
