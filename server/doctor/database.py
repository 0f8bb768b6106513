"""The database of several nodes: whether it answers, is of this version, and is opened by the master key. Only read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from alembic.script import ScriptDirectory
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import server.migrations
from server.database import Database
from server.doctor.finding import Finding
from server.settings import StartError
from server.vault import MasterSource, VaultError
from server.vault.keyring import is_master
from server.vault.keyring_postgres import RING, SCHEMA
from server.vault.master_key import read_master_key

SLOW = 0.02  # seconds to an answer, from which enrolling is felt to wait


def database(url: str, folder: Path, source: MasterSource) -> Iterator[Finding]:
    """What the setting ``database`` names; ``folder`` is where a master key may lie."""
    named = Database(url)
    try:
        engine = named.engine()
    except StartError as missing:
        yield Finding("database", "broken", str(missing), "pip install 'visavis[postgres]'")
        return
    try:
        with engine.connect() as connection:
            yield from _look(connection, named.words)
            yield from _keys(connection, named.words, folder, source)
    except sa.exc.DBAPIError as error:
        # The driver's words may hold the address with the password.
        what = f"{named.words} does not answer ({type(error.orig).__name__})"
        yield Finding("database", "broken", what, "psql with the address in `database` says why")
    finally:
        engine.dispose()


def _look(connection: sa.Connection, words: str) -> Iterator[Finding]:
    taken = []
    for _ in range(3):
        began = time.perf_counter()
        connection.execute(sa.select(1))
        taken.append(time.perf_counter() - began)
    said = f"{words} answers in {sorted(taken)[1] * 1e3:.1f} ms"
    if min(taken) > SLOW:
        yield Finding("database", "worth a look", f"{said}, which makes enrolling wait", "put it nearer to this server")
    else:
        yield Finding("database", "good", said)
    if not sa.inspect(connection).has_table("alembic_version"):
        yield Finding("store", "good", "its tables are made at the first start")
        return
    revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
    known = [one.revision for one in ScriptDirectory(str(Path(server.migrations.__file__).parent)).walk_revisions()]
    if revision not in known:
        cure = "pip install --upgrade visavis"
        yield Finding("store", "broken", f"its tables are of a newer version of Visavis ({revision})", cure)
    elif revision != known[0]:
        words = f"its tables are of an older version ({revision}), which the next start brings up to {known[0]}"
        yield Finding("store", "worth a look", words, "pg_dump before that start: the way back is that copy")
    else:
        yield Finding("store", "good", "its tables are of this version")


def _keys(connection: sa.Connection, words: str, folder: Path, source: MasterSource) -> Iterator[Finding]:
    if not sa.inspect(connection).has_table(RING.name, SCHEMA):
        yield Finding("keys", "good", "they are made at the first start")
        return
    check = connection.execute(sa.select(RING.c.master)).scalar()
    if check is None:
        yield Finding("keys", "good", "they are made at the first start")
        return
    try:
        right = is_master(AESGCM(read_master_key(source, folder, make=False)), check)
    except VaultError as error:
        yield Finding("keys", "broken", str(error), "copy the master key of a node that runs, or name it")
        return
    if right:
        yield Finding("keys", "good", "the master key opens the keyring of all nodes")
    else:
        yield Finding(
            "keys", "broken", f"the master key is not the one the keyring in {words} was wrapped with",
            "give this node the same master key as the others (master_key, master_key_command, master_key_file)",
        )  # fmt: skip
