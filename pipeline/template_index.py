"""Finding the templates nearest to a probe: all of them compared, or, for very many, only the likely ones.

Templates and probes are of unit length, so the cosine similarity is their inner product and, for the approximate
index, one minus half their squared distance.

Why the approximate index is inverted lists over plain float32 vectors (IVFFlat): see ``visavis bench search`` for
the figures of this machine. Quantised codes would need the float32 matrix beside them for exact similarities, so they
cost memory instead of saving it; a graph (HNSW) takes minutes to build where lists take seconds, and nothing can be
overwritten in it when somebody is forgotten. The lists are the only copy of the templates.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
from collections.abc import Collection
from functools import cache
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from tracking import Embedding

logger = logging.getLogger(__name__)

Rows = NDArray[np.int64]
Similarities = NDArray[np.float32]
Matrix = NDArray[np.float32]

ERASED = np.float32(1e3)  # fills an overwritten row of an approximate index: further away than anybody
SEED = 20


class TemplateIndex(Protocol):
    """Templates by row number. Searching and reading are safe from many threads at once."""

    def __len__(self) -> int: ...

    @property
    def memory(self) -> int:
        """Bytes held for the templates and for finding them."""

    def search(self, probe: Embedding, k: int) -> tuple[Rows, Similarities]:
        """The ``k`` nearest rows (fewer if there are fewer) that are not hidden, best first."""

    def vectors(self, rows: Rows) -> Matrix:
        """Copies of the templates of these rows, (len(rows), dimension)."""

    def hiding(self, rows: Collection[int]) -> Self:
        """The same templates, shared, with exactly these rows left out of searches."""

    def erase(self, rows: Collection[int]) -> None:
        """Overwrite the templates of these rows in place, for everyone who shares them."""


class ExactIndex:
    """One matrix product with all templates (N, dimension), float32."""

    def __init__(self, templates: Matrix, hidden: Rows | None = None) -> None:
        self._templates = templates
        self._hidden = hidden

    def __len__(self) -> int:
        return len(self._templates)

    @property
    def memory(self) -> int:
        return self._templates.nbytes

    def search(self, probe: Embedding, k: int) -> tuple[Rows, Similarities]:
        similarities = self._templates @ probe
        visible = len(similarities)
        if self._hidden is not None:
            similarities[self._hidden] = -np.inf
            visible -= len(self._hidden)
        k = min(k, visible)
        # Sorting only what is wanted: the rest is thousands of strangers.
        best = np.argpartition(similarities, -k)[-k:] if 0 < k < len(similarities) else np.arange(len(similarities))
        best = best[np.argsort(-similarities[best], kind="stable")][:k]
        return best, similarities[best]

    def vectors(self, rows: Rows) -> Matrix:
        return self._templates[rows]

    def hiding(self, rows: Collection[int]) -> ExactIndex:
        return ExactIndex(self._templates, _array(rows) if rows else None)

    def erase(self, rows: Collection[int]) -> None:
        self._templates[_array(rows)] = 0.0


class ApproximateIndex:
    """Inverted lists: templates gathered around centres, of which a search visits the nearest (Sivic and Zisserman,
    "Video Google", 2003; faiss ``IndexIVFFlat``). Similarities of what is found are exact.

    Make one with :meth:`build`.
    """

    def __init__(self, lists: Any, visits: int, hidden: Collection[int] = ()) -> None:
        faiss = _faiss()
        self._lists = lists
        self._visits = visits
        selector: dict[str, Any] = {}
        if hidden:
            bits = np.ones(-(-len(self) // 8) * 8, np.uint8)
            bits[_array(hidden)] = 0
            selector["sel"] = faiss.IDSelectorBitmap(np.packbits(bits, bitorder="little"))
        self._parameters = faiss.SearchParametersIVF(nprobe=visits, **selector)
        self._visible = len(self) - len(hidden)

    @classmethod
    def build(cls, templates: Matrix, lists: int | None = None, visits: int | None = None) -> ApproximateIndex:
        """Gather templates (N, dimension), float32, of unit length; they are copied. Uses every processor meanwhile."""
        faiss = _faiss()
        count, dimension = templates.shape
        lists = lists or max(1, min(1024, count // 256))
        centres = faiss.IndexFlatL2(dimension)
        index = faiss.IndexIVFFlat(centres, dimension, lists, faiss.METRIC_L2)
        index.cp.niter = 8
        index.cp.seed = SEED
        index.cp.min_points_per_centroid = 1
        sample = np.random.default_rng(SEED).permutation(count)[: lists * 48]
        # The number of threads is the calling thread's own in OpenMP: sessions' searches keep theirs.
        faiss.omp_set_num_threads(os.cpu_count() or 1)
        try:
            index.train(templates[np.sort(sample)])
            index.add(templates)
            index.make_direct_map()
        finally:
            faiss.omp_set_num_threads(1)
        return cls(index, visits or max(1, lists // 16))

    def __len__(self) -> int:
        return int(self._lists.ntotal)

    @property
    def memory(self) -> int:
        row = self._lists.code_size + 8 + 8  # the vector, its number, its place
        return int(len(self) * row + self._lists.nlist * self._lists.code_size)

    def search(self, probe: Embedding, k: int) -> tuple[Rows, Similarities]:
        faiss = _faiss()
        faiss.omp_set_num_threads(1)  # of this thread: sessions share the processors, a probe must not take them all
        k = min(k, self._visible)
        if k == 0:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        distances, rows = self._lists.search(probe[None], k, params=self._parameters)
        found = rows[0] >= 0
        return rows[0][found], 1 - distances[0][found] / 2

    def vectors(self, rows: Rows) -> Matrix:
        found: Matrix = self._lists.reconstruct_batch(np.ascontiguousarray(rows, np.int64))
        return found

    def hiding(self, rows: Collection[int]) -> ApproximateIndex:
        return ApproximateIndex(self._lists, self._visits, rows)

    def erase(self, rows: Collection[int]) -> None:
        faiss = _faiss()
        lists, size = self._lists.invlists, self._lists.code_size
        for row in rows:
            place = self._lists.direct_map.get(int(row))
            number, offset = place >> 32, place & 0xFFFFFFFF
            codes = faiss.rev_swig_ptr(lists.get_codes(number), lists.list_size(number) * size)
            codes[offset * size : (offset + 1) * size].view(np.float32)[:] = ERASED


def build_index(templates: Matrix, approximate_above: int) -> TemplateIndex:
    """The index for this many templates (N, dimension): exact, or approximate above a number if faiss is installed.
    The exact one keeps ``templates`` itself."""
    if len(templates) > approximate_above and has_faiss():
        return ApproximateIndex.build(templates)
    return ExactIndex(templates)


@cache
def has_faiss() -> bool:
    """Whether faiss is installed; where it is not, that is logged once."""
    if importlib.util.find_spec("faiss") is not None:
        return True
    logger.warning("faiss is not installed: large galleries are searched in full, slowly; install visavis[large]")
    return False


def _faiss() -> Any:
    return importlib.import_module("faiss")


def _array(rows: Collection[int]) -> Rows:
    return np.fromiter(rows, np.int64, len(rows))
