"""Endpoints of firmware files: the traps of real images, each with its class, place and bytes."""

from __future__ import annotations

import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camscan import knowledge
from camscan.observe.firmware import suffixes
from camscan.observe.firmware.anchors import Finder
from camscan.observe.firmware.gather import Gatherer
from camscan.observe.firmware.roles import Role, role_of
from camscan.observe.firmware.words import Words

LIST = suffixes.load()


@functools.lru_cache(maxsize=1)
def words():
    known = knowledge.load()
    return Words(known.vocabulary, known.endpoints)


def taken(gatherer, path, data, role):
    return gatherer.take(path, data, role, Finder(LIST.endings).find(data))


def gathered(*files):
    gatherer = Gatherer(LIST, words())
    for path, data in files:
        taken(gatherer, path, data, role_of(path, data))
    return gatherer.done()


def elf(*strings):
    return b"\x7fELF" + bytes(60) + b"\0".join(s.encode() for s in strings) + b"\0"


def one(path, data, host):
    found = [e for e in gathered((path, data)) if e.host == host]
    assert len(found) == 1, (host, gathered((path, data)))
    return found[0]


ENCODED = "EEGDFHBBKBIFGGIGFAGIAEBIGMMEDDNDDMEJEECJEEMPLCOJCGAMHFOOCJOF"
"""`47.88.1.2,p2p.example-cam.com,` written by the rule of the fact sheet."""

LIVE = [
    ("usr/bin/app", elf("api.cam-vendor.com"), "api.cam-vendor.com", "cloud_api"),
    ("usr/bin/app", elf("mqtts://iot.cam-vendor.com:8883"), "iot.cam-vendor.com", "mqtt"),
    ("usr/bin/app", elf("POSTapi.cam-vendor.com"), "api.cam-vendor.com", "cloud_api"),
    ("usr/bin/app", elf("log.cam-vendor.com."), "log.cam-vendor.com", "telemetry"),
    ("usr/bin/app", elf("http://%d.relay.cam-vendor.net:80/"), "%d.relay.cam-vendor.net", "template"),
    ("usr/bin/app", elf(".cam-vendor.cn"), "*.cam-vendor.cn", "template"),
    ("usr/bin/app", elf("api.stg.cam-vendor.com"), "api.stg.cam-vendor.com", "test_env"),
    ("usr/bin/app", elf("connect 47.88.12.5 failed"), "47.88.12.5", "unclassified"),
    ("usr/bin/app", elf("47.91.1.1,47.91.2.2"), "47.91.2.2", "unclassified"),
    ("usr/bin/app", elf("连接api.cam-vendor.com失败"), "api.cam-vendor.com", "cloud_api"),
    ("usr/bin/app", elf("www.comcast.net"), "www.comcast.net", "cloud_api"),
    ("usr/bin/app", elf("pool.ntp.org"), "pool.ntp.org", "ntp"),
    ("usr/bin/app", elf("aHR0cDovL2FwaS5jYW0tdmVuZG9yLmNvbS92MQ=="), "api.cam-vendor.com", "cloud_api"),
    ("etc/c.json", b'{"ota_server":"fw.cam-vendor.com","port":8443}', "fw.cam-vendor.com", "update"),
    ("etc/c.json", b'{"host":"upgrade.vendor.top"}', "upgrade.vendor.top", "update"),
    ("etc/resolv.conf", b"nameserver 8.8.8.8\n", "8.8.8.8", "dns"),
    ("etc/x.ini", b"stun = 2a05:d014::15\n", "2a05:d014::15", "stun"),
    ("www/a.js", b'var a=t.id,u="https://api.cam-vendor.com/v1"', "api.cam-vendor.com", "cloud_api"),
    ("www/a.js", b"q=`https://${r}.cdn.cam-vendor.com/x`", "${r}.cdn.cam-vendor.com", "template"),
    ("app", b"\0\0" + "ota.cam-vendor.com".encode("utf-16-le") + b"\0\0", "ota.cam-vendor.com", "update"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "data", "host", "kind"), LIVE)
