"""What can go wrong with model packs.

::

    ModelError
    ├── ManifestInvalid      a manifest says something that cannot be
    ├── UnknownPack          no manifest has that name
    ├── PackNotInstalled     the pack's files are not in the cache folder
    ├── PackDamaged          a file is not what its digest says
    ├── LicenseNotAccepted   pulling needs the licence accepted first
    ├── DownloadFailed       a pack could not be fetched
    └── ProviderUnavailable  ONNX Runtime here cannot run on the device asked for

Every message is one line that names what is wrong and what to do.
"""

from __future__ import annotations


class ModelError(Exception):
    """Base of all errors of this package."""


class ManifestInvalid(ModelError):
    """A manifest lacks a field, has one too many, or one with an impossible value."""


class UnknownPack(ModelError):
    """There is no manifest of that name."""


class PackNotInstalled(ModelError):
    """The pack's files, or the package they are built from, are not on this machine."""


class PackDamaged(ModelError):
    """A file's content is not what was recorded for it."""


class LicenseNotAccepted(ModelError):
    """The pack's licence has to be accepted before it is fetched."""


class DownloadFailed(ModelError):
    """The pack could not be fetched: offline, refused, cut off, or not what was expected."""


class ProviderUnavailable(ModelError):
    """The execution provider asked for is not offered or did not start."""
