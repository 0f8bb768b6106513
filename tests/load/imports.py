"""How long an import of many photos takes, and whether all of them arrive:
``python -m tests.load.imports --people 200 --photos 5``.

Imports a folder with ``visavis people import`` into a store of its own, twice: the second time adds nothing. ``--from``
names a folder NAME/photo to take the photos of; without it they are made from the six faces of one photo, turned,
mirrored and lit in other ways. Two hundred 'people' of six faces resemble each other, so the review is off then.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

from server.media.decoding import SUFFIXES
from tests.server.photos import varied

FACES = 4  # of the six: those whom nothing speaks against


def make(folder: Path, people: int, photos: int) -> None:
    """Photos of made-up people, each file different."""
    for person in range(people):
        home = folder / f"Person {person:04d}"
        home.mkdir(parents=True)
        for shot in range(photos):
            (home / f"{shot}.jpg").write_bytes(varied(person % FACES, 1 + person * photos + shot))


def gather(folder: Path, source: Path, people: int, photos: int) -> None:
    """Links to at most ``photos`` photos of each of at most ``people`` people of a folder NAME/photo."""
    homes = sorted(home for home in source.iterdir() if home.is_dir())
    for home in islice(homes, people):
        found = sorted(file for file in home.iterdir() if file.suffix.lower() in SUFFIXES)
        (folder / home.name).mkdir(parents=True)
        for file in found[:photos]:
            (folder / home.name / file.name).symlink_to(file.resolve())


def command(data: Path, *arguments: str) -> list[str]:
    """The command line of ``visavis people``."""
    return [sys.executable, "-m", "server", "people", arguments[0], "--data-dir", str(data), *arguments[1:]]


def visavis_people(data: Path, *arguments: str) -> Any:
    """Run ``visavis people`` and return the JSON it prints."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("VISAVIS_")}
    environ["VISAVIS_CONSENT"] = "ask"
    done = subprocess.run(command(data, *arguments, "--json"), env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def main() -> None:
    """Import, import again, and print what came of it; fails if a photo is lost or comes twice."""
    parser = argparse.ArgumentParser(description="How fast and how well a folder of photos is imported.")
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--photos", type=int, default=5)
    parser.add_argument("--from", dest="source", type=Path, help="a folder NAME/photo.jpg")
    parser.add_argument("--review", choices=("off", "standard", "strict"))
    args = parser.parse_args()
    review = args.review or ("standard" if args.source else "off")
    with tempfile.TemporaryDirectory() as place:
        photos, data = Path(place) / "photos", Path(place) / "data"
        if args.source:
            gather(photos, args.source, args.people, args.photos)
        else:
            print(f"Photos made from {FACES} real faces; review {review}, as these people resemble each other.")
            make(photos, args.people, args.photos)
        files = sum(1 for file in photos.rglob("*") if file.is_file())
        rows = []
        for label in ("first", "again"):
            started = time.perf_counter()
            result = visavis_people(data, "import", str(photos), "--review", review)
            seconds = time.perf_counter() - started
            kept = visavis_people(data, "list")["people"]
            rows.append((label, seconds, result, len(kept), sum(person["samples"] for person in kept)))
    print(f"{files} files of {args.people} people at most; review {review}")
    print(
        f"{'import':8}{'seconds':>9}{'ms/photo':>10}{'used':>7}{'saved':>7}{'people':>8}{'samples':>9}  other verdicts"
    )
    for label, seconds, result, people, samples in rows:
        verdicts = {key: value for key, value in sorted(_counts(result).items()) if key != "used"}
        used, each = _counts(result).get("used", 0), result["milliseconds for each photo"]
        print(
            f"{label:8}{seconds:9.1f}{each:10.1f}{used:7}{result['photos saved']:7}{people:8}{samples:9}"
            f"  {', '.join(f'{value} {key}' for key, value in verdicts.items())}"
        )
    (_, _, first, _, kept_first), (_, _, again, _, kept_again) = rows
    if len(first["files"]) != files or first["photos saved"] != _counts(first).get("used", 0):
        raise SystemExit("A photo has been lost.")
    if kept_first != first["photos saved"] or kept_again != kept_first or again["photos saved"]:
        raise SystemExit("The store holds other photos than were saved.")


def _counts(result: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for file in result["files"]:
        counts[file["verdict"]] = counts.get(file["verdict"], 0) + 1
    return counts


if __name__ == "__main__":
    main()
