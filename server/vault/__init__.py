"""How what is kept is sealed: the master key, the keyring it wraps, and the seals made with the keys in it.

::

    master key ──wraps──▶ keyring.sqlite3: one key for each person, stranger, unnamed sighting, …
                              └──seals──▶ names, templates, crops in people.sqlite3, results of videos

Whoever is forgotten loses their key: what any copy of the store holds of them cannot be read from then on.
"""

from server.vault.errors import KeyDestroyed, KeyUnknown, SealError, VaultError
from server.vault.master_key import MasterSource
from server.vault.vault import Vault, open_vault

__all__ = ["KeyDestroyed", "KeyUnknown", "MasterSource", "SealError", "Vault", "VaultError", "open_vault"]
