"""Requests for what lives on another node."""

from __future__ import annotations

import asyncio
import socket

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from server.nodes.forwarding import BY_NODE
from server.nodes.word import HEADER, LASTS, NodeKey, NotOurs, Word
from tests.server.nodes.fleet import SECRET, Served, browser, know, node, row

A, B, C = "aaaaaa", "bbbbbb", "cccccc"


def answering(name: str) -> object:
    """An application that says what it is asked."""

    async def tell(request: web.Request) -> web.Response:
        said = {
            "node": name, "remote": request.remote, "host": request.host, "scheme": request.scheme,
            "method": request.method, "body": (await request.read()).hex(), "query": request.rel_url.raw_query_string,
            "cookie": request.headers.get("Cookie"), "forwarded": request.headers.get("X-Forwarded-For"),
            "by": request[BY_NODE].sender if BY_NODE in request else None,
        }  # fmt: skip
        response = web.json_response(said, headers={"Location": f"/api/v1/whip/{A}~x", "ETag": '"one"'})
        response.set_cookie("one", "1")
        response.set_cookie("two", "2")
        return response

    async def listed(_request: web.Request) -> web.Response:
        return web.json_response({"sessions": [{"id": name}]})

    async def sources(_request: web.Request) -> web.Response:
        return web.json_response({"sources": [{"id": "1", "camera": "b~1" if name == "b" else None}]})

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: first\n\n")
        await asyncio.sleep(0.4)
        await response.write(b"data: second\n\n")
        return response

    async def hang(_request: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    async def echo(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            await (ws.send_str(f"{name} {message.data}") if isinstance(message.data, str) else ws.send_bytes(b"!"))
        return ws

    async def big(request: web.Request) -> web.Response:
        count = 0
        async for chunk in request.content.iter_any():
            count += len(chunk)
        return web.json_response({"count": count})

    def build(app: web.Application) -> None:
        app.router.add_get("/api/v1/sessions", listed)
        app.router.add_get("/api/v1/rooms/{room}/sources", sources)
        app.router.add_get("/api/v1/sessions/{id}/events", stream)
        app.router.add_get("/api/v1/sessions/{id}/hang", hang)
        app.router.add_get("/api/v1/fallback", echo)
        app.router.add_put("/api/v1/videos/{id}", big)
        app.router.add_route("*", "/{path:.*}", tell)

    return build


async def ask(at: Served, path: str, method: str = "GET", **more: object) -> dict[str, object]:
    async with browser() as client, client.request(method, at.url + path, **more) as answer:  # type: ignore[arg-type]
        found: dict[str, object] = await answer.json()
        return found


async def test_a_request_goes_where_its_tag_says_as_it_was_asked() -> None:
    async with node(A, answering("a")) as a, node(B, answering("b")) as b:
        know(a, b)
        assert (await ask(a, f"/api/v1/sessions/{A}~x"))["node"] == "a"
        assert (await ask(a, "/api/v1/sessions/plain"))["node"] == "a"
        async with browser() as client:
            sent = {"Cookie": "visavis=1", "X-Forwarded-For": "6.6.6.6", "Host": "faces.example"}
            path = f"/api/v1/whip/{B}~x?a=%2F&b=1"
            async with client.patch(URL(a.url + path, encoded=True), data=b"\x00\xff", headers=sent) as answer:
                found = await answer.json()
                cookies = answer.headers.getall("Set-Cookie")
                assert answer.headers["ETag"] == '"one"'
        assert found == {
            "node": "b", "remote": "127.0.0.1", "host": "faces.example", "scheme": "http", "method": "PATCH",
            "body": "00ff", "query": "a=%2F&b=1", "cookie": "visavis=1", "forwarded": "6.6.6.6", "by": A,
        }  # fmt: skip
        assert len(cookies) == 2


async def test_what_is_large_or_slow_streams_both_ways() -> None:
    async with node(A, answering("a")) as a, node(B, answering("b")) as b:
        know(a, b)

        async def parts() -> object:
            for _ in range(40):
                yield b"x" * 65536

        path = f"/api/v1/videos/{B}~{'0' * 32}"
        assert (await ask(a, path, "PUT", data=parts()))["count"] == 40 * 65536
        async with browser() as client, client.get(f"{a.url}/api/v1/sessions/{B}~x/events") as answer:
            first = await asyncio.wait_for(answer.content.readline(), 0.3)  # before the second was sent
            assert first == b"data: first\n"
            assert b"second" in await answer.read()


async def test_a_socket_goes_on_at_the_node_that_has_its_session() -> None:
    async with node(A, answering("a")) as a, node(B, answering("b")) as b:
        know(a, b)
        async with browser() as client, client.ws_connect(f"{a.url}/api/v1/fallback?resume={B}~secret") as ws:
            await ws.send_str("hello")
            assert await ws.receive_str(timeout=2) == "b hello"
            await ws.send_bytes(b"\x00")
            assert await ws.receive_bytes(timeout=2) == b"!"


async def test_a_session_of_a_dead_node_begins_anew_here() -> None:
    async with node(A, answering("a")) as a, node(B, answering("b")) as b:
        know(a, b)
        await b.runner.cleanup()  # dead, and not yet known to be
        assert (await ask(a, f"/api/v1/whip?resume={B}~secret", "POST", data=b"offer"))["body"] == b"offer".hex()
        a.register.rows = []
        found = await ask(a, f"/api/v1/whip?resume={B}~secret", "POST", data=b"offer")
        assert (found["node"], found["body"]) == ("a", b"offer".hex())
        async with browser() as client, client.ws_connect(f"{a.url}/api/v1/fallback?resume={B}~secret") as ws:
            await ws.send_str("hello")
            assert await ws.receive_str(timeout=2) == "a hello"


async def test_what_lies_on_a_dead_nodes_disk_is_waited_for_and_the_rest_has_ended() -> None:
    async with node(A, answering("a")) as a, browser() as client:
        async with client.get(f"{a.url}/api/v1/videos/{C}~{'0' * 32}") as answer:
            assert answer.status == 503
            assert answer.headers["Retry-After"] == "5"
        async with client.get(f"{a.url}/api/v1/sessions/{C}~x") as answer:
            assert (await answer.json())["node"] == "a"  # whose own route says that it has ended


async def test_nobody_else_can_say_who_asks() -> None:
    async with node(A, answering("a")) as a, node(B, answering("b")) as b:
        know(a, b)
        word = Word(A, B, "GET", "/x", "6.6.6.6", "https", "faces.example")
        right = b.key.header(word)
        async with browser() as client:
            async with client.get(b.url + "/x", headers={HEADER: right}) as answer:
                assert (await answer.json())["remote"] == "6.6.6.6"
            forged = NodeKey(b"another secret, of somebody else ").header(word)
            late = NodeKey(SECRET, lambda: 0.0).header(word)
            said, _, mac = right.partition(".")
            for header, path in (
                (forged, "/x"), (late, "/x"), (right, "/y"), (said, "/x"), (f"{said}.{'0' * 64}", "/x"),
                (f"{said[:-4]}AAAA.{mac}", "/x"), ("", "/x"), ("é.é", "/x"), ("x" * 20_000 + ".y", "/x"),
                (b.key.header(Word(A, C, "GET", "/x", "6.6.6.6")), "/x"),
                (b.key.header(Word(A, B, "POST", "/x", "6.6.6.6")), "/x"),
            ):  # fmt: skip
                async with client.get(b.url + path, headers={HEADER: header}) as answer:
                    assert answer.status in (400, 403), header[:50]


def test_a_word_is_good_for_a_minute() -> None:
    now = [1000.0]
    key = NodeKey(SECRET, lambda: now[0])
    header = key.header(Word(A, B, "GET", "/x"))
    now[0] += LASTS - 1
    assert key.read(header, B, "GET", "/x").sender == A
    now[0] += 2
    with pytest.raises(NotOurs):
        key.read(header, B, "GET", "/x")


async def test_a_request_is_handed_on_once() -> None:
    """Two nodes that each take the other for the owner would hand it on for ever."""
    async with node(A, answering("a")) as a, node(B, answering("b")) as b:
        a.register.rows = [row(C, b.url)]
        b.register.rows = [row(C, a.url)]
        word = b.key.header(Word(A, B, "GET", f"/api/v1/whip/{C}~x", "127.0.0.1", "http", "localhost"))
        async with browser() as client:
            async with client.get(f"{b.url}/api/v1/whip/{C}~x", headers={HEADER: word}) as answer:
                assert (await answer.json())["node"] == "b"
            async with client.get(f"{a.url}/api/v1/whip/{C}~x") as answer:
                assert answer.status == 403  # it was for node C, which b is not


async def test_a_node_that_hangs_is_not_waited_for_for_ever() -> None:
    async with node(A, answering("a"), answer=0.4) as a, node(B, answering("b")) as b:
        know(a, b)
        async with browser() as client, client.get(f"{a.url}/api/v1/sessions/{B}~x/hang") as answer:
            assert answer.status == 504
            assert answer.headers["Retry-After"] == "5"
        # One that takes connections and says nothing, but is no longer known to live.
        with socket.create_server(("localhost", 0)) as silent:
            a.register.rows = [row(C, f"http://localhost:{silent.getsockname()[1]}")]
            found = await ask(a, f"/api/v1/whip?resume={C}~secret", "POST", data=b"offer")
            assert (found["node"], found["body"]) == ("a", b"offer".hex())


async def test_lists_are_of_all_nodes_that_answer() -> None:
    async with node(A, answering("a")) as a, node(B, answering("b")) as b:
        know(a, b)
        a.register.rows.append(row(C, "http://localhost:1"))
        assert (await ask(a, "/api/v1/sessions"))["sessions"] == [{"id": "a"}, {"id": "b"}]
        for one in (a, b):  # as the node says that fetches it
            assert (await ask(one, "/api/v1/rooms/hall/sources"))["sources"] == [{"id": "1", "camera": "b~1"}]


async def test_half_an_answer_is_no_answer() -> None:
    async with node(A, answering("a")) as a, node(B, answering("b")) as b:
        know(a, b)
        async with browser() as client, client.get(f"{a.url}/api/v1/sessions/{B}~x/events") as answer:
            await answer.content.readline()
            await b.runner.cleanup()
            with pytest.raises(aiohttp.ClientError):
                await answer.read()
