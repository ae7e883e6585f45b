"""A small invented assessment with every awkward thing a device can say in it."""

from __future__ import annotations

from camscan.knowledge import load
from camscan.model.claim import (
    Attribute,
    Claim,
    Confidence,
    Device,
    Endpoint,
    Evidence,
    Family,
    Level,
    Mark,
    Role,
    State,
)
from camscan.model.finding import (
    Action,
    Assessment,
    ConcernLink,
    ConcernResult,
    Coverage,
    Decision,
    Finding,
    NextTest,
    TestCoverage,
)
from camscan.model.observation import Reason

HOSTILE = (
    "<script>alert(1)</script>",
    '=HYPERLINK("http://127.0.0.1/","x")',
    "\x1b[31mred\x1b[0m\x07",
    "\u202egnp.exe\u202c",
    "a|b`c*[x](javascript:alert(1))",
    "{{ 7*7 }}{% raw %}",
)


def evidence(value: str) -> Evidence:
    return Evidence(
        signature="hikvision.sadp.answer",
        version="abcd",
        family=Family.PROTOCOL,
        level=Level.E2,
        observation="0001-scan:1",
        attribute=Attribute.MAKER,
        value=value,
    )


def claim(subject: str, attribute: Attribute, value: str | None, **more) -> Claim:
    return Claim(
        subject=subject,
        attribute=attribute,
        value=value,
        state=more.pop("state", State.OBSERVED),
        level=Level.E3,
        confidence=Confidence.HIGH,
        evidence=(evidence(value or ""),),
        **more,
    )


def camera(number: int, model: str) -> Device:
    name = f"127.0.9.{number}"
    return Device(
        device_id=name,
        addresses=(name,),
        macs=(f"c0:56:e3:00:00:{number:02x}",),
        is_camera=True,
        role=Role.CAMERA,
        claims=(
            claim(name, Attribute.MAKER, "hikvision"),
            claim(name, Attribute.BRAND, HOSTILE[number % len(HOSTILE)]),
            claim(name, Attribute.MODEL, model),
            claim(name, Attribute.FIRMWARE, "2.10"),
            claim(name, Attribute.CLOUD_ENABLED, "true"),
        ),
        observations=("0001-scan:1",),
        place=HOSTILE[(number + 1) % len(HOSTILE)],
    )


def assessment() -> Assessment:
    devices = [camera(n, HOSTILE[n % len(HOSTILE)]) for n in range(1, 13)]
    unsettled = Device(
        device_id="127.0.9.200",
        addresses=("127.0.9.200",),
        is_camera=None,
        claims=(
            claim(
                "127.0.9.200",
                Attribute.MAKER,
                None,
                state=State.CONFLICTING,
                values=("axis", "dahua"),
            ),
        ),
        notes=("answers any path alike",),
    )
    actions = (Action.ACT, Action.PLAN, Action.DOCUMENT, Action.NO_ACTION)
    decisions = [
        (
            d.device_id,
            Decision(
                lower=actions[n % 4],
                upper=Action.ACT,
                row=11,
                upper_row=2,
                provisional=n % 3 == 0,
                settles="D: a capture with a power-cycle",
                table="2",
            ),
        )
        for n, d in enumerate(devices)
    ]
    findings = []
    for (_, decision), device in zip(decisions, devices, strict=True):
        findings += [
            Finding(
                id=f"vendor-group-cn@{device.device_id}",
                condition="vendor-group-cn",
                subject=device.device_id,
                state=State.OBSERVED,
                level=Level.E3,
                confidence=Confidence.HIGH,
                statement=f"The maker's group has its seat in the PRC; the device calls itself {device.value(Attribute.MODEL)}.",
                claims=(device.claims[0],),
                factor="J",
                action=decision,
                concerns=(ConcernLink(concern="BIRN-2", relation="supports"),),
                laws=("CN-NIL-7",),
                rules=("RS-ZJN-98", "US-NDAA-889"),
                does_not_show="any data flow",
                details=HOSTILE,
            ),
            Finding(
                id=f"egress-observed@{device.device_id}",
                condition="egress-observed",
                subject=device.device_id,
                state=State.NOT_OBSERVED,
                reason=Reason.NO_CAPTURE,
                level=Level.E0,
                confidence=Confidence.LOW,
                statement="No capture was made.",
                action=decision,
                does_not_show="content",
            ),
        ]
    findings.append(
        Finding(
            id="inventory-delta@site",
            condition="inventory-delta",
            subject="site",
            state=State.OBSERVED,
            level=Level.E3,
            confidence=Confidence.HIGH,
            statement="Three cameras are not in the asset list.",
            does_not_show="who installed them",
        ),
    )
    return Assessment(
        schema="camscan-report/1",
        run_id="20261123T220000Z-00000000",
        owner="Town of <b>Example</b>",
        authority="the mayor's order 7 & annex",
        as_of="2026-11-23T22:00:00.000Z",
        knowledge_hash="0" * 64,
        knowledge_as_of="2026-11-23",
        tool_version="0",
        jurisdiction="RS",
        devices=(*devices, unsettled),
        endpoints=(
            Endpoint(device_id="127.0.9.1", name="dev.hik-connect.com", address=None, port=443, marks=(Mark.CONFIGURED,)),
        ),
        findings=tuple(findings),
        decisions=tuple(decisions),
        factors=(),
        coverage=Coverage(
            addresses_in_scope=254,
            addresses_answered=13,
            devices=13,
            cameras=12,
            tests=(TestCoverage(test="http-root", about="web page", asked=13, answered=12, not_examined=(("timeout", 1),)),),
            segments=("127.0.9.0/24 on-link lo",),
            not_examined=("data path: no capture",),
            listed=20,
            listed_found=9,
        ),
        concerns=(
            ConcernResult(concern="BIRN-2", word="supported", examined=12, present=12, supporting=12, conditions=(("vendor-identity", "supported"),)),
        ),
        next_tests=(NextTest(subjects=tuple(d.device_id for d in devices), test="Capture with a power-cycle", settles=("D",), cost=3, command="camscan traffic --check IFACE"),),
        declarations=("C = C1 for * by network administrator, 2026-11-01",),
        scope=("127.0.9.0/24",),
    )  # fmt: skip


def knowledge():
    return load()
