"""The people a session can recognise: an immutable snapshot, cheap to derive from another.

A gallery is made of layers that snapshots share: the large ones below, the newest changes in a small one on top. Who
is changed moves to the top layer, and their old row is hidden. ``compacted`` makes one layer of all.

Forgetting is the one thing that reaches into older snapshots: the templates, codes and negatives of who is ``gone``
are overwritten in place, at once, in every layer of the gallery that is changed, also in rows hidden long ago. An older
snapshot that shares those layers then finds nobody there. Out of reach are layers that were compacted, or top layers
that were written anew, before: they live until the last session has taken the next snapshot, and their memory is then
handed back to the system's allocator as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.template_index import ExactIndex, Similarities, TemplateIndex, build_index, has_faiss
from tracking import Embedding

APPROXIMATE_ABOVE = 200_000
PENDING = 1024  # rows on top and hidden that a gallery bears before it wants to be compacted
SMALL = 20_000  # people up to whom compacting takes milliseconds, so that a change does it itself

Negatives = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody enrolled; ``room`` is where they are known, ``None`` everywhere."""

    id: str
    name: str
    room: str | None = None


Entry = tuple[Person, Embedding, Negatives | None]
"""A person, their template (dimension,), and embeddings (k, dimension) of faces said not to be theirs; all of unit
length."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Who resembles a probe most, best first; ``similarities`` (n,) are cosines."""

    people: tuple[Person, ...]
    similarities: Similarities


@dataclass(frozen=True, eq=False, slots=True)
class _Layer:
    """People by row. ``hidden`` rows are out of date: a layer above says otherwise, or the person is gone."""

    people: tuple[Person, ...]
    rows: Mapping[str, int]
    index: TemplateIndex
    negatives: Mapping[str, Negatives]
    hidden: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return len(self.people) - len(self.hidden)

    def row(self, id: str) -> int | None:
        row = self.rows.get(id)
        return None if row is None or row in self.hidden else row

    def visible(self) -> Iterator[Person]:
        return (person for row, person in enumerate(self.people) if row not in self.hidden)

    def hiding(self, ids: Collection[str]) -> _Layer:
        rows = {self.rows[id] for id in ids if id in self.rows} - self.hidden
        if not rows:
            return self
        hidden = self.hidden | rows
        return replace(self, hidden=hidden, index=self.index.hiding(hidden))

    def erase(self, ids: Iterable[str]) -> None:
        held = [id for id in ids if id in self.rows]
        if held:
            self.index.erase([self.rows[id] for id in held])
        for id in held:
            if id in self.negatives:
                self.negatives[id][:] = 0.0


