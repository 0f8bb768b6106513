"""Pictures decoded in a process of its own: as well as here, and whatever happens to that process."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from server.media.decoder import Decoder, DecoderClosed
from server.media.decoding import Unreadable, decode
from tests.pictures import photo_path
from tests.server.test_media_decoding import encoded, png

PHOTO = photo_path().read_bytes()
# A worker with a taste: the first byte of the green channel's file decides what it does.
UNWELL = """
import os, struct, sys, time
from server.media import worker
import server.media.decoding as decoding
what = sys.argv[1]
def decode(data):
    if b'please ' + what.encode() in data:
        if what == 'crash': os.abort()
        if what == 'hang': time.sleep(60)
        if what == 'swell': return bytearray(4 << 30)
        if what == 'spin':
            while True: pass
        if what == 'lie': os.write(4, b'P' + struct.pack('>II', 1 << 30, 1 << 30)); os._exit(0)
    return decoding.decode(data)
worker.decode = decode
worker.SECONDS = 1
worker.main()
"""


def asking(what: str) -> bytes:
    """A whole JPEG with a wish behind its end."""
    return encoded(".jpg") + f"please {what}".encode()


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with contextlib.closing(Decoder()) as decoder:
        yield decoder


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp"])
def test_what_comes_is_what_would_come_here(decoder: Decoder, suffix: str) -> None:
    data = encoded(suffix)
    assert np.array_equal(decoder.decode(data), decode(data))
    assert np.array_equal(decoder.decode(PHOTO), decode(PHOTO))


@pytest.mark.parametrize(
    ("data", "verdict"),
    [(b"", "not_a_picture"), (b"Dear diary", "not_a_picture"), (PHOTO[:5000], "not_a_picture"),
     (png(60_000, 60_000), "too_large"), (png(200, 200), "not_a_picture")],
)  # fmt: skip
def test_a_refusal_is_the_same(decoder: Decoder, data: bytes, verdict: str) -> None:
    with pytest.raises(Unreadable) as there:
        decoder.decode(data)
    with pytest.raises(Unreadable) as here:
        decode(data)
    assert (str(there.value), there.value.verdict) == (str(here.value), verdict)
    assert decoder.decode(PHOTO).shape == (886, 1280, 3)


@pytest.mark.parametrize("what", ["crash", "hang", "swell", "spin"])
def test_a_process_that_ends_or_hangs_is_replaced(what: str) -> None:
    command = (sys.executable, "-P", "-c", UNWELL, what)
    with contextlib.closing(Decoder(command=command, seconds=4.0)) as decoder:
        assert decoder.decode(PHOTO).shape == (886, 1280, 3)  # it runs
        began = time.monotonic()
        with pytest.raises(Unreadable, match="memory than a photo may"):
            decoder.decode(asking(what))
        assert time.monotonic() - began < 6
        assert decoder.decode(PHOTO).shape == (886, 1280, 3)


def test_one_that_was_killed_meanwhile_is_replaced(decoder: Decoder) -> None:
    process = decoder._free.get()
    os.kill(process.pid, signal.SIGKILL)
    time.sleep(0.1)
    decoder._free.put(process)
    assert decoder.decode(PHOTO).shape == (886, 1280, 3)


def test_without_shared_memory_pictures_come_through_the_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    with contextlib.closing(Decoder()) as decoder:
        assert np.array_equal(decoder.decode(PHOTO), decode(PHOTO))


def test_many_threads_share_two_of_them() -> None:
    with contextlib.closing(Decoder(2)) as decoder, ThreadPoolExecutor(6) as threads:
        pictures = list(threads.map(decoder.decode, [PHOTO, encoded(".png")] * 6))
    assert [picture.shape[0] for picture in pictures] == [886, 110] * 6


def test_no_secret_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISAVIS_JOIN_TOKEN", "correct-horse")
    with contextlib.closing(Decoder()) as decoder:
        decoder.decode(PHOTO)
        process = decoder._free.get()
        with contextlib.suppress(FileNotFoundError):  # only Linux shows it
            assert b"correct-horse" not in Path(f"/proc/{process.pid}/environ").read_bytes()
        decoder._free.put(process)


def test_after_the_end_nothing_is_left() -> None:
    decoder = Decoder()
    process = decoder._free.get()
    decoder._free.put(process)
    decoder.close()
    decoder.close()
    assert process.ended
    with pytest.raises(DecoderClosed):
        decoder.decode(PHOTO)


def test_a_command_that_is_not_there_says_so() -> None:
    with pytest.raises(FileNotFoundError):
        Decoder(command=("/nowhere/python",))
