"""What is about to be kept, as sealed rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

import numpy as np
import sqlalchemy as sa

from server.storage.rows import NewSample
from server.storage.schema import PERSON, SAMPLE
from server.storage.sealing import blind_contents, key_of, seal_row


def sealed_name(connection: sa.Connection, key: bytes, person_id: str, name: str) -> bytes:
    """A name as it is kept: sealed with the person's key."""
    sealed: bytes = seal_row(connection, key, PERSON, {"id": person_id, "name": name})["name"]
    return sealed


def sample_rows(
    connection: sa.Connection, person_id: str, samples: Sequence[NewSample], digest: str, now: datetime
) -> list[dict[str, Any]]:
    """Rows for new samples of somebody."""
    key = key_of(connection, person_id)
    photos = {sample.content for sample in samples if sample.content is not None}
    found = {content: blind for blind, content in blind_contents(connection, photos).items()}
    rows: list[dict[str, Any]] = [
        {
            "id": uuid4().hex,
            "person_id": person_id,
            "pack_digest": digest,
            "embedding": np.asarray(sample.embedding, "<f4").tobytes(),
            "quality": float(sample.quality),
            "source": sample.source,
            "created": now,
            "yaw": _number(sample.yaw),
            "pitch": _number(sample.pitch),
            "size": _number(sample.size),
            "crop": sample.crop,
            "crop_landmarks": None
            if sample.crop_landmarks is None
            else np.asarray(sample.crop_landmarks, "<f4").reshape(5, 2).tobytes(),
            "content": sample.content,
            "challenge": sample.challenge,
            "content_key": None if sample.content is None else found[sample.content],
        }
        for sample in samples
    ]
    return [seal_row(connection, key, SAMPLE, row) for row in rows]


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)
