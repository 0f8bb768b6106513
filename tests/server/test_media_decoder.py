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

from server.media.decoder import Decoder, DecoderDown
from server.media.decoding import Unreadable, decode
from tests.pictures import photo_path
from tests.server.test_media_decoding import encoded, png

PHOTO = photo_path().read_bytes()
# A worker that does what a file asks for.
_UNWELL = """
import os, struct, sys, time
from server.media import worker
import server.media.decoding as decoding
def decode(data):
    if b'please crash' in data: os.abort()
    if b'please hang' in data: time.sleep(60)
    if b'please swell' in data: return bytearray(4 << 30)
    if b'please spin' in data:
        while True: pass
    if b'please lie' in data: os.write(4, b'P' + struct.pack('>II', 1 << 30, 1 << 30)); os._exit(0)
    return decoding.decode(data)
worker.decode = decode
worker.SECONDS = 1
worker.main()
"""
UNWELL = (sys.executable, "-P", "-c", _UNWELL)


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


@pytest.mark.parametrize(
    ("what", "verdict", "words"),
    [("crash", "not_a_picture", "crashed"), ("lie", "not_a_picture", "crashed"), ("hang", "too_large", "longer"),
     ("spin", "too_large", "longer"), ("swell", "too_large", "memory")],
)  # fmt: skip
def test_a_process_that_ends_or_hangs_is_replaced(what: str, verdict: str, words: str) -> None:
    with contextlib.closing(Decoder(command=UNWELL, seconds=4.0)) as decoder:
        assert decoder.decode(PHOTO).shape == (886, 1280, 3)  # it runs
        began = time.monotonic()
        with pytest.raises(Unreadable, match=words) as refused:
            decoder.decode(asking(what))
        assert refused.value.verdict == verdict
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
    monkeypatch.setenv("VISAVIS_MASTER_KEY", "correct-horse")
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
    with pytest.raises(DecoderDown):
        decoder.decode(PHOTO)


def test_a_command_that_is_not_there_says_so() -> None:
    with pytest.raises(DecoderDown, match="cannot be started: No such file"):
        Decoder(command=("/nowhere/python",))


@pytest.mark.parametrize("code", ["raise ImportError('no library')", "print('hello', flush=True)"])
def test_a_process_that_ends_at_once_is_no_decoder(code: str) -> None:
    with pytest.raises(DecoderDown, match="ends as soon as it is started"):
        Decoder(2, command=(sys.executable, "-c", code))


def test_one_that_is_killed_at_its_picture_is_not_the_pictures_fault() -> None:
    with contextlib.closing(Decoder(command=UNWELL)) as decoder, ThreadPoolExecutor(1) as thread:
        process = decoder._free.queue[0]
        asked = thread.submit(decoder.decode, asking("hang"))
        while decoder._free.queue:
            time.sleep(0.01)
        time.sleep(0.3)
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(DecoderDown, match="send the picture again"):
            asked.result(10)
        assert decoder.decode(PHOTO).shape == (886, 1280, 3)


def test_while_no_process_starts_every_picture_hears_so_and_then_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.closing(Decoder()) as decoder:
        process = decoder._free.queue[0]
        os.kill(process.pid, signal.SIGKILL)
        time.sleep(0.1)
        with monkeypatch.context() as patch:
            patch.setattr(decoder, "_command", ("/nowhere/python",))
            for _ in range(2):
                with pytest.raises(DecoderDown, match="cannot be started"):
                    decoder.decode(PHOTO)
            patch.setattr(decoder, "_command", (sys.executable, "-c", "pass"))
            for _ in range(2):
                with pytest.raises(DecoderDown, match="ends as soon as it is started"):
                    decoder.decode(PHOTO)
        assert decoder.decode(PHOTO).shape == (886, 1280, 3)


def test_pictures_do_not_share_their_memory() -> None:
    other = encoded(".png")
    with contextlib.closing(Decoder()) as decoder:
        first = decoder.decode(PHOTO)
        second = decoder.decode(other)
        assert np.array_equal(first, decode(PHOTO))
        assert np.array_equal(second, decode(other))
        descriptors = Path("/proc/self/fd")
        before = len(list(descriptors.glob("*")))
        for _ in range(20):
            decoder.decode(other)
        assert len(list(descriptors.glob("*"))) <= before + 1
    assert np.array_equal(first, decode(PHOTO))  # nor lose it with the decoder
