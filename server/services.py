"""Opens what the application serves, in order, and closes it in the opposite one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial

import cv2
from aiohttp import web

from models import Pack, load_pack
from pipeline.face_models import FaceModels
from pipeline.frame_pipeline import PipelineConfig
from server.access.access import Access
from server.access.routes import setup_access
from server.api.door import KeyDoor
from server.api.keys import Keys
from server.api.routes import setup_keys
from server.app import ANSWERS, Services
from server.audit import AuditLog, SigningKey
from server.evaluation.running import Evaluations
from server.evaluation_routes import setup_evaluation
from server.fallback.routes import setup_fallback
from server.groups.albums import Albums
from server.groups.routes import AlbumRoutes, setup_groups
from server.inference.crew import InferenceDown
from server.inference.opening import LiveModels, looking_threads, recognising_threads, warm_up
from server.join import Door
from server.link import Link
from server.live.camera import LiveCamera
from server.live.consent_mode import ConsentMode
from server.live.reading import Readings, setup_reading
from server.live.routes import setup_sessions
from server.live.session import LiveSession, SessionOptions
from server.live.threads import RecognisingThreads
from server.load.budget import Budget
from server.load.fair_load import FairLoad
from server.load.first_guess import picture_cost
from server.load.meter import Meter
from server.media.decoder import Decoder, DecoderDown
from server.nodes.forgetting import LetGo
from server.nodes.nodes import Nodes
from server.nodes.register import Load
from server.nodes.routes import setup_nodes
from server.nodes.unfinished import Unfinished
from server.observing.drain import Drain
from server.observing.facts import Pack as PackInUse
from server.observing.facts import Subject
from server.observing.frames import Frames
from server.observing.jobs import jobs_of
from server.observing.observing import DRAINING, checks, observing, sampler_of
from server.observing.readiness import Readiness
from server.observing.routes import setup_observing
from server.observing.waits import Waits
from server.peers import PeerRegistry
from server.people import People, PeopleOptions
from server.people.consent_routes import setup_consents
from server.people.forgetting import Forgetting
from server.people.grace import Grace
from server.people.import_routes import setup_imports
from server.people.inbox import Inbox, erase_inbox
from server.people.inbox_routes import setup_inbox
from server.people.model_change import ChangeRefused, ModelChange
from server.people.model_change_routes import setup_model_change
from server.people.own_data import OwnData
from server.people.own_exporters import exporters
from server.people.people import Tables
from server.people.photos.imports import Imports
from server.people.receipt_routes import setup_receipts
from server.people.routes import setup_people
from server.people.threshold_routes import setup_threshold
from server.photos.priority import step_back
from server.photos.routes import Photos, setup_photos
from server.relay.viewers import Viewers
from server.retention.elsewhere import elsewhere
from server.retention.held import Retention
from server.retention.holders import make_holders
from server.retention.routes import setup_data
from server.rooms.consent_modes import ConsentModes
from server.rooms.rooms import Rooms
from server.rooms.routes import RoomRoutes
from server.rooms.watching import Watching
from server.settings import Settings, StartError
from server.sightings.recorder import Recorder
from server.sightings.routes import SightingRoutes, setup_sightings
from server.sightings.webhooks import Deliveries
from server.signalling import setup_whip
from server.sources.routes import setup_sources
from server.sources.sources import Sources
from server.storage import NoSuchPerson, StorageError
from server.storage.audit import SERVER
from server.storage.forgetting import RECEIPT
from server.storage.room_reading import TABLE as ROOM_READING
from server.transport import install
from server.transport_options import transport_options
from server.videos.letting_go import VideoHolder
from server.videos.own_data import video_exporter
from server.videos.routes import VideoRoutes, setup_videos
from server.videos.videos import Videos
from server.videos.working import Worker
from tracking import DEFAULT_POLICY

logger = logging.getLogger(__name__)

PHOTO_THREADS = 2


@contextlib.asynccontextmanager
async def open_services(settings: Settings, pack: Pack, door: Door | None) -> AsyncIterator[Services]:
    """Models, people and peers, ready to serve. Raises :class:`server.settings.StartError` if the store cannot be
    opened."""
    # Sessions share the processors; OpenCV's own threads would only get in each other's way.
    cv2.setNumThreads(1)
    models = ready_models(settings, pack)
    transport = transport_options(settings)
    for remark in install(transport).remarks:
        logger.warning("%s", remark)
    config = PipelineConfig(settings.detect_size, settings.far_detect_size, min_face=settings.min_face)
    policy = replace(DEFAULT_POLICY, keyframe_interval=settings.keyframe_interval)
    options = SessionOptions(settings.review, settings.keep_crops, settings.liveness)
    frames = Frames(sampler_of(settings, settings.node_name))

    def make_session(link: Link) -> LiveSession:
        visit = link.visit
        return LiveSession(
            link, live.of(change.models), people, executor, config, policy, options, inbox,
            room=visit.room, guest=visit.guest, reading=readings.of(visit.room),
            reader=readings.reader(visit.room, change.models), recorder=recorder,
            camera=LiveCamera(visit.name, visit.visitor), by=str(visit.visitor),
            consent=ConsentMode(people.consented, consent_modes.of(visit.room)), masks=masks, lookers=lookers,
            audit=audit,
            frames=frames,
        )  # fmt: skip

    def sessions() -> list[LiveSession]:
        return [handler for handler in peers.handlers if isinstance(handler, LiveSession)]

    def linked() -> list[LiveSession]:
        return [one.handler for one in peers.peers if isinstance(one.handler, LiveSession)]

    def show_reading(_room: str | None) -> None:
        for session in sessions():
            session.change_reading(readings.of(session.room), readings.reader(session.room, change.models))

    async def adopt(newer: FaceModels) -> None:
        try:
            await live.change(newer)
        except InferenceDown as down:
            raise ChangeRefused(str(down).rstrip(".")) from down
        await readings.prepare(newer)
        for session in sessions():
            session.change_models(live.of(newer))
            session.change_reading(readings.of(session.room), readings.reader(session.room, newer))
        imports.close()  # what they read, they read with the old models
        albums.close()
        if inbox is not None:
            await inbox.change_models(newer.matcher, newer.manifest.digest)
        videos.change_models()

    async with contextlib.AsyncExitStack() as stack:
        people = await _open_people(settings, models)
        stack.push_async_callback(people.close)
        nodes = await Nodes.open(settings, people)
        if nodes is not None:
            stack.push_async_callback(nodes.close)
        signing = await people.run(SigningKey.of)
        audit = await AuditLog.open(people, signing, settings.audit_days)
        stack.push_async_callback(audit.close)
        people.expired = audit.expired
        consent_modes = await ConsentModes.open(people, settings.consent_mode)
        live = await LiveModels.open(settings, models)
        stack.push_async_callback(live.close)
        readings = await Readings.open(people, models, settings.provider, live.reader)
        inbox = await _open_inbox(settings, people, models, audit)
        if inbox is not None:
            stack.push_async_callback(inbox.close)
        change = ModelChange(
            people, models, partial(_load_models, settings), adopt, settings.max_samples, settings.models_dir,
            live.settle,
        )  # fmt: skip
        stack.push_async_callback(change.close)
        recorder = await Recorder.open(
            people, lambda: change.models.matcher, enabled=settings.sightings, days=settings.sightings_days,
            crops=settings.sightings_crops, ageing=people.ageing, expired=audit.expired,
        )  # fmt: skip
        stack.push_async_callback(recorder.close)
        deliveries = await Deliveries.open(people)
        stack.push_async_callback(deliveries.close)
        # Threads beyond the processors only take the interpreter from each other, and from the event loop.
        executor = RecognisingThreads(recognising_threads(settings))
        stack.callback(executor.shutdown, wait=True, cancel_futures=True)
        lookers = ThreadPoolExecutor(looking_threads(settings), "look") if live.pool else executor.continuing
        stack.callback(lookers.shutdown, wait=True, cancel_futures=True)
        # What viewers get in consent mode is masked in threads of its own, so that no recognition waits for it.
        masks = ThreadPoolExecutor(settings.workers or os.cpu_count() or 1, "mask", initializer=step_back)
        stack.callback(masks.shutdown, wait=True, cancel_futures=True)
        # Photos have threads of their own, so that no live frame waits for one.
        photographs = ThreadPoolExecutor(PHOTO_THREADS, thread_name_prefix="photos", initializer=step_back)
        stack.callback(photographs.shutdown, wait=True, cancel_futures=True)
        decoder = _start_decoder()
        stack.callback(decoder.close)
        imports = Imports(
            people, lambda: change.models, photographs, review=settings.review, keep_crops=settings.keep_crops,
            decode=decoder.decode,
        )  # fmt: skip
        stack.callback(imports.close)
        albums = Albums(people, lambda: change.models, photographs, decoder.decode, keep_crops=settings.keep_crops)
        stack.callback(albums.close)
        photos = Photos(people, lambda: change.models, photographs, decoder.decode, consent_modes.of)
        evaluations = Evaluations(
            settings.data_dir / "evaluation",
            lambda: change.models.manifest.name,
            settings.models_dir,
            settings.provider,
        )
        stack.push_async_callback(evaluations.close)
        pool = live.pool
        meter = Meter(lambda: () if pool is None else pool.pids)
        budget = Budget(picture_cost(models, settings.detect_size), settings.keyframe_interval, meter.processors)
        fair = FairLoad(linked, meter, budget, settings.max_sessions)
        stack.push_async_callback(fair.close)
        peers = PeerRegistry(transport, make_session, fair.wait)
        stack.push_async_callback(peers.close_all, "shutdown")
        viewers = Viewers(transport, settings.max_viewers)
        stack.push_async_callback(viewers.close_all, "shutdown")
        for owner in (peers, imports, albums, evaluations):
            owner.tag = "" if nodes is None else nodes.tag
        turns = None if nodes is None else nodes.register
        sources = await Sources.open(people, peers, settings.max_sources, turns=turns)
        stack.push_async_callback(sources.close)
        keys = Keys(people)
        access = await Access.open(settings, people.run, door, keys)
        stack.push_async_callback(access.close)
        rooms = await Rooms.open_all(people, access.links, access.holds, peers, viewers, sources, consent_modes)
        stack.push_async_callback(rooms.close)
        videos = await _open_videos(settings, people, lambda: change.models, lambda: bool(sessions()))
        stack.push_async_callback(videos.close)
        videos.expired = audit.expired
        if nodes is not None:
            videos.tag = nodes.tag
        holders = make_holders(
            people, lambda: change.models, inbox, recorder, imports, albums, videos, settings.video_days, sessions
        )
        forgetting = Forgetting(people, lambda: change.models.matcher, signing, audit, holders)
        stack.push_async_callback(forgetting.close)
        own_data = OwnData(
            people, [*exporters(people, audit), video_exporter(videos, people, lambda: change.models.matcher)]
        )
        retention = Retention(
            people, settings, elsewhere(settings, imports, albums, videos, evaluations, lambda: len(sessions()))
        )

        async def erase(person: str, reason: str) -> None:
            with contextlib.suppress(NoSuchPerson):  # somebody was quicker
                await forgetting.forget(person, SERVER, reason=reason)

        grace = Grace(people, settings.consent_grace_days, erase)
        stack.push_async_callback(grace.close)

        drain = Drain()
        if nodes is not None:
            stack.push_async_callback(nodes.leave)
            drain.elsewhere = lambda: bool(nodes.register.others)
            nodes.load = lambda: Load(peers.sessions, drain.on)
            grace.mine = partial(nodes.register.mine, "grace")
            deliveries.mine = partial(nodes.register.mine, "webhooks")
            held_here = [VideoHolder(videos, settings.video_days), *holders.memory]
            let_go = LetGo(people, lambda: change.models.matcher, held_here)
            forgetting.hold(nodes.connect(rooms, lambda: change.models.matcher, let_go))

        async def end_sessions(reason: str) -> None:
            await rooms.close()
            await sources.close()
            await asyncio.gather(viewers.close_all(reason), peers.close_all(reason))

        def pack_in_use() -> PackInUse:
            manifest = change.models.manifest
            return PackInUse(manifest.name, manifest.licence, manifest.digest)

        networks = None if pool is None else pool.state
        watched = await stack.enter_async_context(
            observing(
                Subject(
                    folder=settings.data_dir, max_sessions=lambda: fair.most, max_viewers=settings.max_viewers,
                    frames=frames, waits=Waits(executor), store=people.times, drain=drain,
                    readiness=Readiness(checks(people, decoder, drain, networks)), peers=peers,
                    viewers=lambda: len(viewers),
                    people=lambda: len(people.gallery), pack=pack_in_use, sightings=lambda: recorder.pending,
                    jobs=lambda: jobs_of(videos, evaluations, change), webhooks=deliveries.backlog,
                    inference=networks or (lambda: None), load=lambda: asdict(fair.state()),
                )
            )
        )  # fmt: skip

        def say_ending(seconds: float) -> None:
            for session in sessions():
                session.say("notice", code="draining", message=DRAINING, seconds=seconds)

        async def end_gently(seconds: float, hurry: asyncio.Event) -> None:
            # Cameras that the server itself fetches go on for as long as it lets them: they are not waited for.
            def live() -> int:
                return sum(link.way != "source" for link in peers.peers)

            await drain.run(seconds, hurry, live, say_ending, end_sessions)

        async def read_elsewhere(tables: Tables) -> None:
            if (tables is None or ROOM_READING.name in tables) and await readings.read(change.models):
                show_reading(None)

        for hears in (
            access.written_elsewhere, rooms.written_elsewhere, recorder.written_elsewhere, change.written_elsewhere,
            sources.written_elsewhere, deliveries.written_elsewhere,
            read_elsewhere, *([] if inbox is None else [inbox.written_elsewhere]),
        ):  # fmt: skip
            people.on_foreign_change(hears)
        await change.resume()
        if nodes is None:
            await forgetting.resume()
        else:  # another node may be about to
            unfinished = Unfinished(partial(nodes.register.mine, "forgetting"), forgetting.resume)
            stack.push_async_callback(unfinished.close)
        yield Services(
            pack=lambda: {"name": change.models.manifest.name, "licence": change.models.manifest.licence},
            sessions=lambda: peers.sessions,
            people=lambda: len(people.gallery),
            end_sessions=end_sessions,
            door=door,
            keys=KeyDoor(keys),
            access=access,
            nodes=nodes,
            audit=audit,
            inference=live.pool,
            observing=watched,
            drain=end_gently,
            parts=(
                lambda app: setup_observing(app, watched),
                lambda app: setup_keys(app, keys),
                lambda app: setup_access(app, access),
                lambda app: setup_nodes(app, turns),
                lambda app: setup_whip(app, peers, transport.ice_servers),
                lambda app: setup_fallback(app, peers, executor),
                lambda app: setup_sessions(app, peers),
                RoomRoutes(rooms, door).setup,
                Watching(rooms, viewers, transport.ice_servers).setup,
                lambda app: setup_sources(app, sources),
                lambda app: setup_reading(app, readings, lambda: change.models, show_reading),
                lambda app: setup_people(app, people, lambda: change.models, settings.max_samples, forgetting),
                lambda app: setup_consents(app, people),
                lambda app: setup_forgetting(app, forgetting, people),
                lambda app: setup_receipts(app, people, own_data),
                lambda app: setup_data(app, retention, audit, people, str(settings.data_dir)),
                lambda app: setup_imports(app, imports),
                lambda app: setup_photos(app, photos),
                lambda app: setup_groups(
                    app, AlbumRoutes(albums, people, lambda: change.models.matcher, consent_modes.of)
                ),
                lambda app: setup_evaluation(app, evaluations),
                lambda app: setup_videos(
                    app,
                    VideoRoutes(
                        videos,
                        people,
                        lambda: change.models,
                        settings.keep_crops,
                        settings.video_days,
                        settings.consent_mode,
                    ),
                ),
                lambda app: setup_sightings(app, SightingRoutes(recorder, deliveries, people)),
                lambda app: setup_inbox(app, inbox, people, settings.inbox_days),
                lambda app: setup_threshold(app, people, lambda: change.models, settings.max_samples),
                lambda app: setup_model_change(app, change, settings.models_dir),
            ),
        )


def ready_models(settings: Settings, pack: Pack) -> FaceModels:
    """A pack's models, warmed up."""
    models = FaceModels.from_pack(pack)
    warm_up(models, settings)
    return models


