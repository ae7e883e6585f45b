"""Is every image opened in a child of its own limits, and does a bad one leave the others alone?"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

from firmware_images import cpio, sparse_file, text
from opening_jobs import Counted, Job

from camscan.observe.firmware.child import limits
from camscan.observe.firmware.entry import Budget
from camscan.workers import Ended, Workers

DEFAULT = Budget()
COMMAND = (
    sys.executable,
    "-I",
    "-c",
    (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); "
        "from camscan.worker import main; main()"
    ),
)


def outcomes(images, *, budget=DEFAULT, count=1, function="count"):
    jobs = [Job(str(image), budget) for image in images]
    name = f"opening_jobs:{function}"
    with Workers(
        name, Counted, count=count, limits=limits(images, budget), command=COMMAND
    ) as pool:
        return list(pool.run(jobs))


def test_one_outcome_per_image_in_their_order(tmp_path):
    images = []
    for i in range(4):
        path = tmp_path / f"{i}.bin"
        path.write_bytes(cpio({f"file{n}": text(500, n) for n in range(i + 1)}))
        images.append(path)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/a").write_bytes(b"x")
    images.append(tmp_path / "tree")
    done = outcomes(images, count=2)
    assert [o.failure for o in done] == [None] * 5
    assert [o.value.files for o in done if o.value] == [1, 2, 3, 4, 1]


def test_an_image_that_cannot_be_read_leaves_the_others_alone(tmp_path):
    good = tmp_path / "good"
    good.write_bytes(cpio({"a": b"x"}))
    first, second = outcomes([tmp_path / "absent", good])
    assert first.failure is not None
    assert first.failure.reason is Ended.ERROR
    assert second.value is not None
    assert second.value.files == 1


def test_the_size_of_a_mapped_image_does_not_count_as_memory(tmp_path):
    big = sparse_file(tmp_path / "big", 6 << 30, {5 << 30: cpio({"a": b"x"})})
    (outcome,) = outcomes([big], budget=Budget(one=64 << 20))
    assert outcome.value is not None
    assert outcome.value.files == 1


def test_a_bomb_stays_within_the_memory_of_its_child(tmp_path):
    bomb = tmp_path / "bomb.gz"
    bomb.write_bytes(gzip.compress(gzip.compress(bytes(96 << 20), 9)))
    (outcome,) = outcomes([bomb], budget=Budget(one=32 << 20))
    assert outcome.value is not None
    assert outcome.value.reasons == ("budget",)
    assert outcome.value.size < 1 << 20


def test_a_child_can_write_next_to_nothing(tmp_path):
    (outcome,) = outcomes([tmp_path], function="write")
    assert outcome.failure is not None
    assert "too large" in outcome.failure.detail
