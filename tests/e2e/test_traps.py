"""Are redirects of a device to other machines refused, and is the refusal said?"""

from __future__ import annotations

import shutil

import pytest
from city_runs import SCAN, lab, once, whole
from programs import ROOT

from camscan.model.observation import Kind, Reason

pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.needs("ip", "nft"),
    pytest.mark.xdist_group("city"),
]
PERSONA = """
id = "redirect-{name}"
about = "Its start page sends the visitor to another machine."
mac = "02:00:5e"
[truth]
is_camera = true
role = "camera"
[sources]
"http" = "constructed (RFC 9110 section 15.4)"
[[tcp]]
port = 80
proto = "http"
[[tcp.route]]
path = "/"
response = '''
HTTP/1.1 302 Found
Server: Webs
Location: {target}
Content-Length: {{length}}
'''
[[tcp.route]]
path = "*"
response = '''
HTTP/1.1 404 Not Found
Server: Webs
Content-Length: {{length}}
'''
"""
TRAPS = {"outside": "{bait-outside}", "printer": "{bait-printer}", "reboot": "{bait-reboot}"}
PLAN = """
id = "traps"
about = "Traps"
every = true
exclude = ["plain-fragile", "plain-recorder"]
[[segment]]
id = "a"
cidr = "10.20.0.0/27"
cameras = 5
others = 1
"""


@pytest.fixture(scope="session")
def traps(tmp_path_factory):
    def make(folder):
        personas = folder / "personas"
        personas.mkdir(parents=True)
        for name in ("plain-camera", "plain-printer"):
            shutil.copy(ROOT / "tests" / "lab" / "personas" / f"{name}.toml", personas)
        for name, target in TRAPS.items():
            text = PERSONA.format(name=name, target=target)
            (personas / f"redirect-{name}.toml").write_text(text, "utf-8")
        script = f'exec {SCAN} -o "$RUNS/RUN" >/dev/null'
        return lab(folder, PLAN, script, "--personas", personas)

    return whole(once(tmp_path_factory, "traps", make))


@pytest.mark.parametrize("trap", TRAPS)
def test_a_redirect_to_another_machine_is_not_followed_and_said(traps, trap):
    address = traps.unit(f"redirect-{trap}")["address"]
    run = traps.run()
    answers = [
        o.response for o in run.observations() if o.address == address and o.kind is Kind.HTTP
    ]
    assert any(b"Location: http://" in answer for answer in answers), "the trap was not offered"
    refused = [a for a in run.attempts() if a.device_id == address and "redirect" in a.detail]
    assert refused
    assert {a.reason for a in refused} <= {Reason.OUT_OF_SCOPE, Reason.REFUSED_BY_POLICY}


def test_the_counters_agree(traps):
    totals = traps.stats["totals"]
    for counter in ("foreign_followed", "bytes_to_denied", "state_changing", "credential_requests"):
        assert totals[counter] == 0, counter
    assert traps.stats["wire"]["outside_plan"] == 0, traps.stats["wire"]["outside_plan_examples"]
    assert traps.run().verify() == ()
