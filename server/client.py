"""A client for programs in Python: blocking, typed, on the standard library alone.

    from server.client import Visavis

    visavis = Visavis("https://192.168.1.20:8443", key="visavis_…", authority="visavis-authority.pem")
    for face in visavis.recognise("door.jpg")["faces"]:
        print(face["name"], face["probability"])

What cannot be done is raised as :class:`Refused`, with the server's own sentence. A write that got no answer is sent
again under the same ``Idempotency-Key``, so that it is done once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterable, Iterator
from datetime import datetime
from http.client import HTTPException
from typing import Any, Literal, cast

from server.client_transport import Asking, Refused, Source
from server.client_types import (
    Album,
    Attendance,
    Change,
    Config,
    Consent,
    Event,
    Group,
    Inbox,
    InboxSighting,
    LiveSession,
    MergePreview,
    NamedGroup,
    NamedStranger,
    NewConsent,
    Person,
    PersonChanged,
    PersonDetail,
    Photo,
    Reading,
    Saved,
    Sessions,
    Sighting,
    Threshold,
    Video,
    VideoBoxes,
    VideoResult,
)

__all__ = ["Refused", "Source", "Visavis"]


class Visavis(Asking):
    """A server. ``key`` is needed, unless the setting ``local_owner`` spares it on that computer; ``authority`` is the
    file of the server's own certificate authority (`visavis certificate export`), unless the system trusts it. May be
    used by several threads."""

    # -- the server ------------------------------------------------------------------------------------------------

    def config(self) -> Config:
        """What this server is."""
        return cast(Config, self._get("/config"))

    def document(self) -> dict[str, Any]:
        """Its OpenAPI document."""
        return cast(dict[str, Any], self._get("/openapi.json"))

    # -- people ----------------------------------------------------------------------------------------------------

    def people(
        self,
        room: str | None = None,
        consent: Literal["over", "withdrawn", "not_recorded", "soon"] | None = None,
    ) -> list[Person]:
        """Everybody, or those of a room (``""``: everyone's), or whose consent stands so."""
        return cast(list[Person], self._get("/people", room=room, consent=consent)["people"])

    def person(self, id: str) -> PersonDetail:
        """Somebody with samples."""
        return cast(PersonDetail, self._get(f"/people/{id}"))

    def rename(self, id: str, name: str) -> Change:
        """Give somebody another name."""
        return cast(Change, self._send("PATCH", f"/people/{id}", {"name": name})["change"])

    def move_to_room(self, id: str, room: str | None) -> Change:
        """Give somebody another room; ``None``: everyone's."""
        return cast(Change, self._send("PATCH", f"/people/{id}", {"room": room})["change"])

    def remove(self, id: str) -> Change:
        """Take somebody away; it can be undone."""
        return cast(Change, self._send("POST", f"/people/{id}/remove")["change"])

    def forget(self, id: str, films: bool = False) -> dict[str, Any]:
        """Erase somebody for good, with ``films`` also the videos they are in; the receipt of it, as it was signed."""
        return cast(dict[str, Any], self._delete(f"/people/{id}", films="1" if films else None)["receipt"])

    def everything_about(self, id: str) -> bytes:
        """Everything held of somebody, as a ZIP."""
        return self._ask("GET", f"/people/{id}/export", {})

    def receipts(self) -> Iterator[dict[str, Any]]:
        """Receipts of who was forgotten, the newest first, page by page."""
        return self._pages("/receipts")

    def consents(self, id: str) -> list[Consent]:
        """Every record of why somebody may be recognised, the newest first."""
        return cast(list[Consent], self._get(f"/people/{id}/consents")["consents"])

    def record_consent(self, id: str, consent: NewConsent) -> Consent:
        """Say anew why somebody may be recognised."""
        return cast(Consent, self._send("POST", f"/people/{id}/consents", consent)["consent"])

    def withdraw_consent(self, id: str) -> Consent:
        """Let somebody not be recognised from now on; they are erased some days later."""
        return cast(Consent, self._send("POST", f"/people/{id}/consents/withdraw")["consent"])

    def merge_preview(self, id: str, into: str) -> MergePreview:
        """What merging one into another would give."""
        return cast(MergePreview, self._get(f"/people/{id}/merge", into=into))

    def merge(self, id: str, into: str) -> PersonChanged:
        """Give everything of one person to another."""
        return cast(PersonChanged, self._send("POST", f"/people/{id}/merge", {"into": into}))

    def changes(self) -> list[Change]:
        """What can be undone, or was."""
        return cast(list[Change], self._get("/changes")["changes"])

    def undo(self, change: str) -> Change:
        """Take a change back."""
        return cast(Change, self._send("POST", f"/changes/{change}/undo")["change"])

    def enrol(
        self, name: str, photos: Iterable[Source], room: str | None = None, consent: NewConsent | None = None
    ) -> Saved:
        """Add photos of somebody, new or known; all of them or none. ``consent`` says why they may be recognised.
        Raises :class:`Refused` with the words about the first photo that cannot be used."""
        draft = self._send("POST", "/imports", {"room": room})["id"]
        try:
            for number, photo in enumerate(photos, 1):
                said = self._upload(f"/imports/{draft}/files", photo, f"{number}.jpg", name=name)
                for file in said["files"]:
                    if file["verdict"] not in ("used", "duplicate"):
                        raise Refused(422, file["verdict"], f"{file['file']}: {file['words']}")
            return cast(Saved, self._send("POST", f"/imports/{draft}/commit", _with({}, consent)))
        except BaseException:
            self._let_go(f"/imports/{draft}")
            raise

    # -- strangers -------------------------------------------------------------------------------------------------

    def strangers(self) -> Inbox:
        """Whom nobody has named yet, where the inbox is on."""
        return cast(Inbox, self._get("/inbox"))

    def name_stranger(self, id: str, name: str, consent: NewConsent | None = None) -> NamedStranger:
        """Say who a stranger is."""
        return cast(NamedStranger, self._send("POST", f"/inbox/{id}/name", _with({"name": name}, consent)))

    def sightings(self, person: str) -> list[InboxSighting]:
        """When somebody was seen before they were named."""
        return cast(list[InboxSighting], self._get(f"/people/{person}/sightings")["sightings"])

    # -- photos of people without names ----------------------------------------------------------------------------

    def group(self, photos: Iterable[Source], room: str | None = None) -> Album:
        """Sort the faces of photos, or of ZIPs of them, into people. The server holds the album until
        :meth:`close_album`, or for an hour."""
        album = self._send("POST", "/albums", {"room": room})["id"]
        try:
            for number, photo in enumerate(photos, 1):
                self._upload(f"/albums/{album}/files", photo, f"{number}.jpg")
            return cast(Album, self._send("POST", f"/albums/{album}/arrange"))
        except BaseException:
            self._let_go(f"/albums/{album}")
            raise

    def album(self, id: str) -> Album:
        """How the groups of an album stand."""
        return cast(Album, self._get(f"/albums/{id}"))

    def name_group(self, album: str, group: str, name: str, consent: NewConsent | None = None) -> NamedGroup:
        """Say who a group is: its best faces are enrolled."""
        said = _with({"name": name}, consent)
        return cast(NamedGroup, self._send("POST", f"/albums/{album}/groups/{group}/name", said))

    def merge_groups(self, album: str, groups: Iterable[str]) -> Group:
        """Make one group of some."""
        return cast(Group, self._send("POST", f"/albums/{album}/merge", {"groups": list(groups)}))

    def split_group(self, album: str, group: str, faces: Iterable[str]) -> Group:
        """Make a group of some faces of another."""
        return cast(Group, self._send("POST", f"/albums/{album}/groups/{group}/split", {"faces": list(faces)}))

    def ignore_group(self, album: str, group: str, ignored: bool = True) -> Group:
        """Set a group apart, or take that back."""
        return cast(Group, self._send("PUT", f"/albums/{album}/groups/{group}/ignored", {"ignored": ignored}))

    def close_album(self, id: str) -> None:
        """Let an album go, with everything in it but whom it named."""
        self._send("DELETE", f"/albums/{id}")

    # -- who was seen ----------------------------------------------------------------------------------------------

    def seen(
        self,
        *,
        person: str | None = None,
        who: Literal["named", "unknown"] | None = None,
        room: str | None = None,
        begin: datetime | None = None,
        end: datetime | None = None,
    ) -> Iterator[Sighting]:
        """Sightings, the newest first, page by page. Times carry their zone."""
        return self._pages("/sightings", person=person, who=who, room=room, **_span(begin, end))

    def attendance(self, begin: datetime | None = None, end: datetime | None = None) -> list[Attendance]:
        """Who was there, whoever came first first; without times it is today."""
        return cast(list[Attendance], self._get("/attendance", **_span(begin, end))["items"])

    def events(
        self, *, after: int | None = None, kinds: Iterable[Literal["named", "unknown", "left"]] = ()
    ) -> Generator[Event, None, None]:
        """Who comes and who leaves, as it happens, until the generator is closed. Where the connection breaks, it goes
        on after the last event that came; ``after``: after the one of that number."""
        while True:
            query = {"after": after, "kinds": ",".join(kinds) or None}
            with self._open("/events", query) as response:
                try:
                    for line in response:
                        if line.startswith(b"data: "):
                            event = cast(Event, json.loads(line.removeprefix(b"data: ")))
                            after = event["number"]
                            yield event
                except (OSError, HTTPException):
                    continue  # asked again, which says what is wrong if that goes on
            time.sleep(0.2)

    # -- photos and videos -----------------------------------------------------------------------------------------

    def recognise(self, photo: Source, room: str | None = None) -> Photo:
        """Everybody in a photo; nothing of it is kept."""
        return cast(Photo, self._upload("/photos", photo, None, room=room))

    def videos(self) -> Iterator[Video]:
        """Every video, the newest first, page by page."""
        return self._pages("/videos")

    def send_video(self, video: Source, name: str = "video") -> Video:
        """Send a video to be looked through; a file goes under its own name."""
        return cast(Video, self._upload("/videos", video, name))

    def video(self, id: str) -> Video:
        """Where a video stands."""
        return cast(Video, self._get(f"/videos/{id}"))

    def wait_for_video(self, id: str, interval: float = 1.0) -> Video:
        """Wait until a video is done. Raises :class:`Refused` if it failed."""
        while (video := self.video(id))["state"] not in ("done", "failed"):
            time.sleep(interval)
        if video["state"] == "failed":
            raise Refused(422, "Failed", video["words"])
        return video

    def video_result(self, id: str) -> VideoResult:
        """Who was seen in a video, and when."""
        return cast(VideoResult, self._get(f"/videos/{id}/result"))

    def video_boxes(self, id: str, begin: float = 0.0, end: float | None = None) -> VideoBoxes:
        """Where the faces are, from ``begin`` to ``end`` (seconds, at most 600 apart)."""
        return cast(VideoBoxes, self._get(f"/videos/{id}/boxes", **{"from": begin, "to": end}))

    def export_video(self, id: str, kind: Literal["csv", "json", "vtt"]) -> str:
        """The result as a table, JSON or subtitles."""
        return self._ask("GET", f"/videos/{id}/export.{kind}", {}).decode()

    def delete_video(self, id: str) -> None:
        """Cancel or erase a video."""
        self._send("DELETE", f"/videos/{id}")

    # -- live sessions and settings --------------------------------------------------------------------------------

    def sessions(self) -> Sessions:
        """The live sessions."""
        return cast(Sessions, self._get("/sessions"))

    def session(self, id: str) -> LiveSession:
        """One live session, and who is in its picture now."""
        return cast(LiveSession, self._get(f"/sessions/{id}"))

    def reading(self, room: str | None = None) -> Reading:
        """What is read of faces."""
        return cast(Reading, self._get("/reading", room=room))

    def choose_reading(self, room: str | None = None, **switches: bool) -> Reading:
        """Turn ``distance``, ``gender`` or ``age`` on or off."""
        return cast(Reading, self._send("PUT", "/reading", {"room": room, **switches}))

    def threshold(self, room: str | None = None) -> Threshold:
        """How well people are told apart."""
        return cast(Threshold, self._get("/threshold", room=room))

    def choose_threshold(self, one_in: float | None, room: str | None = None) -> Threshold:
        """Let one stranger in so many be given a wrong name; ``None``: as the models' makers say."""
        return cast(Threshold, self._send("PUT", "/threshold", {"one_in": one_in, "room": room}))


def _with(body: dict[str, Any], consent: NewConsent | None) -> dict[str, Any]:
    return body if consent is None else {**body, "consent": consent}


def _span(begin: datetime | None, end: datetime | None) -> dict[str, str]:
    times = {"from": begin, "to": end}
    return {name: time.astimezone().isoformat() for name, time in times.items() if time is not None}
