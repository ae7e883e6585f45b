"""Do the commands that send nothing do what DESIGN section 5 says of them?"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re

import jsonschema
import pytest
import zstandard
from mmdb_file import database
from recorded_answers import ANSWERS, record

from camscan import assessments
from camscan.cli.main import run
from camscan.clock import SystemClock
from camscan.model.observation import Kind
from camscan.run import Run

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def opened(path):
    return Run.open(path, SystemClock())


def line_of_json(capsys):
    return json.loads(capsys.readouterr().out)


# --- identify


KEYS = {
    "device_id", "is_camera", "role", "maker", "brand", "platform", "model", "firmware",
    "confidence", "conflicts", "evidence",
}  # fmt: skip


def test_identify_gives_one_line_per_device_with_the_stated_keys(answers, capsys):
    assert run(["identify", str(answers), "--json"]) == 0
    lines = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert [one["device_id"] for one in lines] == ["10.9.0.7", "10.9.0.9", "10.9.0.66"]
    for one in lines:
        assert set(one) == KEYS
        assert one["is_camera"] in (True, False, None)
        for evidence in one["evidence"]:
            assert set(evidence) == {"signature", "family", "level", "observation"}
    camera = lines[0]
    assert camera["is_camera"] is True
    assert (camera["maker"], camera["model"]) == ("hikvision", "DS-2CD2032-I")
    assert {e["observation"] for e in camera["evidence"]} <= {"a", "b"}
    assert lines[1]["is_camera"] is not True
    assert lines[2]["is_camera"] is not True
    # without an id of its own a record is known by its line number
    assert {e["observation"] for e in lines[1]["evidence"]} <= {"3"}


def test_identify_as_text_is_one_clean_line_per_device(answers, capsys):
    assert run(["identify", str(answers)]) == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 3
    assert "hikvision" in out.splitlines()[0]
    assert not CONTROL.search(out.replace("\n", ""))


def test_identify_counts_bad_lines_and_keeps_the_good_ones(tmp_path, capsys):
    path = tmp_path / "x.ndjson"
    path.write_text("not json\n" + ANSWERS[0] + record("10.9.0.8", "smell", "x") + "\n")
    assert run(["identify", str(path), "--json"]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["maker"] == "hikvision"
    assert "line 1: not read" in err
    assert "line 3: not read: unknown kind 'smell'" in err


def test_identify_reads_standard_input(monkeypatch, capsys):
    class Stdin:
        buffer = io.BytesIO(ANSWERS[0].encode())

    monkeypatch.setattr("sys.stdin", Stdin)
    assert run(["identify", "-", "--json"]) == 0
    assert line_of_json(capsys)["model"] == "DS-2CD2032-I"


# --- ingest


def test_ingest_ends_with_table_files_and_next_steps(answers, tmp_path, capsys):
    assert run(["ingest", str(tmp_path / "RUN"), str(answers)]) == 0
    out = capsys.readouterr().out
    assert out.index("Coverage") < out.index("10.9.0.7")  # coverage before results
    assert "hikvision" in out.lower()
    for name in ("findings.csv", "report.html"):
        assert (tmp_path / "RUN" / "assessments" / "0001" / name).is_file()
        assert name in out
    assert not CONTROL.search(out.replace("\n", ""))
    run_ = opened(tmp_path / "RUN")
    assert run_.info.authority is None  # only files were read
    (intake,) = run_.intakes()
    assert intake.inputs[0].name == "answers.ndjson"
    assert run_.seal_of(intake.id).complete is True
    assert next(o.id for o in run_.observations()) == "0001-ingest:a"


def test_a_second_ingest_adds_an_intake_and_joins_what_is_one_device(judged, tmp_path, capsys):
    path = tmp_path / "more.ndjson"
    path.write_text(record("10.9.0.12", "ssh", "SSH-2.0-dropbear_2019.78\r\n", port=22))
    before = (judged / "intakes" / "0001-ingest" / "seal.json").read_bytes()
    assert run(["ingest", str(judged), str(path), "--json"]) == 0
    report = line_of_json(capsys)
    assert {"10.9.0.7", "10.9.0.12"} <= {d["device_id"] for d in report["devices"]}
    assert [i.id for i in opened(judged).intakes()] == ["0001-ingest", "0002-ingest"]
    assert (judged / "intakes" / "0001-ingest" / "seal.json").read_bytes() == before
    assert assessments.numbers(judged) == (1, 2)
    assert opened(judged).verify() == ()


def test_ingest_of_a_bad_line_ends_with_two_and_loses_nothing(tmp_path, capsys):
    path = tmp_path / "half.ndjson"
    path.write_bytes(
        ANSWERS[0].encode()
        + b'{"device_id": "10.9.0.3", "kind": "http", "resp'
        + b"\n\xff\xfe\x00\n"
        + record("10.9.0.4", "smell", "x").encode()
        + record("10.9.0.5", "http", "x").encode().replace(b'"response"', b'"answer"')
        + ANSWERS[2].encode()
    )
    assert run(["ingest", str(tmp_path / "RUN"), str(path), "--json"]) == 2
    report = line_of_json(capsys)
    assert {"10.9.0.7", "10.9.0.9"} <= {d["device_id"] for d in report["devices"]}
    run_ = opened(tmp_path / "RUN")
    assert [o.device_id for o in run_.observations()] == ["10.9.0.7", "10.9.0.9"]
    attempts = {a.test: a.detail for a in run_.attempts()}
    assert set(attempts) == {f"ingest half.ndjson:{n}" for n in (2, 3, 4, 5)}
    assert "unknown kind 'smell'" in attempts["ingest half.ndjson:4"]
    assert run_.seal_of("0001-ingest").complete is False
    assert run(["verify", str(tmp_path / "RUN")]) == 0


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress])
def test_ingest_takes_lines_of_zgrab2_and_compressed_files(pack, tmp_path, capsys):
    title = {"status_line": "200 OK", "protocol": {"name": "HTTP/1.1"}, "body": "<title>Paper Printer</title>"}  # fmt: skip
    http = {"status": "success", "protocol": "http", "port": 80, "result": {"response": title}}
    ssh = {"status": "connection-timeout", "protocol": "ssh", "port": 22, "result": None}
    path = tmp_path / "zgrab"
    path.write_bytes(
        pack(json.dumps({"ip": "10.9.0.44", "data": {"http": http, "ssh": ssh}}).encode())
    )
    assert run(["ingest", str(tmp_path / "RUN"), str(path), "--json"]) == 0
    assert [d["device_id"] for d in line_of_json(capsys)["devices"]] == ["10.9.0.44"]
    run_ = opened(tmp_path / "RUN")
    assert [(o.address, o.port) for o in run_.observations()] == [("10.9.0.44", 80)]
    # a module without an answer is no failure of the import, but a test without a result
    assert [a.detail for a in run_.attempts()] == ["module ssh: connection-timeout"]
    assert run_.seal_of("0001-ingest").complete is True


NMAP = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE nmaprun>
<?xml-stylesheet href="file:///usr/bin/../share/nmap/nmap.xsl" type="text/xsl"?>
<nmaprun scanner="nmap" args="nmap -oX out.xml 10.9.0.0/24" start="1795000000" version="7.95" xmloutputversion="1.05">
<scaninfo type="syn" protocol="tcp" numservices="3" services="80,554,8000"/>
<host starttime="1795000001" endtime="1795000009"><status state="up" reason="arp-response"/>
<address addr="10.9.0.31" addrtype="ipv4"/>
<address addr="C0:56:E3:00:11:31" addrtype="mac" vendor="Hangzhou Hikvision"/>
<ports><port protocol="tcp" portid="80"><state state="open" reason="syn-ack"/></port>
<port protocol="tcp" portid="554"><state state="open" reason="syn-ack"/></port>
<port protocol="tcp" portid="8000"><state state="closed" reason="reset"/></port>
<port protocol="udp" portid="161"><state state="open" reason="udp-response"/></port></ports></host>
<runstats><finished time="1795000010"/><hosts up="1" down="0" total="1"/></runstats>
</nmaprun>
"""


