"""What the log holds of errors: their kind and their place, and nothing that they were about."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from server.api.operations import Operation, describe
from server.logs import OURS, in_task, start_logging, told
from tests.server.logging_state import restored

SECRET = "Zaphodine Quillfeather"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    out = io.StringIO()
    with restored():
        start_logging("debug", out)
        yield out


def fail(words: str = SECRET) -> None:
    name = words  # a value that a traceback with values would show
    raise ValueError(f"cannot do this with {name}")


def test_an_exception_is_logged_by_kind_and_place(log: io.StringIO) -> None:
    try:
        fail()
    except ValueError:
        logging.getLogger("server.test").exception("this failed")
    said = log.getvalue()
    assert "ERROR server.test: this failed" in said
    assert "ValueError" in said
    assert "test_logs.py" in said
    assert "in fail" in said
    assert SECRET not in said
    assert "cannot do" not in said


def test_a_line_is_one_line_with_its_time_and_zone(log: io.StringIO) -> None:
    logging.getLogger("server.test").warning("a name\n2030-01-01 ERROR forged\r\x1b[31m\u2028%s", "and\nmore")
    said = log.getvalue()
    assert said.count("\n") == 1
    assert "\x1b" not in said
    assert "a name\\n2030" in said
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} WARNING server\.test: ", said)


def test_what_another_handler_wrote_of_it_is_not_taken_over(log: io.StringIO) -> None:
    other = logging.StreamHandler(io.StringIO())
    logging.getLogger("server").addHandler(other)  # its formatter keeps the text of the exception in the record
    try:
        fail()
    except ValueError:
        logging.getLogger("server.test").exception("this failed")
    assert SECRET in other.stream.getvalue()
    assert SECRET not in log.getvalue()


def test_what_led_to_it_is_told_as_well_and_none_of_its_words() -> None:
    try:
        try:
            fail()
        except ValueError as error:
            raise KeyError(SECRET) from error
    except KeyError as error:
        said = told(error)
    assert said.index("ValueError") < said.index("which led to") < said.index("KeyError")
    assert SECRET not in said
    group = told(ExceptionGroup(SECRET, [OSError(SECRET), ValueError(SECRET)]))
    assert "ExceptionGroup" in group
    assert "OSError" in group
    assert SECRET not in group
    circle = ValueError(SECRET)
    circle.__context__ = KeyError()
    circle.__context__.__context__ = circle
    assert told(circle)


async def test_an_error_in_a_task_that_nobody_awaits(log: io.StringIO) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(in_task)

    async def work() -> None:
        fail()

    task = loop.create_task(work(), name="a task of ours")
    await asyncio.wait([task])
    del task
    gc.collect()
    loop.call_soon(fail)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    said = log.getvalue()
    assert said.count("ValueError") == 2
    assert "a task of ours" in said
    assert SECRET not in said


async def test_a_request_that_fails_logs_no_value(serving, log: io.StringIO) -> None:  # type: ignore[no-untyped-def]
    async def broken(request: web.Request) -> web.Response:
        fail((await request.json())["name"])
        return web.Response()

    def part(app: web.Application) -> None:
        app.router.add_post("/api/v1/broken/{name}", broken)
        describe(app, {"POST /api/v1/broken/{name}": Operation("Fail", "server", "admin", {200: None})})

    async with serving(parts=(part,)) as served, aiohttp.ClientSession() as session:
        body = {"name": SECRET}
        async with session.post(f"{served.local}/api/v1/broken/{SECRET}?who={SECRET}", json=body) as response:
            assert response.status == 500
            assert SECRET not in await response.text()
    said = log.getvalue()
    assert "in fail" in said
    assert "Quillfeather" not in said


def test_libraries_are_heard_from_warnings_on(log: io.StringIO) -> None:
    """SQLAlchemy would write each row, aiortc the password of each connection."""
    for name in (
        "sqlalchemy.engine.Engine",
        "aioice.ice",
        "aiortc.rtcdtlstransport",
        "aiohttp.server",
        "asyncio",
        "PIL",
    ):
        assert logging.getLogger(name).getEffectiveLevel() >= logging.WARNING, name
    for name in OURS:
        assert logging.getLogger(f"{name}.anything").isEnabledFor(logging.DEBUG)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("fail()", "ValueError"),
        (
            "t = threading.Thread(target=fail, name='a thread of ours'); t.start(); t.join()",
            "a thread a thread of ours",
        ),
        ("Bad(); gc.collect()", "where none can be raised"),
        ("os.abort()", "Fatal Python error: Aborted"),
    ],
)
def test_what_nobody_caught_is_logged_without_values(code: str, kind: str) -> None:
    program = f"""
