"""The receipt of a forgetting: what was erased, how much of it, what may remain where; signed, and without any name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from server import __version__
from server.audit.signing import SigningKey, fingerprint, signed_by
from server.storage.forgetting import Intention

FORMAT, VERSION = "visavis-receipt", 1
_FIELDS = {
    "format", "version", "id", "at", "asked", "by", "reason", "person", "erased", "keys", "remains", "software", "key",
    "signature",
}  # fmt: skip


class BadReceipt(ValueError):
    """A receipt that does not hold; the message says why."""


def make_receipt(intention: Intention, id: str, key: SigningKey) -> dict[str, Any]:
    """The receipt of what was done, signed."""
    keys = intention.keys
    body: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "id": id,
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "asked": intention.asked,
        "by": intention.by,
        "reason": intention.reason,
        "person": intention.person,
        "erased": [{"what": what, "count": count} for what, count in sorted(intention.erased.items()) if count],
        "keys": {"count": None if keys is None else len(keys), "ids": [] if keys is None else list(keys)},
        "remains": [dict(one) for one in intention.remains],
        "software": f"Visavis {__version__}",
        "key": {"algorithm": "Ed25519", "public": key.public, "fingerprint": key.fingerprint},
    }
    return {**body, "signature": key.sign(_message(body))}


def verify_receipt(receipt: object) -> str:
    """Hold a receipt against its signature; returns the fingerprint of the key that signed it, for whoever asks to
    compare. Raises :class:`BadReceipt`."""
    if not isinstance(receipt, Mapping) or receipt.keys() != _FIELDS or receipt["format"] != FORMAT:
        raise BadReceipt("this is no receipt of Visavis")
    if receipt["version"] != VERSION:
        raise BadReceipt("this receipt was made by another version of Visavis")
    key = receipt["key"]
    if not isinstance(key, Mapping) or not isinstance(key.get("public"), str) or key.get("algorithm") != "Ed25519":
        raise BadReceipt("the receipt names no key it was signed with")
    body = {name: value for name, value in receipt.items() if name != "signature"}
    signature = receipt["signature"]
    try:
        message, told = _message(body), fingerprint(key["public"])
    except (ValueError, RecursionError):
        raise BadReceipt("the receipt is damaged") from None
    if not isinstance(signature, str) or not signed_by(key["public"], message, signature):
        raise BadReceipt("the signature does not fit: the receipt was changed")
    if key.get("fingerprint") != told:
        raise BadReceipt("the fingerprint is not that of the key")
    return told


def read_receipt(text: str | bytes) -> Any:
    """A receipt from a file. Raises :class:`BadReceipt`."""
    try:
        return json.loads(text, parse_constant=_no_number, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise BadReceipt("this is no receipt of Visavis") from None


def _message(body: Mapping[str, Any]) -> bytes:
    """What is signed: the receipt without its signature, keys sorted, nothing between, ASCII."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _no_number(_text: str) -> Any:
    raise ValueError


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):  # two readers could take it for two things
        raise ValueError
    return found
