"""Everything that is kept, in SQLite by SQLAlchemy; blocking, called from the one thread that owns it."""

from server.storage.names import MAX_NAME, BadName, clean_name, name_key
from server.storage.rows import NameTaken, NewSample, PersonRow, StorageError
from server.storage.schema import METADATA
from server.storage.store import PeopleStore

__all__ = [
    "MAX_NAME",
    "METADATA",
    "BadName",
    "NameTaken",
    "NewSample",
    "PeopleStore",
    "PersonRow",
    "StorageError",
    "clean_name",
    "name_key",
]
