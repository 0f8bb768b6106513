from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.attributes import Apparent
from pipeline.distance import Distance
from pipeline.quality import Quality
from pipeline.results import Face, FrameResult
from server.live.messages import MAX_MESSAGE, BadMessage, error_message, message, parse_command, result_message
from server.storage.room_reading import RoomReading
from tracking import IdentityState, Opinion, TrackState, Verdict

PROTOCOL = Path(__file__).resolve().parents[2] / "docs" / "protocol.md"


def command(**fields: Any) -> str:
    return json.dumps({"v": 1, "type": "ping", **fields})


def test_a_command() -> None:
    parsed = parse_command(command(id=3, track=7, new_field=[1]))
    assert (parsed.type, parsed.id, parsed.integer("track")) == ("ping", 3, 7)
    assert parse_command(command()).id is None
    assert parse_command(command(id="a" * 100)).id == "a" * 64


@pytest.mark.parametrize(
    "raw",
    [
        b'{"v":1,"type":"ping"}',
        "",
        "hello",
        "null",
        "[]",
        '"ping"',
        "{}",
        '{"v":1}',
        '{"type":"ping"}',
        '{"v":2,"type":"ping"}',
        '{"v":"1","type":"ping"}',
        '{"v":true,"type":"ping"}',
        '{"v":1,"type":""}',
        '{"v":1,"type":7}',
        '{"v":1,"type":"ping","id":1.5}',
        '{"v":1,"type":"ping","id":true}',
        '{"v":1,"type":"ping","id":[]}',
        '{"v":1,"type":"ping","id":9007199254740992}',
        '{"v":1,"type":"ping","id":"\\ud800"}',
        '{"v":1,"type":"\\udfff"}',
        "[" * 10_000,
        '{"v":1,"type":"ping","id":' + "9" * 5000 + "}",
        '{"v":1,"type":"ping","x":"' + "é" * (MAX_MESSAGE // 2) + '"}',
        " " * (MAX_MESSAGE + 1),
    ],
)
def test_what_is_no_command_is_refused_in_words(raw: str | bytes) -> None:
    with pytest.raises(BadMessage, match=r"\w+ m(ust|ay)"):
        parse_command(raw)


@pytest.mark.parametrize("value", [None, True, -1, 1.0, "7", [7], 2**53])
def test_a_field_that_is_no_whole_number_is_refused(value: object) -> None:
    with pytest.raises(BadMessage, match="track must be a whole number"):
        parse_command(command(track=value)).integer("track")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.text()
    | st.binary()
    | json_values.map(json.dumps)
    | st.fixed_dictionaries({"v": st.just(1), "type": json_values, "id": json_values}).map(json.dumps)
)
def test_whatever_comes_is_a_command_or_refused_and_can_be_answered(raw: str | bytes) -> None:
    try:
        parsed = parse_command(raw)
    except BadMessage as error:
        error_message(None, "bad_message", str(error)).encode()
        return
    answer = error_message(parsed.id, "unknown_type", f"no {parsed.type[:40]!r}")
    assert json.loads(answer.encode())["id"] == parsed.id


def test_messages_are_compact_json_without_nan() -> None:
    assert message("pong", id=3, name="Zoë") == '{"v":1,"type":"pong","id":3,"name":"Zoë"}'
    with pytest.raises(ValueError, match="JSON"):
        message("pong", t=float("nan"))


# -- results -------------------------------------------------------------------------------------------------------

KNOWN = Face(
    track=7,
    box=np.array([198.4, 81.6, 140.8, 177.6], np.float32),
    landmarks=np.array([[230.4, 144], [300.8, 144], [268.8, 182.4], [236.8, 216], [294.4, 216]], np.float32),
    state=TrackState.CONFIRMED,
    identity=IdentityState.KNOWN,
    opinion=Opinion(Verdict.KNOWN, "c1f0", 0.99712, 0.95701, 0.03099, strong=True),
    name="Ada",
    votes=5,
    quality=Quality(sharpness=0.9, light=0.8, pose=0.95, size=0.77, brightness=120, yaw=0.0),
    age=0.0,
    distance=Distance(2.4, 1.9, 3.1, "near"),
    apparent=Apparent("female", 0.931, 34.0, 28.0, 41.0, None),
    looks=6,
)
EVERYTHING = RoomReading(distance=True, gender=True, age=True)


