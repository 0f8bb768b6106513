"""This server and three other designs under the same load, side by side.

    python -m tests.load.designs --sessions 1,5,10 --seconds 20 [--rate 15] [--video FILE …] [--json]

- this server: VP8 up, JSON on a data channel, the detector looks at about a tenth of the frames;
- the same with a look at every frame;
- draw and return: VP8 up, names drawn into the video, VP8 back; a result is a decoded picture, told by a code in it;
- JPEG over a WebSocket: pictures up (quality 80), JSON back; the senders keep two at most on their way.

Same video, rate, people, pipeline and machine; for each number of sessions one design after the other. A result's age
is from the handing over of its picture to the sender's network side until the result, or the decoded picture, was
there. The senders' own encoding is not in it for any design.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.load.peers.video import Clip, Unreadable, make_clips
from tests.load.sessions import Run, add_video_options, check_rate, enrol, measure, numbers


@dataclass(frozen=True, slots=True)
class Design:
    """How it is called, what its senders are, and which module of this folder stands in for the server."""

    name: str
    kind: str = "whip"
    module: str | None = None

    @property
    def before(self) -> tuple[str, ...]:
        """The command before the server's own."""
        return (sys.executable, "-m", f"tests.load.designs.{self.module}") if self.module else ()


DESIGNS = (
    Design("this server"),
    Design("a look at every frame", module="every_frame"),
    Design("draw and return", "drawn", "draw_and_return"),
    Design("JPEG over WebSocket", "jpeg", "jpeg_socket"),
)
COLUMNS = (
    "sessions", "design", "served", "results/s", "slowest", "p50 ms", "p95 ms", "oldest ms", "looks %", "named %",
    "CPU %", "CPU ms/result", "up B/frame", "down B/result", "MB", "drivers %",
)  # fmt: skip


def compare(
    design: Design, number: int, seconds: float, clips: Sequence[Clip], data: Path, flags: Sequence[str]
) -> Run:
    """One run of one design."""
    if design.kind != "whip":
        flags = [str(clip.folder) for clip in clips]  # it learns its people from there
    return measure(number, seconds, clips, data, flags=flags, kind=design.kind, before=design.before)


def row(design: Design, run: Run) -> list[str]:
    """One line of the table."""
    drawn = design.kind == "drawn"  # its names and looks are nowhere but in the picture
    answered = run.middle or float("nan")
    looks, named = ("–", "–") if drawn else (f"{run.looks:.0f}", f"{run.named:.0f}")
    return [
        f"{run.asked}", design.name, f"{run.served}", f"{run.middle:.1f}", f"{run.slowest:.1f}", f"{run.p50:.0f}",
        f"{run.p95:.0f}", f"{run.oldest:.0f}", looks, named, f"{run.cpu:.0f}", f"{run.cpu_result:.1f}",
        f"{run.up * 125 / run.sent:.0f}", f"{run.down * 125 / answered:.0f}", f"{run.memory}",
        f"{run.drivers_cpu:.0f}",
    ]  # fmt: skip


def table(rows: Sequence[Sequence[str]]) -> str:
    """Aligned, the design to the left."""
    widths = [max(len(line[index]) for line in rows) for index in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index == 1 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in rows
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.designs", description=__doc__.split("\n")[0])
    parser.add_argument("--sessions", type=numbers, default=[1, 5, 10])
    parser.add_argument("--seconds", type=float, default=20.0)
    add_video_options(parser)
    asked = parser.parse_args()
    check_rate(asked, parser)
    if asked.seconds < 1:
        parser.error("--seconds must be at least 1")
    try:
        clips = make_clips(asked.video, asked.rate, coded=True)
    except Unreadable as error:
        parser.error(str(error))
    rows, runs = [list(COLUMNS)], []
    with tempfile.TemporaryDirectory(prefix="visavis-load-") as temporary:
        data = Path(temporary) / "data"
        enrol(data, clips)
        for number in asked.sessions:
            for design in DESIGNS:
                run = compare(design, number, asked.seconds, clips, data, asked.flag)
                runs.append({"design": design.name, **asdict(run)})
                rows.append(row(design, run))
                if not asked.json:
                    print("  ".join(rows[-1]), file=sys.stderr, flush=True)
    print(json.dumps(runs) if asked.json else table(rows))


if __name__ == "__main__":
    main()
