"""Loading: strictness, hash, cache, local folders."""

from __future__ import annotations

import hashlib

import pytest

from camscan import knowledge, knowledge_cache
from camscan.errors import KnowledgeError
from camscan.model.claim import Level

DECISION = 'version = "1"\nsource = "s"\nas_of = "2026"\nrows = []\n[factors]\n[levels]\n'
PROBES = """tcp_ports = [80]
liveness_ports = [80]
announcements = []
source = "s"
as_of = "2026"
[[probe]]
id = "root"
about = "a"
kind = "http"
exchange = "http-get"
source = "s"
ports = [80]
path = "/"
priority = 5
"""
DEVICE = """[platform]
id = "aq"
name = "Aq"
maker = "aq"
source = "s"
as_of = 2026-11-01
[[signature]]
id = "aq.http.server"
about = "a"
kind = "http"
family = "label"
source = "s"
as_of = "2026-11"
level = "E3"
when = [{field = "server", test = "equals", value = "Aq"}]
says = [{attribute = "platform", value = "aq"}]
[[signature.sample]]
response = "HTTP/1.1 200 OK\\r\\nServer: Aq\\r\\n\\r\\n"
origin = "documented"
expect = {platform = "aq"}
[[signature.near_miss]]
response = "HTTP/1.1 200 OK\\r\\nServer: Aqx\\r\\n\\r\\n"
"""
PARTY = '[[party]]\nid = "aq"\nname = "Aq"\nkind = ["maker"]\nsource = "s"\nas_of = "2026"\n'
BASE = {
    "decision.toml": DECISION,
    "probes.toml": PROBES,
    "devices/aq.toml": DEVICE,
    "parties/a.toml": PARTY,
}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def load(tmp_path, changed=(), local=None):
    root = write(tmp_path / "signatures", BASE | dict(changed))
    return knowledge.load(root, write(tmp_path / "local", local) if local else None)


def test_the_smallest_knowledge(tmp_path):
    known = load(tmp_path)
    (one,) = known.signatures
    assert one.id == "aq.http.server"
    assert len(one.version) == 12
    assert known.platforms["aq"].as_of == "2026-11-01"
    assert known.as_of == "2026-11-01"
    assert known.places["signature aq.http.server"] == "devices/aq.toml"
    assert 9100 in known.probe_plan.denied_ports
    assert known.files["decision.toml"] == hashlib.sha256(DECISION.encode()).hexdigest()


