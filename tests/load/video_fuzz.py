"""Whether damaged videos are read or refused, and nothing else: ``python -m tests.load.video_fuzz --files 1000``.

Small videos in five containers are cut, overwritten and lengthened at random, more often in their headers, and each is
read to its end in a process of its own, as the server does but without looking for faces. A process may only end by
itself, with pictures or with a refusal in words.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
from collections import Counter
from pathlib import Path

import av

from server.videos.limits import VideoRefused
from server.videos.reading import open_video
from tests.server.video_files import write_video

FORMS = (("mp4", "libx264"), ("matroska", "libx264"), ("webm", "libvpx"), ("avi", "mpeg4"), ("mpegts", "libx264"))
HEADER = 1500  # bytes
SECONDS = 20  # of processor for one file
READ, REFUSED, BROKEN = range(3)


def damaged(data: bytes, rng: random.Random) -> bytes:
    """The same file after something has happened to it."""
    changed = bytearray(data)
    match rng.choice(("cut", "anywhere", "anywhere", "header", "header", "longer")):
        case "cut":
            del changed[rng.randrange(len(changed)) :]
        case "longer":
            at = rng.randrange(len(changed))
            changed[at:at] = rng.randbytes(rng.randrange(1, 5000))
        case place:
            reach = min(len(changed), HEADER) if place == "header" else len(changed)
            for _ in range(rng.choice((1, 3, 10, 100))):
                changed[rng.randrange(reach)] = rng.randrange(256)
    return bytes(changed)


def read(path: Path) -> int:
    """Read a file to its end: what became of it."""
    try:
        with open_video(path) as video:
            for frame in video.frames():
                _ = frame.image
    except VideoRefused:
        return REFUSED
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        return BROKEN
    return READ


def main() -> None:
    """Damage and read; exit code 1 if one did not end as it should."""
    import resource

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    av.logging.set_level(None)
    rng, ends = random.Random(given.seed), Counter[int]()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        whole = [write_video(folder / form, [(0, 0, 1)], 1, form, codec).read_bytes() for form, codec in FORMS]
        for _ in range(given.files):
            (folder / "damaged").write_bytes(damaged(rng.choice(whole), rng))
            child = os.fork()
            if child == 0:
                resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
                os._exit(read(folder / "damaged"))
            ends[os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])] += 1
    wrong = given.files - ends[READ] - ends[REFUSED]
    print(f"{given.files} damaged videos: {ends[READ]} read, {ends[REFUSED]} refused in words, {wrong} otherwise")
    if wrong:
        raise SystemExit(f"exit codes: {dict(ends)}")


if __name__ == "__main__":
    main()
