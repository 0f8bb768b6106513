from __future__ import annotations

import asyncio
import logging
from ipaddress import ip_address

import pytest

from server import lan
from server.lan import Address, diff, in_order, reachable, watching

A, B, C = ip_address("192.168.1.5"), ip_address("10.0.0.2"), ip_address("fd00::2")


def test_diff_says_what_came_and_what_went() -> None:
    assert not diff((A, B), (B, A))
    change = diff((A, B), (B, C))
    assert change
    assert change.added == (C,)
    assert change.removed == (A,)


@pytest.mark.parametrize("text", ["127.0.0.1", "::1", "169.254.3.4", "fe80::1", "224.0.0.1", "0.0.0.0", "::"])
def test_addresses_nobody_else_can_use_are_left_out(text: str) -> None:
    assert reachable(text) is None


@pytest.mark.parametrize("text", ["192.168.1.5", "10.0.0.1", "8.8.8.8", "fd12:3456::1", "2a00:1450::1"])
def test_private_and_global_addresses_count(text: str) -> None:
    assert reachable(text) == ip_address(text)


def test_ipv4_and_the_default_route_come_first() -> None:
    assert in_order([C, B, A, A], [A]) == (A, B, C)


def test_this_computers_addresses_are_reachable_ones() -> None:
    for address in lan.addresses():
        assert reachable(str(address)) == address


@pytest.mark.parametrize(
    ("system", "expected"),
    [("Ada-Laptop", "ada-laptop"), ("box.lan", "box"), ("a_b", "localhost"), ("", "localhost"), ("-x", "localhost")],
)
def test_host_name(monkeypatch: pytest.MonkeyPatch, system: str, expected: str) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: system)
    assert lan.host_name() == expected


async def test_watching_reports_each_look_and_ends_with_its_owner() -> None:
    looks: list[tuple[Address, ...]] = []
    enough = asyncio.Event()

    async def looked(found: tuple[Address, ...]) -> None:
        looks.append(found)
        if len(looks) == 3:
            enough.set()

    seen = iter([(A,), (A, B), (B,)])
    async with watching(looked, read=lambda: next(seen, (B,)), interval=0.001):
        await asyncio.wait_for(enough.wait(), 5)
    assert looks[:3] == [(A,), (A, B), (B,)]
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "lan addresses"]


async def test_a_look_that_fails_is_logged_and_the_next_one_happens(caplog: pytest.LogCaptureFixture) -> None:
    happened = asyncio.Event()
    failures = iter([OSError("no interfaces")])

    def read() -> tuple[Address, ...]:
        for failure in failures:
            raise failure
        return (A,)

    async def looked(_found: tuple[Address, ...]) -> None:
        happened.set()

    with caplog.at_level(logging.ERROR):
        async with watching(looked, read=read, interval=0.001):
            await asyncio.wait_for(happened.wait(), 5)
    assert "could not be followed" in caplog.text
