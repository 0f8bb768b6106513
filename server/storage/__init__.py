"""Everything that is kept, in SQLite by SQLAlchemy; blocking, called from the one thread that owns it."""

from server.storage import consents, reading
from server.storage.consent_values import Consent, ConsentMissing, NewConsent
from server.storage.consents import Recording
from server.storage.names import MAX_NAME, BadName, clean_name, clean_room, name_key
from server.storage.rows import (
    Change,
    Forgotten,
    NameTaken,
    NewPerson,
    NewSample,
    NoSuchChange,
    NoSuchPerson,
    NoSuchSample,
    PersonDetail,
    PersonRow,
    SampleRow,
    StorageError,
    UndoConflict,
)
from server.storage.schema import METADATA
from server.storage.store import UNDO_DAYS, Added, PeopleStore

__all__ = [
    "MAX_NAME",
    "METADATA",
    "UNDO_DAYS",
    "Added",
    "BadName",
    "Change",
    "Consent",
    "ConsentMissing",
    "Forgotten",
    "NameTaken",
    "NewConsent",
    "NewPerson",
    "NewSample",
    "NoSuchChange",
    "NoSuchPerson",
    "NoSuchSample",
    "PeopleStore",
    "PersonDetail",
    "PersonRow",
    "Recording",
    "SampleRow",
    "StorageError",
    "UndoConflict",
    "clean_name",
    "clean_room",
    "consents",
    "name_key",
    "reading",
]
