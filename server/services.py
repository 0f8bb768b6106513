"""Opens what the application serves, in order, and closes it in the opposite one."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2

from models import Pack
from pipeline.face_models import FaceModels
from pipeline.frame_pipeline import PipelineConfig
from server.app import VIDEO, Services
from server.join import Door
from server.live_session import LiveSession
from server.peer import Peer
from server.people import People
from server.people_routes import setup_people
from server.settings import Settings, StartError
from server.signalling import PeerRegistry, setup_whip
from server.storage import StorageError
from server.transport import IceServer, TransportOptions, install
from tracking import DEFAULT_POLICY

logger = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def open_services(settings: Settings, pack: Pack, door: Door | None) -> AsyncIterator[Services]:
    """Models, people and peers, ready to serve. Raises :class:`server.settings.StartError` if the store cannot be
    opened."""
    # Sessions share the processors; OpenCV's own threads would only get in each other's way.
    cv2.setNumThreads(1)
    models = FaceModels.from_pack(pack)
    models.warm_up(VIDEO["width"], VIDEO["height"], settings.detect_size, settings.far_detect_size)
    options = transport_options(settings)
    for remark in install(options).remarks:
        logger.warning("%s", remark)
    config = PipelineConfig(settings.detect_size, settings.far_detect_size, min_face=settings.min_face)
    policy = replace(DEFAULT_POLICY, keyframe_interval=settings.keyframe_interval)
    path = settings.data_dir / "people.sqlite3"
    try:
        people = await People.open(path, pack.manifest.digest, pack.manifest.embedder.dimension)
    except StorageError as error:
        raise StartError(str(error)) from error
    executor = ThreadPoolExecutor(settings.workers or os.cpu_count() or 1, thread_name_prefix="recognise")

    def make_session(peer: Peer) -> LiveSession:
        return LiveSession(peer, models, people, executor, config, policy)

    peers = PeerRegistry(options, make_session, settings.max_sessions)
    try:
        yield Services(
            pack_name=pack.manifest.name,
            pack_licence=pack.manifest.licence,
            sessions=lambda: peers.sessions,
            people=lambda: len(people.gallery),
            end_sessions=peers.close_all,
            door=door,
            parts=(lambda app: setup_whip(app, peers), lambda app: setup_people(app, people)),
        )
    finally:
        await peers.close_all("shutdown")
        executor.shutdown(wait=True, cancel_futures=True)
        await people.close()


def transport_options(settings: Settings) -> TransportOptions:
    """The settings that concern media."""
    servers = [
        IceServer((url,), settings.turn_username, settings.turn_password)
        if url.lower().startswith("turn")
        else IceServer((url,))
        for url in settings.ice_servers
    ]
    return TransportOptions(
        marker_frames=settings.marker_frames,
        early_remb=settings.early_remb,
        stall_guard=settings.stall_guard,
        ice_servers=tuple(servers),
        udp_ports=settings.udp_ports,
        bind_addresses=settings.bind_addresses,
        advertised_addresses=settings.advertised_addresses,
    )
