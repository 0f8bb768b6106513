"""Which faces of a frame are looked at for gender and age, and what each track has shown."""

from __future__ import annotations

from collections.abc import Iterable

from models import PackManifest
from pipeline.attributes import Apparent, ApparentEvidence, AttributeReader
from pipeline.frame import Image
from pipeline.lost_look import LookLost
from tracking import Track

MAX_FACES = 2  # a frame, so that a crowd cannot hold up the answer


class AttributeLooks:
    """Evidence by track, kept only while somebody asks for it."""

    def __init__(self) -> None:
        self._reader: AttributeReader | None = None
        self._evidence: dict[int, ApparentEvidence] = {}

    def ask(self, reader: AttributeReader | None) -> None:
        """Read with this reader from the next frame on; ``None``: nothing is read, and what was is dropped."""
        if reader is not self._reader:
            self._reader, self._evidence = reader, {}

    def look(self, image: Image, tracks: Iterable[Track], now: float, pack: PackManifest) -> None:
        """Look at freshly detected tracks in an RGB picture (H, W, 3) whose evidence would improve, those seen least
        first. Their templates are of ``pack``."""
        reader = self._reader
        if reader is None:
            return
        wanting = [track for track in tracks if self._of(track.number, reader).wanted(track.width, now)]
        wanting.sort(key=lambda track: (self._of(track.number, reader).looks, -track.width))
        understood = bool(wanting) and reader.embedder == pack.digest
        for track in wanting[:MAX_FACES]:
            template = track.evidence.template() if understood else None
            try:
                evidence = reader.read(image, track.landmarks, track.width, template)
            except LookLost:  # faces and names were found all the same
                return
            self._of(track.number, reader).add(evidence, track.width, now)

    def wanted(self, track: Track, now: float) -> bool:
        """Whether a look at this track would improve its evidence."""
        return self._reader is not None and self._of(track.number, self._reader).wanted(track.width, now)

    def apparent(self, track: int) -> tuple[Apparent | None, int]:
        """What is said of a track, and after how many looks."""
        evidence = self._evidence.get(track)
        return (None, 0) if evidence is None else (evidence.apparent, evidence.looks)

    def move(self, old: int, new: int) -> None:
        """A track goes on under another number, where what it showed before counts."""
        evidence = self._evidence.pop(old, None)
        if evidence is not None:
            self._evidence.setdefault(new, evidence)

    def keep(self, alive: Iterable[int]) -> None:
        """Forget all tracks but these."""
        numbers = set(alive)
        self._evidence = {number: kept for number, kept in self._evidence.items() if number in numbers}

    def _of(self, track: int, reader: AttributeReader) -> ApparentEvidence:
        evidence = self._evidence.get(track)
        if evidence is None:
            evidence = self._evidence[track] = ApparentEvidence(reader)
        return evidence
