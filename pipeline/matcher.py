"""The open-set decision: somebody, nobody, or not sure."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from models import MatchingSpec
from pipeline.gallery import Gallery, Person
from pipeline.resemblance import Cosine, Resemblance
from tracking import Embedding, Opinion, Verdict

STRANGER_PRIOR = 0.5  # before looking, a face is as likely a stranger's as somebody's
UNCERTAIN_FPIR = 10.0  # 'perhaps' begins where strangers reach this many times the target rate
CANDIDATES = 32  # people compared; those beyond are too unlike to matter
STRONG_FPIR = 0.1  # believed at first sight: strangers reach this only at a tenth of it


class Matcher:
    """Decides with the numbers of a pack's manifest; holds no people.

    The threshold keeps the rate at which strangers get a name (FPIR, ISO/IEC 19795-1) where it was asked to be,
    whatever the size of the gallery: with N people each comparison may err N times more rarely. What is compared with
    it comes from :meth:`similarities`.
    """

    def __init__(self, spec: MatchingSpec) -> None:
        if spec.metric != "cosine":
            raise ValueError(f"matching.metric {spec.metric!r} is not supported; use 'cosine'")
        self.spec = spec
        self._compare = Cosine() if spec.population is None else Resemblance(spec.population)
        points = sorted(spec.fmr, reverse=True)
        self._log_rate = np.array([math.log10(rate) for rate, _ in points])
        self._similarity = np.array([similarity for _, similarity in points])

    def similarities(self, probes: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
        """How alike unit-length embeddings (M, dimension) and (N, dimension) are, as (M, N): the likelihood ratio of
        :mod:`pipeline.resemblance` where the pack says how faces vary, else cosines. Symmetric."""
        return self._compare(probes, others)

    def similarity(self, one: Embedding, other: Embedding) -> float:
        """The same of two."""
        return float(self.similarities(one[None], other[None])[0, 0])

    def threshold(self, people: int, fpir: float | None = None) -> float:
        """The similarity at which strangers get a name at rate ``fpir`` (the manifest's target) among that
        many people."""
        rate = math.log10((self.spec.target_fpir if fpir is None else fpir) / max(people, 1))
        x, y = -self._log_rate, self._similarity  # rising
        if len(x) == 1:
            return float(y[0])
        if -rate > x[-1]:  # beyond what was measured: go on along the last stretch
            return float(y[-1] + (-rate - x[-1]) * (y[-1] - y[-2]) / (x[-1] - x[-2]))
        if -rate < x[0]:
            return float(y[0] + (-rate - x[0]) * (y[1] - y[0]) / (x[1] - x[0]))
        return float(np.interp(-rate, x, y))

    def log_likelihood_ratio(self, similarity: NDArray[np.floating] | float) -> NDArray[np.float64]:
        """How much likelier this similarity is for one person than for two, as a natural logarithm."""
        ratio = self.spec.calibration_slope * np.asarray(similarity, np.float64) + self.spec.calibration_intercept
        # A straight line is trusted only as far as there was data to fit it.
        return np.clip(ratio, -12.0, 9.0)

    def probabilities(self, similarities: NDArray[np.float32], people: int | None = None) -> NDArray[np.float64]:
        """The probability of each person, given cosine similarities (N,) to the nearest of ``people``; what is
        missing to 1 is a stranger's."""
        ratio = self.log_likelihood_ratio(similarities)
        weights = np.exp(ratio) * (1 - STRANGER_PRIOR) / max(people or len(ratio), 1)
        return np.asarray(weights / (weights.sum() + STRANGER_PRIOR), np.float64)

    def decide(self, template: Embedding, gallery: Gallery, target_fpir: float | None = None) -> Opinion:
        """Who this unit-length template shows; strangers may get a name at the rate the gallery says, or else the
        pack."""
        n = len(gallery)
        target = target_fpir or gallery.target_fpir or self.spec.target_fpir
        threshold = self.threshold(n, target)
        if n == 0:
            return Opinion(Verdict.UNKNOWN, None, 0.0, 0.0, None, threshold=threshold)
        found, similarities = self._candidates(template, gallery)
        refused = [not self._may_be(template, top, who, gallery) for top, who in zip(similarities, found, strict=True)]
        rejected = found[0].id if refused[0] else None
        if all(refused):
            return Opinion(Verdict.UNKNOWN, None, 0.0, 0.0, None, threshold=threshold, rejected=rejected)
        best = refused.index(False)
        top = float(similarities[best])
        runner_up = found[best + 1].id if best + 1 < len(found) else None
        margin = top - float(similarities[best + 1]) if runner_up else None
        probability = float(self.probabilities(similarities[best:], n)[0])
        clear = margin is None or margin >= self.spec.margin
        if top >= threshold and clear:
            verdict = Verdict.KNOWN
        elif top >= self.threshold(n, min(0.5, target * UNCERTAIN_FPIR)):
            verdict = Verdict.UNCERTAIN
        else:
            verdict = Verdict.UNKNOWN
        strong = top >= self.threshold(n, target * STRONG_FPIR) and clear
        return Opinion(verdict, found[best].id, probability, top, margin, strong, runner_up, threshold, rejected)

    def _candidates(self, template: Embedding, gallery: Gallery) -> tuple[tuple[Person, ...], NDArray[np.float32]]:
        """Who is most alike, best first. The gallery finds the nearest by cosine; only those are compared fully."""
        found = gallery.search(template, CANDIDATES)
        # Each id was just found in this very snapshot.
        templates = [t for person in found.people if (t := gallery.template(person.id)) is not None]
        similarities = self.similarities(template[None], np.stack(templates))[0]
        order = np.argsort(-similarities, kind="stable")
        return tuple(found.people[i] for i in order.tolist()), similarities[order]

    def _may_be(self, template: Embedding, similarity: float, person: Person, gallery: Gallery) -> bool:
        """Whether this face is more like the person than like any face that was said not to be theirs."""
        faces = gallery.negatives(person.id)
        if faces is None or len(faces) == 0:
            return True
        return similarity >= float(self.similarities(template[None], faces).max()) + self.spec.margin
