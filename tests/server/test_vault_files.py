"""Films sealed in pieces: any part can be read, none can be changed, moved or left off."""

from __future__ import annotations

import io
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.vault import SealError, open_vault
from server.vault.sealed_file import HEAD, PACKED, PIECE, SealedReader, SealedWriter, is_sealed
from server.videos.playing import send_part
from server.videos.sealing import VideoSeal, found_seal, seal_older
from server.videos.videos import FILM, STATE, Videos
from server.videos.working import Worker
from tests.server.test_vault_store import live_keys

CIPHER = AESGCM(os.urandom(32))
CONTENT = os.urandom(3 * PIECE + 1234)
SIZES = [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, len(CONTENT)]


def sealed(path: Path, content: bytes, step: int = 50_000) -> Path:
    with path.open("wb") as file, SealedWriter(file, CIPHER, b"k" * 16, b"film") as writer:
        for start in range(0, len(content), step):
            writer.write(content[start : start + step])
    return path


@pytest.mark.parametrize("size", SIZES)
def test_a_film_comes_back_as_it_was(tmp_path: Path, size: int) -> None:
    path = sealed(tmp_path / "film", CONTENT[:size])
    assert is_sealed(path)
    with SealedReader(path, CIPHER, b"film") as film:
        assert (film.size, film.seek(0, os.SEEK_END), film.seek(0)) == (size, size, 0)
        assert io.BufferedReader(film, 777).read() == CONTENT[:size]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, len(CONTENT) + 10), count=st.integers(0, 2 * PIECE))
def test_any_part_of_it_can_be_read(tmp_path: Path, place: int, count: int) -> None:
    path = tmp_path / "film"
    if not path.exists():
        sealed(path, CONTENT)
    with SealedReader(path, CIPHER, b"film") as film:
        film.seek(place)
        got = b""
        while len(got) < count and (part := film.read(count - len(got))):
            got += part
    assert got == CONTENT[place : place + count]


def test_pieces_that_were_changed_moved_or_left_off_are_noticed(tmp_path: Path) -> None:
    path = sealed(tmp_path / "film", CONTENT)
    whole = path.read_bytes()
    first, second = whole[HEAD : HEAD + PACKED], whole[HEAD + PACKED : HEAD + 2 * PACKED]
    broken = {
        "changed": whole[:100] + bytes([whole[100] ^ 1]) + whole[101:],
        "moved": whole[:HEAD] + second + first + whole[HEAD + 2 * PACKED :],
        "left off": whole[: HEAD + 2 * PACKED],
        "shortened": whole[:-5],
        "empty": whole[:HEAD],
        "no film": b"no film" * 100,
    }
    for words, content in broken.items():
        path.write_bytes(content)
        with pytest.raises(SealError, match="changed"), SealedReader(path, CIPHER, b"film") as film:
            while film.read(PIECE):
                pass
            pytest.fail(words)
    path.write_bytes(whole)
    with pytest.raises(SealError), SealedReader(path, CIPHER, b"another film") as film:
        film.read(1)


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    path = sealed(tmp_path / "film", CONTENT)

    async def film(request: web.Request) -> web.StreamResponse:
        with SealedReader(path, CIPHER, b"film") as reader:
            return await send_part(request, reader, reader.size, {"Content-Type": "video/mp4"})

    app = web.Application()
    app.router.add_get("/film", film)
    async with TestServer(app) as server:
        yield str(server.make_url("/film"))


@pytest.mark.parametrize(
    ("asked", "begin", "end"),
    [
        (None, 0, len(CONTENT)),
        ("bytes=0-", 0, len(CONTENT)),
        ("bytes=10-19", 10, 20),
        (f"bytes={PIECE - 5}-{PIECE + 5}", PIECE - 5, PIECE + 6),
        ("bytes=-100", len(CONTENT) - 100, len(CONTENT)),
        (f"bytes=5-{10**12}", 5, len(CONTENT)),
    ],
)
async def test_a_player_gets_the_part_it_asks_for(url: str, asked: str | None, begin: int, end: int) -> None:
    headers = {} if asked is None else {"Range": asked}
    async with ClientSession() as http, http.get(url, headers=headers) as response:
        assert response.status == (200 if asked is None else 206)
        assert response.headers["Accept-Ranges"] == "bytes"
        assert response.content_length == end - begin
        if asked is not None:
            assert response.headers["Content-Range"] == f"bytes {begin}-{end - 1}/{len(CONTENT)}"
        assert await response.read() == CONTENT[begin:end]


