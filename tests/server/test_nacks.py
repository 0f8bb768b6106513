"""Which packets are asked for again, on a line that loses some and on one that loses most."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import pytest

from server.transport.nacks import FLOODED, HISTORY, LATEST, TRIES, Nacks


class Line:
    """Packets in time; notes what was asked for, and when."""

    def __init__(self) -> None:
        self.now = 50.0
        self.nacks = Nacks(lambda: self.now)
        self.asked: list[tuple[float, set[int]]] = []

    def packet(self, seq: int, after: float = 0.005, sent: float | None = None) -> None:
        self.now += after
        units = None if sent is None else round(sent * 2**18) & 0xFFFFFF
        extensions = SimpleNamespace(abs_send_time=units)
        if self.nacks.add(SimpleNamespace(sequence_number=seq & 0xFFFF, extensions=extensions)):
            self.asked.append((round(self.now, 4), set(self.nacks.missing)))

    def packets(self, *numbers: int) -> None:
        for seq in numbers:
            self.packet(seq)

    def asked_for(self, seq: int) -> int:
        return sum(seq in numbers for _, numbers in self.asked)


@pytest.mark.parametrize("first", [10, 65533])
def test_a_missing_packet_is_asked_for_at_once_and_alone(first: int) -> None:
    line = Line()
    line.packets(first, first + 1, first + 3, first + 4, first + 6)
    assert [numbers for _, numbers in line.asked] == [{(first + 2) & 0xFFFF}, {(first + 5) & 0xFFFF}]


def test_one_that_came_is_not_asked_for_again() -> None:
    line = Line()
    line.packets(10, 12, 11, *range(13, 80))
    assert line.asked_for(11) == 1


def test_one_that_does_not_come_is_asked_for_again_after_the_time_an_answer_takes() -> None:
    line = Line()
    line.packets(10, 12, *range(13, 13 + HISTORY - 5))
    times = [at for at, numbers in line.asked if 11 in numbers]
    assert 2 <= len(times) <= TRIES
    assert all(later - earlier >= 0.03 for earlier, later in pairwise(times))


def test_where_answers_come_soon_it_is_asked_again_sooner() -> None:
    quick, slow = Line(), Line()
    for line, answer in ((quick, 0.004), (slow, 0.2)):
        for at in range(10, 1000, 10):
            line.packets(at, at + 2)
            line.packet(at + 1, answer)
            line.packets(*range(at + 3, at + 10))
        line.asked.clear()
        line.packets(1001, *range(1002, 1080))
    waits = [line.asked[1][0] - line.asked[0][0] for line in (quick, slow)]
    assert waits[0] < 0.05 < 0.2 < waits[1] <= LATEST + 0.01


def test_where_packets_overtake_each_other_they_are_waited_for() -> None:
    line = Line()
    for at in range(10, 1010, 10):  # every tenth comes 40 ms late, and by itself
        for seq in (at, *range(at + 2, at + 10), at + 1):
            line.packet(seq, sent=60.0 + seq * 0.005)
    assert len(line.asked) <= 1
    line.asked.clear()
    for seq in (1010, *range(1012, 1030)):
        line.packet(seq, sent=60.0 + seq * 0.005)
    assert line.asked_for(1011) >= 1


def test_repetitions_are_no_reason_to_wait() -> None:
    line = Line()
    for at in range(10, 310, 10):
        for seq in (at, *range(at + 2, at + 10)):
            line.packet(seq, sent=60.0 + seq * 0.005)
        line.packet(at + 1, sent=60.0 + (at + 9) * 0.005)
    assert sum(at % 10 == 1 for _, numbers in line.asked for at in numbers) == len(range(10, 310, 10))


def test_a_line_that_loses_most_is_not_asked_for_more() -> None:
    line = Line()
    line.packets(*range(10, 10 + 4 * FLOODED, 4))
    asked = len(line.asked)
    assert not line.nacks.flooded()  # they may still come
    line.now += 0.2
    assert line.nacks.flooded()
    line.packet(11 + 4 * FLOODED)
    assert len(line.asked) == asked


def test_what_was_given_up_and_what_is_long_past_is_not_asked_for() -> None:
    line = Line()
    line.packets(10, 12)
    line.nacks.give_up()
    line.now += 1
    line.packets(13, 14)
    assert line.asked_for(11) == 1
    line.packets(16, 16 + 2 * HISTORY, 17 + 2 * HISTORY)
    assert line.asked_for(15) == 1


def test_a_sender_that_began_anew_is_followed() -> None:
    line = Line()
    line.packets(5000, 5002, 40, 41, 43)
    assert [numbers for _, numbers in line.asked] == [{5001}, {42}]
