"""Every setting of the server, in one table.

The fields of :class:`Settings` drive the command-line flags, the ``VISAVIS_*`` environment variables, the TOML file,
the defaults and ``docs/settings.md``. The first of these that says something wins; :func:`configure` reads them, checks
every value and remembers where it came from.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Literal, get_args

from platformdirs import user_config_path, user_data_path

from models import ProviderSetting, default_cache_dir
from pipeline.templates import Level
from server import setting_kinds as kinds
from server.setting_kinds import Kind
from tracking.liveness import LIVENESS, Liveness

PREFIX = "VISAVIS_"
CONFIG = f"{PREFIX}CONFIG"


class StartError(Exception):
    """Something a person has to put right before the server can start; one line that names it."""


class SettingsError(StartError):
    """A setting has a value it cannot have; the line names setting, value and origin."""


def setting(kind: Kind, default: object, text: str, *, shown: str | None = None, secret: bool = False) -> Any:
    """One row of the table. ``default`` may be a function; ``shown`` then says in words what it gives."""
    metadata = {"kind": kind, "help": text, "shown": shown, "secret": secret}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the server runs with. Times in seconds, sizes in pixels."""

    http_port: int = setting(kinds.PORT, 8000, "Port of the page on this computer (loopback only); 0 takes a free one.")
    http_address: str = setting(
        kinds.ADDRESS,
        "",
        "Address that the same page listens on besides, for reverse proxies: in a container `0.0.0.0`.",
        shown="loopback alone",
    )
    trusted_proxies: tuple[str, ...] = setting(
        kinds.PROXIES,
        (),
        "Reverse proxies and load balancers that are believed when they say for whom they ask, and over what.",
        shown="none",
    )
    lan: bool = setting(kinds.SWITCH, True, "Serve other devices on the local network, over HTTPS.")
    https_port: int = setting(kinds.PORT, 8443, "Port of the page for other devices; 0 takes a free one.")
    trust_port: int = setting(
        kinds.PORT, 8080, "Port of the plain page that helps other devices trust the certificate; 0 takes a free one."
    )
    host_names: tuple[str, ...] = setting(
        kinds.HOST_NAMES, (), "Further host names this server is reached by, for its certificate."
    )
    hsts_days: int = setting(
        kinds.whole(0, 730),
        0,
        "Days in which browsers come by HTTPS alone to `host_names`, on every port of theirs; 0 does not ask for it.",
    )
    local_owner: bool = setting(
        kinds.SWITCH,
        False,
        "Whoever uses this computer is the owner without signing in, other people and programs too.",
    )
    session_days: float = setting(kinds.number(0.01, 365), 30.0, "Days after which a browser has to sign in again.")
    session_idle_days: float = setting(kinds.number(0.01, 365), 7.0, "The same for a browser that was not used.")
    join_hours: int = setting(
        kinds.whole(1, 720), 12, "Hours that the link in the terminal, for a guest's camera, lets in."
    )
    data_dir: Path = setting(
        kinds.FOLDER,
        lambda: user_data_path("visavis", appauthor=False),
        "Folder of people, accounts, keys and certificates.",
        shown="the user's data folder",
    )
    database: str = setting(
        kinds.DATABASE,
        "",
        "PostgreSQL database that holds people and accounts instead, for several nodes "
        "(`postgresql+psycopg://USER:PASSWORD@HOST/NAME`).",
        shown="SQLite in the data folder",
        secret=True,
    )
    master_key: str = setting(
        kinds.TEXT, "", "What wraps the keys of people: 32 bytes in base64.", shown="a file of its own", secret=True
    )
    new_master_key: str = setting(kinds.TEXT, "", "What `visavis vault rotate` puts in its place.", secret=True)
    master_key_command: str = setting(
        kinds.TEXT, "", "Command that prints the master key instead, run without a shell, within 10 seconds."
    )
    master_key_file: Path | None = setting(
        kinds.FILE, None, "File the master key is kept in.", shown="`master-key` in the data folder"
    )
    models_dir: Path = setting(
        kinds.FOLDER, default_cache_dir, "Folder of the model packs.", shown="the user's cache folder"
    )
    pack: str = setting(kinds.WORD, "open", "Model pack; see `visavis models list`.")
    provider: ProviderSetting = setting(
        kinds.choice("auto", "cpu", "cuda", "coreml", "openvino"), "auto", "What ONNX Runtime computes on."
    )
    inference: Literal["processes", "threads"] = setting(
        kinds.choice("threads", "processes"),
        "threads",
        "Where networks of live cameras run: in threads of the server, or in processes of their own, which may crash.",
    )
    workers: int = setting(
        kinds.whole(0, 256),
        0,
        "Processes, or threads, that run the networks; with a GPU, two are enough.",
        shown="0: one for each processor",
    )
    max_sessions: int = setting(
        kinds.whole(0, 10_000),
        0,
        "Cameras at the same time; further ones are turned away.",
        shown="0: as many as the processors can serve",
    )
    max_viewers: int = setting(
        kinds.whole(0, 1000),
        48,
        "Pictures of cameras sent to viewers at the same time: each viewer takes one for each camera it shows.",
    )
    max_sources: int = setting(
        kinds.whole(0, 1000), 8, "Cameras that the server itself fetches; they count as sessions too."
    )
    keyframe_interval: float = setting(
        kinds.number(0.05, 10), 0.6, "Seconds after which faces are looked for again at the latest."
    )
    detect_size: int = setting(kinds.detector_size(), 320, "Longer side of the picture the detector sees.")
    far_detect_size: int = setting(kinds.detector_size(), 640, "The same while small faces are about.")
    min_face: int = setting(
        kinds.whole(0, 1000), 0, "Width of the smallest face that is recognised.", shown="0: what the pack advises"
    )
    max_samples: int = setting(
        kinds.whole(1, 200), 16, "Pictures of a person that count in recognising them; the most different good ones."
    )
    review: Level = setting(
        kinds.choice(*get_args(Level)),
        "standard",
        "How strictly new pictures are compared with the person's others, and with everybody else's, before they stay.",
    )
    liveness: Liveness = setting(
        kinds.choice(*LIVENESS),
        "off",
        "Movements asked of whoever is enrolled by the live picture: a hurdle for photos held up, and no proof.",
    )
    keep_crops: bool = setting(
        kinds.SWITCH, False, "Keep a small picture of the face with each sample, so that another pack can read it anew."
    )
    undo_days: float = setting(kinds.number(0, 365), 7.0, "Days in which a correction of people can be undone.")
    consent: Literal["require", "ask"] = setting(
        kinds.choice("require", "ask"),
        "require",
        "Whether nobody is kept without saying why they may be recognised, or are kept and shown as not recorded.",
    )
    consent_days: int = setting(
        kinds.whole(0, 3650), 365, "Days after which a consent is over, unless somebody says otherwise; 0: never."
    )
    consent_grace_days: int = setting(
        kinds.whole(0, 365),
        30,
        "Days after which somebody whose consent is over or withdrawn, and who is recognised no more, is erased.",
    )
    inbox: bool = setting(
        kinds.SWITCH,
        False,
        "Keep a small picture and numbers of faces nobody has named, to be named later.",
    )
    inbox_days: int = setting(kinds.whole(1, 365), 14, "Days after which an unnamed face not seen again is erased.")
    sightings: bool = setting(
        kinds.SWITCH, False, "Note who is seen from when to when, and tell webhooks and listeners of it."
    )
    sightings_days: int = setting(kinds.whole(1, 3650), 30, "Days after which a sighting is erased.")
    sightings_crops: bool = setting(kinds.SWITCH, False, "Keep a small picture of the best look with each sighting.")
    video_days: int = setting(
        kinds.whole(0, 3650),
        30,
        "Days after which a video and what was found in it are erased; 0 keeps them until somebody deletes them.",
    )
    consent_mode: bool = setting(
        kinds.SWITCH, False, "Blur whoever has not consented in what others see, in rooms that do not say otherwise."
    )
    audit_days: int = setting(
        kinds.whole(1, 36_500),
        730,
        "Days after which a row of the audit log is erased; a signed mark stays in its place.",
    )
    approximate_above: int = setting(
        kinds.whole(1000, 100_000_000),
        200_000,
        "People above whom the nearest are searched approximately (needs the extra `large`).",
    )
    ice_servers: tuple[str, ...] = setting(
        kinds.ICE_SERVERS, (), "STUN and TURN servers, one of each at most (`stun:HOST:PORT`, `turn:HOST:PORT`)."
    )
    turn_username: str = setting(kinds.TEXT, "", "User name for the TURN server.")
    turn_password: str = setting(kinds.TEXT, "", "Password for the TURN server.", secret=True)
    udp_ports: tuple[int, int] | None = setting(
        kinds.PORT_RANGE,
        None,
        "UDP ports that video may come in on, for firewalls and containers.",
        shown="any free port",
    )
    bind_addresses: tuple[str, ...] = setting(
        kinds.ADDRESSES, (), "Addresses that video may come in on.", shown="all of this computer's"
    )
    advertised_addresses: tuple[str, ...] = setting(
        kinds.ADDRESSES,
        (),
        "Addresses told to browsers instead, where this server is behind a forwarding router or container.",
    )
    marker_frames: bool = setting(
        kinds.SWITCH, True, "Take a frame as complete when its last packet says so, not when the next frame begins."
    )
    early_remb: bool = setting(
        kinds.SWITCH, True, "Tell the sender from the first packets on that it may send at full rate."
    )
    stall_guard: bool = setting(kinds.SWITCH, True, "After a gap, ask for a fresh picture at once.")
    node_name: str = setting(
        kinds.NODE_NAME, "", "What this node is called where there are several.", shown="made of the computer's name"
    )
    node_url: str = setting(
        kinds.NODE_URL,
        "",
        "Address at which other nodes reach this one, privately or by `https:`; without it there are no others.",
    )
    log_level: str = setting(
        kinds.choice("debug", "info", "warning", "error"), "warning", "What is logged, on standard error."
    )
    log_format: Literal["text", "json"] = setting(
        kinds.choice("text", "json"), "text", "Whether a line of the log is for people or for programs."
    )
    log_requests: Literal["off", "on", "with_address"] = setting(
        kinds.choice("off", "on", "with_address"),
        "off",
        "A line in the log for each request: method, route, status, milliseconds, bytes, and if wanted its address.",
    )
    metrics_from: tuple[str, ...] = setting(
        kinds.NETWORKS, (), "Networks whose programs may read `/metrics` without a key."
    )
    traces: str = setting(
        kinds.COLLECTOR, "", "Collector that frames are told to as traces (OTLP over HTTP; needs the extra `traces`)."
    )
    traces_share: float = setting(kinds.number(0, 1), 0.001, "Share of all frames that are traced.")
    drain_seconds: float = setting(
        kinds.number(0, 3600),
        5.0,
        "Seconds that sessions and uploads may go on after SIGTERM, while nothing new is taken; 0 ends them at once.",
    )


