"""The strings of an image come part by part; a child that is new gives the part it is asked for."""

from __future__ import annotations

import json

import pytest

from camscan.observe.firmware import export
from camscan.observe.firmware.entry import Budget
from camscan.observe.firmware.export import StringsJob


@pytest.fixture
def image(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "PART", 400)
    monkeypatch.setattr(export, "_running", [])
    for n in range(6):
        (tmp_path / f"file{n}.txt").write_bytes(
            b"".join(b"line %d of %d\n" % (i, n) for i in range(9))
        )
    return tmp_path


def parts(image, **more):
    taken = []
    while not taken or not taken[-1].last:
        job = StringsJob(path=str(image), name="image", number=len(taken), **more)
        taken.append(export.run(job))
    return taken


def test_all_strings_come_once_and_in_order(image):
    taken = parts(image)
    assert len(taken) > 5
    lines = [json.loads(line) for part in taken for line in part.lines.splitlines()]
    assert [line["text"] for line in lines] == [
        f"line {i} of {n}" for n in range(6) for i in range(9)
    ]
    assert sum(part.strings for part in taken) == len(lines) == 54
    assert taken[-1].read == sum(p.stat().st_size for p in image.iterdir())
    for line in lines:
        data = (image / line["path"]).read_bytes()
        assert data[line["offset"] : line["offset"] + line["length"]].decode() == line["text"]


def test_a_new_child_goes_on_where_the_one_before_ended(image):
    whole = parts(image)
    export._running.clear()
    job = StringsJob(path=str(image), name="image", number=3)
    assert export.run(job) == whole[3]
    # The job was given once more: its child had died before it answered.
    assert export.run(job) == whole[3]


def test_after_the_last_part_nothing_follows(image):
    number = len(parts(image))
    after = export.run(StringsJob(path=str(image), name="image", number=number))
    assert after == export.StringsPart(last=True)


def test_lines_of_text_hold_place_and_encoding(image):
    first = parts(image, form="text")[0].lines.splitlines()[1]
    assert first.split(b"\t") == [b"image", b"file0.txt", b"12", b"ascii", b"line 1 of 0"]


def test_what_a_budget_left_out_is_told(image):
    assert parts(image, budget=Budget(files=2))[-1].not_examined == 1
    assert parts(image)[-1].not_examined == 0