BAD = [
    ("devices/aq.toml", DEVICE.replace("about =", "abuot ="), ["aq.http.server", "abuot", "unknown"]),
    ("devices/aq.toml", DEVICE.replace('test = "equals"', 'tset = "equals"'), ["aq.http.server", "when[0].tset"]),
    ("devices/aq.toml", DEVICE.replace("expect =", "expected ="), ["aq.http.server", "sample[0].expected"]),
    ("devices/aq.toml", DEVICE.replace('kind = "http"', 'kind = "htpp"'), ["aq.http.server", "kind"]),
    ("devices/aq.toml", DEVICE.replace('test = "equals"', 'test = "like"'), ["aq.http.server", "when[0]"]),
    ("devices/aq.toml", DEVICE.replace('about = "a"', "about = 3"), ["aq.http.server", "about", "int"]),
    ("devices/aq.toml", DEVICE.replace('family = "label"\n', ""), ["aq.http.server", "family"]),
    ("devices/aq.toml", DEVICE + "[[sigature]]\n", ["sigature", "at the top"]),
    ("devices/aq.toml", DEVICE + DEVICE[DEVICE.index("[[signature]]"):], ["aq.http.server", "already used"]),
    ("devices/two.toml", DEVICE, ["devices/two.toml", "already used in devices/aq.toml"]),
    ("devices/aq.toml", DEVICE.replace('"aq.http.server"', '"local.http.server"'), ["local.http.server", "kept for"]),
    ("devices/aq.toml", DEVICE + "x = \n", ["devices/aq.toml", "line "]),
    ("devices/aq.toml", DEVICE.encode() + b"# \xff\n", ["devices/aq.toml", "line 2", "UTF-8"]),
    ("devices/aq.toml", 'signature = ["x"]\n', ["devices/aq.toml", "[[signature]]"]),
    ("elsewhere/x.toml", "", ["elsewhere/x.toml", "layout"]),
    ("probes.toml", PROBES.replace("ports = [80]\npath", "ports = [9100]\npath"), ["root", "9100"]),
    ("probes.toml", PROBES + PROBES[PROBES.index("[[probe]]"):], ["root", "twice"]),
    ("decision.toml", DECISION.replace("version", "vresion"), ["decision.toml", "vresion"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "words"), BAD)
def test_an_error_names_file_record_and_field(tmp_path, name, text, words):
    with pytest.raises(KnowledgeError) as caught:
        load(tmp_path, {name: text})
    message = str(caught.value)
    assert message.startswith(name)
    for word in words:
        assert word in message


LINES = [
    (DEVICE.replace("about =", "abuot ="), 9),
    (DEVICE.replace('test = "equals"', 'tset = "equals"'), 15),
    (DEVICE.replace('family = "label"\n', ""), 7),
    (DEVICE.replace('kind = "http"', 'kind = "htpp"'), 10),
    (DEVICE + DEVICE[DEVICE.index("[[signature]]"):], 24),
    (DEVICE.replace("maker", "mkaer"), 4),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line"), LINES)
def test_an_error_names_the_line(tmp_path, text, line):
    with pytest.raises(KnowledgeError, match=rf"^devices/aq\.toml: line {line}: "):
        load(tmp_path, {"devices/aq.toml": text})


@pytest.mark.parametrize("missing", ["decision.toml", "probes.toml"])
def test_a_part_that_must_exist(tmp_path, missing):
    root = write(tmp_path / "s", {k: v for k, v in BASE.items() if k != missing})
    with pytest.raises(KnowledgeError, match=missing):
        knowledge.load(root)


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(KnowledgeError, match="not a folder"):
        knowledge.load(tmp_path / "nowhere")


def test_samples_nobody_documented_cap_the_level(tmp_path):
    assert load(tmp_path).signatures[0].level is Level.E3
    made = DEVICE.replace('"documented"', '"constructed"')
    assert load(tmp_path, {"devices/aq.toml": made}).signatures[0].level is Level.E2


def test_version_and_hash_follow_the_content(tmp_path):
    one = load(tmp_path)
    same = load(tmp_path)
    other = load(tmp_path, {"devices/aq.toml": DEVICE.replace('about = "a"', 'about = "b"')})
    assert one == same
    assert one.content_hash != other.content_hash
    assert one.signatures[0].version != other.signatures[0].version


def test_a_comment_changes_the_hash_but_no_version(tmp_path):
    one = load(tmp_path)
    other = load(tmp_path, {"devices/aq.toml": DEVICE + "# note\n"})
    assert one.content_hash != other.content_hash
    assert one.signatures[0].version == other.signatures[0].version


def test_moving_a_byte_between_files_changes_the_hash(tmp_path):
    one = load(tmp_path, {"parties/b.toml": "#\n", "parties/c.toml": ""})
    other = load(tmp_path, {"parties/b.toml": "", "parties/c.toml": "#\n"})
    assert one.content_hash != other.content_hash


def test_a_file_may_give_source_and_date_for_all_its_records(tmp_path):
    text = 'source = "list"\nas_of = "2025"\n[[party]]\nid = "b"\nname = "B"\nkind = ["maker"]\n'
    known = load(tmp_path, {"parties/b.toml": text})
    assert (known.parties["b"].source, known.parties["b"].as_of) == ("list", "2025")


def test_the_cache_is_used_and_a_damaged_one_is_not(tmp_path):
    one = load(tmp_path)
    (file,) = (tmp_path / "cache" / "camscan").glob("*.msgpack")
    assert knowledge_cache.get(one.content_hash, type(one)) == one
    file.write_bytes(b"\x00" + file.read_bytes()[1:])
    assert knowledge_cache.get(one.content_hash, type(one)) is None
    assert load(tmp_path) == one


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert load(tmp_path).signatures


def local_device(ident="local.aq.http.mine"):
    return DEVICE[DEVICE.index("[[signature]]") :].replace("aq.http.server", ident)


def test_local_signatures_add_and_are_marked(tmp_path):
    shipped = load(tmp_path)
    known = load(tmp_path, local={"devices/mine.toml": local_device()})
    assert [(s.id, s.local) for s in known.signatures] == [
        ("aq.http.server", False),
        ("local.aq.http.mine", True),
    ]
    assert known.content_hash != shipped.content_hash


LOCAL_BAD = [
    ({"devices/m.toml": local_device("aq.http.server")}, "must start with"),
    ({"devices/m.toml": local_device("other.http.x")}, "must start with"),
    ({"decision.toml": DECISION}, "may not bring"),
    ({"probes.toml": PROBES}, "may not bring"),
    ({"laws/cn.toml": "nexus = []"}, "may not bring"),
    ({"conditions/x.toml": '[[condition]]\nid = "local.x"\ntitle = "t"\nshows = "s"\ndoes_not_show = "d"\nsource = "s"\nas_of = "2026"\n'}, "may not bring"),
    ({"readme.txt": "x"}, "no .toml file"),
]  # fmt: skip


@pytest.mark.parametrize(("files", "words"), LOCAL_BAD)
def test_local_folders_never_replace(tmp_path, files, words):
    with pytest.raises(KnowledgeError, match=words):
        load(tmp_path, local=files)


CATASTROPHIC = "(a{1,900}){1,900}"


@pytest.mark.parametrize(
    "change",
    [
        ('test = "equals", value = "Aq"', f'test = "regex", value = "{CATASTROPHIC}"'),
        ("[[signature.sample]]", f'extract = [{{attribute = "model", field = "server", pattern = "{CATASTROPHIC}"}}]\n[[signature.sample]]'),
        ('test = "equals", value = "Aq"', 'test = "regex", value = "(?=a)"'),
    ],
)  # fmt: skip
def test_a_local_pattern_that_is_not_linear_is_refused_by_place(tmp_path, change):
    text = local_device().replace(*change)
    with pytest.raises(KnowledgeError) as caught:
        load(tmp_path, local={"devices/m.toml": text})
    message = str(caught.value)
    assert message.startswith("devices/m.toml: line ")
    for word in ("local.aq.http.mine", "field `", "not RE2"):
        assert word in message


@pytest.mark.parametrize("name", ["devices/more.yaml", "devices/more.TOML", "more.json"])
def test_a_local_file_that_would_be_passed_over_is_named(tmp_path, name):
    files = {"devices/mine.toml": local_device(), name: "x"}
    with pytest.raises(KnowledgeError, match=f"{name}: would not be read"):
        load(tmp_path, local=files)


def test_a_readme_in_a_local_folder_is_no_mistake(tmp_path):
    files = {"devices/mine.toml": local_device(), "README.md": "x"}
    assert [s.local for s in load(tmp_path, local=files).signatures] == [False, True]


def test_a_local_mac_block_does_not_replace_a_shipped_one(tmp_path):
    block = '[[block]]\nprefix = "00aa00"\nregistrant = "X"\nparty = "aq"\nsource = "s"\nas_of = "2026"\n'
    with pytest.raises(KnowledgeError, match="already used"):
        load(tmp_path, {"oui/a.toml": block}, local={"oui/b.toml": block})


def test_what_is_shipped_loads():
    known = knowledge.load()
    assert known.signatures
    assert known.probe_plan.probes
    assert len({s.version for s in known.signatures}) == len(known.signatures)
