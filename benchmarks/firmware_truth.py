"""File trees like those of camera firmware, with the truth about every name in them.

Written from the fact sheet (facts: firmware 2 to 5) and the documentation of the file forms; shares no
code with camscan. Machine code and picture data are random bytes; names are made of syllables, so
that no list of camscan knows them. What a reviewer would call an endpoint is `live`.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import struct
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SYLLABLES = [
    "ba",
    "ce",
    "di",
    "fo",
    "gu",
    "ha",
    "jin",
    "ko",
    "lu",
    "mi",
    "nan",
    "o",
    "pa",
    "qi",
    "ro",
    "shen",
    "ta",
    "wu",
    "xi",
    "yun",
    "zo",
    "cam",
    "eye",
    "vision",
    "net",
    "ipc",
    "home",
    "smart",
    "view",
    "safe",
    "link",
]
ENDINGS = (
    ["com"] * 40 + ["net"] * 8 + ["cn"] * 12 + ["com.cn"] * 10 + ["org"] * 2 + ["io"] * 4 + ["cloud"] * 3 + ["eu"] * 3 + ["de"] * 2
    + ["co.uk"] * 2 + ["ru"] * 2 + ["tv"] * 2 + ["top"] * 2 + ["cc"] * 2 + ["com.tw"] * 2 + ["com.hk"] + ["us"] + ["me"] + ["vn"] + ["com.br"]
)  # fmt: skip
SERVICES = [
    "api",
    "mqtt",
    "ota",
    "update",
    "upgrade",
    "p2p",
    "push",
    "log",
    "stat",
    "relay",
    "stun",
    "time",
    "ntp",
    "device",
    "auth",
    "account",
    "oss",
    "upload",
    "live",
    "dispatch",
    "cfg",
    "gw",
    "cloud",
    "www",
    "app",
    "iot",
    "alarm",
    "event",
    "s3",
]
TABLE = [
    0x49, 0x59, 0x43, 0x3D, 0xB5, 0xBF, 0x6D, 0xA3, 0x47, 0x53, 0x4F, 0x61, 0x65, 0xE3, 0x71, 0xE9, 0x67, 0x7F, 0x02, 0x03, 0x0B, 0xAD, 0xB3, 0x89, 0x2B, 0x2F, 0x35,
    0xC1, 0x6B, 0x8B, 0x95, 0x97, 0x11, 0xE5, 0xA7, 0x0D, 0xEF, 0xF1, 0x05, 0x07, 0x83, 0xFB, 0x9D, 0x3B, 0xC5, 0xC7, 0x13, 0x17, 0x1D, 0x1F, 0x25, 0x29, 0xD3, 0xDF,
]  # fmt: skip
SYMBOLS = [
    "printf",
    "memcpy",
    "strlen",
    "pthread_create",
    "__libc_start_main",
    "socket",
    "connect",
    "gethostbyname",
    "_ITM_deregisterTMCloneTable",
    "GLIBC_2.4",
    "libc.so.6",
    "libpthread.so.0",
    "ld-linux.so.3",
    ".shstrtab",
    ".interp",
    ".note.gnu.build-id",
    ".rodata",
    "crtstuff.c",
    "frame_dummy",
    "main.c",
    "rtsp_server.cc",
    "video_enc.cpp",
    "a.out",
    "std::string",
    "_ZNSs4_Rep20_S_empty_rep_storageE",
]
APPLETS = [
    "[",
    "[[",
    "addgroup",
    "adduser",
    "ash",
    "awk",
    "base64",
    "cat",
    "chmod",
    "cp",
    "crond",
    "cut",
    "date",
    "dd",
    "df",
    "dmesg",
    "du",
    "echo",
    "env",
    "expr",
    "false",
    "find",
    "ftpget",
    "ftpput",
    "getty",
    "grep",
    "gunzip",
    "gzip",
    "halt",
    "hostname",
    "httpd",
    "ifconfig",
    "init",
    "kill",
    "klogd",
    "ln",
    "login",
    "ls",
    "md5sum",
    "mdev",
    "mkdir",
    "mount",
    "mv",
    "nc",
    "netstat",
    "nslookup",
    "ntpd",
    "passwd",
    "ping",
    "ps",
    "reboot",
    "rm",
    "route",
    "sed",
    "sh",
    "sleep",
    "tar",
    "telnet",
    "telnetd",
    "tftp",
    "time",
    "top",
    "udhcpc",
    "udhcpd",
    "uname",
    "vi",
    "wget",
    "zcat",
]


def encode(text: str) -> str:
    """Letters of an initialisation string, by the fact sheet: XOR of table, 0x39 and all bytes before."""
    letters, before = [], 0
    for place, letter in enumerate(text.encode("ascii")):
        byte = letter ^ TABLE[place % 54] ^ 0x39 ^ before
        before ^= letter
        letters += [chr(ord("A") + byte // 16), chr(ord("A") + byte % 16)]
    return "".join(letters)


@dataclass
class Tree:
    """Files, and for every name in them whether it is an endpoint."""

    seed: int
    files: dict[str, bytes] = field(default_factory=dict)
    live: set[str] = field(default_factory=set)
    noise: set[str] = field(default_factory=set)
    decoded: set[str] = field(default_factory=set)
    wide: set[str] = field(default_factory=set)
    keys: int = 0

    def __post_init__(self) -> None:
        self.r = random.Random(self.seed)

    def word(self, least: int = 2, most: int = 3) -> str:
        return "".join(self.r.choice(SYLLABLES) for _ in range(self.r.randint(least, most)))

    def host(self, *, live: bool = True, service: bool = True, ending: str = "") -> str:
        while True:
            labels = [self.word(), ending or self.r.choice(ENDINGS)]
            if service or self.r.random() < 0.8:
                first = self.r.choice(SERVICES)
                if self.r.random() < 0.4:
                    first += self.r.choice(["1", "2", "-eu", "-cn", "-us", "01"])
                labels.insert(0, first)
            name = ".".join(labels)
            if name not in self.live | self.noise:
                (self.live if live else self.noise).add(name)
                return name

    def quad(self, *, live: bool = True) -> str:
        while True:
            first = self.r.choice(
                [
                    8,
                    18,
                    34,
                    39,
                    42,
                    43,
                    47,
                    52,
                    54,
                    59,
                    60,
                    101,
                    106,
                    110,
                    115,
                    118,
                    119,
                    120,
                    121,
                    123,
                    139,
                    159,
                    175,
                    182,
                    203,
                    211,
                    218,
                    220,
                ]
            )
            text = f"{first}.{self.r.randint(20, 254)}.{self.r.randint(20, 250)}.{self.r.randint(2, 250)}"
            if text not in self.live | self.noise:
                (self.live if live else self.noise).add(text)
                return text


def elf(tree: Tree, strings: list[bytes], size: int, symbols: list[str] | None = None) -> bytes:
    """An ELF file in its outline: header, code (random), read-only strings at aligned places, symbol names."""
    code = tree.r.randbytes(size)
    rodata = bytearray()
    for text in strings:
        rodata += text + b"\0"
        while len(rodata) % 4:
            rodata += b"\0"
    names = b"\0" + b"\0".join(s.encode() for s in (symbols or SYMBOLS)) + b"\0"
    header = (
        b"\x7fELF\x01\x01\x01"
        + bytes(9)
        + struct.pack("<HHIIIIIHHHHHH", 2, 40, 1, 0x8000, 52, 0, 0, 52, 32, 1, 40, 0, 0)
    )
    comment = b"GCC: (Buildroot 2015.02) 4.9.6\0"
    return header + code + bytes(16) + bytes(rodata) + comment + names + tree.r.randbytes(64)


def make(seed: int, *, megabytes: float = 2.0) -> Tree:
    """One tree of about this size."""
    t = Tree(seed)
    _programs(t, int(megabytes * 1e6))
    _settings(t)
    _scripts(t)
    _pages(t)
    _noise(t)
    return t


def _programs(t: Tree, size: int) -> None:
    r = t.r
    strings: list[bytes] = [t.host().encode() for _ in range(14)]
    strings += [
        f"{r.choice(['https', 'http', 'mqtts', 'wss'])}://{t.host()}{r.choice(['', ':8443', ':1883'])}/{t.word()}?v=%d".encode()
        for _ in range(8)
    ]
    strings += [f"connect to server {t.host()} failed, errno %d\n".encode() for _ in range(3)]
    strings += [f"ping -c 1 -W 2 {t.host()} > /tmp/net".encode(), f"{t.host()}.".encode()]
    strings += [b"POST" + t.host().encode(), b"GET" + t.host().encode()]
    strings += [
        f"{t.host()},{t.host()},{t.quad()}".encode(),
        t.quad().encode(),
        t.quad().encode(),
        f"{t.quad()}:8000".encode(),
    ]
    pattern = f"%s.{t.word()}.com"
    t.live.add(pattern)
    strings.append(f"https://{pattern}:%d/api/v1".encode())
    pattern = f"{r.choice(SERVICES)}%d.{t.word()}.net"
    t.live.add(pattern)
    strings.append(pattern.encode())
    suffix = f"{t.word()}.com.cn"
    t.live.add(f"*.{suffix}")
    strings.append(f".{suffix}".encode())
    base = t.word()
    for name in (f"api.stg.{base}.com", f"api.{base}.com", f"beta-mqtt.{base}.com"):
        t.live.add(name)
        strings.append(name.encode())
    noise = [t.host(live=False, ending="com") for _ in range(3)]
    strings += [
        f"{t.word()}@{noise[0]}".encode(),
        f"http://{noise[1]}/ver10/schema".encode(),
        f"http://{noise[2]}/ver20/XMLSchema".encode(),
    ]
    strings += [
        b"crop.top",
        b"rect.top",
        b"stream.id",
        b"info.name",
        b"ev.data",
        b"frame.app",
        b"rtsp_client.cc",
        b"isp.so",
        b"node.is",
        b"main.do",
        b"videoenc.cc",
        b"osd.style",
    ]
    strings += [
        b"4.9.6.156",
        b"1.0.2.14",
        b"V5.2.11.9",
        b"version 10.3.2.44",
        b"2.5.29.15",
        b"1.2.840.113549.1.1.11",
        b"1.3.6.1.4.1",
        b"239.255.255.250",
        b"192.168.1.10",
        b"10.0.0.1",
        b"255.255.255.0",
        b"127.0.0.1",
    ]
    strings += [
        b"http://www.openssl.org/support/faq.html",
        b"https://curl.haxx.se/docs/http-cookies.html",
        b"http://www.w3.org/2003/05/soap-envelope",
        b"http://schemas.xmlsoap.org/ws/2005/04/discovery",
        b"http://www.onvif.org/ver10/device/wsdl",
    ]
    strings += [
        b"www.baidu.com",
        b"8.8.8.8",
        b"114.114.114.114",
        b"com.tencent.xinge.push",
        b"org.freedesktop.DBus",
        b"Mon.Tue",
        b"text/html",
        b"index.html",
        b"zh_CN.GB18030",
        b"ISO-8859-1",
        b"en_US.UTF-8",
        b"/tmp/x.sock",
        b"/dev/mtd0",
        b"libssl.so.1.0.0",
    ]
    strings += [
        b"example.com",
        b"www.example.com",
        b"foo.bar.com",
        b"-----BEGIN RSA PRIVATE KEY-----",
    ]
    r.shuffle(strings)
    strings.append(b"time.windows.com" + b"cn.ntp.org.cn\0\0\0" + b"time.nist.gov\0\0\0")
    t.live |= {"time.windows.com", "cn.ntp.org.cn", "time.nist.gov"}
    slot = 16
    left = f"{r.choice(['api', 'ntp', 'log'])}.{'abcdefghijklmnop'[: slot - 8]}.com"[:slot]
    while len(left) < slot:
        left = left.replace(".com", "x.com")
    right = t.host(ending="cn")
    t.live.add(left)
    strings.append(left.encode() + right.encode())
    listed = [t.host(ending=r.choice(["com", "net", "cn"])) for _ in range(3)] + [t.quad()]
    t.decoded |= set(listed)
    strings.append((encode(",".join(listed)) + r.choice(["", ":KEY"])).encode())
    listed = [t.quad(), t.quad(), t.host(ending="com")]
    t.decoded |= set(listed)
    strings.append(encode(",".join(listed) + ",").encode())
    strings += [
        b"ABCDEFGHIJKLMNOPABCDEFGHIJKLMNOP",
        b"AAAAAAAAAAAAAAAAAAAAAAAA",
        b"PPPPOOOONNNNMMMMLLLLKKKK",
    ]
    t.files["usr/bin/ipcam"] = elf(t, strings, size // 2)
    wide = [t.host(ending="com") for _ in range(2)]
    t.wide |= set(wide)
    blob = (
        t.r.randbytes(512)
        + bytes(4)
        + wide[0].encode("utf-16-le")
        + bytes(4)
        + t.r.randbytes(511)
        + bytes(3)
        + wide[1].encode("utf-16-be")
        + bytes(4)
    )
    t.files["usr/lib/libdev.so"] = (
        elf(t, [t.host().encode(), b"libdev.so.1", *(s.encode() for s in APPLETS)], size // 4)
        + blob
    )
    t.files["bin/busybox"] = elf(
        t,
        [
            b"BusyBox v1.20.2 (2016-08-01 10:00:00 CST)",
            *(s.encode() for s in APPLETS),
            b"busybox.net",
            b"http://www.busybox.net",
        ],
        size // 8,
    )
    t.files["lib/modules/sensor.ko"] = elf(
        t,
        [b"sensor_reg.width", b"isp.cc", b"jxf22.c", b"vermagic=3.4.35 mod_unload ARMv5"],
        size // 8,
    )


def _settings(t: Tree) -> None:
    cn, intl = f"https://api.{t.word()}.com.cn", f"https://api.{t.word()}-intl.com"
    t.live |= {cn[8:], intl[8:]}
    document = {
        "domestic": cn, "overseas": intl, "mqtt": {"host": t.host(), "port": 8883}, "ota_server": t.host(), "ntp": [t.host(), "pool.ntp.org"],
        "upload": f"http://{t.quad()}:9000/up", "version": "3.1.4.22", "fw": "1.2.3.4", "password": "secret0secret", "resolution": "1920x1080", "schema": "http://json-schema.org/draft-07/schema",
    }  # fmt: skip
    t.live.add("pool.ntp.org")
    t.files["etc/cloud.json"] = json.dumps(document, separators=(",", ":")).encode()
    t.files["etc/server.ini"] = (
        f"[p2p]\nserver={t.host()}\nbackup={t.quad()}\n[ntp]\ntime_server = {t.host()}\n[ver]\nversion=4.2.1.7\nlib=libx.so\n"
        f"[old]\n; server={t.host(live=False)}\n# http://{t.host(live=False)}/\n"
    ).encode()
    t.files["etc/device.xml"] = (
        f'<?xml version="1.0"?><cfg xmlns="http://{t.host(live=False)}/schema" xmlns:tt="http://www.onvif.org/ver10/schema"><Server>{t.host()}</Server>'
        f"<ip>{t.quad()}</ip><gw>192.168.0.1</gw><version>2.8.0.18</version></cfg>"
    ).encode()
    t.files["etc/resolv.conf"] = b"nameserver 223.5.5.5\nnameserver 192.168.1.1\n"
    t.live.add("223.5.5.5")


def _scripts(t: Tree) -> None:
    blocked = t.host(live=False)
    t.files["etc/hosts"] = f"127.0.0.1 localhost {t.host(live=False)}\n::1 localhost\n".encode()
    t.files["etc/init.d/S90net"] = (
        f"#!/bin/sh\n# see http://{t.host(live=False)}/help\necho '127.0.0.1 {blocked}' >> /etc/hosts\nping -c 1 www.qq.com\nntpdate {t.host()}\n"
        f'wget -q http://{t.host()}/fw.bin -O /tmp/fw.bin\nSERVER="{t.host()}"\n. /etc/functions.sh\nexport LD_PRELOAD=libhook.so\ninsmod sensor.ko\n'
    ).encode()
    t.files["usr/lib/lua/cloud.lua"] = (
        f'local M = {{}}\nM.host = "{t.host()}"\nlocal sys = require "luci.sys"\nlocal x = cfg.net.id\n-- http://{t.host(live=False)}/doc\nM.url = "https://{t.host()}/v2"\nreturn M.to.me\n'
    ).encode()


def _pages(t: Tree) -> None:
    link, plugin = t.host(live=False, ending="com"), "www." + t.word() + ".com"
    t.noise.add(plugin)
    js = (
        "!function(e,t){var n=t.id,r=e.cn,i=o.top,a=window.location.host,s=document.cookie,u=this.data.info,c=e.in.me,l=f.is.so;"
        f'var d="https://{t.host()}/api",p="wss://{t.host()}:8443/ws";function h(){{return g.net.to.com+e.target.name}}'
        f'open("http://{plugin}/setup.exe");x.version="2.1.0.9";m.org=n.de;v.call(w.io.cc);/* http://{link}/LICENSE */}}(jQuery,window);'
    )
    t.files["www/js/app.min.js"] = (
        js * 1
        + "".join(f"function f{i}(a,b){{return a.top-b.name+a.is.id*{i}.5}}" for i in range(400))
    ).encode()
    t.files["www/index.html"] = (
        f'<!DOCTYPE html><html><a href="http://{t.host(live=False, ending="com")}/">home</a><script src="js/app.min.js"></script><svg><path d="M1.66 0 3.51.98.32 2.03.5 47.12.3.11 z"/></svg></html>'
    ).encode()
    t.files["www/style.css"] = (
        b".btn.top{top:0}.nav.info{color:#fff}body.app{background:url(img/a.b.png)}"
    )


def _noise(t: Tree) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    bundle = b""
    for _ in range(12):
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, t.word() + " Root CA")])
        crl = t.host(live=False, ending="com")
        made = (
            x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(t.r.randint(1, 1 << 60))
            .not_valid_before(dt.datetime(2010, 1, 1, tzinfo=dt.UTC)).not_valid_after(dt.datetime(2030, 1, 1, tzinfo=dt.UTC))
            .add_extension(x509.CRLDistributionPoints([x509.DistributionPoint([x509.UniformResourceIdentifier(f"http://crl.{crl}/root.crl")], None, None, None)]), critical=False)
            .sign(key, hashes.SHA256())
        )  # fmt: skip
        t.noise.add(f"crl.{crl}")
        bundle += f"# Issuer: {t.word()}\n".encode() + made.public_bytes(serialization.Encoding.PEM)
        t.files[f"etc/ssl/extra/{len(t.files)}.der"] = made.public_bytes(serialization.Encoding.DER)
    t.files["etc/ssl/certs/ca-bundle.crt"] = bundle
    t.files["etc/push.pem"] = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    t.keys = 1
    t.files["etc/udhcpd.conf"] = (
        b"# Sample udhcpd configuration file (/etc/udhcpd.conf)\nstart 192.168.0.20\nopt dns 129.219.13.81\noption wins 192.168.10.10\noption domain local\noption 0x08 01020304\nsiaddr 192.168.0.22\n#notify_file dumpleases\nopt router 61.12.33.4\n"
    )
    t.noise |= {"129.219.13.81", "61.12.33.4"}
    t.files["etc/protocols"] = (
        f"ip 0 IP # internet protocol\nax.25 93 AX.25 # AX.25 Frames\netherip 97 ETHERIP # {t.word()}@{t.host(live=False, ending='edu')}\n".encode()
    )
    t.files["usr/share/licenses/LICENSE"] = (
        f"Copyright (c) 2009 {t.word()} <{t.word()}@{t.host(live=False, ending='com')}>\nhttp://{t.host(live=False, ending='com')}/license\n".encode()
        * 3
    )
    t.files["usr/share/zoneinfo/zone.tab"] = (
        b"CN\t+3114+12128\tAsia/Shanghai\tBeijing Time\nRS\t+4450+02030\tEurope/Belgrade\n" * 30
    )
    t.files["usr/share/locale/zh/app.mo"] = (
        b"\xde\x12\x04\x95"
        + bytes(24)
        + f"Visit {t.host(live=False, ending='com')} for help\0".encode()
        + "帮助".encode()
    )
    t.files["media/start.pcm"] = t.r.randbytes(200_000)
    t.files["etc/wsdl/device.wsdl"] = (
        f'<wsdl:definitions targetNamespace="http://{t.host(live=False, ending="org")}/wsdl"/>'.encode()
    )