class Gallery:
    """An immutable snapshot, safe to read from many threads. Make one with :meth:`empty` or :meth:`build`.

    ``digest`` names the pack whose embeddings these are; ``version`` grows with every change; ``target_fpir`` is the
    share of strangers that may get a name here, ``None`` for what the pack advises.
    """

    __slots__ = ("_approximate_above", "_layers", "digest", "dimension", "target_fpir", "version")

    def __init__(
        self,
        layers: tuple[_Layer, ...],
        dimension: int,
        digest: str,
        version: int = 0,
        approximate_above: int = APPROXIMATE_ABOVE,
        target_fpir: float | None = None,
    ) -> None:
        self._layers = tuple(layer for layer in layers if len(layer))
        self.dimension = dimension
        self.digest = digest
        self.version = version
        self.target_fpir = target_fpir
        self._approximate_above = approximate_above

    @staticmethod
    def empty(dimension: int, digest: str) -> Gallery:
        """Nobody."""
        return Gallery((), dimension, digest, 0, APPROXIMATE_ABOVE)

    @staticmethod
    def build(
        entries: Sequence[Entry],
        dimension: int,
        digest: str,
        version: int = 0,
        approximate_above: int = APPROXIMATE_ABOVE,
    ) -> Gallery:
        """A gallery from scratch; above ``approximate_above`` people this takes seconds and every processor.

        Raises :class:`ValueError` for a person given twice, or a template of another dimension or not of unit length.
        """
        layer = _layer(entries, dimension, approximate_above)
        return Gallery((layer,), dimension, digest, version, approximate_above)

    def __len__(self) -> int:
        return sum(len(layer) for layer in self._layers)

    def people(self) -> Iterator[Person]:
        """Everybody; never while a frame waits."""
        for layer in self._layers:
            yield from layer.visible()

    def person(self, id: str) -> Person | None:
        """Who has this id."""
        place = self._place(id)
        return None if place is None else place[0].people[place[1]]

    def template(self, id: str) -> Embedding | None:
        """A copy of somebody's template (dimension,)."""
        place = self._place(id)
        return None if place is None else place[0].index.vectors(np.array([place[1]]))[0]

    def negatives(self, id: str) -> Negatives | None:
        """A copy of the faces (k, dimension) said not to be this person's, if there are any."""
        place = self._place(id)
        if place is None or (faces := place[0].negatives.get(id)) is None:
            return None
        return faces.copy()

    def search(self, probe: Embedding, k: int) -> Candidates:
        """The ``k`` people whose templates are most similar to a unit-length probe (dimension,)."""
        if probe.shape != (self.dimension,):
            raise ValueError(f"a probe must have {self.dimension} numbers, not the shape {probe.shape}")
        if k < 1:
            raise ValueError("at least one candidate must be asked for")
        probe = np.ascontiguousarray(probe, np.float32)
        found = [(layer, *layer.index.search(probe, k)) for layer in self._layers]
        if not found:
            return Candidates((), np.zeros(0, np.float32))
        similarities = np.concatenate([values for _, _, values in found])
        people = [layer.people[row] for layer, rows, _ in found for row in rows.tolist()]
        best = np.argsort(-similarities, kind="stable")[:k]
        return Candidates(tuple(people[i] for i in best.tolist()), similarities[best])

    def changed(self, entries: Sequence[Entry], gone: Collection[str], version: int) -> Gallery:
        """This gallery with people added or replaced (by id), and others gone; raises like :meth:`build`.

        Costs as much as there are pending changes, not as there are people, and never builds an approximate index:
        see :attr:`wants_compaction`. Who is ``gone`` is overwritten in memory, in this gallery too.
        """
        touched = {person.id for person, _, _ in entries} | set(gone)
        below, top = self._layers[:1], self._layers[1:]
        newest = _merged([layer.hiding(touched) for layer in top] + [_layer(entries, self.dimension)], self.dimension)
        for layer in self._layers:
            layer.erase(gone)
        layers = (*(layer.hiding(touched) for layer in below), newest)
        after = Gallery(layers, self.dimension, self.digest, version, self._approximate_above, self.target_fpir)
        small = len(after) <= min(SMALL, self._approximate_above)
        return after.compacted() if small and (len(after) <= PENDING or after.wants_compaction) else after

    def joined(self, other: Gallery) -> Gallery:
        """Another gallery's people on top of these, all arrays shared; theirs count where both have somebody. The
        version grows with either's."""
        if (other.digest, other.dimension) != (self.digest, self.dimension):
            raise ValueError("galleries of different packs cannot be joined")
        theirs = [person.id for person in other.people()]
        layers = (*(layer.hiding(theirs) for layer in self._layers), *other._layers)
        version = self.version + other.version
        return Gallery(layers, self.dimension, self.digest, version, self._approximate_above, self.target_fpir)

    def with_target(self, fpir: float | None) -> Gallery:
        """The same people, of whom that share of strangers may get a name."""
        return Gallery(self._layers, self.dimension, self.digest, self.version, self._approximate_above, fpir)

    @property
    def wants_compaction(self) -> bool:
        """Whether :meth:`compacted` would make searches or changes noticeably cheaper."""
        base, top = self._layers[:1], self._layers[1:]
        pending = sum(len(layer) for layer in top) + sum(len(layer.hidden) for layer in base)
        exact = any(isinstance(layer.index, ExactIndex) for layer in base)
        outgrown = len(self) > self._approximate_above and exact and has_faiss()
        return pending > PENDING or outgrown

    def compacted(self) -> Gallery:
        """The same people and version in one layer; may run in another thread while this gallery is in use. What
        changes meanwhile is carried over by :meth:`rebased`."""
        layer = _merged(self._layers, self.dimension, self._approximate_above)
        return Gallery((layer,), self.dimension, self.digest, self.version, self._approximate_above, self.target_fpir)

    def rebased(self, old: Gallery, compacted: Gallery) -> Gallery:
        """What became of ``old`` since (this gallery, derived from it by changes), on top of ``compacted``, which is
        ``old`` compacted."""
        if not self._layers or not old._layers or self._layers[0].rows is not old._layers[0].rows:
            return self  # has been compacted itself meanwhile
        base = self._layers[0]
        touched = {base.people[row].id for row in base.hidden}
        touched |= {id for layer in (*self._layers[1:], *old._layers[1:]) for id in layer.rows}
        present = [entry for id in touched if (entry := self._entry(id)) is not None]
        changed = [entry for entry in present if not _same(entry, compacted._entry(entry[0].id))]
        gone = touched - {person.id for person, _, _ in present}
        return compacted.changed(changed, gone, self.version)

    @property
    def memory(self) -> int:
        """Bytes held for templates and for finding them, not counting names."""
        return sum(layer.index.memory for layer in self._layers)

    def _place(self, id: str) -> tuple[_Layer, int] | None:
        for layer in reversed(self._layers):
            row = layer.row(id)
            if row is not None:
                return layer, row
        return None

    def _entry(self, id: str) -> Entry | None:
        person, template = self.person(id), self.template(id)
        return None if person is None or template is None else (person, template, self.negatives(id))