def test_endpoints_are_found_with_their_class(path, data, host, kind):
    found = one(path, data, host)
    assert (found.live, found.kind) == (True, kind)


NOISE = [
    ("usr/bin/app", elf("4.9.6.156"), "4.9.6.156", "version_number"),
    ("usr/bin/app", elf("crop.top"), "crop.top", "struct_field"),
    ("usr/bin/app", elf("videoenc.cc"), "videoenc.cc", "source_name"),
    ("usr/bin/app", elf("com.vendor.smart.app"), "com.vendor.smart.app", "identifier"),
    ("usr/bin/app", elf("2.5.29.15"), "2.5.29.15", "object_identifier"),
    ("usr/bin/app", elf("239.255.255.250"), "239.255.255.250", "multicast_address"),
    ("usr/bin/app", elf("192.168.1.1"), "192.168.1.1", "private_address"),
    ("usr/bin/app", elf("http://www.onvif.org/ver10/schema"), "www.onvif.org", "namespace"),
    ("usr/bin/app", elf("http://www.cam-vendor.com/ver20/XMLSchema"), "www.cam-vendor.com", "namespace"),
    ("usr/bin/app", elf("https://curl.se/docs/http-cookies.html"), "curl.se", "documentation"),
    ("usr/bin/app", elf("ping -c 1 www.baidu.com"), "www.baidu.com", "connectivity_check"),
    ("usr/bin/app", elf("http://ocsp.digicert.com"), "ocsp.digicert.com", "certificate"),
    ("usr/bin/app", elf("someone@cam-vendor.com"), "cam-vendor.com", "mail_domain"),
    ("usr/bin/app", elf("www.example.com"), "www.example.com", "placeholder"),
    ("etc/protocols", b"xns-idp 22 # a@foo.cam-vendor.com\n", "foo.cam-vendor.com", "mail_domain"),
    ("etc/hosts", b"127.0.0.1 localhost log.cam-vendor.com\n", "log.cam-vendor.com", "blocked"),
    ("etc/init.d/S1", b"#!/bin/sh\n# see www.cam-vendor.com\n", "www.cam-vendor.com", "documentation"),
    ("etc/udhcpd.conf", b"opt dns 61.1.2.3 # server\n", "61.1.2.3", "sample_config"),
    ("www/a.js", b'open("http://www.cam-vendor.com/x.exe")', "www.cam-vendor.com", "web_link"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "data", "host", "kind"), NOISE)
def test_what_is_no_endpoint_is_told_apart(path, data, host, kind):
    found = one(path, data, host)
    assert (found.live, found.kind) == (False, kind)


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("www/a.js", b"var a=t.id,b=e.cn,c=window.location.host;x.y.com=3"),
        ("www/a.svg", b'<svg><path d="M1.66 0 3.51.98.32 2.03.5"/></svg>'),
        ("lib/x.so", elf("libfoo.so.0", "libc.so.6", "GLIBC_2.4", ".text", "a.out")),
        (
            "www/lang.js",
            b'{"a":"settings.device.info","b":"app.site","c":"socket.io","d":"index.html.br"}',
        ),
        ("etc/polkit.rules", b"return polkit.result.no;\n"),
        ("etc/x.conf", b"size=1024\nname=main.stream\nlib=libx.so\nrun=/usr/bin/start.sh\n"),
        ("x.bin", b"\0\x91ab.com\xff"),
    ],
)
def test_code_and_numbers_give_no_live_endpoint(path, data):
    assert [e for e in gathered((path, data)) if e.live] == []


def test_full_slots_that_run_together_are_parted():
    data = elf("") + b"time.windows.com" + b"cn.ntp.org.cn\0\0\0"
    assert {e.host for e in gathered(("app", data))} == {"time.windows.com", "cn.ntp.org.cn"}


