"""Passkeys (WebAuthn): what a browser is asked, and whether what it answers is right. User verification is required,
and a passkey belongs to the name in the address bar: browsers make none for bare addresses."""

from __future__ import annotations

import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from server.storage.accounts import Account, Passkey

LASTS = 300.0  # seconds in which a challenge may be answered
OPEN = 4096  # challenges at most; more than one address may ask for in that time
_REQUIRED = UserVerificationRequirement.REQUIRED


class BadPasskey(Exception):
    """What the browser answered does not hold, or its question is over."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where a ceremony takes place: the name that passkeys are bound to, and the origin with its port."""

    name: str
    origin: str


@dataclass(frozen=True, slots=True)
class _Asked:
    challenge: bytes
    site: Site
    account: str | None  # whose passkey is made; ``None``: somebody signs in
    at: float


@dataclass(frozen=True, slots=True)
class Made:
    """What is kept of a new passkey."""

    credential: bytes
    public_key: bytes
    counter: int


class Passkeys:
    """Asks, remembers what was asked once, and checks answers."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._asked: OrderedDict[str, _Asked] = OrderedDict()

    def ask_to_make(self, site: Site, account: Account, known: Sequence[Passkey]) -> tuple[str, dict[str, Any]]:
        """What a browser is asked to make a passkey, and the id under which it answers."""
        challenge = secrets.token_bytes(32)
        options = generate_registration_options(
            rp_id=site.name,
            rp_name="Visavis",
            user_id=account.id.encode(),
            user_name=account.name,
            user_display_name=account.name,
            challenge=challenge,
            timeout=int(LASTS * 1000),
            attestation=AttestationConveyancePreference.NONE,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=_REQUIRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=one.credential) for one in known],
        )
        return self._remember(challenge, site, account.id), json.loads(options_to_json(options))

    def made(self, id: object, credential: object, site: Site, account: Account) -> Made:
        """The passkey that a browser made. Raises :class:`BadPasskey`."""
        asked = self._take(id, site, account.id)
        try:
            verified = verify_registration_response(
                credential=_as_object(credential),
                expected_challenge=asked.challenge,
                expected_rp_id=site.name,
                expected_origin=site.origin,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, TypeError, KeyError) as error:
            raise BadPasskey("this passkey could not be made: what the browser sent does not hold") from error
        return Made(verified.credential_id, verified.credential_public_key, verified.sign_count)

    def ask_to_sign_in(self, site: Site) -> tuple[str, dict[str, Any]]:
        """What a browser is asked to sign in by any passkey it has for this name, and the id under which it answers."""
        challenge = secrets.token_bytes(32)
        options = generate_authentication_options(
            rp_id=site.name, challenge=challenge, timeout=int(LASTS * 1000), user_verification=_REQUIRED
        )
        return self._remember(challenge, site, None), json.loads(options_to_json(options))

    def signed(
        self, id: object, credential: object, site: Site, find: Callable[[bytes], Passkey | None]
    ) -> tuple[Passkey, int]:
        """Whose passkey has answered, and its counter now. Raises :class:`BadPasskey`."""
        asked = self._take(id, site, None)
        said = _as_object(credential)
        try:
            known = find(base64url_to_bytes(said["id"]))
            if known is None:
                raise BadPasskey("this passkey is not, or no longer, one of this server")
            _require_user(said, known)
            verified = verify_authentication_response(
                credential=said,
                expected_challenge=asked.challenge,
                expected_rp_id=site.name,
                expected_origin=site.origin,
                credential_public_key=known.public_key,
                credential_current_sign_count=known.counter,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, TypeError, KeyError) as error:
            raise BadPasskey("this passkey did not sign in: what the browser sent does not hold") from error
        return known, verified.new_sign_count

    def _remember(self, challenge: bytes, site: Site, account: str | None) -> str:
        id = secrets.token_urlsafe(16)
        self._asked[id] = _Asked(challenge, site, account, self._now())
        while len(self._asked) > OPEN or next(iter(self._asked.values())).at + LASTS < self._now():
            self._asked.popitem(last=False)
        return id

    def _take(self, id: object, site: Site, account: str | None) -> _Asked:
        """What was asked; it can be answered once, where it was asked and by whom."""
        asked = self._asked.pop(id, None) if isinstance(id, str) else None
        if asked is None or asked.at + LASTS < self._now() or (asked.site, asked.account) != (site, account):
            raise BadPasskey("this took too long, or was answered already; try again")
        return asked


def _as_object(credential: object) -> dict[str, Any]:
    if not isinstance(credential, dict):
        raise BadPasskey("credential is the JSON of what the browser answered")
    return credential


def _require_user(said: dict[str, Any], known: Passkey) -> None:
    """The authenticator, where it says whose passkey this is, has to mean the same account."""
    handle = said["response"].get("userHandle")
    if handle is not None and base64url_to_bytes(handle) != known.account.encode():
        raise BadPasskey("this passkey belongs to another account")
