"""The sections about one person that come from the tables: who they are, what is known of their face, where they were
seen, and what was done about them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from server.audit.log import AuditLog
from server.people import records
from server.people.consent import consent_fields
from server.people.own_data import Exporter, Section
from server.people.people import People
from server.storage import audit
from server.storage import sightings as seen
from server.storage.forgetting import changes_of
from server.storage.inbox import sightings_of
from server.storage.sightings import Wanted
from server.wording import stated

MOST = 100_000  # rows of a section

EXPLAINED = {
    "id": "What the server calls this entry",
    "created": "Since when it is kept",
    "name": "The name as it was typed",
    "room": "The only room this person is recognised in; nothing: everywhere",
    "quality": "How well the face could be seen",
    "source": "Where it came from: live, photo, import, inbox (seen before there was a name) or video",
    "challenge": "Whether movements were asked for and made; nothing: nobody asked",
    "pack": "Which models computed the numbers, by their SHA-256",
    "yaw": "How far the face was turned, -1 to 1",
    "pitch": "How far it was raised or lowered, -1 to 1",
    "width": "How wide the face was, in pixels",
    "photo": "SHA-256 of the photo it came from, by which it is known when it comes again; the photo is not kept",
    "picture": "The picture, in this archive; nothing: none is kept",
    "numbers": "The entry of numbers.json",
    "session": "Which camera session it was",
    "began": "When it began",
    "ended": "When it ended",
    "probability": "How sure the name was",
    "at": "When it was done",
    "until": "Until when it can be undone",
    "undone": "Whether it was undone",
    "words": "What was done",
    "purpose": "What they may be recognised for",
    "basis": "Why that is lawful: consent, or another reason; not_recorded: nobody has said",
    "given": "The day it was given",
    "expires": "Until when it holds; nothing: without an end",
    "withdrawn": "When it was withdrawn; nothing: it was not",
    "recorded": "When it was written down",
    "recorded_by": "Who wrote it down: an account, a key, a link, this computer, the command line, or the server",
    "state": "Whether it holds now",
    "by": "Who: an account, a key, a link, this computer, or the server itself",
    "action": "What was done",
    "count": "How often, or of how much",
    "detail": "How it came about",
}


def fields(*names: str) -> dict[str, str]:
    """What these fields mean."""
    return {name: EXPLAINED[name] for name in names}


def exporters(people: People, log: AuditLog) -> list[Exporter]:
    """The sections."""

    async def person(id: str) -> Section:
        detail = await people.person(id)
        row = None if detail is None else detail.row
        held = {} if row is None else {"id": row.id, "name": row.name, "room": row.room, "created": _time(row.created)}
        return Section("person", "Who it is", fields("id", "name", "room", "created"), held)

    async def samples(id: str) -> Section:
        detail = await people.person(id)
        held, files, numbers = [], {}, {}
        for sample in () if detail is None else detail.samples:
            crop = await people.crop(sample.id) if sample.crop else None
            path = f"pictures/{sample.id}.jpg" if crop is not None else None
            if crop is not None and path is not None:
                files[path] = crop
            numbers[sample.id] = [round(float(part), 7) for part in sample.embedding]
            held.append(
                {
                    "id": sample.id, "created": _time(sample.created), "source": sample.source,
                    "challenge": sample.challenge,
                    "quality": round(sample.quality, 4), "yaw": sample.yaw, "pitch": sample.pitch,
                    "width": sample.size, "photo": sample.content, "pack": sample.digest, "picture": path,
                    "numbers": sample.id,
                }
            )  # fmt: skip
        names = fields(*(held[0] if held else ("id",)))
        what = "Pictures of the face that were read: of each, how it was seen and the numbers computed from it"
        return Section("samples", what, names, held, files, {"samples": numbers})

    async def why(id: str) -> Section:
        found, now = await records.history(people, id), people.lapse.clock()
        held = [consent_fields(one, now) for one in found]
        names = ("purpose", "basis", "given", "expires", "withdrawn", "recorded", "recorded_by", "state")
        what = "Why they may be recognised: every record, the newest first; the newest counts"
        return Section("consents", what, fields(*names), held)

    async def marks(id: str) -> Section:
        detail = await people.person(id)
        held = [
            {"id": mark.id, "created": _time(mark.created)} for mark in (() if detail is None else detail.negatives)
        ]
        what = "Faces of others that somebody said are not this person; their numbers are not this person's"
        return Section("not_this_person", what, fields("id", "created"), held)

    async def changes(id: str) -> Section:
        ids = await people.run(lambda store: store.read(changes_of, id))
        held = [
            {"at": _time(c.at), "words": c.words, "until": _time(c.until), "undone": c.undone}
            for c in await people.changes()
            if c.id in ids
        ]
        return Section("changes", "What was changed and can be undone", fields("at", "words", "until", "undone"), held)

    async def sightings(id: str) -> Section:
        rows = await people.run(lambda store: seen.find(store.engine, Wanted(person=id), MOST))
        before = await people.run(lambda store: sightings_of(store.engine, id))
        held: list[dict[str, Any]] = []
        files = {}
        for row in rows:
            crop = await people.run(lambda store, row=row: seen.get_crop(store.engine, row.id)) if row.crop else None  # type: ignore[misc]
            path = f"sightings/{row.id}.jpg" if crop is not None else None
            if crop is not None and path is not None:
                files[path] = crop
            sure = None if row.probability is None else round(stated(row.probability), 3)
            span = {"began": _time(row.began), "ended": _time(row.ended), "session": row.session}
            held.append({"id": row.id, **span, "room": row.room, "probability": sure, "picture": path})
        for one in before:
            span = {"began": _time(one.began), "ended": _time(one.ended), "session": one.session}
            held.append({"id": one.id, **span, "room": None, "probability": None, "picture": None})
        names = fields("id", "began", "ended", "session", "room", "probability", "picture")
        return Section("sightings", "When and where they were seen", names, held, files)

    async def noted(id: str) -> Section:
        await log.settle()
        detail = await people.person(id)
        about = [id, *(sample.id for sample in (() if detail is None else detail.samples))]
        rows = []
        for subject in about:
            asked = audit.Asked(subject=subject)
            rows += await people.run(lambda store, asked=asked: audit.find(store.engine, asked, MOST))  # type: ignore[misc]
        rows.sort(key=lambda row: row.number)
        held = [
            {"at": r.said.at, "by": r.said.actor, "action": r.said.action, "room": r.said.room or None,
             "count": r.said.count, "detail": r.said.detail}
            for r in rows
        ]  # fmt: skip
        names = fields("at", "by", "action", "room", "count", "detail")
        return Section("audit", "Who saw or changed this, as the audit log has it", names, held)

    return [person, why, samples, marks, changes, sightings, noted]


def _time(value: datetime) -> str:
    return value.isoformat()
