"""A PostgreSQL server for tests: one for each test process, begun when the first test asks for it; a database each.

It is made of the system's binaries in a temporary folder and listens on a socket in that folder alone. Where there are
none, tests are skipped and say so.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psycopg

from server.storage import PeopleStore

PLACES = ("/usr/lib/postgresql", "/usr/local", "/opt/homebrew", "/usr")
WANTED = ("initdb", "pg_ctl", "postgres")


def binaries() -> Path | None:
    """The folder of the newest server's programs, if there is one."""
    found = [path.parent for place in PLACES for path in Path(place).glob("**/bin/initdb") if _whole(path.parent)]
    return max(found, key=_version, default=None)


@dataclass
class Server:
    """One server, with an empty database as the mould of others."""

    folder: Path
    bin: Path
    user: str | None
    made: list[str] = field(default_factory=list)
    _moulded: bool = False

    def database(self, empty: bool = False) -> str:
        """A new database; its address. It has the tables already, which takes a third of a second, unless it is to be
        ``empty``."""
        name = f"t{uuid4().hex}"
        mould = "template0" if empty else self._mould()
        with psycopg.connect(self._plain("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {mould} STRATEGY wal_log")
        self.made.append(name)
        return self.url(name)

    def _mould(self) -> str:
        if not self._moulded:
            with psycopg.connect(self._plain("postgres"), autocommit=True) as connection:
                connection.execute("CREATE DATABASE mould")
            with tempfile.TemporaryDirectory() as folder:
                PeopleStore(Path(folder) / "people.sqlite3", database=self.url("mould")).close()
            with psycopg.connect(self._plain("mould")) as connection:  # whoever comes brings a master key of their own
                connection.execute(
                    "TRUNCATE vault_state, visavis_keyring.ring, visavis_keyring.key, visavis_keyring.erased"
                )
            self._moulded = True
        return "mould"

    def drop(self) -> None:
        """Drop what was made, whoever has it open."""
        with psycopg.connect(self._plain("postgres"), autocommit=True) as connection:
            while self.made:
                connection.execute(f"DROP DATABASE IF EXISTS {self.made.pop()} WITH (FORCE)")

    def url(self, name: str) -> str:
        """The address of a database as the setting takes it."""
        return f"postgresql+psycopg://visavis:not-a-secret-here@/{name}?host={self.folder}"

    def start(self, *, durable: bool = False) -> None:
        """Begin, and wait until it answers; ``durable``: what is committed is on the disk, as outside of tests."""
        quick = "" if durable else "-c fsync=off -c full_page_writes=off"
        self._run("pg_ctl", "-D", self.data, "-w", "-l", str(self.folder / "log"), "-o",
                  f"-c listen_addresses='' -c unix_socket_directories={self.folder} {quick} "
                  "-c max_connections=60 -c shared_buffers=16MB", "start")  # fmt: skip

    def stop(self) -> None:
        """End it at once; who is connected hears nothing more."""
        self._run("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")

    @property
    def data(self) -> str:
        return str(self.folder / "data")

    def _plain(self, name: str) -> str:
        return f"host={self.folder} user=visavis dbname={name}"

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run([str(self.bin / program), *words], user=self.user, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/", text=True)  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr}")


@functools.cache
def server() -> Server | str:
    """The server of this process; or why there is none."""
    found = binaries()
    if found is None:
        return "no PostgreSQL server is installed (python -m tests.browser.install does it where it may)"
    user = _somebody()
    if os.name == "posix" and os.getuid() == 0 and user is None:
        return "PostgreSQL does not run as root, and there is no other user here"
    folder = Path(tempfile.mkdtemp(prefix="vpg"))
    if user is not None:
        shutil.chown(folder, user)
    made = Server(folder, found, user)
    made._run("initdb", "-D", made.data, "-U", "visavis", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
    made.start()
    atexit.register(_end, made)
    _end_with_us(made)
    return made


def _end(made: Server) -> None:
    with contextlib.suppress(RuntimeError):
        made.stop()
    shutil.rmtree(made.folder, ignore_errors=True)


def _end_with_us(made: Server) -> None:
    """However this process ends: a shell waits for the other end of its pipe to close, and stops the server then."""
    stop = f'read _; "{made.bin}/pg_ctl" -D "{made.data}" -m immediate stop; rm -rf "{made.folder}"'
    watch = subprocess.Popen(["/bin/sh", "-c", stop], user=made.user, stdin=subprocess.PIPE, cwd="/",
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
    atexit.register(watch.communicate)


def _somebody() -> str | None:
    if os.name != "posix" or os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    return None


def _whole(folder: Path) -> bool:
    return all((folder / program).exists() for program in WANTED)


def _version(folder: Path) -> int:
    words = folder.parent.name.split(".")[0]
    return int(words) if words.isdigit() else 0
