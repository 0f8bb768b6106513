"""Photos through the real models: everybody is found, named by who is enrolled, and bad files are refused in words."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiohttp
import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.face_models import FaceModels, read_photo
from pipeline.gallery import Gallery
from server.cli import cli
from server.media.decoding import FILE_BYTES
from server.people import People
from server.photos.answer import as_csv, photo_rows
from server.photos.recognise import recognise_photo
from server.photos.routes import AT_ONCE, Photos, setup_photos
from server.storage import NewSample
from tests.packs import models_folder, open_models
from tests.pictures import group_photo, photo_path
from tracking import IdentityState

JPEG = photo_path().read_bytes()


@pytest.fixture(scope="module")
def models() -> FaceModels:
    return open_models()


async def _people(folder: Path, models: FaceModels, *names: str) -> People:
    """The first faces of the group photo, in a slightly different picture, under these names."""
    manifest = models.manifest
    people = await People.open(folder / "people.sqlite3", manifest.digest, manifest.embedder.dimension)
    darker = (group_photo() * 0.8).astype(np.uint8)
    for name, face in zip(names, read_photo(models, darker), strict=False):
        await people.add_person(name, [NewSample(face.embedding, face.quality.overall, "photo")])
    return people


def test_nobody_is_named_where_nobody_is_known(models: FaceModels) -> None:
    faces = recognise_photo(models, Gallery.empty(128, models.manifest.digest), group_photo())
    assert len(faces) == 6
    areas = [float(face.box[2] * face.box[3]) for face in faces]
    assert areas == sorted(areas, reverse=True)
    told = [face.identity for face in faces]
    assert told.count(IdentityState.UNKNOWN) >= 5
    assert set(told) <= {IdentityState.UNKNOWN, IdentityState.UNREADABLE}  # one looks far away from the camera
    assert all(face.distance is not None and face.quality is not None for face in faces)
    assert recognise_photo(models, Gallery.empty(128, models.manifest.digest), np.zeros((80, 80, 3), np.uint8)) == []


async def test_a_photo_is_answered_with_names_and_reasons(serving: Any, models: FaceModels, tmp_path: Path) -> None:
    people = await _people(tmp_path, models, "Ada", "=Bob")
    with ThreadPoolExecutor(1) as executor:
        photos = Photos(people, lambda: models, executor)
        async with serving(parts=(lambda app: setup_photos(app, photos),)) as served, aiohttp.ClientSession() as client:
            url = f"{served.local}/api/v1/photos"
            async with client.post(url, data=io.BytesIO(JPEG)) as response:
                assert response.status == 200
                body = await response.json()
            assert (body["width"], body["height"]) == group_photo().shape[1::-1]
            names = [face["name"] for face in body["faces"] if face["identity"] == "known"]
            assert sorted(names) == ["=Bob", "Ada"]
            ada = next(face for face in body["faces"] if face["name"] == "Ada")
            assert ada["probability"] > 0.9
            assert ada["similarity"] > ada["threshold"]
            assert "Ada" in ada["words"]
            assert 0 <= min(ada["box"]) <= max(ada["box"]) <= 1
            assert ada["distance"]["low"] < ada["distance"]["m"] < ada["distance"]["high"]
            strangers = [face for face in body["faces"] if face["person"] is None]
            assert len(strangers) == 4
            assert all(face["name"] is None and face["probability"] is None for face in strangers)
            for query, data, status, word in (
                ("", b"", 415, "empty"),
                ("", b"I am a photo, honestly.", 415, "no JPEG"),
                ("", JPEG[: len(JPEG) // 2], 415, "cut short"),
                ("", b"\x89PNG\r\n\x1a\n" + bytes(8), 415, ""),
                ("", _claiming(60_000, 60_000), 413, "million pixels"),
                ("", bytes(FILE_BYTES + 1), 413, "25 MB"),
                ("?room=../etc", JPEG, 400, "room"),
            ):
                async with client.post(url + query, data=io.BytesIO(data)) as response:
                    assert response.status == status, word
                    assert response.content_type == "application/problem+json"
                    assert word in (await response.json(content_type=None))["detail"]
            photos._held = AT_ONCE
            async with client.post(url, data=io.BytesIO(JPEG)) as response:
                assert (response.status, response.headers["Retry-After"]) == (503, "1")
            photos._held = 0
            async with client.post(url, data=io.BytesIO(JPEG)) as response:
                assert len((await response.json())["faces"]) == 6
    await people.close()
    rows = photo_rows("a.jpg", body)
    assert len(rows) == 6
    table = as_csv(rows)
    assert "'=Bob" in table
    assert len(table.splitlines()) == 7


def _claiming(width: int, height: int) -> bytes:
    """A PNG whose header says it is that large."""
    _, data = cv2.imencode(".png", np.zeros((20, 20, 3), np.uint8))
    return data.tobytes()[:16] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + data.tobytes()[24:]


def test_the_command_names_and_refuses(models: FaceModels, tmp_path: Path) -> None:
    import asyncio

    async def enrol() -> None:
        await (await _people(tmp_path, models, "Ada")).close()

    asyncio.run(enrol())
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "good.jpg").write_bytes(JPEG)
    (tmp_path / "in" / "bad.jpg").write_text("no photo")
    arguments = ["recognise", str(tmp_path / "in"), "--data-dir", str(tmp_path), "--models-dir", str(models_folder())]
    result = CliRunner().invoke(cli, [*arguments, "--json", "--output", str(tmp_path / "out")])
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert [each["words"] for each in found["refused"]] == ["This is no JPEG, PNG, WebP, HEIC, AVIF or BMP picture."]
    assert [face["name"] for face in found["photos"][0]["faces"]].count("Ada") == 1
    assert (tmp_path / "out" / "photos.csv").read_text().count("Ada") == 1
    plain = CliRunner().invoke(cli, arguments)
    assert "Ada" in plain.stdout
    assert "bad.jpg" in plain.stderr


def test_the_bench_prints_its_table() -> None:
    arguments = ["bench", "photos", str(photo_path()), "--batch", "4", "--models-dir", str(models_folder())]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    assert "t1.jpg" in result.stdout
    assert "photos a second" in result.stdout
    refused = CliRunner().invoke(cli, ["bench", "photos", __file__, "--models-dir", str(models_folder())])
    assert refused.exit_code == 1
    assert "no JPEG" in refused.output
