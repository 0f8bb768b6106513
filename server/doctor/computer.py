"""The computer: Python, packages, processors, memory, clock, codecs."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from server.doctor.finding import Finding, Patient

LITTLE_MEMORY = 1 << 30  # bytes: a server with a pack of models takes about half of it
AHEAD = 300.0  # seconds that a file may be from the future
_CODECS = (("vp8", "r"), ("h264", "r"), ("libvpx", "w"))
_PACKAGE = re.compile(r"([A-Za-z0-9._-]+)\s*([^;\[]*)")
# Others that bring the same module: of these one is enough.
_INSTEAD = {
    "opencv-python": ("opencv-python-headless",),
    "onnxruntime": ("onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml"),
}
_BOUND = re.compile(r"(>=|<)\s*([0-9.]+)")


def computer(patient: Patient) -> Iterator[Finding]:
    """What everything stands on."""
    yield Finding("Python", "good", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield from packages()
    yield from processors()
    yield from memory()
    yield from clock(patient.settings.data_dir)
    yield from codecs()


def packages(name: str = "visavis") -> Iterator[Finding]:
    """Whether what this version was made with is there."""
    try:
        wanted = [text for text in requires(name) or () if "extra ==" not in text]
    except PackageNotFoundError:
        cure = f"{sys.executable} -m pip install ."
        yield Finding("packages", "worth a look", "Visavis is not installed here: packages cannot be compared", cure)
        return
    wrong = [said for text in wanted if (said := _unfit(text))]
    if wrong:
        cure = f"{sys.executable} -m pip install --upgrade {name}"
        yield Finding("packages", "broken", "; ".join(wrong), cure)
    else:
        yield Finding("packages", "good", f"{len(wanted)} that are needed are there, in versions that fit")


def _unfit(requirement: str) -> str | None:
    match = _PACKAGE.match(requirement)
    if match is None:
        return None
    found = next((there for name in (match[1], *_INSTEAD.get(match[1], ())) if (there := _version(name))), None)
    if found is None:
        return f"{match[1]} is missing"
    for sign, bound in _BOUND.findall(match[2]):
        have, want = _numbers(found), _numbers(bound)
        if (sign == ">=" and have < want) or (sign == "<" and have >= want):
            return f"{match[1]} is {found}, and {sign}{bound} is needed"
    return None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _numbers(text: str) -> tuple[int, ...]:
    parts = re.findall(r"\d+", text.partition("+")[0])[:3]
    return tuple(int(part) for part in parts) + (0,) * (3 - len(parts))


def processors() -> Iterator[Finding]:
    """How many this process may use, and whether they have what ONNX Runtime is quick with."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    said = f"{count} processor{'s' if count > 1 else ''}"
    flags = _read(Path("/proc/cpuinfo"))
    if platform.machine() in ("x86_64", "AMD64") and "flags" in flags:
        if not re.search(r"\bavx2\b", flags):
            cure = "visavis --max-sessions 1, or another computer"
            yield Finding(
                "processors", "worth a look", f"{said} without AVX2: recognition is several times slower", cure
            )
            return
        said += " with AVX2" + (" and AVX-512" if "avx512f" in flags else "")
    yield Finding("processors", "good", said)


def memory(root: Path = Path("/")) -> Iterator[Finding]:
    """How much there is, within the limit of a container."""
    match = re.search(r"MemAvailable:\s+(\d+) kB", _read(root / "proc/meminfo"))
    if match is None:
        return
    free = int(match[1]) * 1024
    limit = _read(root / "sys/fs/cgroup/memory.max").strip()
    if limit.isdigit():
        used = _read(root / "sys/fs/cgroup/memory.current").strip()
        free = min(free, int(limit) - (int(used) if used.isdigit() else 0))
    said = f"{free / 2**30:.1f} GiB free"
    if free < LITTLE_MEMORY:
        cure = "end other programs, or raise the container's limit (`mem_limit`, `MemoryMax`) to 2 GiB or more"
        yield Finding("memory", "worth a look", f"{said}: models and sessions take more", cure)
    else:
        yield Finding("memory", "good", said)


def clock(folder: Path, now: float | None = None) -> Iterator[Finding]:
    """Whether the clock can be right: consents, links and certificates go by it."""
    now = time.time() if now is None else now
    known = [Path(__file__), *(folder.iterdir() if os.access(folder, os.R_OK) and folder.is_dir() else ())]
    newest = max((path.stat().st_mtime for path in known if path.exists()), default=0.0)
    said = f"{datetime.fromtimestamp(now, UTC):%d %B %Y %H:%M} UTC"
    cure = (
        "timedatectl set-ntp true"
        if sys.platform == "linux"
        else "set the clock by the network, in the system's settings"
    )
    if newest > now + AHEAD:
        when = datetime.fromtimestamp(newest, UTC)
        yield Finding("clock", "broken", f"{said}, and files here are from {when:%d %B %Y %H:%M} UTC", cure)
    elif _synchronised() is False:
        yield Finding("clock", "worth a look", f"{said}; it is not set by the network", cure)
    else:
        yield Finding("clock", "good", said)


def _synchronised() -> bool | None:
    """Whether the clock follows the network's; ``None``: nobody says."""
    if sys.platform != "linux" or shutil.which("timedatectl") is None:
        return None
    command = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=2, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {"yes": True, "no": False}.get(done.stdout.strip())


def codecs(wanted: tuple[tuple[str, str], ...] = _CODECS) -> Iterator[Finding]:
    """Whether FFmpeg's libraries here have what browsers send, and what viewers are sent."""
    import av  # late: it loads FFmpeg

    missing = []
    for name, way in wanted:
        try:
            av.codec.Codec(name, "r" if way == "r" else "w")
        except ValueError:
            missing.append(f"{name} ({'decoder' if way == 'r' else 'encoder'})")
    if missing:
        cure = f"{sys.executable} -m pip install --force-reinstall --only-binary av av"
        yield Finding("codecs", "broken", f"PyAV {av.__version__} lacks {', '.join(missing)}", cure)
    else:
        yield Finding("codecs", "good", f"PyAV {av.__version__} reads VP8 and H.264, and writes VP8")


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
