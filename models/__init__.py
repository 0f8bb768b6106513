"""Model packs: manifests, provenance, licence, building and verifying; ONNX Runtime sessions."""

from models.attributes import AttributePack, AttributeSpec, load_attributes
from models.errors import (
    DownloadFailed,
    LicenseNotAccepted,
    ManifestInvalid,
    ModelError,
    PackDamaged,
    PackNotInstalled,
    ProviderUnavailable,
    UnknownPack,
)
from models.loading import (
    Pack,
    default_cache_dir,
    ensure_pack,
    is_installed,
    load_pack,
    pull_pack,
    verify_pack,
)
from models.lockfile import FileStatus
from models.manifest import (
    DetectorSpec,
    EmbedderSpec,
    FileEntry,
    MatchingSpec,
    PackManifest,
    Population,
    SourceFile,
)
from models.manifest_reader import available_packs, load_manifest, parse_manifest
from models.sessions import ProviderSetting, choose_providers, create_session

__all__ = [
    "AttributePack",
    "AttributeSpec",
    "DetectorSpec",
    "DownloadFailed",
    "EmbedderSpec",
    "FileEntry",
    "FileStatus",
    "LicenseNotAccepted",
    "ManifestInvalid",
    "MatchingSpec",
    "ModelError",
    "Pack",
    "PackDamaged",
    "PackManifest",
    "PackNotInstalled",
    "Population",
    "ProviderSetting",
    "ProviderUnavailable",
    "SourceFile",
    "UnknownPack",
    "available_packs",
    "choose_providers",
    "create_session",
    "default_cache_dir",
    "ensure_pack",
    "is_installed",
    "load_attributes",
    "load_manifest",
    "load_pack",
    "parse_manifest",
    "pull_pack",
    "verify_pack",
]
