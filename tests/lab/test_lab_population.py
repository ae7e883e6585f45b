"""Are plans filled as they say, the same way each time?"""

from __future__ import annotations

import csv
from ipaddress import IPv4Address, IPv4Network

import pytest

from lab import workdir
from lab.cloud_map import TEST_NETS, load_clouds, place
from lab.persona import PERSONAS, load_personas
from lab.plan import PlanError, load_plan
from lab.population import populate
from lab.stats import DENIED_PORTS


@pytest.fixture(scope="module")
def personas():
    return load_personas(PERSONAS)


@pytest.mark.parametrize(
    ("name", "cameras", "others"),
    [("city-24", 40, 20), ("city-20", 400, 200), ("city-16", 1000, 500), ("town", 86, 11)],
)
def test_sizes(personas, name, cameras, others):
    city = populate(load_plan(name), personas)
    found = [unit.persona.truth.is_camera for unit in city.units]
    assert (found.count(True), found.count(False)) == (cameras, others)


def test_same_seed_same_city_other_seed_other_city(personas):
    plan = load_plan("city-24")

    def picture(seed):
        return [
            (u.persona.id, u.address, u.mac, u.serial)
            for u in populate(plan, personas, seed=seed).units
        ]

    assert picture(None) == picture(24)
    assert picture(24) != picture(25)


def test_the_demo_has_every_persona_and_several_cameras_behind_one_address(personas):
    city = populate(load_plan("demo"), personas)
    assert {u.persona.id for u in city.units} == set(personas)
    shared = [units for units in city.by_address().values() if len(units) > 1]
    assert [len(units) for units in shared] == [3]
    ports = [u.port(n) for u in shared[0] for t in u.persona.tcp for n in t.numbers]
    assert len(ports) == len(set(ports))
    assert not DENIED_PORTS & set(ports)
    twins = [u for u in city.units if u.persona.uuid]
    assert len(twins) >= 2
    assert len({u.uuid for u in twins}) == 1
    assert len({u.mac for u in city.units if not u.port_map}) == len(
        [u for u in city.units if not u.port_map]
    )


def test_addresses_are_in_their_segments_and_unique(personas):
    city = populate(load_plan("town"), personas)
    segments = {s.plan.id: s.plan.network for s in city.segments}
    addresses = [u.address for u in city.units]
    assert len(addresses) == len(set(addresses))
    assert all(IPv4Address(u.address) in segments[u.segment] for u in city.units)
    assert city.scanner not in addresses
    assert {s.plan.kind for s in city.segments} == {"on-link", "routed", "unreachable"}


def test_the_town_list(personas, tmp_path):
    city = populate(load_plan("town"), personas)
    workdir.write(tmp_path, city, load_clouds(), 7)
    with (tmp_path / "assets.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    recorders = {u.asset for u in city.units if u.persona.truth.role == "recorder"}
    cameras = [row for row in rows if row["id"] not in recorders]
    assert len(recorders) == 2
    assert len(cameras) == 140
    hidden = [row for row in cameras if row["behind"] and not row["address"]]
    assert len(hidden) == 58
    assert {row["behind"] for row in hidden} == recorders
    assert sum(not row["address"] and not row["behind"] for row in cameras) == 1
    unlisted = [u for u in city.units if u.persona.truth.is_camera and u.asset is None]
    assert len(unlisted) == 3
    assert sum(u.behind is not None for u in city.units) == 6


def test_files_have_the_shape_the_product_reads(personas, tmp_path):
    """The owner's files are checked against the published structures, not by the lab's own words."""
    import msgspec

    from camscan.model.knowledge import Network
    from camscan.model.site import Site

    city = populate(load_plan("demo"), personas)
    workdir.write(tmp_path, city, load_clouds(), 24)
    site = msgspec.toml.decode((tmp_path / "site.toml").read_bytes(), type=Site)
    assert site.places
    assert site.declarations[0].factor == "C"
    table = msgspec.toml.decode(
        (tmp_path / "networks.toml").read_bytes(), type=dict[str, tuple[Network, ...]]
    )
    assert {"CN", "SG", "DE", "SE"} == {n.registry_country for n in table["network"]}


def test_clouds_lie_on_test_nets_only(personas):
    names = [home.name for p in personas.values() for home in p.phone_home]
    table = place(names, load_clouds())
    assert set(table) == set(names)
    nets = [IPv4Network(text) for text in TEST_NETS]
    assert all(any(IPv4Address(a) in net for net in nets) for a in table.values())
    assert len(set(table.values())) == len(table)
    assert "192.0.2.53" not in table.values()


def test_wrong_plans_are_told(tmp_path):
    with pytest.raises(PlanError, match="city-24"):
        load_plan("city-99")
    bad = tmp_path / "x.toml"
    bad.write_text('id="x"\nabout="x"\nsegmnt=[]\n')
    with pytest.raises(PlanError, match="segmnt"):
        load_plan(str(bad))
