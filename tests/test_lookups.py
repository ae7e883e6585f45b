"""What databases say of an address: the user's, the system's, and files that are none."""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path

import pytest
from mmdb_file import database

from camscan.errors import InputError
from camscan.lookups import lookups

COUNTRIES = {
    "47.254.0.0/16": {"country": {"iso_code": "DE"}},
    "8.8.8.0/24": {"registered_country": {"iso_code": "US"}},
    "9.0.0.0/8": {"country_code": "sg"},
    "7.0.0.0/8": {"country": {"iso_code": "??"}},
    "2400:3200::/32": {"country": {"iso_code": "CN"}},
}
SYSTEMS = {
    "1.0.0.0/8": {"autonomous_system_number": 13335, "autonomous_system_organization": "CLOUDFLARENET"},
    "2.0.0.0/8": {"asn": "AS24940", "as_name": "HETZNER-AS"},
    "3.0.0.0/8": {"asn": "unknown"},
    "4.0.0.0/8": {"name": "only a name"},
    "6.0.0.0/8": {"asn": 7, "name": "a\u202eb\x1b[31m"},
}  # fmt: skip


@pytest.fixture
def places(tmp_path):
    path = tmp_path / "places.mmdb"
    path.write_bytes(database(COUNTRIES))
    return path


def test_a_database_of_the_user_names_itself_its_date_and_its_hash(places):
    found = lookups(places, fallback=None)
    assert found.located.source == "places.mmdb (Test-Country, built 2026-01-01)"
    assert found.inputs == (("places.mmdb", hashlib.sha256(places.read_bytes()).hexdigest()),)
    asked = {a: found.located.of(a) for a in (
        "47.254.1.1", "8.8.8.8", "9.1.1.1", "7.1.1.1", "2400:3200::1", "198.100.1.1", "no address")}  # fmt: skip
    assert asked == {
        "47.254.1.1": "DE", "8.8.8.8": "US", "9.1.1.1": "SG", "7.1.1.1": None, "2400:3200::1": "CN",
        "198.100.1.1": None, "no address": None,
    }  # fmt: skip


def test_a_database_of_ipv4_alone_says_nothing_of_ipv6(tmp_path):
    path = tmp_path / "four.mmdb"
    path.write_bytes(database({"47.254.0.0/16": {"country": {"iso_code": "DE"}}}, version=4))
    found = lookups(path, fallback=None).located
    assert (found.of("47.254.1.1"), found.of("2400:3200::1")) == ("DE", None)


def test_autonomous_systems_in_the_forms_there_are(tmp_path):
    path = tmp_path / "as.mmdb"
    path.write_bytes(database(SYSTEMS, kind="Test-ASN"))
    found = lookups(None, path, fallback=None)
    assert found.located is None
    assert [found.asn.of(f"{n}.1.1.1") for n in (1, 2, 3, 4, 5)] == [
        (13335, "CLOUDFLARENET"), (24940, "HETZNER-AS"), None, None, None,
    ]  # fmt: skip
    number, name = found.asn.of("6.1.1.1")
    assert number == 7
    assert not {"\u202e", "\x1b"} & set(name)


@pytest.mark.parametrize("content", [None, b"", b"text", b"\xab\xcd\xefMaxMind.com"])
def test_a_file_that_is_none_is_named(tmp_path, content):
    path = tmp_path / "x.mmdb"
    if content is not None:
        path.write_bytes(content)
    for given in ((path, None), (None, path)):
        with pytest.raises(InputError, match=r"x\.mmdb: not a database in MMDB form"):
            lookups(*given, fallback=None)


@pytest.fixture
def debian(tmp_path):
    (tmp_path / "geoip").write_text(
        "# License: x\n# Generated: Thu, 25 Jun 2026 04:33:59 GMT\n# comment\n16777216,16777471,AU\n16777472,16778239,CN\nbroken,1,XX\n788463616,788529151,??\n"
    )
    (tmp_path / "geoip6").write_text(
        "2400:3200::,2400:3200:ffff:ffff:ffff:ffff:ffff:ffff,CN\n::x,::y,DE\n"
    )
    return tmp_path


def test_the_files_of_debian_serve_where_the_user_names_none(debian, places):
    found = lookups(fallback=debian)
    assert found.located.source == (
        "tor-geoipdb of this machine (generated Thu, 25 Jun 2026 04:33:59 GMT)"
    )
    assert {n for n, _ in found.inputs} == {"geoip", "geoip6"}
    asked = (
        "1.0.0.5",
        "1.0.1.5",
        "1.0.4.0",
        "0.0.0.1",
        "46.254.0.1",
        "2400:3200::1",
        "2a00::1",
        "x",
    )
    assert [found.located.of(a) for a in asked] == ["AU", "CN", None, None, None, "CN", None, None]
    assert lookups(places, fallback=debian).located.of("47.254.1.1") == "DE"


def test_no_place_is_looked_up_where_that_is_asked_for(debian):
    found = lookups(Path("none"), fallback=debian)
    assert (found.located, found.inputs) == (None, ())


def test_half_of_the_files_of_debian_is_half_an_answer(debian):
    (debian / "geoip6").unlink()
    (debian / "geoip").write_text("16777216,16777471,AU\n")
    found = lookups(fallback=debian).located
    assert found.source == "tor-geoipdb of this machine (no date in the file)"
    assert (found.of("1.0.0.5"), found.of("2400:3200::1")) == ("AU", None)


def test_the_registration_is_always_there_and_says_its_release():
    found = lookups(fallback=None).registry
    assert found.of("8.8.8.8") == "US"
    assert found.source.startswith("iptocc ")


def test_the_register_names_its_release():
    release = metadata.version("iptocc")
    assert (
        lookups(fallback=None).registry.source == f"iptocc {release}, registers as of that release"
    )


@pytest.mark.parametrize("folders", [(), ("iptocc-1.0.dist-info", "iptocc-2.0.dist-info")])
def test_where_folders_do_not_tell_the_release_the_installer_is_asked(
    tmp_path, monkeypatch, folders
):
    for name in folders:
        (tmp_path / name).mkdir()
    monkeypatch.setattr("iptocc.__file__", str(tmp_path / "iptocc" / "__init__.py"))
    assert lookups(fallback=None).registry.source.split()[1] == metadata.version("iptocc") + ","
