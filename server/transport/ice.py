"""Where ICE binds: chosen addresses, loopback too, ports of a range (aioice binds random ports and never loopback)."""

from __future__ import annotations

import asyncio
import errno
import logging
import random
import socket
from typing import Any

import aioice.ice
from aioice import Candidate, Connection
from aioice.candidate import candidate_foundation, candidate_priority

from server.transport.options import TransportOptions

logger = logging.getLogger(__name__)

RECEIVE_BUFFER = 1 << 20  # bytes: a key frame's burst must not overflow it
UNREAD = 1024  # datagrams: until a peer is connected nobody reads, and anybody may send


class BoundConnection(Connection):
    """An ICE connection that binds where ``options`` say."""

    options = TransportOptions()
    _over = False

    async def connect(self) -> None:
        """As aioice does; but of a connection that was closed meanwhile it would go on asking for consent, of nobody
        and for ever."""
        await super().connect()
        if self._over:
            await super().close()

    async def close(self) -> None:
        """As aioice does."""
        self._over = True
        await super().close()

    async def get_component_candidates(
        self,
        component: int,
        addresses: list[str],
        timeout: int = 5,  # noqa: ASYNC109 - the signature is aioice's
    ) -> list[Candidate]:
        """Gather host candidates on our addresses and ports; STUN and TURN as aioice does. Raises
        ``ConnectionError`` without any, and if the connection was closed meanwhile."""
        protocols = []
        for address in self._chosen(addresses):
            protocol = await self._bind(address)
            if protocol is None:
                continue
            host, port = protocol.transport.get_extra_info("sockname")[:2]
            protocol.local_candidate = Candidate(
                foundation=candidate_foundation("host", "udp", host),
                component=component,
                transport="udp",
                priority=candidate_priority(component, "host"),
                host=host,
                port=port,
                type="host",
            )
            protocols.append(protocol)
            self._protocols.append(protocol)  # at once: what is bound must be closed, whatever happens next
        if not protocols and self.turn_server is None:
            where = f" with a free port in {self.options.udp_ports}" if self.options.udp_ports else ""
            raise ConnectionError(
                f"no address to receive video on{where}; see the settings bind_addresses and udp_ports"
            )
        candidates = [protocol.local_candidate for protocol in protocols]
        # With no addresses left, aioice goes on to the TURN server alone. Both at once: a dead one delays enough.
        reflexive, relayed = await asyncio.gather(
            self._reflexive(protocols, timeout), super().get_component_candidates(component, [], timeout)
        )
        if self._over:
            await super().close()  # once more: what was bound since would stay open
            raise ConnectionError("the connection was closed while it looked for addresses")
        if self.turn_server is not None and not relayed:
            logger.warning(
                "the TURN server gave no address: it does not answer, refuses name or password, or its certificate is "
                "not trusted by this computer"
            )
        return [*candidates, *reflexive, *relayed]

    def data_received(self, data: bytes, component: int) -> None:
        """Keep a datagram for whoever reads, within a bound."""
        if self._queue.qsize() < UNREAD:
            super().data_received(data, component)

    def _chosen(self, found: list[str]) -> list[str]:
        addresses = list(self.options.bind_addresses) or list(found)
        if self.options.loopback and "127.0.0.1" not in addresses:
            addresses.append("127.0.0.1")
        return addresses

    async def _bind(self, address: str) -> Any:
        loop = asyncio.get_running_loop()
        for port in self._ports():
            try:
                transport, protocol = await loop.create_datagram_endpoint(
                    lambda: aioice.ice.StunProtocol(self), local_addr=(address, port)
                )
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    continue
                logger.info("cannot receive on an address: %s", error.strerror)
                return None
            sock = transport.get_extra_info("socket")
            if sock is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            return protocol
        return None

    def _ports(self) -> list[int]:
        if self.options.udp_ports is None:
            return [0]
        first, last = self.options.udp_ports
        ports = list(range(first, last + 1))
        # Begin anywhere, so that sessions seldom try what is taken.
        start = random.randrange(len(ports))
        return ports[start:] + ports[:start]

    async def _reflexive(self, protocols: list[Any], seconds: int) -> list[Candidate]:
        if not self.stun_server:
            return []
        ours = [p for p in protocols if ":" not in p.local_candidate.host and p.local_candidate.host != "127.0.0.1"]
        tasks = [asyncio.create_task(aioice.ice.server_reflexive_candidate(p, self.stun_server)) for p in ours]
        if not tasks:
            return []
        done, pending = await asyncio.wait(tasks, timeout=seconds)
        for task in pending:
            task.cancel()
        return [task.result()[0] for task in done if task.exception() is None]
