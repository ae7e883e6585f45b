"""Is the raised city the network it claims to be, and does nothing leave it?"""

from __future__ import annotations

import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PERSONAS = Path(__file__).parent / "personas"
pytestmark = pytest.mark.lab


def test_each_device_has_its_own_mac_and_dead_addresses_are_silent(city):
    done = city("""
get(camera); get(printer)
dead = next(a for a in (f"10.20.0.{n}" for n in range(2, 200))
            if a not in {u["address"] for u in units} and a not in truth["rejects"])
try:
    socket.create_connection((dead, 80), 1)
except TimeoutError:
    print("silent")
reject = next(a for a in truth["rejects"] if a.startswith("10.20.0."))
try:
    socket.create_connection((reject, 80), 1)
except OSError as error:
    print(error.errno)
print(open("/proc/net/arp").read())
""")
    assert done.out.startswith("silent\n113\n")  # EHOSTUNREACH: administratively prohibited
    table = dict(re.findall(r"^(10\.\S+) .* (\S\S:\S+:\S\S) ", done.out, re.MULTILINE))
    macs = {u["address"]: u["mac"] for u in done.truth["units"]}
    seen = {a: m for a, m in table.items() if a in macs}
    assert len(seen) == 2
    assert all(macs[a] == m for a, m in seen.items())


def test_routed_and_unreachable_segments(city):
    done = city("""
print(get(next(u["address"] for u in units if u["segment"] == "b" and u["ports"].get("80")))[0])
for address in ("10.20.8.77", next(a for a in truth["rejects"] if a.startswith("10.20.8.")),
                next(u["address"] for u in units if u["segment"] == "c")):
    try:
        socket.create_connection((address, 80), 1)
    except OSError as error:
        print(type(error).__name__, error.errno)
""")
    lines = done.out.splitlines()
    assert lines[0] in {"200", "302"}
    assert lines[1] in {"TimeoutError None", "TimeoutError 110"}
    assert lines[2] == "OSError 113"
    assert lines[3] == "OSError 101"


def test_the_scanner_reaches_neither_the_clouds_nor_the_world(city):
    done = city("""
for where in ("192.0.2.53", "203.0.113.1", "8.8.8.8"):
    try:
        socket.create_connection((where, 53), 1)
        print("reached")
    except OSError as error:
        print(error.errno)
u = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)  # around the routing table, through the gateway
u.bind(("vs0", 0))
mac = bytes.fromhex("0200005ca001")
query = bytes.fromhex("000101000001000000000000") + b"\\x03dev\\x0bhik-connect\\x03com\\0\\0\\1\\0\\1"
udp = struct.pack(">HHHH", 4000, 53, 8 + len(query), 0) + query
head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0,
                   bytes((10, 20, 0, 254)), bytes((192, 0, 2, 53)))
words = struct.unpack(">10H", head)
total = sum(words); total = (total & 0xFFFF) + (total >> 16); total = (total & 0xFFFF) + (total >> 16)
head = head[:10] + struct.pack(">H", ~total & 0xFFFF) + head[12:]
answer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
answer.bind(("10.20.0.254", 4000)); answer.settimeout(0.7)
u.send(bytes.fromhex("0200005ca002") + mac + b"\\x08\\x00" + head + udp)
try:
    print(answer.recv(500))
except TimeoutError:
    print("no answer")
""")
    assert done.out.splitlines() == ["101", "101", "101", "no answer"]
    assert done.stats["wire"]["outside_plan_examples"] == {"UDP to 192.0.2.53:53": 1}


