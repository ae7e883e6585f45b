"""For how long was a device watched, where a capture has gaps and phases?"""

from __future__ import annotations

import msgspec
import pytest

from camscan.identify.destinations import Traffic
from camscan.identify.watch import watched
from camscan.model.claim import Device
from camscan.model.observation import Kind, Observation
from camscan.model.traffic import CaptureSummary, Flow

CAMERA = "10.20.0.9"
HOUR = 3600.0
DAY = 24 * HOUR
T = 1_793_000_000.0


def seen(kind: Kind, record, number: int) -> Observation:
    return Observation(
        id=f"0001-traffic:{number}",
        device_id=CAMERA,
        kind=kind,
        response=msgspec.json.encode(record),
        at="2026-11-01T00:00:00.000Z",
    )


def watch(**summary):
    flow = Flow(
        client=CAMERA, remote="198.41.0.4", port=443, transport="tcp", bytes_up=10, bytes_down=10,
        packets_up=1, packets_down=1, first=T, last=T + 1,
    )  # fmt: skip
    observations = [
        seen(Kind.FLOW, flow, 1),
        seen(Kind.CAPTURE, CaptureSummary(vantage="mirror", **summary), 2),
    ]
    device = Device(device_id=CAMERA, addresses=(CAMERA,), observations=("0001-traffic:1",))
    (one,) = watched([device], Traffic(observations))
    return one.watch


@pytest.mark.parametrize(
    ("seconds", "gaps", "days"),
    [
        (DAY, (), 1),
        (DAY - 0.01, (), 0),
        (DAY, ((T, T + 60, "x"),), 0),
        (25 * HOUR, ((T + HOUR, T + HOUR + 60, "x"),), 1),
        (7 * DAY, ((T, T + DAY, "x"), (T + 2 * DAY, T + 3.5 * DAY, "x")), 4),
    ],
)
def test_days_are_those_that_were_examined(seconds, gaps, days):
    # Times of this century have a grain of some tenths of a microsecond.
    found = watch(first=T + 0.123, last=T + 0.123 + seconds, gaps=gaps)
    assert found.days == days
    assert found.gaps == gaps
    assert found.seconds == pytest.approx(seconds - sum(e - b for b, e, _ in gaps))


def test_a_phase_that_lies_in_a_gap_was_not_seen():
    found = watch(
        first=T,
        last=T + DAY,
        gaps=((T + HOUR, T + 2 * HOUR, "the capture was interrupted"),),
        phases=(
            ("login", T + HOUR + 60, T + HOUR + 120),
            ("motion", T + 2 * HOUR - 60, T + 2 * HOUR + 60),
            ("power-cycle", T, T + 60),
        ),
    )
    assert found.phases == ("motion", "power-cycle")


def test_a_phase_outside_the_window_is_no_stimulus_of_it():
    found = watch(
        first=T,
        last=T + DAY,
        phases=(
            ("login", T - 600, T - 60),
            ("motion", T + DAY + 60, T + DAY + 600),
            ("power-cycle", T - 60, T + 60),
        ),
    )
    assert found.phases == ("power-cycle",)