def test_an_initialisation_string_is_decoded_exactly_and_wholly():
    data = elf("AB" + ENCODED + ":KEY")
    found = [e for e in gathered(("app", data)) if e.basis == "decoded:ppcs"]
    assert [e.host for e in found] == ["47.88.1.2", "p2p.example-cam.com"]
    assert data[found[0].offset : found[0].offset + found[0].length].decode() == ENCODED
    assert [
        e for e in gathered(("app", elf(ENCODED[:-8] + "AAAAAAAA"))) if e.basis == "decoded:ppcs"
    ] == []


def test_a_name_the_firmware_blocks_is_marked_wherever_it_stands():
    files = ("etc/hosts", b"127.0.0.1 a.cam-vendor.com\n"), ("app", elf("a.cam-vendor.com"))
    assert [(e.kind, e.live) for e in gathered(*files)] == [("blocked", False)]


def test_halves_of_a_pair_name_each_other():
    data = b'{"domestic":"https://api.cam.com.cn","overseas":"https://api.cam-intl.com"}'
    found = {e.host: e.paired for e in gathered(("c.json", data))}
    assert found == {"api.cam.com.cn": "api.cam-intl.com", "api.cam-intl.com": "api.cam.com.cn"}
    found = {e.host: e.paired for e in gathered(("app", elf("api.cam-x.com", "api.stg.cam-x.com")))}
    assert found["api.stg.cam-x.com"] == "api.cam-x.com"


def test_secrets_are_cut_from_the_context():
    data = b'{"server":"abc.cam-vendor.io","password":"hunter22hunter22"}'
    assert b"hunter22" not in repr(gathered(("c.json", data))).encode()


def test_the_same_bytes_stand_at_every_offset():
    for path, data, _, _ in (*LIVE, *NOISE):
        for e in gathered((path, data)):
            span = data[e.offset : e.offset + e.length]
            text = span.decode("utf-16-le") if e.basis == "utf16" else span.decode()
            if e.basis in {"plain", "utf16"}:
                assert text.lower() == e.host.removeprefix("*").lower()


@given(st.lists(st.sampled_from([b"a", b".com", b".", b"//", b"%s", b"{", b"}", b"\0", b"www", b"1.2.3.4", b"\\", b"<", b">", b"$", b"A" * 20, b"\xff", "ж".encode(), b"'", b"@"]), max_size=60))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_hostile_bytes_never_raise_and_offsets_hold(pieces):
    data = b"".join(pieces)
    for path in ("a.js", "a.conf", "app", "etc/hosts"):
        for e in gathered((path, data)):
            assert 0 <= e.offset < e.offset + e.length <= len(data)
            assert e.host.isprintable()
            assert len(e.context) <= 200


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_taken(data):
    assert all(e.length > 0 for e in gathered(("x", data), ("y.js", data)))


def test_a_file_of_endless_names_ends_at_its_limit(monkeypatch):
    monkeypatch.setattr("camscan.observe.firmware.names.ANCHORS", 1000)
    gatherer = Gatherer(LIST, words())
    assert taken(gatherer, "x", b"http://a.com " * 2000, Role.BINARY) is False
    assert len(gatherer.done()) <= 1


def test_a_file_of_endless_different_names_ends_at_its_limit(monkeypatch):
    monkeypatch.setattr("camscan.observe.firmware.names.CANDIDATES", 50)
    gatherer = Gatherer(LIST, words())
    data = b"\0".join(b"api.cam%d-x.com" % n for n in range(500))
    assert taken(gatherer, "x", data, Role.BINARY) is False
    assert len(gatherer.done()) == 50


def test_roles_follow_content_before_names():
    assert role_of("a.txt", b"\x7fELF...") is Role.ELF
    assert role_of("run", b"#!/bin/sh\n") is Role.SCRIPT
    assert role_of("a/etc/hosts", b"127.0.0.1 x") is Role.HOSTS
    assert role_of("x!/usr/share/licenses/x", b"text") is Role.DOCUMENT
    assert role_of("blob", bytes(range(256))) is Role.BINARY