def test_searches_are_answered(city):
    done = city("""
def ask(data, where, source=0, multicast=True):
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    u.bind(("" if source else "10.20.0.254", source))
    if source:
        u.setsockopt(0, socket.IP_ADD_MEMBERSHIP,
                     socket.inet_aton(where[0]) + socket.inet_aton("10.20.0.254"))
    u.setsockopt(0, socket.IP_MULTICAST_IF, socket.inet_aton("10.20.0.254"))
    u.settimeout(0.9)
    u.sendto(data, where)
    got = {}
    try:
        while True:
            answer, peer = u.recvfrom(65535)
            got[peer[0]] = answer
    except TimeoutError:
        return got
sadp = b"<?xml version='1.0'?><Probe><Uuid>A-1</Uuid><Types>inquiry</Types></Probe>"
got = ask(sadp, ("239.255.255.250", 37020), 37020)
print(sum(b"<Uuid>A-1</Uuid>" in v and b"ProbeMatch" in v for v in got.values()))
body = b'{"method":"DHDiscover.search","params":{"mac":"","uni":0}}\\n'
dhip = struct.pack("<I4s6I", 32, b"DHIP", 0, 0, len(body), 0, len(body), 0) + body
for where in ("239.255.255.251", "255.255.255.255", "10.20.0.255"):
    print(sum(v[4:8] == b"DHIP" for v in ask(dhip, (where, 37810)).values()))
print(len(ask(sadp.replace(b"inquiry", b"update"), ("239.255.255.250", 37020))))
""")
    cameras = sum(
        u["persona"] == "plain-camera" and u["segment"] == "a" for u in done.truth["units"]
    )
    assert cameras >= 1
    # devices behind the router hear no group packets
    assert [int(line) for line in done.out.split()] == [cameras] * 4 + [0]


def test_a_device_of_a_foreign_subnet_is_heard_but_touching_it_counts(city):
    done = city("""
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(("", 37020))
u.setsockopt(0, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("239.255.255.250") + socket.inet_aton("10.20.0.254"))
u.setsockopt(0, socket.IP_MULTICAST_IF, socket.inet_aton("10.20.0.254"))
u.settimeout(0.9)
u.sendto(b"<Probe><Uuid>A-1</Uuid><Types>inquiry</Types></Probe>", ("239.255.255.250", 37020))
heard = set()
try:
    while True:
        heard.add(u.recvfrom(65535)[1][0])
except TimeoutError:
    print("192.168.1.64" in heard)
raw = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"vs0")
try:
    raw.sendto(b"x", ("192.168.1.64", 80))
except OSError:
    pass
time.sleep(0.3)
""")
    assert done.out.split() == ["True"]
    assert done.stats["wire"]["outside_plan"] >= 1
    assert "192.168.1.64" in " ".join(done.stats["wire"]["outside_plan_examples"])


def test_exit_code_environment_and_files(city):
    done = city(
        "print(sorted(os.listdir(os.environ['CAMSCAN_DEMO_DIR'])), os.environ['CAMSCAN_LAB_TARGETS']);"
        " sys.exit(7)",
        check=False,
    )
    assert done.code == 7
    assert "['assets.csv', 'networks.toml', 'site.toml', 'targets.txt']" in done.out
    assert "10.20.0.0/24,10.20.8.0/24,10.20.9.0/24" in done.out


def test_masked_lab_is_empty_for_the_command(city):
    script = f"print(os.listdir({str(ROOT / 'lab')!r}), os.listdir({str(PERSONAS)!r}))"
    assert city(script, "--mask-lab").out.strip() == "[] []"
    assert "persona.py" in city(script).out


def test_latency_profile(city):
    done = city(
        "t = time.monotonic(); get(camera); print(time.monotonic() - t)",
        "--latency-profile",
        "real",
    )
    assert float(done.out) >= 0.08


def test_user_namespaces(city):
    done = city("print(get(camera)[0], os.getuid())", mode="userns")
    assert done.out.split() == ["200", "0"]
    assert "mode userns" in done.err


def test_an_ordinary_user_can_raise_it(tmp_path):
    """Modules are loaded as root first: the interpreter may lie where the user cannot read."""
    if os.geteuid() != 0:
        pytest.skip("the other tests of this file already run as an ordinary user")
    tmp_path.chmod(0o777)
    plan = tmp_path / "p.toml"
    plan.write_text('id="p"\nabout="p"\n[[segment]]\nid="a"\ncidr="10.20.0.0/24"\ncameras=3\n')
    for parent in (plan, *tmp_path.parents):
        if str(parent).startswith("/tmp/"):
            parent.chmod(parent.stat().st_mode | 0o755)
    code = f"""
import ctypes, os, sys, encodings.idna, encodings.ascii, pathlib
import lab.city, lab.cli, lab.persona, lab.udp_answers
from pathlib import Path
loaded = lab.persona.load_personas(Path({str(PERSONAS)!r}))
lab.city.load_personas = lambda folder: loaded
os.setgroups([]); os.setgid(4711); os.setuid(4711)
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
sys.exit(lab.cli.main(["exec", "--plan", {str(plan)!r}, "--stats", {str(tmp_path / "s.json")!r},
    "--", "/bin/sh", "-c", "exec 3<>/dev/null; cat /proc/self/uid_map; ls /sys/class/net >/dev/null; ip -br addr"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "mode userns" in done.stderr
    assert done.stdout.split()[:3] == ["0", "4711", "1"]
    assert "10.20.0.254/24" in done.stdout
    assert json.loads((tmp_path / "s.json").read_text())["mode"] == "userns"


def test_proof_refuses_a_further_interface_and_a_default_route():
    code = """
