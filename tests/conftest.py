"""What every test shares: the program it needs, and the promise that nothing leaves this machine."""

from __future__ import annotations

import os
import signal
import socket
from collections import defaultdict

import pytest
from hypothesis import HealthCheck, settings
from programs import program

# A busy machine is no failure: how long something takes is for benchmarks/. Examples are the same in every run.
settings.register_profile(
    "camscan", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("camscan")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background of a shell: what tests start would be deaf to their Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)

STRICT = os.environ.get("CAMSCAN_EVERY_TEST_MUST_RUN") == "1"
_not_run: dict[str, list[str]] = defaultdict(list)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`@pytest.mark.needs("nmap")`: not run, and said so, where the program is missing."""
    for item in items:
        for mark in item.iter_markers("needs"):
            for name in mark.args:
                if program(name) is None:
                    item.add_marker(pytest.mark.skip(reason=f"program missing: {name}"))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped:
        text = (
            report.longrepr[2]
            if isinstance(report.longrepr, tuple | list)
            else str(report.longrepr)
        )
        _not_run[text.removeprefix("Skipped: ")].append(report.nodeid)


def pytest_terminal_summary(terminalreporter) -> None:
    if _not_run:
        terminalreporter.section("not run")
        for reason in sorted(_not_run):
            terminalreporter.write_line(f"{reason} -> {len(_not_run[reason])} tests not run")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if STRICT and _not_run and exitstatus == 0 and not hasattr(session.config, "workerinput"):
        session.exitstatus = 1


_LOCAL = ("127.", "::1", "localhost")


@pytest.fixture(autouse=True)
def only_this_machine(monkeypatch):
    """A test that would send a packet anywhere but to loopback fails instead."""
    connect, sendto = socket.socket.connect, socket.socket.sendto

    def allowed(sock, address):
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            host = str(address[0])
            if not host.startswith(_LOCAL):
                raise AssertionError(f"a test tried to reach {host}: only loopback is allowed")

    def guarded_connect(sock, address):
        allowed(sock, address)
        return connect(sock, address)

    def guarded_sendto(sock, data, *args):
        allowed(sock, args[-1])
        return sendto(sock, data, *args)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket.socket, "sendto", guarded_sendto)