def result(*faces: Face, seq: int = 412) -> dict[str, Any]:
    found = FrameResult(640, 480, 1.0, False, faces, {}, 0)
    timing: dict[str, float | None] = dict.fromkeys(documented()["timing"], 0.0)
    text = result_message(
        seq, found, rtp=3051234567, capture=1795436400.12345, skipped=2, timing=timing, reading=EVERYTHING
    )
    return json.loads(text)  # type: ignore[no-any-return]


def documented() -> dict[str, Any]:
    """The example of docs/protocol.md."""
    text = PROTOCOL.read_text(encoding="utf-8")
    block = re.search(r"### `result`\s+```json\n(.*?)```", text, re.DOTALL)
    assert block
    return json.loads(block[1])  # type: ignore[no-any-return]


def shape(value: Any) -> Any:
    """Field names and kinds, at any depth."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)


def test_a_result_is_what_the_protocol_says_field_by_field() -> None:
    example, got = documented(), result(KNOWN)
    assert list(got) == list(example)
    assert list(got["faces"][0]) == list(example["faces"][0])
    assert shape(got) == shape(example)
    assert (got["v"], got["type"], got["seq"], got["rtp"], got["skipped"]) == (1, "result", 412, 3051234567, 2)
    assert got["capture"] == pytest.approx(1795436400.123, abs=1e-3)
    face = got["faces"][0]
    assert face["box"] == pytest.approx([0.31, 0.17, 0.22, 0.37], abs=1e-5)
    assert face["landmarks"][0] == pytest.approx([0.36, 0.3], abs=1e-5)
    assert (face["identity"], face["person"], face["name"]) == ("known", "c1f0", "Ada")
    assert (face["probability"], face["similarity"], face["margin"]) == (0.9971, 0.957, 0.031)
    assert face["quality"]["overall"] == pytest.approx(0.8516, abs=0.0006)


@pytest.mark.parametrize("identity", [IdentityState.PENDING, IdentityState.UNKNOWN, IdentityState.UNREADABLE])
def test_a_face_without_a_name_says_nothing_of_anybody(identity: IdentityState) -> None:
    (face,) = result(replace(KNOWN, identity=identity))["faces"]
    assert face["identity"] == identity.value
    assert {face[k] for k in ("person", "name", "probability", "similarity", "margin")} == {None}


def test_somebody_uncertain_is_named_and_a_lone_person_has_no_margin() -> None:
    assert KNOWN.opinion
    (face,) = result(
        replace(KNOWN, identity=IdentityState.UNCERTAIN, opinion=replace(KNOWN.opinion, margin=None), quality=None)
    )["faces"]
    assert (face["identity"], face["name"], face["margin"], face["quality"]) == ("uncertain", "Ada", None, None)


def test_numbers_that_are_none_do_not_break_a_message() -> None:
    broken = replace(KNOWN, box=np.array([np.nan, np.inf, -5, 700], np.float32))
    assert result(broken)["faces"][0]["box"] == [
        0.0,
        0.0,
        pytest.approx(-5 / 640, abs=1e-5),
        pytest.approx(700 / 480, abs=1e-4),
    ]


def test_nothing_known_of_the_frame_s_times() -> None:
    empty = FrameResult(640, 480, 0.0, True, (), {}, 0)
    got = json.loads(result_message(0, empty, rtp=None, capture=None, skipped=0, timing={}))
    assert (got["rtp"], got["capture"], got["faces"], got["keyframe"]) == (None, None, [], True)


def test_a_crowd_fits_into_a_message() -> None:
    crowd = [replace(KNOWN, track=n, name="x" * 80) for n in range(50)]
    assert len(json.dumps(result(*crowd))) < 64 * 1024
