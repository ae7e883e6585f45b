"""Does a scope hold what was said, and refuse what may never be touched?"""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camscan.errors import ScopeError
from camscan.scope import DENIED_PORTS, MAX_ADDRESSES, Scope, build_scope, permutation
from camscan.special_ranges import SPECIAL_RANGES, Permission


def scope(*targets, **options):
    return build_scope(targets, **({"authority": "council"} | options))


def test_all_forms_of_targets(tmp_path):
    listed = tmp_path / "targets.txt"
    listed.write_text("# cameras\n10.3.0.9  # gate\n\n10.3.0.20-21\n")
    built = scope(
        "10.0.0.0/30", "10.1.0.5-10.1.0.7", "10.2.0.5-6", "192.168.1.1", f"@{listed}", "fd00::1",
        "cam.example", resolve=lambda name: ["10.9.0.1", "10.9.0.2"],
    )  # fmt: skip
    assert list(built.addresses()) == [
        "10.0.0.1", "10.0.0.2", "10.1.0.5", "10.1.0.6", "10.1.0.7",
        "10.2.0.5", "10.2.0.6", "10.3.0.9", "10.3.0.20", "10.3.0.21", "10.9.0.1", "192.168.1.1",
        "fd00::1",
    ]  # fmt: skip
    assert built.pinned == (("cam.example", "10.9.0.1"),)
    assert built.size == 13


def test_network_and_broadcast_of_a_network_as_written_are_left_out():
    built = scope("10.0.8.0/24", "10.0.9.0/24", "10.0.5.255", "10.0.6.0-10.0.6.255", "10.0.7.8/31")
    for edge in ("10.0.8.0", "10.0.8.255", "10.0.9.0", "10.0.9.255"):
        assert not built.allows(edge)
    for host in ("10.0.5.255", "10.0.6.0", "10.0.6.255", "10.0.7.8", "10.0.7.9", "10.0.8.1"):
        assert built.allows(host)
    assert "10.0.8.255/32" in built.excluded


def test_exclusions_are_left_out():
    built = scope("10.0.0.0/24", exclude=["10.0.0.0/25", "10.0.0.200-10.0.0.255"])
    assert built.size == 72
    assert not built.allows("10.0.0.1")
    assert built.allows("10.0.0.128")
    assert not built.allows("10.0.0.200")


def test_what_is_no_address_is_not_allowed():
    built = scope("10.0.0.0/24")
    assert not any(map(built.allows, ("", "cam", "10.0.0", "10.0.0.1/24", "010.0.0.1", "::1")))
    assert built.allows("::ffff:10.0.0.7")
    assert not built.allows("::ffff:10.0.1.7")


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        (["8.8.8.8"], "public address space"),
        (["100.64.0.1"], "RFC 6598"),
        (["203.0.113.0/28"], "TEST-NET-3"),
        (["2001:db8::1"], "documentation"),
        (["10.0.0.0-11.0.0.0"], "partly"),
        (["224.0.0.251"], "never scanned"),
        (["255.255.255.255"], "never scanned"),
        (["0.1.2.3"], "never scanned"),
        (["::"], "never scanned"),
        (["ff02::1"], "never scanned"),
        (["10.0.0.1/24"], "write 10.0.0.0/24"),
        (["10.0.0.0/33"], "not a network"),
        (["10.0.0.9-10.0.0.5"], "write 10.0.0.5-10.0.0.9"),
        (["10.0.0.0/24", "10.0.0.0/25"], "overlaps"),
        (["10.0.0.5-10", "10.0.0.10-12"], "overlaps"),
        (["@/does/not/exist"], "cannot read"),
        (["10.0.0.0/15"], "131,070 addresses"),
        (["fd00::/64"], "the limit is 65,536"),
        (["cam.example"], "write the address"),
        (["10.0.0.1-fd00::1"], "two ranges"),
        (["10.0.0.300"], "not an address"),
        (["fe80::1%eth0"], "zone"),
        (["cam era"], "neither an address nor a host name"),
        ([""], "empty"),
        ([], "no target"),
    ],
)
def test_refusals_are_one_clear_line(targets, words):
    with pytest.raises(ScopeError) as caught:
        scope(*targets)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_empty_result_and_missing_authority():
    with pytest.raises(ScopeError, match="scope is empty"):
        scope("10.0.0.0/24", exclude=["10.0.0.0/16"])
    with pytest.raises(ScopeError, match="no authority"):
        scope("10.0.0.1", authority="  ")


def test_a_target_written_twice_counts_once():
    assert scope("10.0.0.1", "10.0.0.1").size == 1


def test_a_whole_16_is_the_limit():
    assert scope("10.1.0.0/16").size == MAX_ADDRESSES - 2


def test_list_names_its_line(tmp_path):
    listed = tmp_path / "t.txt"
    listed.write_text("10.0.0.1\n10.0.0.999\n")
    with pytest.raises(ScopeError, match="line 2"):
        scope(f"@{listed}")


def test_unresolvable_name():
    def nowhere(name):
        raise OSError(-2, "Name or service not known")

    with pytest.raises(ScopeError, match="cannot be resolved"):
        scope("cam.example", resolve=nowhere)
    with pytest.raises(ScopeError, match="public address space"):
        scope("cam.example", resolve=lambda name: ["8.8.8.8"])