import gc, os, threading
from server.logs import start_logging, watch_crashes
start_logging("debug"); watch_crashes()
def fail():
    name = "Zaphodine " + "Quill" + "feather"
    raise ValueError(name)
class Bad:
    def __del__(self):
        fail()
{code}
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ}, timeout=60
    )
    assert kind in done.stderr
    assert SECRET not in done.stderr
    assert done.stdout == ""


# -- as JSON ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    out = io.StringIO()
    with restored():
        start_logging("debug", out, form="json", node="north")
        yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_of_json_says_what_happened_where_and_when(lines: Callable[[], list[dict[str, Any]]]) -> None:
    logging.getLogger("server.live").warning("session %s: link ended: %s", "x7", "idle")
    logging.getLogger("server.test").info("a name\n%s\x85\u2028", {"forged": True})
    ended, other = lines()
    assert datetime.fromisoformat(ended.pop("time")).tzinfo is not None
    assert ended == {
        "level": "warning", "logger": "server.live", "message": "session x7: link ended: idle", "session": "x7",
        "node": "north",
    }  # fmt: skip
    assert "session" not in other
    assert other["message"] == "a name\n{'forged': True}\x85\u2028"


def test_an_error_in_json_is_told_by_kind_and_places_alone(lines: Callable[[], list[dict[str, Any]]]) -> None:
    try:
        try:
            fail()
        except ValueError as error:
            raise ExceptionGroup(SECRET, [KeyError(SECRET), aiohttp.ClientError(SECRET)]) from error
    except ExceptionGroup:
        logging.getLogger("server.test").exception("this failed")
    (line,) = lines()
    assert SECRET not in json.dumps(line)
    error = line["error"]
    assert error["kind"] == "ExceptionGroup"
    assert "test_logs.py" in error["places"][0]
    assert error["after"]["kind"] == "ValueError"
    assert error["after"]["places"][-1].endswith("in fail")
    assert [one["kind"] for one in error["of"]] == ["KeyError", "aiohttp.client_exceptions.ClientError"]


def test_errors_that_lead_to_each_other_are_told_once(lines: Callable[[], list[dict[str, Any]]]) -> None:
    first, second = ValueError(SECRET), KeyError(SECRET)
    first.__context__, second.__context__ = second, first
    logging.getLogger("server.test").error("odd", exc_info=first)
    (line,) = lines()
    assert line["error"]["after"]["kind"] == "KeyError"
    assert "after" not in line["error"]["after"]


@pytest.mark.parametrize("form", ["on", "with_address"])
async def test_requests_are_logged_by_their_route_and_nothing_else_of_them(serving, form: str) -> None:  # type: ignore[no-untyped-def]
    out = io.StringIO()
    with restored():
        start_logging("error", out, form="json")
        async with serving(log_requests=form) as served, aiohttp.ClientSession() as session:
            for path in (f"/join/{'s3cret' * 9}", f"/{'s3cret' * 9}", "/healthz?token=s3cret"):
                async with session.get(served.local + path, headers={"X-Secret": "s3cret"}) as response:
                    await response.read()
    said = [json.loads(line) for line in out.getvalue().splitlines()]
    assert "s3cret" not in out.getvalue()
    assert [(line["method"], line["route"]) for line in said] == [
        ("GET", "/join/{token}"),
        ("GET", "none"),
        ("GET", "/healthz"),
    ]
    assert said[1]["status"] == 404
    assert said[2]["bytes"] > 0
    assert all(line["ms"] >= 0 for line in said)
    assert {"address" in line for line in said} == {form == "with_address"}


async def test_requests_are_not_logged_unless_that_is_wanted(serving) -> None:  # type: ignore[no-untyped-def]
    out = io.StringIO()
    with restored():
        start_logging("info", out)
        async with serving() as served, aiohttp.ClientSession() as session, session.get(served.local + "/healthz"):
            pass
    assert "healthz" not in out.getvalue()
