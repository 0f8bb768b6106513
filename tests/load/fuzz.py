"""Whether damaged and malicious files are answered in words and nothing else:

    python -m tests.load.fuzz [--pictures 5000] [--videos 100] [--seed 1]

Pictures made from one photo, in every format that is read, are damaged at random, beside those that are made to harm;
each is sent to the running server's ``POST /api/v1/photos``, and damaged videos to ``POST /api/v1/videos``. After every
hundred a whole photo has to be recognised and the server to say that it is well. Prints how many were answered how, and
fails if one was answered with an error of ours, not answered, or took longer than a picture may.
"""

from __future__ import annotations

import argparse
import http.client
import io
import random
import resource
import struct
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import pillow_heif
from PIL import Image as Pillow

from server.media.decoding import SIDE
from tests.load.video_fuzz import FORMS, damaged
from tests.packs import open_models
from tests.pictures import group_photo, photo_path
from tests.server.video_files import write_video
from tests.server.whole import Whole, serving_all

ALLOWED = {200, 408, 413, 415, 422}
SLOWEST = 40.0  # seconds for one picture, decoding and recognising it
CHECKED_EVERY = 100
WIDTH = 320  # pixels of most of the pictures, so that thousands of them can be tried
KINDS = ("flipped", "truncated", "spliced", "declared", "made")