def test_ingest_of_nmap_xml_takes_ports_and_layer_two_source(tmp_path, capsys):
    path = tmp_path / "nmap.xml"
    path.write_text(NMAP)
    assert run(["ingest", str(tmp_path / "RUN"), str(path), "--json"]) == 0
    device = next(d for d in line_of_json(capsys)["devices"] if d["device_id"] == "10.9.0.31")
    assert device["macs"] == ["c0:56:e3:00:11:31"]
    assert device["is_camera"] is not True  # a MAC block and two ports make no camera
    kinds = {o.kind: o for o in opened(tmp_path / "RUN").observations()}
    assert set(kinds) == {Kind.NEIGHBOUR, Kind.PORTS}
    states = json.loads(kinds[Kind.PORTS].response)
    assert {name: states[name] for name in ("open", "closed", "silent")} == {
        "open": [80, 554], "closed": [8000], "silent": [],
    }  # fmt: skip


ENTITY = '<!DOCTYPE nmaprun [<!ENTITY a "b"><!ENTITY c SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (NMAP[:700], "not whole XML"),
        ("<html><body/></html>", "not a result of nmap"),
        (NMAP.replace("<!DOCTYPE nmaprun>", ENTITY), "refused"),
    ],
    ids=["torn", "other", "entities"],
)
def test_an_unreadable_file_ends_with_two_and_the_others_are_taken(
    answers, tmp_path, capsys, text, words
):
    bad = tmp_path / "bad.xml"
    bad.write_text(text)
    assert run(["ingest", str(tmp_path / "RUN"), str(bad), str(answers)]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert "Traceback" not in err
    run_ = opened(tmp_path / "RUN")
    assert {o.device_id for o in run_.observations()} >= {"10.9.0.7", "10.9.0.9"}
    assert any(words in a.detail for a in run_.attempts())
    # the run is not stuck: its intake is sealed, and takes the next one
    assert run_.unsealed() is None
    assert run(["ingest", str(tmp_path / "RUN"), str(answers)]) == 0


def test_a_missing_file_is_said_before_a_run_is_made(tmp_path, capsys):
    assert run(["ingest", str(tmp_path / "RUN"), str(tmp_path / "none.xml")]) == 2
    err = capsys.readouterr().err
    assert err.startswith("camscan: ")
    assert err.count("\n") == 1
    assert not (tmp_path / "RUN").exists()


# --- assess, report


def _strip(path):
    return {p.name: p.read_bytes() for p in sorted(path.iterdir())}


def test_the_same_inputs_give_the_same_bytes(judged, capsys):
    for _ in range(2):
        assert run(["assess", str(judged), "--as-of", "2026-11-23T12:00:00Z"]) == 0
    numbers = assessments.numbers(judged)
    assert numbers == (1, 2, 3)
    one, two = (_strip(judged / "assessments" / f"{n:04d}") for n in numbers[1:])
    assert one.keys() == two.keys() >= {"report.html", "findings.csv", "findings.ndjson"}
    assert one == two
    capsys.readouterr()
    texts = []
    for number in numbers[1:]:
        for form in ("json", "csv", "html", "markdown", "table"):
            assert run(["report", str(judged), "-f", form, "--number", str(number)]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert json.loads((judged / "assessments/0002/inputs.json").read_bytes())


def test_the_default_moment_is_the_end_of_the_last_intake(judged, capsys):
    assert run(["assess", str(judged), "--json"]) == 0
    report = line_of_json(capsys)
    ended = opened(judged).seal_of("0001-ingest").ended
    assert report["run"]["as_of"] == ended


def test_another_date_is_used_for_ages(judged, capsys):
    assert run(["assess", str(judged), "--as-of", "2017-01-01", "--json"]) == 0
    assert line_of_json(capsys)["run"]["as_of"] == "2017-01-01T00:00:00.000Z"


@pytest.mark.parametrize("form", ["table", "markdown", "html", "csv", "json"])
def test_reports_go_to_a_file_and_carry_nothing_active(judged, tmp_path, capsys, form):
    out = tmp_path / f"out.{form}"
    assert run(["report", str(judged), "-f", form, "-o", str(out)]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert str(out) in captured.err
    text = out.read_text("utf-8")
    assert "10.9.0.7" in text
    if form != "csv":  # its lines are findings; of a device nobody can name there is none
        assert "10.9.0.66" in text
    assert "<script>alert" not in text
    assert not CONTROL.search(text.replace("\n", "").replace("\r", "").replace("\t", ""))
    if form == "csv":
        for row in csv.reader(io.StringIO(text)):
            assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for cell in row)
    if form == "json":
        assert json.loads(text)["schema"] == "camscan-report/1"


def test_json_option_is_the_json_format(judged, capsys):
    assert run(["report", str(judged), "--json"]) == 0
    first = capsys.readouterr().out
    assert run(["report", str(judged), "-f", "json"]) == 0
    assert capsys.readouterr().out == first


def test_report_says_which_assessments_there_are_not(judged, tmp_path, capsys):
    assert run(["report", str(judged), "--number", "7"]) == 2
    assert "0007" in capsys.readouterr().err
    assert run(["report", str(judged), "-o", str(tmp_path / "none" / "x.html")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_run_that_was_never_judged_says_how(judged, capsys):
    for path in (judged / "assessments" / "0001").iterdir():
        path.unlink()
    for command in (["report"], ["next"], ["explain"]):
        what = ["x@y"] if command == ["explain"] else []
        assert run([*command, str(judged), *what]) == 2
        assert f"camscan assess {judged}" in capsys.readouterr().err


def test_site_file_and_networks_are_printed_as_declared(judged, tmp_path, capsys):
    site = tmp_path / "site.toml"
    site.write_text(
        'owner = "Town"\nname = "Camville"\nasset_list = "list.csv"\n'
        '[[places]]\nname = "School"\ntargets = ["10.9.0.0/24"]\nsensitivity = "P2"\n'
        '[[declarations]]\nfactor = "C"\nvalue = "C1"\nby = "Head of IT"\ndate = "2026-11-01"\n'
    )
    (tmp_path / "list.csv").write_text("id,address\nCAM-1,10.9.0.7\nCAM-2,10.9.0.77\n")
    networks = tmp_path / "n.toml"
    networks.write_text(
        '[[network]]\nid = "n1"\nname = "Abroad"\nprefixes = ["203.0.113.0/24"]\n'
        'parent_country = "XX"\nsource = "contract"\nas_of = "2026-11-01"\n'
    )
    command = ["assess", str(judged), "--site", str(site), "--networks", str(networks)]
    assert run([*command, "--jurisdiction", "EU:HR"]) in (0, 2)
    table = capsys.readouterr().out
    for words in ("School", "Town", "EU:HR"):
        assert words in table
    for form in ("markdown", "html"):
        assert run(["report", str(judged), "-f", form]) == 0
        text = capsys.readouterr().out
        for words in ("Head of IT", "School", "Abroad", "Town", "EU:HR"):
            assert words in text
    inputs = dict(assessments.read(judged).inputs)
    assert {"signatures", "site.toml", "list.csv", "n.toml"} <= set(inputs)
    missing = [d for d in assessments.read(judged).devices if d.listed_as == "CAM-2"]
    assert [d.visibility.value for d in missing] == ["asset list only"]


def test_databases_of_the_user_become_inputs_and_the_site_file_may_name_the_jurisdiction(
    judged, tmp_path, capsys
):
    (tmp_path / "site.toml").write_text('jurisdiction = "RS"\n')
    (tmp_path / "p.mmdb").write_bytes(database({"8.8.8.0/24": {"country_code": "US"}}))
    (tmp_path / "as.mmdb").write_bytes(database({"8.8.8.0/24": {"asn": "AS15169"}}))
    options = ["--site", "site.toml", "--located", "p.mmdb", "--asn", "as.mmdb"]
    full = [str(tmp_path / o) if "." in o else o for o in options]
    assert run(["assess", str(judged), *full]) in (0, 2)
    assert "RS" in capsys.readouterr().out
    done = assessments.read(judged)
    assert done.jurisdiction == "RS"
    assert {"p.mmdb", "as.mmdb"} <= set(dict(done.inputs))
    assert run(["assess", str(judged), "--located", "none"]) in (0, 2)
    names = list(dict(assessments.read(judged).inputs))
    assert [n for n in names if not n.startswith("0001-")] == ["signatures"]
    assert any(
        n.startswith("0001-") and n.endswith(" bytes") for n in names
    )  # the file that was read


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--jurisdiction", "Mars"], 3, "RS or EU:xx"),
        (["--jurisdiction", "EU:RS"], 3, "RS or EU:xx"),
        (["--jurisdiction", "EU"], 3, "RS or EU:xx"),
        (["--located", "/nope/x.mmdb"], 2, "/nope/x.mmdb: not a database in MMDB form"),
        (["--asn", "/nope/x.mmdb"], 2, "/nope/x.mmdb: not a database in MMDB form"),
        (["--as-of", "yesterday"], 3, "ISO 8601"),
        (["--site", "/nope/site.toml"], 2, "/nope/site.toml: cannot be read"),
        (["--networks", "/nope/n.toml"], 2, "/nope/n.toml: cannot be read"),
        (["--signatures", "/nope"], 3, "/nope"),
    ],
)
def test_wrong_options_of_judging_are_said_in_words(judged, capsys, options, code, words):
    assert run(["assess", str(judged), *options]) == code
    err = capsys.readouterr().err
    assert words in err
    assert "Traceback" not in err
    assert assessments.numbers(judged) == (1,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("owner = [", "not TOML"),
        ("colour = 1", "unknown key 'colour'"),
        ('[[declarations]]\nfactor = "Z"\nvalue = "1"\nby = "a"\ndate = "b"', "factor 'Z'"),
        ('asset_list = "none.csv"', "none.csv: cannot be read"),
        ('jurisdiction = "Serbia"', "jurisdiction 'Serbia': RS or EU:xx"),
    ],
)
def test_a_wrong_site_file_names_file_and_reason(judged, tmp_path, capsys, text, words):
    site = tmp_path / "site.toml"
    site.write_text(text)
    assert run(["assess", str(judged), "--site", str(site)]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert str(tmp_path) in err


# --- explain, next


def test_explain_walks_from_the_finding_to_the_bytes(judged, capsys):
    findings = assessments.read(judged).findings
    finding = next(f for f in findings if f.id == "vendor-group-cn@10.9.0.7")
    assert run(["explain", str(judged), finding.id]) == 0
    out = capsys.readouterr().out
    evidence = [e for c in finding.claims for e in c.evidence]
    assert evidence
    for one in evidence:
        assert one.signature in out
        assert one.observation in out
    assert "does not show" in out
    assert "| " in out
    assert not CONTROL.search(out.replace("\n", ""))
    assert run(["explain", str(judged), finding.id, "--json"]) == 0
    document = line_of_json(capsys)
    assert {e.observation for e in evidence} <= set(document["observations"])


def test_explain_of_a_device_and_of_nothing(judged, capsys):
    assert run(["explain", str(judged), "10.9.0.7"]) == 0
    assert "DS-2CD2032-I" in capsys.readouterr().out
    assert run(["explain", str(judged), "vendor-group-cn"]) == 3
    err = capsys.readouterr().err
    assert "did you mean" in err
    assert "vendor-group-cn@10.9.0.7" in err
    # a slip of one letter still finds its neighbours
    assert run(["explain", str(judged), "vendor-grup-cn@10.9.0.7"]) == 3
    assert "vendor-group-cn@10.9.0.7" in capsys.readouterr().err


def test_explain_of_hostile_bytes_prints_no_control_characters(judged, capsys):
    assert run(["explain", str(judged), "10.9.0.66"]) == 0
    assert not CONTROL.search(capsys.readouterr().out.replace("\n", ""))


def test_next_names_the_cheapest_test_first(judged, capsys):
    assert run(["next", str(judged)]) == 0
    assert capsys.readouterr().out.startswith("1. ")
    assert run(["next", str(judged), "--json"]) == 0
    costs = [test["cost"] for test in line_of_json(capsys)]
    assert costs
    assert costs == sorted(costs)


# --- verify


def test_verify_of_an_intact_run(judged, capsys):
    assert run(["verify", str(judged)]) == 0
    out = capsys.readouterr().out
    assert "intact" in out
    assert "last seal: sha256" in out
    assert run(["verify", str(judged), "--json"]) == 0
    assert line_of_json(capsys)["problems"] == []


def _flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _blob(judged):
    return next(p for p in sorted((judged / "raw").rglob("*")) if p.is_file())


SPOILT = {
    "a changed byte": lambda run_: _flip(_blob(run_)),
    "a missing blob": lambda run_: _blob(run_).unlink(),
    "a changed line": lambda run_: _flip(run_ / "intakes/0001-ingest/observations.ndjson"),
    "a torn line": lambda run_: (
        (run_ / "intakes/0001-ingest/observations.ndjson").open("ab").write(b'{"kind":"ht')
    ),
    "an added file": lambda run_: (run_ / "intakes/0001-ingest/x").write_text("x"),
    "a changed assessment": lambda run_: _flip(run_ / "assessments/0001/findings.ndjson"),
    "no seal": lambda run_: (run_ / "intakes/0001-ingest/seal.json").unlink(),
}


@pytest.mark.parametrize("damage", SPOILT)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_verify_finds(judged, capsys, damage):
    SPOILT[damage](judged)
    assert run(["verify", str(judged)]) == 1
    out = capsys.readouterr().out
    assert "intact" not in out
    assert run(["verify", str(judged), "--json"]) == 1
    assert line_of_json(capsys)["problems"]


def test_a_damaged_run_is_still_read_where_it_can_be(judged, capsys):
    with (judged / "intakes/0001-ingest/observations.ndjson").open("ab") as file:
        file.write(b'{"kind":"ht')
    assert run(["assess", str(judged)]) == 0  # the torn line is dropped, the rest is judged
    capsys.readouterr()
    blob = _blob(judged)
    blob.unlink()
    assert run(["assess", str(judged)]) == 2
    err = capsys.readouterr().err
    assert blob.name in err
    assert "camscan verify" in err
    assert "Traceback" not in err
    assert assessments.numbers(judged) == (1, 2)


# --- schema


def _schema(name, capsys):
    assert run(["schema", name]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(document)
    return jsonschema.Draft202012Validator(document)


def test_schemas_accept_the_files_of_a_run_and_refuse_others(judged, capsys):
    intake = judged / "intakes" / "0001-ingest"
    assert run(["report", str(judged), "--json"]) == 0
    report = capsys.readouterr().out
    for name, text in (
        ("run", (judged / "run.json").read_text()),
        ("intake", (intake / "intake.json").read_text()),
        ("seal", (intake / "seal.json").read_text()),
        ("report", report),
    ):
        validator = _schema(name, capsys)
        document = json.loads(text)
        validator.validate(document)
        document.pop("schema" if "schema" in document else "id")
        assert list(validator.iter_errors(document)), f"{name}: a missing key was accepted"


def test_schema_lists_its_names(capsys):
    assert run(["schema"]) == 0
    names = capsys.readouterr().out.split()
    assert {"run", "intake", "seal", "observation", "attempt", "report", "site"} <= set(names)
    assert run(["schema", "poem"]) == 3


def test_a_newer_run_is_refused_in_words(judged, capsys):
    path = judged / "run.json"
    path.write_text(path.read_text().replace("camscan-run/1", "camscan-run/2"))
    assert run(["verify", str(judged)]) == 2
    assert "camscan-run/2" in capsys.readouterr().err


def test_what_ingest_does_not_read_is_told_once_and_where_it_belongs(tmp_path, capsys):
    run_folder = tmp_path / "run"
    capture, text, lines = tmp_path / "a.pcap", tmp_path / "assets.csv", tmp_path / "many.ndjson"
    capture.write_bytes(bytes.fromhex("d4c3b2a1") + bytes(20))
    assert run(["ingest", str(run_folder), str(capture)]) == 3
    assert f"is a capture: camscan traffic {capture} -o {run_folder}" in capsys.readouterr().err
    assert not run_folder.exists()
    text.write_text("id;mac\nCAM-1;00:11:22:33:44:55\n" * 50)
    assert run(["ingest", str(run_folder), str(text)]) == 2
    err = capsys.readouterr().err
    assert "nor lines of JSON" in err
    assert err.count("\n") == 1
    lines.write_text("{}\n" * 5000)
    assert run(["ingest", str(run_folder), str(lines)]) == 2
    err = capsys.readouterr().err
    assert "5000 lines were not read" in err
    assert err.count("\n") <= 8
    assert len(list(Run.open(run_folder, SystemClock()).attempts())) <= 102
