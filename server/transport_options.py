"""How media is received, by the settings."""

from __future__ import annotations

from server.settings import Settings
from server.transport import IceServer, TransportOptions


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
