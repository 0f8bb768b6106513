"""The videos this server keeps: taken in, worked off one after the other, looked at, erased.

Each has a folder: the film, a small JSON that says where it stands, and its result, sealed with a key of its own. A
restart finds all of them there; what was interrupted begins anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import shutil
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, Self

from server.nodes.tags import plain_id
from server.private_files import write_private
from server.settings import StartError
from server.vault import KeyUnknown, SealError, Vault
from server.vault.sealed_file import SealedReader
from server.videos import limits
from server.videos.limits import VideoRefused
from server.videos.sealing import VideoSeal, found_seal, new_seal, seal_older
from server.videos.working import Task, Worker, WorkerFailed

logger = logging.getLogger(__name__)

State = Literal["waiting", "running", "done", "failed"]
STATE = "state"
FILM = "film"
RESULT = "result"
ATTEMPTS = 3  # of a video whose process takes the server with it
LOOK_EVERY = 3600.0  # seconds between two looks for what is kept no longer


class NoSuchVideo(LookupError):
    """There is no video of this id, or it has been erased."""


class NotReady(ValueError):
    """There is no result, not yet or not at all; the message says why."""


class TooMuch(ValueError):
    """More was sent than is taken; the message says what."""


@dataclass(frozen=True, slots=True)
class Video:
    """One video. ``words`` say why it failed; sides, length and ``digest`` (of the models) are known when it is
    done."""

    id: str
    file: str  # its name where it came from
    bytes: int
    created: str  # ISO 8601, UTC
    state: State = "waiting"
    words: str = ""
    attempts: int = 0
    container: str = ""
    seconds: float | None = None
    width: int = 0
    height: int = 0
    digest: str = ""


@dataclass(slots=True)
class Progress:
    """How far the one being worked off is: seconds of it done, and of the clock since it began."""

    done: float = 0.0
    total: float | None = None
    began: float = 0.0

    @property
    def left(self) -> float | None:
        """Seconds until it is done, as far as that can be told."""
        if self.total is None or self.done <= 0:
            return None
        return max(0.0, (time.monotonic() - self.began) * (self.total - self.done) / self.done)


def _now() -> datetime:
    return datetime.now(UTC)


class Videos:
    """Owns every video. Open with ``await Videos.open(…)``, end with :meth:`close`: the one that runs then begins anew
    at the next start. ``digest`` gives that of the models in use; ``days`` is how long a video is kept, by the time
    that ``ageing`` says; ``vault`` has the keys."""

    def __init__(
        self,
        folder: Path,
        worker: Worker,
        digest: Callable[[], str],
        days: int,
        vault: Vault,
        ageing: Callable[[], datetime] = _now,
    ) -> None:
        self.tag = ""  # of this node, for their ids
        self._folder = folder
        self._vault = vault
        self._seals: dict[str, VideoSeal] = {}
        self._worker = worker
        self._digest = digest
        self._days = days
        self._ageing = ageing
        self._videos: dict[str, Video] = {}
        self._progress: dict[str, Progress] = {}
        self._latest = datetime.min.replace(tzinfo=UTC)  # when the last one came
        self._receiving = 0  # bytes promised to uploads going on
        self._come = asyncio.Event()
        self._current: tuple[str, asyncio.Task[None]] | None = None
        self._work: asyncio.Task[None] | None = None
        self.expired: Callable[[str, int], None] = lambda _what, _count: None
        """Told what was erased because it was too old."""

    @classmethod
    async def open(
        cls,
        folder: Path,
        worker: Worker,
        digest: Callable[[], str],
        days: int,
        vault: Vault,
        ageing: Callable[[], datetime] = _now,
        *,
        working: bool = True,
    ) -> Self:
        """Find what there is, and go on with it; not ``working``: only look at it."""
        videos = cls(folder, worker, digest, days, vault, ageing)
        await asyncio.to_thread(videos._find, working)
        if not working:
            return videos
        videos.change_models()
        videos._work = asyncio.create_task(videos._run(), name="videos")
        return videos

    async def close(self) -> None:
        """Stop; may be called twice."""
        work, self._work = self._work, None
        if work is not None:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    def all(self) -> list[Video]:
        """Every video, the newest first."""
        by_id = sorted(self._videos.values(), key=lambda video: video.id)
        return sorted(by_id, key=lambda video: video.created, reverse=True)

    def get(self, id: str) -> Video:
        """By its id. Raises :class:`NoSuchVideo`."""
        video = self._videos.get(id)
        if video is None:
            raise NoSuchVideo("There is no such video, or it has been erased.")
        return video

    def progress(self, id: str) -> Progress | None:
        """How far it is, while it is being worked off."""
        return self._progress.get(id)

    def film(self, id: str) -> SealedReader:
        """The video itself, as it was sent; whoever asks closes it. Blocks. Raises :class:`NoSuchVideo`, ``OSError``
        and :class:`server.vault.SealError`."""
        return self.seal(id).reader(self._folder / id / FILM)

    def seal(self, id: str) -> VideoSeal:
        """What it is sealed with. Raises :class:`NoSuchVideo`."""
        self.get(id)
        return self._seals[id]

    def result(self, id: str) -> Path:
        """The folder of its result, sealed with :meth:`seal`. Raises :class:`NoSuchVideo` and :class:`NotReady`."""
        video = self.get(id)
        if video.state == "failed":
            raise NotReady(video.words)
        if video.state != "done":
            raise NotReady("The video is not done yet.")
        return self._folder / id / RESULT

    def change_models(self) -> None:
        """Whatever was found with other models is looked for anew: their numbers cannot be compared with anybody's."""
        digest = self._digest()
        for video in tuple(self._videos.values()):
            if video.state == "done" and video.digest != digest:
                self._keep(replace(video, state="waiting", attempts=0))
        if self._current is not None:
            self._current[1].cancel()  # it waits for its turn again
        self._come.set()

    async def receive(self, file: str, chunks: AsyncIterator[bytes], size: int | None) -> Video:
        """Take in a video, of ``size`` bytes if that is known. Raises :class:`TooMuch`."""
        self._require_room(size or 0)
        id = plain_id(self.tag)
        folder = self._folder / id
        promised = size or 0
        self._receiving += promised
        try:
            await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True)
            self._seals[id] = seal = await asyncio.to_thread(new_seal, self._vault, id)
            got = await self._write(folder / FILM, seal, chunks)
            if not got:
                raise VideoRefused("The file is empty.")
            video = Video(id, file, got, self._moment())
            await asyncio.to_thread(self._save, video)
        except BaseException:
            await asyncio.shield(asyncio.to_thread(self._erase, id))
            raise
        finally:
            self._receiving -= promised
        self._videos[id] = video
        self._come.set()
        return video

    async def erase(self, id: str) -> None:
        """Stop it if it runs, and erase everything of it. Raises :class:`NoSuchVideo`."""
        self.get(id)
        del self._videos[id]
        if self._current is not None and self._current[0] == id:
            self._current[1].cancel()
            await asyncio.gather(self._current[1], return_exceptions=True)
        erasing = asyncio.ensure_future(asyncio.to_thread(self._erase, id))
        try:
            await asyncio.shield(erasing)
        except asyncio.CancelledError:
            await erasing  # nothing of it is left behind by an end in between
            raise

    def _erase(self, id: str) -> None:
        """Its key first: what is left of it after that is worth nothing."""
        seal = self._seals.pop(id, None)
        if seal is not None:
            self._vault.destroy_now([seal.id])
        shutil.rmtree(self._folder / id, ignore_errors=True)

    # -- working them off ----------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            waiting = [video for video in self.all() if video.state == "waiting"]
            if waiting:
                await self._do(waiting[-1])
                continue
            self._come.clear()
            await self._erase_old()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._come.wait()

    async def _do(self, video: Video) -> None:
        work = asyncio.create_task(self._follow(video), name="videos: one")
        self._current = (video.id, work)
        try:
            await asyncio.wait([work])
        finally:
            self._current = None
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        if not work.cancelled() and (error := work.exception()) is not None:
            logger.error("a video could not be worked off: %s", type(error).__name__)
            self._keep(replace(video, state="failed", words="Something went wrong on the server."))

    async def _follow(self, video: Video) -> None:
        if video.attempts >= ATTEMPTS:
            self._keep(
                replace(video, state="failed", words=f"It was begun {ATTEMPTS} times and never came to its end.")
            )
            return
        result = self._folder / video.id / RESULT
        await asyncio.to_thread(_emptied, result)
        # Written before it begins: one that takes the server down with it is not begun for ever.
        video = replace(video, state="running", attempts=video.attempts + 1)
        self._keep(video)
        progress = self._progress[video.id] = Progress(began=time.monotonic())
        try:
            task = Task(self._folder / video.id / FILM, result, self._seals[video.id])
            found = await self._worker.run(task, progress)
            done = replace(video, state="done", words="", **found)
        except WorkerFailed as error:
            await asyncio.to_thread(shutil.rmtree, result, ignore_errors=True)
            done = replace(video, state="failed", words=str(error))
        except asyncio.CancelledError:
            # Erased, or the server ends, or the models changed: none of that is the video's doing.
            self._keep(replace(video, state="waiting", attempts=video.attempts - 1))
            raise
        finally:
            del self._progress[video.id]
        self._keep(done)

    async def _erase_old(self) -> None:
        since = (self._ageing() - timedelta(days=self._days)).isoformat()
        for video in self.all():
            if self._days and video.created < since and video.state in ("done", "failed"):
                await self.erase(video.id)
                self.expired("videos", 1)

    # -- on the disk ---------------------------------------------------------------------------------------------

    def _moment(self) -> str:
        """Now; two that come in one millisecond stand in order all the same."""
        self._latest = max(datetime.now(UTC), self._latest + timedelta(milliseconds=1))
        return self._latest.isoformat(timespec="milliseconds")

    def _find(self, tidy: bool = True) -> None:
        """Read what is there; what never came whole, or whose key is destroyed, is erased, to be ``tidy``. What another
        keyring sealed is left alone."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in self._folder.iterdir():
            try:
                seal_older(self._vault, folder, FILM, STATE)
                blob = (folder / STATE).read_bytes()
                seal = found_seal(self._vault, blob, folder.name)
                video = Video(**json.loads(seal.open(blob, STATE)))
                self._seals[video.id] = seal
                self._videos[video.id] = replace(video, state="waiting") if video.state == "running" else video
            except KeyUnknown:
                logger.error("a video was sealed with a key that keyring.sqlite3 does not hold; it is left alone")
            except (OSError, ValueError, TypeError, SealError):
                if tidy:
                    shutil.rmtree(folder, ignore_errors=True)

    def _keep(self, video: Video) -> None:
        if video.id in self._videos:  # it may have been erased meanwhile
            self._videos[video.id] = video
            with contextlib.suppress(
                StartError
            ):  # a full disk: what is said now is right, and after a restart begun anew
                self._save(video)

    def _save(self, video: Video) -> None:
        seal = self._seals.get(video.id)
        if seal is not None:
            blob = seal.seal(json.dumps(asdict(video)).encode(), STATE)
            write_private(self._folder / video.id / STATE, blob)

    async def _write(self, target: Path, seal: VideoSeal, chunks: AsyncIterator[bytes]) -> int:
        size = 0
        with await asyncio.to_thread(target.open, "xb") as plain:
            file = seal.writer(plain)
            async for chunk in chunks:
                size += len(chunk)
                if size > limits.FILE_BYTES:
                    raise TooMuch(f"A video may have {limits.FILE_BYTES // 2**30} GB.")
                try:
                    await asyncio.to_thread(file.write, chunk)
                except OSError as error:
                    raise TooMuch(f"The video cannot be kept here: {error.strerror}.") from error
                self._require_space(0)
            await asyncio.to_thread(file.close)
        return size

    def _require_room(self, size: int) -> None:
        if size > limits.FILE_BYTES:
            raise TooMuch(f"A video may have {limits.FILE_BYTES // 2**30} GB.")
        if len(self._videos) >= limits.VIDEOS:
            raise TooMuch(f"{limits.VIDEOS} videos are kept already; delete some first.")
        kept = sum(video.bytes for video in self._videos.values())
        if kept + self._receiving + size > limits.TOTAL_BYTES:
            raise TooMuch(f"{limits.TOTAL_BYTES // 2**30} GB of videos are kept at most; delete some first.")
        self._require_space(self._receiving + size)

    def _require_space(self, size: int) -> None:
        if shutil.disk_usage(self._folder).free < size + limits.SPARE_BYTES:
            raise TooMuch("The disk of this server is nearly full.")


def _emptied(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
