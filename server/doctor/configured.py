"""The settings: what looks misspelt, and what does not go well together."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from server.doctor.finding import Finding, Patient


def configured(patient: Patient) -> Iterator[Finding]:
    """That they can be read at all was seen when they were."""
    settings, origins = patient.settings, patient.configuration.origins
    changed = sorted(name for name, origin in origins.items() if origin != "default")
    yield Finding("read", "good", f"other than the defaults: {', '.join(changed) or 'none'}")
    for remark in patient.configuration.remarks:
        yield Finding("variables", "worth a look", remark, f"unset {remark.partition(' ')[0]}")
    if settings.advertised_addresses and settings.udp_ports is None:
        yield Finding(
            "advertised_addresses", "worth a look", "others forward to this server, but any free port may be used",
            "visavis --udp-ports 40000-40100, and forward these, one to one",
        )  # fmt: skip
    if settings.host_names and not settings.lan and not settings.trusted_proxies:
        yield Finding(
            "host_names", "worth a look", "they name this server, which serves this computer alone (lan = false)",
            "visavis --lan, or name your reverse proxy: --trusted-proxies ADDRESS",
        )  # fmt: skip
    if settings.trusted_proxies and not settings.host_names:
        yield Finding(
            "host_names", "worth a look", "behind a proxy, passkeys are bound to the name browsers see: none is set",
            "visavis --host-names faces.example.org",
        )  # fmt: skip
    if settings.trusted_proxies and settings.lan:
        yield Finding(
            "lan", "worth a look", "besides the proxy, other devices can come by https_port, past it",
            "visavis --no-lan, unless that is wanted",
        )  # fmt: skip
    if settings.local_owner:
        yield Finding(
            "local_owner", "worth a look", "whoever uses this computer is the owner, other people and programs too",
            "visavis --no-local-owner",
        )  # fmt: skip
    if find_spec("faiss") is None:
        above = f"{settings.approximate_above:,}".replace(",", " ")
        yield Finding("extra large", "good", f"not installed: needed above {above} people alone")
    else:
        yield Finding("extra large", "good", "installed")
