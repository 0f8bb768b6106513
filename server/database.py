"""A PostgreSQL database that holds the store instead of a file, as the setting ``database`` names it.

What has its password in it, the address, is shown nowhere: :attr:`Database.words` names the database in messages.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from server.settings import StartError

WAIT = 10  # seconds that a connection, or the right to write, is waited for
# A node that hangs within a transaction would hold up all others; a connection that nobody answers is given up.
_OPTIONS = f"-c timezone=UTC -c lock_timeout={WAIT}s -c idle_in_transaction_session_timeout=60s"
_ALIVE = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}


@dataclass(frozen=True, slots=True)
class Database:
    """Where it is: ``postgresql+psycopg://USER:PASSWORD@HOST/NAME``, checked by the settings."""

    url: str = field(repr=False)

    @property
    def words(self) -> str:
        """The database without who comes and with what, for messages."""
        url = self._parsed
        host = url.host or url.query.get("host") or "this computer"
        return f"the database {url.database} on {host}{f':{url.port}' if url.port else ''}"

    def engine(self) -> sa.Engine:
        """One connection, made when it is needed and anew when it broke; any thread may use it, one at a time. What is
        written is in no error. Raises :class:`server.settings.StartError` where the driver is missing."""
        require_driver()
        return sa.create_engine(
            self._parsed, hide_parameters=True, pool_size=1, max_overflow=0, pool_timeout=WAIT, pool_pre_ping=True,
            connect_args=self._arguments(),
        )  # fmt: skip

    def connect(self) -> Any:
        """A connection of the driver (``psycopg.Connection``), which commits each statement: to listen with. Raises
        ``psycopg.Error`` and what :meth:`engine` does."""
        require_driver()
        import psycopg

        plain = self._parsed.set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(plain, autocommit=True, **self._arguments())

    @property
    def _parsed(self) -> URL:
        return make_url(self.url)

    def _arguments(self) -> dict[str, Any]:
        given = self._parsed.query
        ours = {"connect_timeout": WAIT, "application_name": "visavis", "options": _OPTIONS, **_ALIVE}
        if "options" in given:
            ours["options"] = f"{given['options']} {_OPTIONS}"
        return {name: value for name, value in ours.items() if name == "options" or name not in given}


def require_driver() -> None:
    """Raises :class:`server.settings.StartError` where PostgreSQL cannot be spoken to."""
    if importlib.util.find_spec("psycopg") is None:
        raise StartError("the setting database names PostgreSQL, whose driver is missing: install visavis[postgres]")
