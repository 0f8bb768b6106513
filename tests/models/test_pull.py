"""Fetching a pack: over a real socket from a local server, and without any network."""

from __future__ import annotations

import dataclasses
import io
import shutil
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from models import (
    DownloadFailed,
    LicenseNotAccepted,
    ModelError,
    PackDamaged,
    PackManifest,
    is_installed,
    load_manifest,
    load_pack,
    pull_pack,
    verify_pack,
)
from models.pull import pull


class Upstream:
    """A web server with one answer for everything."""

    def __init__(self) -> None:
        self.status = 200
        self.body = b""
        self.length: int | None = None
        self.asked = 0
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                upstream.asked += 1
                self.send_response(upstream.status)
                self.send_header("Content-Length", str(upstream.length or len(upstream.body)))
                self.end_headers()
                self.wfile.write(upstream.body)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/buffalo_l.zip"


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    upstream = Upstream()
    thread = threading.Thread(target=upstream.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield upstream
    upstream.server.shutdown()
    thread.join()
    upstream.server.server_close()


def manifest_at(url: str) -> PackManifest:
    return dataclasses.replace(load_manifest("buffalo_l"), url=url)


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def files(buffalo_files: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in buffalo_files.iterdir()}


@pytest.mark.parametrize("inside", ["", "buffalo_l/"])
def test_a_pack_is_fetched_recorded_and_loads(
    upstream: Upstream, tmp_path: Path, files: dict[str, bytes], lines: list[str], inside: str
) -> None:
    everything = {inside + name: content for name, content in files.items()}
    upstream.body = zipped(everything | {inside + "1k3d68.onnx": b"not wanted", "../../evil": b"nor this"})
    folder = pull(manifest_at(upstream.url), tmp_path / "cache", True, lines.append)
    assert sorted(path.name for path in folder.iterdir()) == sorted([*files, "lock.json"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache"]
    assert "non-commercial research only" in lines[0]
    assert lines[1] == f"Fetching {upstream.url} (about 326 MB)"
    assert "Fetched 100 %" in lines
    assert is_installed("buffalo_l", tmp_path / "cache")
    assert all(status.state == "ok" for status in verify_pack("buffalo_l", tmp_path / "cache"))
    assert load_pack("buffalo_l", tmp_path / "cache", "cpu").manifest.digest


def test_what_is_in_place_is_not_fetched_again(
    upstream: Upstream, tmp_path: Path, files: dict[str, bytes], lines: list[str]
) -> None:
    upstream.body = zipped(files)
    for _ in range(2):
        pull(manifest_at(upstream.url), tmp_path, True, lines.append)
    assert upstream.asked == 1
    assert lines[-1].startswith("buffalo_l is in place already")


def test_what_is_damaged_is_fetched_again(upstream: Upstream, tmp_path: Path, files: dict[str, bytes]) -> None:
    upstream.body = zipped(files)
    folder = pull(manifest_at(upstream.url), tmp_path, True, lambda line: None)
    (folder / "det_10g.onnx").write_bytes(b"damaged")
    pull(manifest_at(upstream.url), tmp_path, True, lambda line: None)
    assert (folder / "det_10g.onnx").read_bytes() == files["det_10g.onnx"]
    assert all(status.state == "ok" for status in verify_pack("buffalo_l", tmp_path))


def test_files_put_there_by_hand_are_recorded_without_network(
    tmp_path: Path, buffalo_files: Path, lines: list[str]
) -> None:
    shutil.copytree(buffalo_files, tmp_path / "buffalo_l")
    pull(manifest_at("https://visavis.invalid/buffalo_l.zip"), tmp_path, True, lines.append)
    assert "by hand" in lines[1]
    assert is_installed("buffalo_l", tmp_path)


def test_without_the_flag_the_licence_is_stated_and_nothing_happens(upstream: Upstream, tmp_path: Path) -> None:
    with pytest.raises(LicenseNotAccepted) as caught:
        pull(manifest_at(upstream.url), tmp_path, False, lambda line: None)
    assert "non-commercial research only" in str(caught.value)
    assert "visavis models pull buffalo_l --accept-license" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert upstream.asked == 0
    assert list(tmp_path.iterdir()) == []


def test_offline_is_one_clear_line_and_leaves_nothing(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(DownloadFailed) as caught:  # .invalid never resolves, RFC 6761
        pull(manifest_at("https://visavis.invalid/buffalo_l.zip"), cache, True, lambda line: None)
    message = str(caught.value)
    assert message.startswith("cannot reach visavis.invalid (")
    assert "is this machine offline?" in message
    assert "det_10g.onnx, w600k_r50.onnx, genderage.onnx" in message
    assert "\n" not in message
    assert not cache.exists()


def test_a_refused_connection_is_told(upstream: Upstream, tmp_path: Path) -> None:
    url = "http://127.0.0.1:9/x.zip"  # discard, which nobody serves
    with pytest.raises(DownloadFailed, match=r"cannot reach 127\.0\.0\.1:9 \(.*refused"):
        pull(manifest_at(url), tmp_path, True, lambda line: None)


def arrange_not_found(upstream: Upstream, files: dict[str, bytes]) -> None:
    upstream.status = 404


def arrange_cut_off(upstream: Upstream, files: dict[str, bytes]) -> None:
    upstream.body = zipped(files)
    upstream.length = len(upstream.body) + 5


def arrange_no_zip(upstream: Upstream, files: dict[str, bytes]) -> None:
    upstream.body = b"<html>please log in</html>"


def arrange_damaged_zip(upstream: Upstream, files: dict[str, bytes]) -> None:
    body = bytearray(zipped(files))
    body[len(body) // 2] ^= 1
    upstream.body = bytes(body)


def arrange_file_missing(upstream: Upstream, files: dict[str, bytes]) -> None:
    upstream.body = zipped({name: content for name, content in files.items() if name != "genderage.onnx"})


def arrange_wrong_model(upstream: Upstream, files: dict[str, bytes]) -> None:
    upstream.body = zipped(files | {"det_10g.onnx": files["genderage.onnx"]})


@pytest.mark.parametrize(
    ("arrange", "kind", "words"),
    [
        (arrange_not_found, DownloadFailed, "answered 404 Not Found: try again later, or put det_10g.onnx"),
        (arrange_cut_off, DownloadFailed, "broke off 5 bytes before the end; try again"),
        (arrange_no_zip, DownloadFailed, "is not a whole zip archive; try again"),
        (arrange_damaged_zip, DownloadFailed, "is not a whole zip archive; try again"),
        (arrange_file_missing, DownloadFailed, "has no genderage.onnx in it"),
        (arrange_wrong_model, PackDamaged, "det_10g.onnx of pack 'buffalo_l' is no detection model"),
    ],
)
@pytest.mark.parametrize("installed", [False, True])
def test_a_failed_fetch_leaves_what_was_there(
    upstream: Upstream,
    tmp_path: Path,
    files: dict[str, bytes],
    arrange: Any,
    kind: type[ModelError],
    words: str,
    installed: bool,
) -> None:
    before: dict[str, bytes] = {}
    if installed:  # and damaged, or nothing would be fetched
        upstream.body = zipped(files)
        folder = pull(manifest_at(upstream.url), tmp_path, True, lambda line: None)
        (folder / "genderage.onnx").unlink()
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
    arrange(upstream, files)
    with pytest.raises(kind, match=words) as caught:
        pull(manifest_at(upstream.url), tmp_path, True, lambda line: None)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == (["buffalo_l"] if installed else [])
    if installed:
        assert {path.name: path.read_bytes() for path in (tmp_path / "buffalo_l").iterdir()} == before


def test_stopping_in_the_middle_leaves_nothing(upstream: Upstream, tmp_path: Path, files: dict[str, bytes]) -> None:
    upstream.body = zipped(files)

    def stop(line: str) -> None:
        if line.startswith("Fetched"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(manifest_at(upstream.url), tmp_path, True, stop)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(upstream: Upstream, tmp_path: Path, files: dict[str, bytes]) -> None:
    upstream.body = zipped(files)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError, match=r"cannot keep models in .*--cache-dir"):
        pull(manifest_at(upstream.url), tmp_path / "file", True, lambda line: None)


def test_a_built_pack_is_not_pulled(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="'open' is not fetched but built here: visavis models build open"):
        pull_pack("open", tmp_path, True, lambda line: None)
