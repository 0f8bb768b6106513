"""What can be wrong with keys and seals.

::

    StartError
    └── VaultError          the master key or the keyring cannot be used; the message says what to do
    SealError               something sealed cannot be opened: it was changed, or lies where it does not belong
    ├── KeyUnknown          it is sealed with a key this keyring has never had
    └── KeyDestroyed        … with a key that has been destroyed
"""

from __future__ import annotations

from server.settings import StartError


class VaultError(StartError):
    """The master key or the keyring cannot be used; one line that says what to do."""


class SealError(Exception):
    """Something sealed cannot be opened: it was changed, or it lies where it does not belong."""


class KeyUnknown(SealError):
    """The keyring does not know the key."""


class KeyDestroyed(SealError):
    """The key has been destroyed."""
