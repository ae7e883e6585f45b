"""What the owner declares is checked for form, with the place of every mistake."""

from __future__ import annotations

import pytest

from camscan.errors import InputError
from camscan.model.claim import Device
from camscan.model.site import Place, Site
from camscan.site import is_jurisdiction, load_assets, load_networks, load_site, placed

GOOD = """
owner = "Town of Example"
name = "Town hall"
jurisdiction = "RS"
asset_list = "assets.csv"

[[places]]
name = "Kindergarten"
targets = ["127.0.1.0/24"]
sensitivity = "P2"

[[declarations]]
factor = "C"
value = "C2"
by = "network administrator"
date = "2026-11-01"

[[documents]]
condition = "doc-dpia"
present = true
by = "officer"
date = "2026-10-01"
text = "assessment 12/2026"
"""


def test_a_site_file_with_its_asset_list(tmp_path):
    (tmp_path / "site.toml").write_text(GOOD)
    (tmp_path / "assets.csv").write_text(
        "id;address;mac;place\nA1;127.0.1.7;C0-56-E3-00-00-01;gate\nA2;;;roof\n"
    )
    site = load_site(tmp_path / "site.toml")
    assert [(a.id, a.address, a.mac, a.place) for a in site.assets] == [
        ("A1", "127.0.1.7", "c0:56:e3:00:00:01", "gate"),
        ("A2", None, None, "roof"),
    ]
    assert site.places[0].sensitivity == "P2"
    assert site.documents[0].present


@pytest.mark.parametrize(
    ("text", "known"),
    [("RS", True), ("EU:HR", True), ("EU:SI", True), ("EU:RS", False), ("EU", False), ("EU:hr", False),
     ("DE", False), ("", False), ("EU:HRX", False)],
)  # fmt: skip
def test_jurisdictions_are_serbia_and_the_member_states(text, known):
    assert is_jurisdiction(text) is known


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('factor = "C"', 'factor = "J"'), "factor 'J' is not one of"),
        (('by = "network administrator"', 'by = ""'), "needs a named function"),
        (("owner =", "ovner ="), "unknown key 'ovner'"),
        (('jurisdiction = "RS"', "jurisdiction = 5"), "jurisdiction"),
        (('jurisdiction = "RS"', 'jurisdiction = "EU:RS"'), "RS or EU:xx"),
        (
            ('condition = "doc-dpia"', 'condition = "doc-x"'),
            "'doc-x' is not one of doc-procurement",
        ),
        (('by = "officer"', 'by = ""'), "document 1: needs a named function"),
        (("present = true", 'present = "yes"'), "documents"),
        (("[[places]]", "[[places"), "not TOML"),
        (("assets.csv", "missing.csv"), "cannot be read"),
    ],
)
def test_mistakes_are_named(tmp_path, change, said):
    (tmp_path / "site.toml").write_text(GOOD.replace(*change))
    (tmp_path / "assets.csv").write_text("id\nA1\n")
    with pytest.raises(InputError, match=said):
        load_site(tmp_path / "site.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,address\nx,127.0.0.1\n", "must name the columns"),
        ("id,address\nA,300.1.1.1\n", r":2: '300.1.1.1' is not an address"),
        ("id,mac\nA,zz\n", ":2: 'zz' is not a MAC"),
        ("id,mac\n,\n", ":2: a row without id"),
    ],
)
def test_asset_lists_with_mistakes(tmp_path, text, said):
    path = tmp_path / "assets.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        load_assets(path)


def test_an_asset_id_twice_is_refused(tmp_path):
    (tmp_path / "site.toml").write_text('asset_list = "a.csv"\n')
    (tmp_path / "a.csv").write_text("id\nA\nA\n")
    with pytest.raises(InputError, match="'A' appears twice"):
        load_site(tmp_path / "site.toml")


def test_the_owners_network_table(tmp_path):
    path = tmp_path / "networks.toml"
    record = '[[network]]\nid="n"\nname="Hosting X"\nprefixes=["203.0.113.0/25"]\nparent_country="CN"\nsource="contract 4/2026"\nas_of="2026-11-01"\n'
    path.write_text(record)
    (network,) = load_networks(path)
    assert (network.name, network.owner_supplied) == ("Hosting X", True)
    path.write_text(record.replace("113.0/25", "113.9/25"))
    with pytest.raises(InputError, match="network 1"):
        load_networks(path)
    path.write_text("[[net]]\n")
    with pytest.raises(InputError, match="nothing else"):
        load_networks(path)


def test_a_device_stands_where_its_list_row_or_else_a_place_says():
    site = Site(
        places=(
            Place(name="School", targets=("10.9.0.7", "CAM-1")),
            Place(name="Square", targets=("10.9.0.0/24",)),
        )
    )
    devices = (
        Device(device_id="a", addresses=("10.9.0.7",)),
        Device(device_id="b", addresses=("10.9.0.8",)),
        Device(device_id="c", addresses=("10.9.0.7",), place="Depot"),
        Device(device_id="d", addresses=("10.8.0.7", "fd00::7")),
    )
    assert [d.place for d in placed(devices, site)] == ["School", "Square", "Depot", None]
