"""What there is, and who gets it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.load.budget import LATE, MAX_RATE, MIN_RATE, Budget, Measured, fair_rates
from server.load.share import Demand, Need, Reason

IDLE = Measured(seconds=0.5, processors=2.0, own=0.0, others=0.0, pictures=0, late=0.0)


def settled(budget: Budget, seen: Measured, seconds: float = 20.0) -> Budget:
    """After the same has been measured for a while."""
    for _ in range(round(seconds / seen.seconds)):
        budget.learn(seen)
    return budget


def demands(count: int, need: Need = Need.ORDINARY, rate: float = 15.0) -> list[Demand]:
    return [Demand(need, rate)] * count


def test_the_cost_of_a_picture_is_measured_and_not_assumed() -> None:
    budget = Budget(cost=0.1, processors=2.0)
    settled(budget, replace(IDLE, own=0.6, pictures=60))  # 120 pictures a second for 0.6 processors: 5 ms each
    assert budget.cost == pytest.approx(0.005, rel=0.01)
    assert budget.rate == pytest.approx(0.9 * 2 / 0.005, rel=0.02)


def test_an_idle_server_learns_nothing_of_what_a_picture_costs() -> None:
    budget = Budget(cost=0.004, processors=2.0)
    assert settled(budget, replace(IDLE, own=0.01)).cost == 0.004


def test_what_others_use_is_not_there_but_half_of_the_machine_is_always_reckoned_with() -> None:
    alone = settled(Budget(0.005, processors=2.0), replace(IDLE, own=0.5, pictures=50))
    shared = settled(Budget(0.005, processors=2.0), replace(IDLE, own=0.5, pictures=50, others=0.6))
    crowded = settled(Budget(0.005, processors=2.0), replace(IDLE, own=0.5, pictures=50, others=2.0))
    assert shared.rate == pytest.approx(alone.rate * 1.4 / 2, rel=0.02)
    assert crowded.rate == pytest.approx(alone.rate / 2, rel=0.02)


def test_late_answers_lower_the_budget_where_this_server_is_what_is_busy() -> None:
    busy = replace(IDLE, own=1.5, pictures=150)
    quick, late = settled(Budget(0.005), busy), settled(Budget(0.005), replace(busy, late=3 * LATE))
    assert late.rate < 0.5 * quick.rate
    idle = replace(IDLE, own=0.1, pictures=10)
    assert settled(Budget(0.005), replace(idle, late=3 * LATE)).rate == settled(Budget(0.005), idle).rate


def test_where_answers_are_quick_all_the_same_more_is_tried_up_to_the_whole_machine() -> None:
    crowded = replace(IDLE, own=0.5, pictures=50, others=1.5, late=0.02)
    budget = Budget(0.01, processors=2.0)
    for _ in range(40):
        budget.learn(crowded)
        budget.share(demands(20))
    assert budget.rate == pytest.approx(0.9 * 2 / 0.005, rel=0.02)


def test_who_is_alone_on_a_busy_computer_is_not_let_down() -> None:
    struggling = replace(IDLE, own=0.9, pictures=5, others=1.1, late=5 * LATE)
    budget = settled(Budget(0.1, processors=2.0), struggling)
    assert budget.share(demands(1))[0].fps == 10.0


def test_it_comes_back_when_answers_are_quick_again() -> None:
    busy = replace(IDLE, own=1.5, pictures=150)
    budget = settled(Budget(0.005), replace(busy, late=3 * LATE))
    assert settled(budget, busy).rate == pytest.approx(0.9 * 2 / budget.cost, rel=0.02)


def test_who_is_alone_gets_all_it_can_use() -> None:
    (share,) = Budget(0.004, processors=2.0).share(demands(1, rate=30.0))
    assert (share.fps, share.width, share.height, share.reason) == (30.0, 640, 480, Reason.ALONE)
    assert share.keyframe_interval == 0.6


def test_looks_become_rarer_before_anybody_gets_fewer_pictures() -> None:
    budget = Budget(0.0062, processors=2.0)  # 274 a second, and 20 × 15 are wanted
    shares = budget.share(demands(20, Need.SETTLED))
    for _ in range(20):
        shares = budget.share(demands(20, Need.SETTLED))
    assert min(share.keyframe_interval for share in shares) > 1.0
    assert min(share.fps for share in shares) > 12.0


def test_new_faces_get_more_and_known_ones_that_sit_still_less_and_all_are_told_why() -> None:
    mixed = [Demand(need, 15.0) for need in (Need.NEW_FACE, Need.ORDINARY, Need.SETTLED) for _ in range(10)]
    shares = Budget(0.01, processors=2.0).share(mixed)
    new, ordinary, still = shares[0], shares[10], shares[20]
    assert new.fps > ordinary.fps > still.fps
    assert (new.reason, ordinary.reason, still.reason) == (Reason.NEW_FACE, Reason.SHARED, Reason.SETTLED)
    assert still.fps / ordinary.fps > 0.6
    assert sum(share.fps for share in shares) == pytest.approx(180, rel=0.02)


def test_a_crowd_gets_smaller_pictures() -> None:
    shares = Budget(0.006, processors=2.0).share(demands(100))
    assert {(share.width, share.height) for share in shares} == {(320, 240)}
    assert min(share.fps for share in shares) >= MIN_RATE


def test_the_hundredth_makes_everybody_a_little_slower() -> None:
    budget = Budget(0.002, processors=2.0)
    before, after = budget.share(demands(99))[0].fps, budget.share(demands(100))[0].fps
    assert 0.95 < after / before < 1.0


def test_it_is_full_where_the_least_would_not_be_left() -> None:
    assert Budget(0.005, processors=2.0).most == int(360 / MIN_RATE)
    assert Budget(10.0, processors=1.0).most == 1, "somebody is always served"


@given(
    there_is=st.floats(1, 5000),
    sessions=st.lists(
        st.tuples(st.floats(MIN_RATE, MAX_RATE), st.sampled_from([1.0, 1.2, 1.4])), min_size=1, max_size=60
    ),
)
def test_shares_are_fair(there_is: float, sessions: list[tuple[float, float]]) -> None:
    wanted, weights = [rate for rate, _ in sessions], [weight for _, weight in sessions]
    given_ = fair_rates(there_is, wanted, weights)
    for rate, most in zip(given_, wanted, strict=True):
        assert MIN_RATE - 1e-9 <= rate <= most + 1e-9
    assert sum(given_) <= max(there_is, MIN_RATE * len(sessions)) * (1 + 1e-9)
    short = [r / w for r, most, w in zip(given_, wanted, weights, strict=True) if MIN_RATE < r < most - 1e-9]
    assert not short or max(short) == pytest.approx(min(short)), "who gets less than they want gets it by weight"
    if sum(wanted) > there_is >= MIN_RATE * len(sessions) * 1.5:
        assert sum(given_) == pytest.approx(there_is, rel=0.05), "nothing is left lying while somebody goes short"


def sizes(width: float, count: int) -> set[tuple[int, int]]:
    shares = Budget(0.005, processors=1.0).share([Demand(Need.ORDINARY, 15.0, width)] * count)
    return {(share.width, share.height) for share in shares}


@pytest.mark.parametrize(
    ("width", "count", "size"),
    [
        (0.0, 10, (640, 480)), (0.0, 30, (480, 360)), (0.0, 80, (320, 240)),
        (480.0, 30, (480, 360)), (481.0, 30, (640, 480)), (700.0, 80, (320, 240)),
    ],
)  # fmt: skip
def test_few_pictures_are_small_ones_unless_somebody_would_be_too_small_in_them_and_there_is_enough(
    width: float, count: int, size: tuple[int, int]
) -> None:
    assert sizes(width, count) == {size}
