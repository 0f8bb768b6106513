"""Two whole servers on one database: what one is told, the other does."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator

import pytest

from tests.server.whole import Whole, serving_all
from tests.stores import postgres


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Whole, Whole]]:
    running = postgres()
    url = running.database()
    one, two = (tmp_path_factory.mktemp(name) for name in ("one", "two"))
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(serving_all(one, database=url))
        shutil.copy(one / "master-key", two / "master-key")
        second = stack.enter_context(serving_all(two, database=url))
        yield first, second
    running.drop()


def soon(holds: Callable[[], bool], seconds: float = 1.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about on the other node"
        time.sleep(0.02)


def test_a_room_opened_or_closed_is_so_on_both(nodes: tuple[Whole, Whole]) -> None:
    one, two = nodes
    assert one.ask("POST", "/rooms", {"name": "hall"}).status == 201
    soon(lambda: [room["name"] for room in two.ask("GET", "/rooms").json["rooms"]] == ["hall"])
    assert two.ask("DELETE", "/rooms/hall").status < 300
    soon(lambda: one.ask("GET", "/rooms").json["rooms"] == [])


def test_consent_mode_holds_on_both(nodes: tuple[Whole, Whole]) -> None:
    one, two = nodes
    one.ask("POST", "/rooms", {"name": "yard"})
    assert one.ask("PATCH", "/rooms/yard", {"consent_mode": True}).status == 200

    def hidden() -> bool:
        rooms = {room["name"]: room["consent_mode"] for room in two.ask("GET", "/rooms").json["rooms"]}
        return rooms.get("yard") is True

    soon(hidden)


def test_what_is_read_of_faces_is_the_same_on_both(nodes: tuple[Whole, Whole]) -> None:
    one, two = nodes
    assert one.ask("PUT", "/reading", {"distance": False}).status == 200
    soon(lambda: two.ask("GET", "/reading").json["distance"] is False)
    assert two.ask("PUT", "/reading", {"distance": True}).status == 200
    soon(lambda: one.ask("GET", "/reading").json["distance"] is True)


def test_whoever_signs_in_at_one_is_let_in_by_the_other_until_they_are_not(nodes: tuple[Whole, Whole]) -> None:
    one, two = nodes
    session = one.sign_in("viewer")
    session["Origin"] = two.lan
    soon(lambda: two.ask("GET", "/access/me", lan=True, **session).status == 200)
    (account,) = two.ask("GET", "/access/accounts").json["accounts"]
    assert two.ask("DELETE", f"/access/accounts/{account['id']}").status < 300
    session["Origin"] = one.lan
    soon(lambda: one.ask("GET", "/access/me", lan=True, **session).status == 401)


def test_a_link_made_by_one_opens_the_other_and_is_revoked_for_both(nodes: tuple[Whole, Whole]) -> None:
    one, two = nodes
    token = one.invite("host", "shed")
    soon(lambda: two.ask("GET", "/rooms/shed", lan=True, key=token).status == 200)
    (link,) = two.ask("GET", "/rooms/shed/invitations").json["invitations"]
    assert two.ask("DELETE", f"/rooms/shed/invitations/{link['id']}").status < 300
    soon(lambda: one.ask("GET", "/rooms/shed", lan=True, key=token).status == 401)


def test_a_key_made_by_one_opens_the_other_until_it_is_revoked(nodes: tuple[Whole, Whole]) -> None:
    one, two = nodes
    key = one.make_key("read")
    soon(lambda: two.ask("GET", "/people", lan=True, key=key).status == 200, 2.0)
    (id,) = (kept["id"] for kept in two.ask("GET", "/keys").json["keys"])
    assert one.ask("DELETE", f"/keys/{id}").status < 300
    soon(lambda: two.ask("GET", "/people", lan=True, key=key).status == 401, 2.0)


def test_the_audit_log_is_one_chain_that_either_vouches_for(nodes: tuple[Whole, Whole]) -> None:
    for number in range(3):
        for node in nodes:
            assert node.ask("POST", "/rooms", {"name": f"room-{number}-{node.local[-5:]}"}).status == 201
    chains = [node.ask("GET", "/audit/chain").json for node in nodes]
    assert [chain["holds"] for chain in chains] == [True, True]
    assert chains[0]["fingerprint"] == chains[1]["fingerprint"]


def test_both_show_the_same_link_for_guests(nodes: tuple[Whole, Whole]) -> None:
    """Each that made its own would void the other's."""
    one, two = nodes
    shown = [str(node.ask("GET", "/join").json["url"]).rpartition("/join/")[2] for node in (one, two, one, two)]
    assert len(set(shown)) == 1
    assert shown[0]
