"""One image from its entries: components, facts, limits, and what is searched only once."""

from __future__ import annotations

import functools
import io
import tarfile

import pytest

from camscan import knowledge
from camscan.errors import KnowledgeError
from camscan.model.imprint import FirmwareKnowledge, Flaw, Imprint
from camscan.observe.firmware.entry import Budget
from camscan.observe.firmware.examine import ImageJob, Searcher, Tables, examine, run
from camscan.observe.firmware.opening import open_image
from camscan.observe.firmware.prints import Prints


@functools.lru_cache(maxsize=1)
def tables():
    known = knowledge.load()
    return Tables(
        digest=known.content_hash,
        vocabulary=known.vocabulary,
        names=known.endpoints,
        firmware=known.firmware,
    )


@functools.lru_cache(maxsize=1)
def searcher():
    return Searcher(tables())


def archive(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def elf(*strings):
    return b"\x7fELF" + bytes(60) + b"\0".join(s.encode() for s in strings) + b"\0"


FILES = {
    "bin/busybox": elf("BusyBox v1.20.2 (2016-08-01 10:00:00 CST)"),
    "usr/bin/app": elf("OpenSSL 1.0.1e 11 Feb 2013", "PPCS_Initialize", "api.cam-vendor.com"),
    "etc/os-release": b"NAME=Buildroot\nVERSION_ID=2016.02\n",
    "app/app.ver": b"AppVer=10.0.6.2\n",
    "etc/notes.md": b"needs BusyBox v1.36.0 and OpenSSL 3.0.1 7 Sep 2021\n",
}


def test_an_archive_gives_what_its_files_give():
    report = examine(open_image(archive(FILES)), "x.tar", searcher())
    assert {(c.component, c.version) for c in report.components} == {
        ("busybox", "1.20.2"),
        ("openssl", "1.0.1e"),
        ("ppcs", None),
    }
    stated = {(f.attribute, f.value) for f in report.facts}
    assert {("firmware", "10.0.6.2"), ("firmware", "2016.02"), ("platform", "cs2")} <= stated
    (endpoint,) = [e for e in report.endpoints if e.live]
    assert (endpoint.host, endpoint.path) == ("api.cam-vendor.com", "usr/bin/app")
    assert endpoint.also == ()
    assert report.files == len(FILES)
    for c in report.components:
        assert FILES[c.path][c.offset :].startswith(c.excerpt.encode()[:8])


def test_a_tree_and_its_archive_hold_the_same(tmp_path):
    for name, data in FILES.items():
        path = tmp_path / "t" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    job = ImageJob(path=str(tmp_path / "t"), name="t", tables=tables())
    tree, again = run(job), run(job)
    packed = examine(open_image(archive(FILES)), "x.tar", searcher())
    assert tree == again
    assert (tree.endpoints, tree.components) == (packed.endpoints, packed.components)
    assert tree.sha256 != packed.sha256


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 4096, bytes(range(256)) * 64, b"http://" * 20_000, b"A" * 300_000]
)
def test_bad_input_gives_a_report_that_says_what_was_not_examined(data):
    report = examine(open_image(data), "x", searcher())
    assert [e for e in report.endpoints if e.live] == []
    assert report.not_examined
    assert report.size == len(data)


def test_hostile_texts_are_clean_in_the_report():
    evil = "\x1b[31m\u202ehttp://api.cam-vendor.com/<script>alert(1)</script>=cmd()"
    files = {f"etc/\u202e{n}<script>.conf": evil.encode() for n in range(3)}
    report = examine(open_image(archive(files)), "\u202ex\x1b[2J", searcher())
    assert report.image.isprintable()
    for endpoint in report.endpoints:
        assert (endpoint.path + endpoint.context + endpoint.url).isprintable()
    assert [e.host for e in report.endpoints if e.live] == ["api.cam-vendor.com"]


def test_a_budget_that_ends_is_said():
    report = examine(open_image(archive(FILES), budget=Budget(files=2)), "x", searcher())
    assert any(p.reason == "budget" for p in report.not_examined)


def test_long_lists_are_cut_and_said(monkeypatch):
    import gzip

    monkeypatch.setattr("camscan.observe.firmware.examine.MOST_PARTS", 3)
    text = b"".join(b"http://api%d.cam-vendor.com/ " % n for n in range(90))
    files = {f"a{n}.gz": gzip.compress(text + b"%d" % n) for n in range(9)}
    report = examine(open_image(archive(files)), "x", searcher())
    assert len(report.opened) == 3
    assert report.limits == ("7 containers were opened and searched, not listed",)


def test_every_flaw_of_the_data_has_a_bound_and_a_source():
    flaws: list[Flaw] = [f for c in tables().firmware.components for f in c.flaw]
    assert len(flaws) > 40
    assert all((f.below or f.last) and f.source.startswith("http") for f in flaws)
    assert len(tables().firmware.components) >= 60


@pytest.mark.parametrize("literal", ["Boa", "Boa\t0.94"])
def test_a_literal_that_no_printable_run_can_hold_is_refused(literal):
    imprint = Imprint(
        id="x", about="x", attribute="platform", value="v", find=(literal,), source="s", as_of="2026-01-01"
    )  # fmt: skip
    with pytest.raises(KnowledgeError, match="printable"):
        Prints(FirmwareKnowledge(components=(), imprints=(imprint,)))