def _load_models(settings: Settings, name: str) -> FaceModels:
    return ready_models(settings, load_pack(name, settings.models_dir, settings.provider, logger.info))


async def _open_people(settings: Settings, models: FaceModels) -> People:
    manifest = models.manifest
    try:
        options = PeopleOptions.of(settings)
        return await People.open(
            settings.data_dir / "people.sqlite3", manifest.digest, manifest.embedder.dimension, options
        )
    except StorageError as error:
        raise StartError(str(error)) from error


async def _open_inbox(settings: Settings, people: People, models: FaceModels, audit: AuditLog) -> Inbox | None:
    if not settings.inbox:
        await erase_inbox(people)
        return None
    return await Inbox.open(
        people, models.matcher, models.manifest.digest, days=settings.inbox_days, keep_crops=settings.keep_crops,
        ageing=people.ageing, expired=audit.expired,
    )  # fmt: skip


def setup_forgetting(app: web.Application, forgetting: Forgetting, people: People) -> None:
    """Whoever is forgotten goes from remembered answers as well, whichever way, and on whichever node, that was asked
    for."""
    forgetting.told.append(app[ANSWERS].clear)

    async def forgotten_elsewhere(tables: Tables) -> None:
        if tables is None or RECEIPT.name in tables:
            app[ANSWERS].clear()

    people.on_foreign_change(forgotten_elsewhere)


def _start_decoder() -> Decoder:
    try:
        return Decoder(PHOTO_THREADS)
    except DecoderDown as down:
        raise StartError(str(down)) from down


async def _open_videos(
    settings: Settings, people: People, models: Callable[[], FaceModels], live: Callable[[], bool]
) -> Videos:
    worker = Worker(lambda: models().manifest.name, settings.models_dir, settings.provider, live=live)
    return await Videos.open(
        settings.data_dir / "videos",
        worker,
        lambda: models().manifest.digest,
        settings.video_days,
        people.vault,
        people.ageing,
    )