def _visible(layer: _Layer) -> NDArray[np.int64]:
    return np.delete(np.arange(len(layer.people)), list(layer.hidden))


def _layer(entries: Sequence[Entry], dimension: int, approximate_above: int | None = None) -> _Layer:
    """A layer of copies of what is given."""
    if any(template.shape != (dimension,) for _, template, _ in entries):
        raise ValueError(f"every template must have {dimension} numbers")
    people = tuple(person for person, _, _ in entries)
    templates = np.empty((len(entries), dimension), np.float32)
    for row, (_, template, _) in enumerate(entries):
        templates[row] = template
    if not (np.abs(np.einsum("ij,ij->i", templates, templates) - 1) < 1e-2).all():
        raise ValueError("every template must be of unit length")
    negatives = {person.id: np.array(faces, np.float32) for person, _, faces in entries if faces is not None}
    if any(faces.ndim != 2 or faces.shape[1] != dimension for faces in negatives.values()):
        raise ValueError(f"negatives must be (k, {dimension})")
    return _assemble(people, templates, negatives, approximate_above)


def _merged(layers: Sequence[_Layer], dimension: int, approximate_above: int | None = None) -> _Layer:
    """What is visible of some layers, in one."""
    people: list[Person] = []
    templates = np.empty((sum(len(layer) for layer in layers), dimension), np.float32)
    negatives: dict[str, Negatives] = {}
    for layer in layers:
        rows = _visible(layer)
        templates[len(people) : len(people) + len(rows)] = layer.index.vectors(rows)
        people += layer.visible()
        negatives |= {id: faces for id, faces in layer.negatives.items() if layer.row(id) is not None}
    return _assemble(tuple(people), templates, negatives, approximate_above)


def _assemble(
    people: tuple[Person, ...],
    templates: NDArray[np.float32],
    negatives: dict[str, Negatives],
    approximate_above: int | None,
) -> _Layer:
    rows = {person.id: row for row, person in enumerate(people)}
    if len(rows) != len(people):
        raise ValueError("somebody is in the gallery twice")
    index = ExactIndex(templates) if approximate_above is None else build_index(templates, approximate_above)
    return _Layer(people, rows, index, negatives)


def _same(one: Entry, other: Entry | None) -> bool:
    def equal(a: NDArray[np.float32] | None, b: NDArray[np.float32] | None) -> bool:
        return a is b if a is None or b is None else np.array_equal(a, b)

    return other is not None and one[0] == other[0] and equal(one[1], other[1]) and equal(one[2], other[2])