@dataclass(frozen=True, slots=True)
class Row:
    """One setting as the table describes it."""

    name: str
    kind: Kind
    help: str
    shown: str  # the default
    worded: bool  # … in words, where it is not a constant
    secret: bool

    @property
    def flag(self) -> str | None:
        """The command-line flag; secrets have none, for anybody on the computer can read command lines."""
        return None if self.secret else "--" + self.name.replace("_", "-")

    @property
    def switch(self) -> bool:
        """Whether its flag comes with a ``--no-`` twin."""
        return self.kind is kinds.SWITCH

    @property
    def variable(self) -> str:
        """The environment variable."""
        return PREFIX + self.name.upper()


def _row(entry: Any) -> Row:
    kind: Kind = entry.metadata["kind"]
    words = entry.metadata["shown"]
    shown = words or kind.show(entry.default)
    return Row(entry.name, kind, entry.metadata["help"], shown, words is not None, entry.metadata["secret"])


TABLE: tuple[Row, ...] = tuple(_row(entry) for entry in fields(Settings))
ROWS: Mapping[str, Row] = {row.name: row for row in TABLE}


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings, and of each where it came from."""

    settings: Settings
    origins: Mapping[str, str]
    remarks: tuple[str, ...] = ()  # lines worth a look that do not stand in the way

    def shown(self, name: str) -> str:
        """The value as a person would write it; of a secret only whether there is one."""
        value = getattr(self.settings, name)
        if ROWS[name].secret:
            return "(set)" if value else ""
        return ROWS[name].kind.show(value)


def configure(flags: Mapping[str, Any], environ: Mapping[str, str], config: Path | None = None) -> Configuration:
    """Read every setting from flags, environment, file and defaults, the first that speaks.

    ``flags`` holds what was given on the command line, by setting name; ``None`` means not given. ``config`` names the
    TOML file; without it ``VISAVIS_CONFIG`` does, and without that ``visavis.toml`` in the user's configuration folder,
    if there is one. Raises :class:`SettingsError`.
    """
    path, table = _read_file(config, environ)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for row in TABLE:
        for raw, origin in _said(row, flags, environ, path, table):
            values[row.name] = _read(row, raw, origin)
            origins[row.name] = origin
            break
        else:
            origins[row.name] = "default"
    settings = Settings(**values)
    _check_together(settings, origins)
    return Configuration(settings, origins, _remarks(environ))


def _said(
    row: Row, flags: Mapping[str, Any], environ: Mapping[str, str], path: Path | None, table: Mapping[str, Any]
) -> list[tuple[Any, str]]:
    """What was said about a setting and where, the weightiest first."""
    said: list[tuple[Any, str]] = []
    if (given := flags.get(row.name)) is not None:
        flag = f"--no-{row.flag[2:]}" if given is False and row.flag else row.flag
        said.append((given, f"flag {flag}"))
    if row.variable in environ:
        said.append((environ[row.variable], f"environment {row.variable}"))
    if row.name in table:
        said.append((table[row.name], f"file {path}"))
    return said


def _read(row: Row, raw: object, origin: str) -> object:
    try:
        return row.kind.read(raw)
    except ValueError as error:
        value = "(hidden)" if row.secret else repr(raw)
        raise SettingsError(f"{row.name} = {value} ({origin}): {error}") from None


def _read_file(config: Path | None, environ: Mapping[str, str]) -> tuple[Path | None, dict[str, Any]]:
    named = config or (Path(environ[CONFIG]) if environ.get(CONFIG) else None)
    path = named or user_config_path("visavis", appauthor=False) / "visavis.toml"
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if named is None:
            return None, {}
        raise SettingsError(f"{path}: there is no such settings file") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: {' '.join(str(error).split())}") from None
    for name in table:
        if name not in ROWS:
            raise SettingsError(f"{path}: there is no setting {name!r}{_meant(name, ROWS)}")
    return path, table


def _check_together(settings: Settings, origins: Mapping[str, str]) -> None:
    ports = ["http_port", "https_port", "trust_port"] if settings.lan else ["http_port"]
    for index, one in enumerate(ports):
        for other in ports[:index]:
            if getattr(settings, one) == getattr(settings, other) != 0:
                port = getattr(settings, one)
                raise SettingsError(f"{one} = {port} ({origins[one]}): {other} has that port ({origins[other]})")
    if settings.hsts_days and not settings.host_names:
        raise SettingsError(f"hsts_days ({origins['hsts_days']}) has no use: host_names is empty")
    _check_proxies(settings, origins)
    _check_node(settings, origins)
    turn = any(url.startswith("turn") for url in settings.ice_servers)
    for name in ("turn_username", "turn_password"):
        if turn and not getattr(settings, name):
            raise SettingsError(f"{name} is empty: the TURN server in ice_servers ({origins['ice_servers']}) needs it")
        if not turn and getattr(settings, name):
            raise SettingsError(f"{name} ({origins[name]}) has no use: ice_servers names no TURN server")


def _check_proxies(settings: Settings, origins: Mapping[str, str]) -> None:
    address, proxies = settings.http_address, [ip_network(one) for one in settings.trusted_proxies]
    if address and not ip_address(address).is_loopback and not proxies:
        raise SettingsError(
            f"http_address = {address} ({origins['http_address']}): trusted_proxies names nobody who may ask there"
        )
    if settings.local_owner and any(_holds_loopback(network) for network in proxies):
        raise SettingsError(
            f"local_owner ({origins['local_owner']}): a proxy on this computer ({origins['trusted_proxies']}) could "
            "make everybody the owner; switch one of them off"
        )


def _holds_loopback(network: IPv4Network | IPv6Network) -> bool:
    if isinstance(network, IPv4Network):
        return network.overlaps(ip_network("127.0.0.0/8"))
    return network.overlaps(ip_network("::1/128"))


def _check_node(settings: Settings, origins: Mapping[str, str]) -> None:
    if settings.node_url and settings.local_owner:
        raise SettingsError(
            f"local_owner ({origins['local_owner']}) cannot be on with node_url: requests come from other computers "
            "too; sign in instead"
        )
    if settings.node_url and not settings.database:
        raise SettingsError(
            f"node_url ({origins['node_url']}) has no use: nodes share a database, and database names none"
        )
    if settings.node_name and not settings.node_url:
        raise SettingsError(f"node_name ({origins['node_name']}) has no use: node_url is empty")


def _remarks(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Variables that look like ours and are not: most likely misspelt."""
    known = {row.variable for row in TABLE} | {CONFIG}
    odd = sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
    return tuple(f"{name} is set but is no setting{_meant(name, known)}" for name in odd)


def _meant(name: str, known: Mapping[str, Any] | set[str]) -> str:
    near = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""
