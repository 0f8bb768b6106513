"""One video in a process of its own: ``python -m server.videos.job``.

It runs at low priority, so that no live frame waits for it, and within a bound of memory and time, since it decodes
what strangers may have made. The task comes as a line of JSON on standard input; what becomes of it goes out as lines
of JSON: ``info`` once the video is open, ``done`` (seconds of it) as it goes on, then ``finished``, or ``refused`` with
the reason. Further lines of input are ``live`` when somebody is before a camera, and ``alone`` when nobody is any more.
When standard input ends, so does it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2

from models import ModelError, load_pack
from pipeline.face_models import FaceModels
from server.vault.sealed_file import SealedReader
from server.videos.ahead import ahead
from server.videos.files import ResultWriter
from server.videos.following import Follower
from server.videos.limits import VideoRefused, be_modest, bound_time, give_way
from server.videos.reading import TOO_MUCH_MEMORY, VideoInfo, open_video
from server.videos.sealing import VideoSeal

SAID_EVERY = 0.2  # seconds
AHEAD = 4  # frames decoded while one is looked at


def main() -> None:
    """Do the task on standard input."""
    be_modest()
    cv2.setNumThreads(1)
    sys.stdout = sys.stderr  # some models' libraries print
    task = json.loads(sys.stdin.readline())
    if task["give_way"]:
        give_way()
    live = threading.Event()
    threading.Thread(target=_listen, args=(live,), daemon=True).start()
    try:
        seal, video, folder = VideoSeal.of(task["seal"]), Path(task["video"]), Path(task["folder"])
        with open_video(seal.source(video)) as file:  # what is refused is refused before any model is loaded
            _begin(file.info)
        pack = load_pack(task["pack"], Path(task["models_dir"]), task["provider"], lambda line: None)
        models = FaceModels.from_pack(pack)
        source = seal.source(video)
        finished = follow_video(models, source, folder, lambda info: None, _progress(), live.is_set, seal)
    except (VideoRefused, ModelError) as error:
        _say(refused=str(error))
    except MemoryError:
        _say(refused=TOO_MUCH_MEMORY)
    except Exception as error:
        # Its words might name a file; the class is enough to look for it.
        _say(failed=type(error).__name__)
    else:
        _say(finished=finished, digest=models.manifest.digest)


def follow_video(
    models: FaceModels,
    video: Path | SealedReader,
    folder: Path,
    opened: Callable[[VideoInfo], None],
    progress: Callable[[float], None],
    sparing: Callable[[], bool] = lambda: False,
    seal: VideoSeal | None = None,
) -> dict[str, Any]:
    """Find and follow the faces of a video, the result in an empty folder; returns its sides and length.

    ``opened`` hears what the file says of itself, ``progress`` the seconds that are done; while it is to be
    ``sparing`` it takes half of one processor, else up to two. ``seal`` seals the result. Raises :class:`VideoRefused`.
    """
    last, size = 0.0, (0, 0)
    with open_video(video) as file, ResultWriter(folder, seal or VideoSeal.passing()) as out:
        opened(file.info)
        follower = Follower(models, out)
        with ahead(file.frames(), AHEAD, sparing) as frames:
            for frame in frames:
                began = time.perf_counter()
                follower.take(frame)
                if sparing():
                    time.sleep(time.perf_counter() - began)
                last, size = frame.time, (frame.width, frame.height)
                progress(last)
        follower.end()
    return {"width": size[0], "height": size[1], "seconds": round(max(last, file.info.seconds or 0.0), 3)}


def _begin(info: VideoInfo) -> None:
    bound_time(info.seconds)
    _say(info=asdict(info))


def _progress() -> Callable[[float], None]:
    said = 0.0

    def tell(done: float) -> None:
        nonlocal said
        if time.monotonic() - said > SAID_EVERY:
            said = time.monotonic()
            _say(done=round(done, 2))

    return tell


def _say(**words: Any) -> None:
    print(json.dumps(words), file=sys.__stdout__, flush=True)


def _listen(live: threading.Event) -> None:
    for line in sys.stdin:
        if line == "live\n":
            live.set()
        else:
            live.clear()
    os._exit(1)


if __name__ == "__main__":
    main()
