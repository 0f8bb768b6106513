"""From settings to a running server and, on Ctrl-C or SIGTERM, to a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

from models import Pack, load_pack
from server.app import Services, create_app
from server.certificates import CertificateStore, certificate_names, tls_folder
from server.chosen_pack import chosen_pack
from server.join import Door
from server.lan import Address, addresses, diff, host_name, watching
from server.listeners import Listeners, bind, listening, port_of
from server.logs import in_task, start_logging, watch_crashes
from server.memory import lean
from server.services import open_services
from server.settings import Configuration, Settings, StartError
from server.storage.faults import fault
from server.terminal import joining, where_to_go
from server.trust_page import create_trust_app

logger = logging.getLogger(__name__)

Say = Callable[[str], None]
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve(configuration: Configuration, say: Say) -> None:
    """Start, say each step, serve until told to end.

    Raises :class:`server.settings.StartError` and :class:`models.ModelError`.
    """
    settings = configuration.settings
    # Whoever follows faces gives the interpreter up after a millisecond, not five: packets and answers do not wait.
    sys.setswitchinterval(0.001)
    start_logging(settings.log_level, form=settings.log_format, node=settings.node_name)
    for remark in configuration.remarks:
        say(f"Note: {remark}")
    with contextlib.closing(bind(settings)) as listeners:
        name = chosen_pack(configuration)
        say(f"Preparing the models of pack {name} …")
        pack = load_pack(name, settings.models_dir, settings.provider, say)
        door, store = open_door(settings, listeners, say)
        try:
            asyncio.run(_run(settings, pack, listeners, door, store, say))
        except StartError:
            raise  # says already what is wrong with which file
        except Exception as error:
            if (found := fault(error)) is None:
                raise
            raise StartError(f"{settings.data_dir}: {found.words}") from None
    say("Visavis has ended.")


def open_door(settings: Settings, listeners: Listeners, say: Say) -> tuple[Door | None, CertificateStore | None]:
    """Addresses and certificate for other devices; nothing when the LAN is off. Raises ``StartError``."""
    (settings.data_dir / "join-token").unlink(missing_ok=True)  # what let in before there were accounts
    if not settings.lan:
        return None, None
    found = addresses()
    store = CertificateStore(tls_folder(settings), certificate_names(settings, found))
    store.require(settings.host_names)
    if not found:
        say("This computer is in no network now; the link below works once it is.")
    return Door(host_name(), found, port_of(listeners.lan), port_of(listeners.trust)), store


def follow_network(
    settings: Settings, door: Door, store: CertificateStore, say: Say
) -> Callable[[tuple[Address, ...]], Awaitable[None]]:
    """What to do at each look at the addresses: renew the certificate when it is due, and say where the page is now."""

    async def looked(found: tuple[Address, ...]) -> None:
        reason = await asyncio.to_thread(store.refresh, certificate_names(settings, found))
        if reason:
            logger.info("new server certificate: %s", reason)
        if diff(door.addresses, found):
            door.addresses = found
            say(f"The network has changed: other devices now find this page at {door.page_url()}")

    return looked


class _Ending:
    """What signals have asked for: the first SIGTERM to end gently, Ctrl-C or any second one to end now."""

    def __init__(self) -> None:
        self.begun, self.now = asyncio.Event(), asyncio.Event()
        self.gently = False

    def told(self, number: signal.Signals) -> None:
        """A signal came."""
        if self.begun.is_set() or number == signal.SIGINT:
            self.now.set()
        else:
            self.gently = True
        self.begun.set()


async def _run(
    settings: Settings, pack: Pack, listeners: Listeners, door: Door | None, store: CertificateStore | None, say: Say
) -> None:
    ending = _Ending()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(in_task)
    watch_crashes()
    for number in _SIGNALS:
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C arrives as KeyboardInterrupt
            loop.add_signal_handler(number, ending.told, number)
    async with (
        open_services(settings, pack, door) as services,
        _serving(settings, services, listeners, store, say),
        lean(),
    ):
        page = f"http://localhost:{port_of(listeners.local)}/"
        say(await _welcome(services, page, _outside(settings) or page, say))
        await ending.begun.wait()
        if ending.gently and settings.drain_seconds:
            say(f"Ending: taking nothing new, and waiting up to {settings.drain_seconds:g} s for what goes on …")
            await services.drain(settings.drain_seconds, ending.now)
        for number in _SIGNALS:  # a further one is not waited for
            loop.remove_signal_handler(number)
        say("Ending …")


def _outside(settings: Settings) -> str | None:
    """The page as a proxy serves it, where that is the only way in from elsewhere."""
    behind = settings.trusted_proxies and settings.host_names and not settings.lan
    return f"https://{settings.host_names[0]}/" if behind else None


async def _welcome(services: Services, page: str, outside: str, say: Say) -> str:
    """Where to go; the link in it is shown anew when it is over. ``outside`` is where the owner comes in."""
    access, door, colours = services.access, services.door, sys.stdout.isatty()
    if access is None:
        return where_to_go(page, None, None, None, colours=colours)
    standing = await access.standing()
    if door is not None:
        access.when_renewed(lambda token: say(joining(door, token, colours=colours)))
    return where_to_go(page, await access.owners_link(outside), door, standing and standing[1], colours=colours)


@contextlib.asynccontextmanager
async def _serving(
    settings: Settings, services: Services, listeners: Listeners, store: CertificateStore | None, say: Say
) -> AsyncIterator[None]:
    app = create_app(settings, services)
    door = services.door
    if door is None or store is None:
        async with listening(listeners, app, None, None):
            yield
        return

    trust_app = create_trust_app(door, store.authority)
    async with (
        listening(listeners, app, trust_app, store.context),
        watching(follow_network(settings, door, store, say)),
    ):
        yield
