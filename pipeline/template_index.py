"""Finding the templates nearest to a probe: all of them compared, or, for very many, only the likely ones.

Why the approximate index is inverted lists of 4-bit product codes, re-ranked exactly, measured with 1,000,000 made-up
templates of 128 numbers on one thread of a two-core machine, each at the fewest lists tried that find the nearest to
99 % of strangers (and all of the enrolled): these codes 1.4 ms a query and 3.7 s to build; lists of float32 12.0 ms
(4.4 s), of 16-bit numbers 7.5 ms (2.1 s), of 8-bit numbers 8.1 ms (2.2 s); everything compared 25 ms. The
float32 matrix beside the codes gives the exact similarities; the codes add 40 bytes to its 512 a person.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import math
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

LISTS = 1024
VISITED = 0.3  # share of the lists that a search visits …
VISITED_AT_LEAST = 96  # … and a number below which it does not stop
DEPTH = 400  # candidates by code that are compared exactly
SAMPLED = 48  # templates per list that the centres are found with
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
    """Inverted lists of product codes, of which a search visits the nearest (Jégou et al., "Product quantization for
    nearest neighbor search", 2011; faiss ``IndexIVFPQFastScan``), and the templates, by which it ranks what it found.

    Make one with :meth:`build`.
    """

    def __init__(self, templates: Matrix, lists: Any, hidden: frozenset[int] = frozenset()) -> None:
        self._templates = templates
        self._lists = lists
        self._hidden = hidden
        self._parameters = _faiss().SearchParametersIVF(nprobe=max(math.ceil(VISITED * lists.nlist), VISITED_AT_LEAST))

    @classmethod
    def build(cls, templates: Matrix) -> ApproximateIndex:
        """Index templates (N, dimension), float32, of unit length, which are kept. Uses every processor meanwhile."""
        faiss = _faiss()
        count, dimension = templates.shape
        lists = faiss.index_factory(dimension, f"IVF{max(1, min(LISTS, count // 256))},PQ{dimension // 2}x4fs")
        lists.cp.niter = 8
        lists.cp.seed = SEED
        lists.cp.min_points_per_centroid = 1
        sample = np.random.default_rng(SEED).permutation(count)[: max(lists.nlist * SAMPLED, 4096)]
        # In OpenMP the number of threads is the calling thread's own: sessions' searches keep theirs.
        faiss.omp_set_num_threads(os.cpu_count() or 1)
        try:
            lists.train(templates[np.sort(sample)])
            lists.add(templates)
            lists.make_direct_map()
        finally:
            faiss.omp_set_num_threads(1)
        return cls(templates, lists)

    def __len__(self) -> int:
        return len(self._templates)

    @property
    def memory(self) -> int:
        row = self._templates.shape[1] // 4 + 8 + 8  # the code, its number, its place
        return int(self._templates.nbytes + len(self) * row + self._lists.nlist * self._templates.shape[1] * 4)

    def search(self, probe: Embedding, k: int) -> tuple[Rows, Similarities]:
        _faiss().omp_set_num_threads(1)  # of this thread: sessions share the processors
        # So many that hidden rows cannot crowd out the others.
        depth = min(max(DEPTH, k) + len(self._hidden), len(self))
        found = self._lists.search(probe[None], depth, params=self._parameters)[1][0]
        if self._hidden:
            found = np.array([row for row in found.tolist() if row not in self._hidden], np.int64)
        found = found[found >= 0]
        similarities = self._templates[found] @ probe
        best = np.argsort(-similarities, kind="stable")[:k]
        return found[best], similarities[best]

    def vectors(self, rows: Rows) -> Matrix:
        return self._templates[rows]

    def hiding(self, rows: Collection[int]) -> ApproximateIndex:
        return ApproximateIndex(self._templates, self._lists, frozenset(rows))

    def erase(self, rows: Collection[int]) -> None:
        self._templates[_array(rows)] = 0.0
        faiss = _faiss()
        blocks = faiss.downcast_InvertedLists(self._lists.invlists)
        packer = blocks.packer
        for row in rows:
            place = self._lists.direct_map.get(int(row))
            number, offset = place >> 32, place & 0xFFFFFFFF
            # Codes lie interleaved, some to a block: the packer finds the bits of this one.
            codes = faiss.rev_swig_ptr(blocks.get_codes(number), (offset // packer.nvec + 1) * packer.block_size)
            packer.pack_1(np.zeros(packer.code_size, np.uint8), offset % packer.nvec, codes[None, -packer.block_size :])


def build_index(templates: Matrix, approximate_above: int) -> TemplateIndex:
    """The index for this many templates (N, dimension): exact, or approximate above a number if faiss is installed.
    It keeps ``templates`` itself."""
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