import os
from lab import proof
from lab.netns import NamespaceError, ip_batch, make_namespaces
spaces = make_namespaces(user=os.geteuid() != 0)
ip_batch(["link set lo up", "link add a0 type veth peer name a1", "addr add 10.20.0.1/24 dev a0",
          "link set a0 up", "link set a1 up"])
proof.check_here("x", ("a0", "a1"), ("10.20.0.0/24",))
for veths, command in ((("a0",), []), (("a0", "a1"), ["route add default dev a0"])):
    ip_batch(command)
    try:
        proof.check_here("x", veths, ("10.20.0.0/24",))
        print("accepted")
    except proof.ProofError as error:
        print(error)
spaces.outside = (os.readlink("/proc/self/ns/net"),)
try:
    proof.prove(spaces, {"lab": ("a0", "a1")}, {"lab": ("0.0.0.0/0",)})
except proof.ProofError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    lines = done.stdout.splitlines()
    assert lines[0] == "namespace x has further interfaces: a1", done.stderr
    assert lines[1].startswith("namespace x has a route to 0.0.0.0/0")
    assert "not a namespace of its own" in lines[2]


def test_killing_the_lab_leaves_nothing(tmp_path):
    mark = tmp_path / "pid"
    command = [
        sys.executable,
        "-m",
        "lab",
        "exec",
        "--plan",
        "city-24",
        "--personas",
        str(PERSONAS),
    ]
    command += ["--", sys.executable, "-c"]
    command += [f"import os,time; open({str(mark)!r},'w').write(str(os.getpid())); time.sleep(60)"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    for _ in range(100):
        if mark.exists() and mark.read_text():
            break
        time.sleep(0.1)
    child = int(mark.read_text())
    process.send_signal(signal.SIGKILL)
    process.wait()
    for _ in range(50):
        state = Path(f"/proc/{child}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            break
        time.sleep(0.1)
    else:
        pytest.fail("the command outlived the lab")


def test_capture_has_true_macs_names_and_bytes(tmp_path):
    target, truth = tmp_path / "x.pcap", tmp_path / "t.json"
    plan = tmp_path / "p.toml"
    plan.write_text('id="p"\nabout="p"\n[[segment]]\nid="a"\ncidr="10.20.0.0/24"\ncameras=3\n')
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "lab",
            "capture",
            str(target),
            "--plan",
            str(plan),
            "--personas",
            str(PERSONAS),
            "--seconds",
            "2.5",
            "--truth",
            str(truth),
        ],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    units = json.loads(truth.read_text())
    macs = {u["address"]: u["mac"] for u in units["units"]}
    data = target.read_bytes()
    assert data[:4] == b"\xd4\xc3\xb2\xa1"
    at, seen, questions, names = 24, set(), 0, 0
    while at < len(data):
        kept = struct.unpack_from("<I", data, at + 8)[0]
        frame = data[at + 16 : at + 16 + kept]
        at += 16 + kept
        if frame[12:14] != b"\x08\x00":
            continue
        source = ".".join(map(str, frame[26:30]))
        if source in macs:
            assert frame[6:12].hex(":") == macs[source]
            seen.add(source)
            questions += frame[23] == 17 and frame[36:38] == b"\x00\x35"
            names += b"\x16\x03\x01" in frame and b"dev.hik-connect.com" in frame
    assert len(seen) >= 1
    assert questions >= 1
    assert names >= 1


def test_loopback_mode(city):
    done = city(
        "offset = int(os.environ['CAMSCAN_LAB_PORT_OFFSET']); print(get(camera, port=80 + offset)[0], camera)",
        mode="loopback",
    )
    assert done.out.startswith("200 127.77.0.")
    assert "not emulated" in done.err
    assert done.totals("connections") == 1
    assert done.stats["wire"] is None
