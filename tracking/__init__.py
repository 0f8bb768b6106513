"""Faces over time, on plain arrays. No I/O, no clock: time is an argument, in seconds of media time."""

from tracking.evidence import DEFAULT_EVIDENCE, Embedding, Evidence, EvidencePolicy
from tracking.geometry import apply_similarity, fit_similarity, iou_matrix, similarity_scale
from tracking.identity import Identity, IdentityPolicy, IdentityState, Opinion, Verdict
from tracking.keyframes import KeyframePolicy, Look
from tracking.policy import DEFAULT_POLICY, TrackingPolicy
from tracking.tracker import Track, Tracker, TrackState, boxes_of

__all__ = [
    "DEFAULT_EVIDENCE",
    "DEFAULT_POLICY",
    "Embedding",
    "Evidence",
    "EvidencePolicy",
    "Identity",
    "IdentityPolicy",
    "IdentityState",
    "KeyframePolicy",
    "Look",
    "Opinion",
    "Track",
    "TrackState",
    "Tracker",
    "TrackingPolicy",
    "Verdict",
    "apply_similarity",
    "boxes_of",
    "fit_similarity",
    "iou_matrix",
    "similarity_scale",
]