def file_of(tmp_path, text):
    path = tmp_path / "scope.toml"
    path.write_text(text)
    return path


WHOLE = 'owner = "Town"\ndocument = "Order 12"\nauthority = "Mayor"\nranges = ["203.0.113.0/24"]\n'


def test_a_scope_file_opens_other_ranges(tmp_path):
    path = file_of(tmp_path, WHOLE + 'excluded = ["203.0.113.9/32"]\n')
    built = build_scope([], scope_file=path)
    assert (built.owner, built.document, built.authority) == ("Town", "Order 12", "Mayor")
    assert built.size == 253
    assert not built.allows("203.0.113.9")
    assert build_scope(["203.0.113.7"], scope_file=path).size == 1
    with pytest.raises(ScopeError, match="not in the ranges"):
        build_scope(["10.0.0.1"], scope_file=path)


def test_a_scope_file_may_raise_the_limit_but_not_open_multicast(tmp_path):
    text = WHOLE.replace("203.0.113.0/24", "10.0.0.0/14") + "max_addresses = 300000\n"
    assert build_scope([], scope_file=file_of(tmp_path, text)).size == 262_142
    with pytest.raises(ScopeError, match="never scanned"):
        build_scope([], scope_file=file_of(tmp_path, WHOLE.replace("203.0.113.0", "224.0.0.0")))
    with pytest.raises(ScopeError, match="must be 1 to"):
        build_scope([], scope_file=file_of(tmp_path, text.replace("300000", "999999999999")))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("owner = ", "not TOML"),
        ('owner = "x"\n', "document"),
        (WHOLE.replace("Order 12", " "), "`document` is empty"),
        (WHOLE.replace('"203.0.113.0/24"', ""), "`ranges` is empty"),
        (WHOLE + 'colour = "red"\n', "colour"),
        (WHOLE.replace("203.0.113.0/24", "203.0.113.1/24"), "write 203.0.113.0/24"),
    ],
)
def test_bad_scope_files(tmp_path, text, words):
    with pytest.raises(ScopeError) as caught:
        build_scope([], scope_file=file_of(tmp_path, text))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_json_round_trip_and_checked_again():
    built = scope("10.0.0.0/24", exclude=["10.0.0.1"])
    again = Scope.from_json(built.to_json())
    assert again == built
    assert again.digest == built.digest
    assert scope("10.0.0.0/25").digest != built.digest
    for changed in (
        built.to_json().replace("10.0.0.0/24", "224.0.0.0/24"),
        built.to_json().replace("10.0.0.0/24", "8.8.8.0/24"),
        built.to_json().replace("10.0.0.0/24", "10.0.0.0/8"),
        "{",
    ):
        with pytest.raises(ScopeError):
            Scope.from_json(changed)


def test_denied_ports():
    assert {9100, 9107, 515, 102, 502, 20000, 2404, 44818, 47808} <= DENIED_PORTS
    assert len(DENIED_PORTS) == 15
    assert not DENIED_PORTS & {80, 443, 554, 9000, 37777}


def test_table_rows_are_networks_and_never_is_never():
    for row in SPECIAL_RANGES:
        network = ipaddress.ip_network(row.cidr)
        if row.permission is Permission.AUTHORITY:
            assert scope(str(network[0])).size == 1
        else:
            with pytest.raises(ScopeError):
                scope(str(network[-1]))


small = st.integers(0, 2**12 - 1)
spans = st.lists(st.tuples(small, st.integers(0, 200)), min_size=1, max_size=6)


def text_of(first, length):
    base = int(ipaddress.ip_address("10.0.0.0"))
    return f"{ipaddress.ip_address(base + first)}-{ipaddress.ip_address(base + first + length)}"


@given(st.tuples(small, st.integers(0, 1000)), spans)
@settings(deadline=None, max_examples=200)
def test_allows_is_exactly_addresses(target, holes):
    first, length = target
    gone = {n for start, size in holes for n in range(start, start + size + 1)}
    left = [n for n in range(first, first + length + 1) if n not in gone]
    build = {"exclude": [text_of(*hole) for hole in holes]}
    if not left:
        with pytest.raises(ScopeError):
            scope(text_of(first, length), **build)
        return
    built = scope(text_of(first, length), **build)
    base = int(ipaddress.ip_address("10.0.0.0"))
    assert [int(ipaddress.ip_address(a)) - base for a in built.addresses()] == left
    assert built.size == len(left)
    near = range(max(0, first - 2), first + length + 3)
    assert [n for n in near if built.allows(str(ipaddress.ip_address(base + n)))] == left


@given(st.text(max_size=40))
@settings(deadline=None, max_examples=300)
def test_any_text_is_a_scope_or_a_scope_error(text):
    if text.strip().startswith("@"):
        return
    try:
        size = scope(text).size
    except ScopeError as error:
        size = len(str(error))  # a message, however strange the text
    assert 0 < size <= MAX_ADDRESSES


@given(st.integers(0, 3000), st.integers(0, 2**40))
@settings(deadline=None, max_examples=200)
def test_permutation_is_one(count, seed):
    assert sorted(permutation(count, seed)) == list(range(count))


def test_permutation_depends_on_the_seed():
    orders = {tuple(permutation(254, seed)) for seed in range(20)}
    assert len(orders) == 20
    assert tuple(permutation(254, 3)) == tuple(permutation(254, 3))
