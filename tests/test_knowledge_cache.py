"""The cache of signatures/: fast where nothing changed, and never believed where anything did."""

from __future__ import annotations

import os
import shutil
import tomllib
from pathlib import Path

import pytest

from camscan import knowledge, knowledge_build, knowledge_cache
from camscan.model.knowledge import Knowledge, TrafficKnowledge


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "camscan"


@pytest.fixture
def builds(monkeypatch):
    """How often the TOML was read."""
    before, seen = knowledge._build, []

    def build(*arguments):
        seen.append(arguments[2])
        return before(*arguments)

    monkeypatch.setattr(knowledge, "_build", build)
    return seen


@pytest.fixture
def root(tmp_path):
    shutil.copytree(knowledge.shipped(), tmp_path / "signatures")
    return tmp_path / "signatures"


def test_the_second_time_nothing_is_parsed_and_nothing_differs(home, builds):
    first = knowledge.load()
    assert knowledge.load() == first
    assert len(builds) == 1
    assert len(list(home.iterdir())) == 1


def test_a_part_is_what_the_whole_holds_and_is_cached_by_itself(home, builds, root):
    part = knowledge.load_part(TrafficKnowledge)
    whole = knowledge.load()
    assert part == knowledge.load_part(TrafficKnowledge)
    assert len(builds) == 1
    assert {n: getattr(part, n) for n in part.__struct_fields__} == {
        n: getattr(whole, n) for n in part.__struct_fields__
    }
    assert len(part.services) > 9
    assert {f.name.partition("-")[0] for f in home.iterdir()} == {"knowledge", "trafficknowledge"}
    next((root / "parties").glob("*.toml")).unlink()
    assert knowledge.load_part(TrafficKnowledge, root) != part


def test_every_type_of_a_record_counts_as_code(home):
    del home
    modules = {t.record.__module__ for t in knowledge_build._TABLES} | {Knowledge.__module__}
    names = {f"{module.removeprefix('camscan.').replace('.', '/')}.py" for module in modules}
    assert names <= set(knowledge_cache._READERS)
    folder = Path(knowledge_cache.__file__).parent
    assert all((folder / name).is_file() for name in knowledge_cache._READERS)


def test_a_changed_file_is_noticed_whatever_its_time_and_size(home, builds, root):
    before = knowledge.load(root)
    file = root / "oui" / "others.toml"
    status = file.stat()
    text = file.read_text(encoding="utf-8")
    at = text.index('registrant = "') + len('registrant = "')
    file.write_text(text[:at] + "X" + text[at + 1 :], encoding="utf-8")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = knowledge.load(root)
    assert (after.content_hash != before.content_hash, len(builds)) == (True, 2)
    assert any(b.registrant.startswith("X") for b in after.mac_blocks)


def test_a_file_more_or_less_is_noticed(home, builds, root):
    file = root / "devices" / "sony.toml"
    (first, *_) = (s["id"] for s in tomllib.loads(file.read_text("utf-8"))["signature"])
    assert any(s.id == first for s in knowledge.load(root).signatures)
    file.unlink()
    assert not any(s.id == first for s in knowledge.load(root).signatures)
    assert len(builds) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: b"\x00" * len(data),
        lambda data: data + b"x",
        # A byte inside a text: valid msgpack with another meaning.
        lambda data: data.replace(b"Hikvision", b"Hikvisiox", 1),
    ],
)
def test_a_damaged_cache_is_built_again(home, builds, damage):
    first = knowledge.load()
    (file,) = home.iterdir()
    whole = file.read_bytes()
    assert damage(whole) != whole
    file.write_bytes(damage(whole))
    assert knowledge.load() == first
    assert len(builds) == 2
    assert file.read_bytes() == whole, "and put right"


def test_the_cache_of_other_knowledge_under_our_name_is_not_taken(home, builds, root):
    knowledge.load()
    (ours,) = home.iterdir()
    (root / "devices" / "sony.toml").unlink()
    knowledge.load(root)
    (other,) = set(home.iterdir()) - {ours}
    shutil.copy(other, ours)
    assert any(s.id.startswith("sony.") for s in knowledge.load().signatures)
    assert len(builds) == 3


def test_a_file_that_others_may_write_is_not_taken(home, builds):
    knowledge.load()
    (file,) = home.iterdir()
    file.chmod(0o666)
    knowledge.load()
    assert len(builds) == 2


def test_a_folder_that_cannot_be_written_changes_nothing(tmp_path, monkeypatch, builds):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert knowledge.load() == knowledge.load()
    assert len(builds) == 2


def test_old_files_are_removed(home):
    known = knowledge.load()
    for n in range(8):
        knowledge_cache.put(f"{n}" * 64, known)
    assert len(list(home.iterdir())) == knowledge_cache._KEEP
    assert Path(home).stat().st_mode & 0o077 == 0
