"""What is worked off beside the sessions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from server.evaluation.running import Evaluations
from server.observing.facts import Jobs
from server.people.model_change import ModelChange
from server.videos.videos import Videos


def jobs_of(videos: Videos, evaluations: Evaluations, change: ModelChange) -> Mapping[str, Jobs]:
    """By kind."""
    states = [(video.state, video.created) for video in videos.all()]
    waiting = [created for state, created in states if state == "waiting"]
    oldest = min((datetime.fromisoformat(created) for created in waiting), default=None)
    age = 0.0 if oldest is None else max(0.0, (datetime.now(UTC) - oldest).total_seconds())
    evaluation = evaluations.current
    return {
        "video": Jobs(len(waiting), sum(state == "running" for state, _ in states), age),
        "evaluation": Jobs(running=int(evaluation is not None and evaluation.state == "running")),
        "model_change": Jobs(running=int(change.running)),
    }