@dataclass
class Tally:
    """What was answered: statuses by what was done to a file, seconds of each, and what should not have been."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def whole_files() -> dict[str, bytes]:
    """The same photo in every format that is read; the JPEG with several scans as well."""
    height = round(group_photo().shape[0] * WIDTH / group_photo().shape[1])
    image = cv2.resize(group_photo(), (WIDTH, height), interpolation=cv2.INTER_AREA)
    forms = {
        "jpeg": (".jpg",),
        "progressive": (".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        "png": (".png",),
        "webp": (".webp", cv2.IMWRITE_WEBP_QUALITY, 90),
        "lossless webp": (".webp", cv2.IMWRITE_WEBP_QUALITY, 101),
        "bmp": (".bmp",),
    }
    files = {}
    for name, (suffix, *options) in forms.items():
        done, data = cv2.imencode(suffix, image[..., ::-1], options)
        assert done
        files[name] = data.tobytes()
    for name, write in (("heic", _heic), ("avif", _avif)):
        files[name] = write(image)
    return files


def _heic(image: np.ndarray) -> bytes:
    out = io.BytesIO()
    pillow_heif.from_pillow(Pillow.fromarray(image)).save(out, quality=80)
    return out.getvalue()


def _avif(image: np.ndarray) -> bytes:
    out = io.BytesIO()
    Pillow.fromarray(image).save(out, "AVIF", quality=70, speed=10)
    return out.getvalue()


def mutated(kind: str, files: Sequence[bytes], rng: random.Random) -> bytes:
    """One of ``files`` after something of this ``kind`` has happened to it."""
    data = bytearray(rng.choice(files))
    if kind == "truncated":
        del data[rng.randrange(len(data)) :]
    elif kind == "spliced":  # part of a file where another part of one, not always of its own format, should be
        other = data if rng.random() < 0.5 else rng.choice(files)
        start, length = rng.randrange(len(other)), rng.randrange(1, 5000)
        at = rng.randrange(len(data))
        data[at : at + rng.randrange(length)] = other[start : start + length]
    else:
        reach = min(len(data), 600 if rng.random() < 0.5 else len(data))
        for _ in range(rng.choice((1, 3, 10, 100))):
            data[rng.randrange(reach)] ^= 1 << rng.randrange(8)
    return bytes(data)


def declared(files: dict[str, bytes], rng: random.Random) -> bytes:
    """A file whose header claims another size, often a huge one."""
    name = rng.choice(sorted(files))
    data = bytearray(files[name])
    width, height = (rng.choice((0, 1, 15, 4096, 7000, 20_000, 65_535, 2**31 - 1, 2**32 - 1)) for _ in range(2))
    if name in ("jpeg", "progressive"):
        at = next(i for marker in (b"\xff\xc0", b"\xff\xc2") if (i := data.find(marker)) > 0)
        struct.pack_into(">HH", data, at + 5, height & 0xFFFF, width & 0xFFFF)
    elif name == "png":
        struct.pack_into(">II", data, 16, width, height)
        struct.pack_into(">I", data, 29, zlib.crc32(data[12:29]))
    elif name == "bmp":
        struct.pack_into("<II", data, 18, width, height)
    elif name in ("heic", "avif"):
        at = data.find(b"ispe")
        struct.pack_into(">II", data, at + 8, width, height)
    elif name == "webp":
        struct.pack_into("<HH", data, 26, width & 0x3FFF, height & 0x3FFF)
    else:
        struct.pack_into("<I", data, 21, rng.getrandbits(28))
    return bytes(data)


def png_bomb(width: int, height: int, channels: int = 3, depth: int = 8) -> bytes:
    """A PNG of one colour: kilobytes that become all the pixels it claims."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packer, body = zlib.compressobj(9), bytearray()
    for _ in range(height):
        body += packer.compress(bytes(1 + width * channels * depth // 8))
    body += packer.flush()
    colour = {1: 0, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", bytes(body)) + chunk(b"IEND", b"")


def many_scans(progressive: bytes, scans: int) -> bytes:
    """A JPEG whose last scan comes over and over: little to send, much to compute."""
    start, end = progressive.rfind(b"\xff\xda"), progressive.rfind(b"\xff\xd9")
    return progressive[:start] + progressive[start:end] * scans + progressive[end:]


def made_to_harm(files: dict[str, bytes]) -> dict[str, bytes]:
    """Files that nobody's camera wrote, by what they are."""
    return {
        "0 bytes": b"",
        "text named .jpg": b"Dear diary, this is no photo.\n" * 50,
        "PNG of 4 billion pixels": png_bomb(65_536, 1)[:16] + struct.pack(">II", 65_536, 65_536),
        "PNG bomb of 59 million pixels": png_bomb(7681, 7681),
        "16-bit PNG bomb": png_bomb(7000, 7000, 4, 16),
        "JPEG of 99 scans": many_scans(files["progressive"], 90),
        "JPEG of 5000 scans": many_scans(files["progressive"], 5000),
        "JPEG with another behind it": files["jpeg"] * 2,
        "only a header": files["jpeg"][:200],
        "zeros": bytes(100_000),
        "HTML": b"<!doctype html><script>alert(1)</script>",
        "ZIP": b"PK\3\4" + bytes(1000),
        "one pixel": png_bomb(1, 1),
    }


def poster(faces: int) -> bytes:
    """A JPEG of so many tiled faces: a face of the photo in ``SIDE`` × ``SIDE`` pixels, over and over."""
    image, count = group_photo(), int(np.ceil(np.sqrt(faces)))
    tile = SIDE // count
    x, y, width, height = open_models().detector.detect(image, 640).boxes[0]
    side, left, top = (int(v) for v in (1.5 * height, x + width / 2 - 0.75 * height, y - 0.25 * height))
    face = cv2.resize(image[top : top + side, left : left + side], (tile, tile), interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", np.tile(face, (count, count, 1))[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 85))
    assert done
    return data.tobytes()


def pictures(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Bad pictures with what was done to each: those made to harm first, then damaged ones."""
    rng, files = random.Random(seed), whole_files()
    for _, data in zip(range(count), made_to_harm(files).values(), strict=False):
        yield "made", data
    small = list(files.values())
    for number in range(max(0, count - len(made_to_harm(files)))):
        kind = KINDS[number % 4]
        yield kind, declared(files, rng) if kind == "declared" else mutated(kind, small, rng)


def send(whole: Whole, path: str, data: bytes, kind: str, tally: Tally, allowed: set[int]) -> int | None:
    """Post some bytes and note what comes back; ``None`` where nothing does."""
    address = urlsplit(whole.local)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=SLOWEST)
    began = time.perf_counter()
    try:
        connection.request("POST", path, data, {"Content-Type": "application/octet-stream"})
        answer = connection.getresponse()
        body, status = answer.read(), answer.status
    except OSError as error:
        tally.wrong.append(f"{kind}: {type(error).__name__}")
        return None
    finally:
        connection.close()
    tally.seconds.append(time.perf_counter() - began)
    tally.statuses[kind, status] += 1
    if status not in allowed:
        tally.wrong.append(f"{kind}: {status} {body[:200]!r}")
    return status


def well(whole: Whole, tally: Tally) -> None:
    """A whole photo is still recognised, and the server says that it is well."""
    answer = whole.ask("POST", "/photos", photo_path().read_bytes())
    if answer.status != 200 or len(answer.json["faces"]) != 6:
        tally.wrong.append(f"a whole photo was answered with {answer.status}")
    health = whole.ask("GET", "/healthz", root="")
    if health.status != 200 or health.json["status"] != "ok":
        tally.wrong.append(f"health was {health.status}")


def fuzz_pictures(whole: Whole, count: int, seed: int) -> Tally:
    """Send bad pictures to a running server."""
    tally = Tally()
    for number, (kind, data) in enumerate(pictures(count, seed), 1):
        send(whole, "/api/v1/photos", data, kind, tally, ALLOWED)
        if number % CHECKED_EVERY == 0 or number == count:
            well(whole, tally)
    return tally


def fuzz_videos(whole: Whole, count: int, seed: int) -> Tally:
    """Send damaged videos, and wait until each is done or has failed in words."""
    tally, rng = Tally(), random.Random(seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        forms = [write_video(folder / form, [(0, 0, 1)], 1, form, codec).read_bytes() for form, codec in FORMS]
    for number in range(count):
        path = f"/api/v1/videos?file={number}.mp4"
        send(whole, path, damaged(rng.choice(forms), rng), "sent", tally, {201, 415, 422})
    waiting, until = True, time.monotonic() + 60 + 20 * count
    while waiting and time.monotonic() < until:
        time.sleep(0.5)
        videos = whole.ask("GET", "/videos?limit=100").json["items"]
        waiting = any(video["state"] in ("waiting", "running") for video in videos)
        for video in videos:
            if video["state"] in ("done", "failed"):
                tally.statuses[video["state"], 0] += 1
                if video["state"] == "failed" and ("went wrong" in video["words"] or not video["words"]):
                    tally.wrong.append(f"a video failed with the words {video['words']!r}")
                whole.ask("DELETE", f"/videos/{video['id']}")
    if waiting:
        tally.wrong.append("videos were not done in time")
    well(whole, tally)
    return tally


def report(title: str, tally: Tally) -> None:
    """A table of what was answered how."""
    kinds = sorted({kind for kind, _ in tally.statuses})
    statuses = sorted({status for _, status in tally.statuses})
    print(f"{title:12}" + "".join(f"{status or '':>7}" for status in statuses))
    for kind in kinds:
        print(f"{kind:12}" + "".join(f"{tally.statuses[kind, status] or '–':>7}" for status in statuses))
    times = sorted(tally.seconds)
    if times:
        print(f"seconds: median {times[len(times) // 2]:.3f}, slowest {times[-1]:.2f}")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--videos", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    wish = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, serving_all(Path(folder)) as whole:
        tallies = {"pictures": fuzz_pictures(whole, wish.pictures, wish.seed)}
        if wish.videos:
            tallies["videos"] = fuzz_videos(whole, wish.videos, wish.seed)
    for title, tally in tallies.items():
        report(title, tally)
    print(f"the server, or the largest of its children, held {_memory():.0f} MB at most")
    if wrong := [line for tally in tallies.values() for line in tally.wrong]:
        raise SystemExit("\n".join(wrong[:50]))


def _memory() -> float:
    """Megabytes that this process, the server among it, or a child held at most."""
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024


if __name__ == "__main__":
    main()