@pytest.mark.parametrize("asked", [f"bytes={len(CONTENT)}-", "bytes=9-5", "bytes=x-", "seconds=1-2"])
async def test_parts_it_does_not_have_are_refused(url: str, asked: str) -> None:
    async with ClientSession() as http, http.get(url, headers={"Range": asked}) as response:
        assert response.status == 416
        assert response.headers["Content-Range"] == f"bytes */{len(CONTENT)}"


# -- folders of videos -----------------------------------------------------------------------------------------------

OLD: dict[str, Any] = {"file": "ada.mp4", "bytes": 9, "created": "2026-11-20T00:00:00.000+00:00", "attempts": 1}


def old_folder(place: Path, id: str, state: str) -> Path:
    """A video as it was kept before sealing."""
    folder = place / id
    (folder / "result" / "pictures").mkdir(parents=True)
    (folder / "result" / "pictures" / "1.jpg").write_bytes(b"\xff\xd8 a face")
    (folder / "video").write_bytes(CONTENT)
    (folder / "video.json").write_text(json.dumps({"id": id, **OLD, "state": state}))
    return folder


async def test_a_video_of_before_is_sealed_at_the_first_start(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    folder = old_folder(tmp_path / "videos", "a" * 32, "done")
    lost, foreign = tmp_path / "videos" / ("b" * 32), old_folder(tmp_path / "videos", "c" * 32, "failed")
    lost.mkdir()
    elsewhere = open_vault(tmp_path / "elsewhere")
    seal_older(elsewhere, foreign, FILM, STATE)
    elsewhere.close()
    owner = await Videos.open(tmp_path / "videos", Worker(lambda: "none", tmp_path, "cpu"), lambda: "d", 0, vault)
    await owner.close()
    assert [video.id for video in owner.all()] == ["a" * 32]
    assert owner.get("a" * 32).file == "ada.mp4"
    assert not lost.exists()
    assert foreign.exists()  # another keyring's: left alone
    content = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    assert not any(plain in content for plain in (CONTENT[:200], b"\xff\xd8 a face", b"ada.mp4"))
    with owner.film("a" * 32) as film:
        assert film.read(100) == CONTENT[:100]
    blob = (folder / STATE).read_bytes()
    await owner.erase("a" * 32)
    assert not folder.exists()
    with pytest.raises(SealError):
        found_seal(vault, blob, "a" * 32)
    vault.close()


async def test_a_video_whose_key_is_destroyed_is_erased(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    folder = old_folder(tmp_path / "videos", "a" * 32, "failed")
    seal_older(vault, folder, FILM, STATE)
    vault.destroy_now(live_keys(tmp_path, "video"))
    owner = await Videos.open(tmp_path / "videos", Worker(lambda: "none", tmp_path, "cpu"), lambda: "d", 0, vault)
    await owner.close()
    assert (owner.all(), folder.exists()) == ([], False)
    vault.close()


@pytest.mark.parametrize("keep", ["film", "all but the last"])
def test_sealing_a_video_that_was_interrupted_begins_anew(tmp_path: Path, keep: str) -> None:
    vault = open_vault(tmp_path)
    folder = old_folder(tmp_path / "videos", "a" * 32, "failed")
    if keep == "film":  # half of the film was written
        (folder / FILM).write_bytes(b"VISAVIS\x01 half")
    else:  # everything was, and the old description not yet erased
        told = (folder / "video.json").read_bytes()
        seal_older(vault, folder, FILM, STATE)
        (folder / "video.json").write_bytes(told)
    seal_older(vault, folder, FILM, STATE)
    blob = (folder / STATE).read_bytes()
    seal = found_seal(vault, blob, "a" * 32)
    assert json.loads(seal.open(blob, STATE))["state"] == "failed"
    with seal.reader(folder / FILM) as film:
        assert film.read(50) == CONTENT[:50]
    assert sorted(path.name for path in folder.iterdir()) == [FILM, STATE]
    vault.close()


def test_a_seal_goes_to_another_process_by_words(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    seal = VideoSeal(*vault.keep_key("video"), "a")
    other = VideoSeal.of(json.loads(json.dumps(seal.words())))
    assert other.open(seal.seal(b"1", "tracks", "0"), "tracks", "0") == b"1"
    with pytest.raises(SealError):
        other.open(seal.seal(b"1", "tracks", "0"), "tracks", "1")
    vault.close()
