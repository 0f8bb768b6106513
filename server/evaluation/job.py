"""One evaluation in a process of its own: ``python -m server.evaluation.job``.

It runs at low priority, so that no live frame waits for it; what strangers sent is decoded in a process of its
own. The task comes as a line of JSON on standard input; what becomes of it goes out as lines of JSON: ``done`` and
``total`` as it goes on, then ``finished``, or ``refused`` with the reason. When standard input ends, so does it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2

from models import ModelError, load_pack
from pipeline.attributes import load_attribute_reader
from pipeline.face_models import FaceModels
from server.evaluation.labels import EvaluationError
from server.evaluation.report import Report
from server.evaluation.upload import StoredPhotos, evaluate_upload
from server.evaluation.writing import HTML, JSON, report_files
from server.media.decoder import Decoder, DecoderDown
from server.people.photos.archive import BadArchive, PhotoArchive
from server.people.photos.folder import FILES, Photos

NICE = 10
SAID_EVERY = 0.2  # seconds
ARCHIVE = "archive"  # the name of a ZIP that was sent, beside the files' numbers
ZIP = "report.zip"
OUTPUT = (HTML, JSON, ZIP)


def main() -> None:
    """Do the task on standard input."""
    if hasattr(os, "nice"):
        os.nice(NICE)
    cv2.setNumThreads(1)
    sys.stdout = sys.stderr  # some models' libraries print
    task = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        report = _evaluate(task)
        _write(report, Path(task["folder"]))
    except (EvaluationError, BadArchive, DecoderDown, ModelError) as error:
        _say(refused=str(error))
    except Exception as error:
        # Its words might name a file; the class is enough to look for it.
        _say(failed=type(error).__name__)
    else:
        _say(finished=True)


def _evaluate(task: dict[str, Any]) -> Report:
    with _photos(Path(task["folder"]), task["paths"]) as photos, contextlib.closing(Decoder()) as decoder:
        pack = load_pack(task["pack"], Path(task["models_dir"]), task["provider"], lambda line: None)
        return evaluate_upload(
            FaceModels.from_pack(pack),
            lambda: load_attribute_reader(pack, task["provider"]),
            photos,
            decoder.decode,
            task["all_distances"],
            _progress(),
        )


@contextlib.contextmanager
def _photos(folder: Path, paths: list[str]) -> Iterator[Photos]:
    if not (folder / ARCHIVE).exists():
        yield StoredPhotos(folder, paths)
        return
    with (folder / ARCHIVE).open("rb") as file:
        yield PhotoArchive(file, FILES)


def _progress() -> Any:
    said = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal said
        if time.monotonic() - said > SAID_EVERY or done == total:
            said = time.monotonic()
            _say(done=done, total=total)

    return tell


def _write(report: Report, folder: Path) -> None:
    files = report_files(report)
    for name in (HTML, JSON):
        (folder / name).write_text(files[name], "utf-8", newline="")
    with zipfile.ZipFile(folder / ZIP, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def _say(**words: Any) -> None:
    print(json.dumps(words), file=sys.__stdout__, flush=True)


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
