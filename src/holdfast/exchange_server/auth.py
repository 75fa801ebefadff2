"""Who asks: the key, the signature over what was sent, and whether it was sent in time."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable, Iterable
from urllib.parse import unquote

from ..model.errors import ConfigError
from ..model.values import NS_PER_MS
from .errors import (
    BAD_KEY_FORMAT,
    BAD_SIGNATURE,
    BAD_TIMESTAMP,
    LATE_AT_MATCHING,
    REJECTED_KEY,
    ApiError,
    missing,
)
from .params import Params
from .settings import ApiKey

AHEAD_MS = 1000
"""A request may be stamped so much ahead of the server's time, exclusively."""

RECV_WINDOW_MS = 5000
"""How long a request is good for that does not say."""

KEY_LENGTH_MAX = 256
_KEY = re.compile(rf"[!-~]{{1,{KEY_LENGTH_MAX}}}")
_SIGNATURE = re.compile(r"(?:^|&)signature=([^&]*)")

Check = Callable[[bytes, str], bool]
"""Tells whether a signature belongs to a payload."""


class Keys:
    """The keys that the exchange knows.

    Raises:
        ConfigError: one comes twice, or its public key is none.
    """

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        self._keys: dict[str, ApiKey] = {}
        self._checks: dict[str, Check] = {}
        for key in keys:
            if key.key in self._keys:
                raise ConfigError(f"account key {key.key} is given twice")
            if not _KEY.fullmatch(key.key):
                raise ConfigError(f"account key {key.key!r} must be of printable characters")
            self._keys[key.key] = key
            self._checks[key.key] = _check_of(key)

    def known(self, text: str | None) -> ApiKey:
        """Return the key of that text.

        Raises:
            ApiError: it is none, or unknown here.
        """
        if not text or not _KEY.fullmatch(text):
            raise ApiError(BAD_KEY_FORMAT)
        found = self._keys.get(text)
        if found is None:
            raise ApiError(REJECTED_KEY)
        return found

    def all(self) -> list[ApiKey]:
        return list(self._keys.values())

    def is_signed(self, key: ApiKey, payload: str, signature: str) -> bool:
        """Tell whether a signature belongs to a payload."""
        return self._checks[key.key](payload.encode("utf-8", "surrogateescape"), signature)

    def check_request(self, key: ApiKey, query: str, body: str) -> None:
        """Check the signature of an HTTP request over its query and body as they were sent.

        One over the text before its percent-encoding counts too: a popular client signs so.

        Raises:
            ApiError: it is missing or wrong.
        """
        payload, signature = split_signature(query, body)
        if not signature:
            raise missing("signature")
        signature = unquote(signature)
        if self.is_signed(key, payload, signature):
            return
        if "%" not in payload or not self.is_signed(key, unquote(payload), signature):
            raise ApiError(BAD_SIGNATURE)


def split_signature(query: str, body: str) -> tuple[str, str]:
    """Return what was signed, and the signature; that of the query counts first."""
    for text, before, after in ((query, "", body), (body, query, "")):
        match = _SIGNATURE.search(text)
        if match is not None:
            kept, behind = text[: match.start()], text[match.end() :]
            rest = kept + behind if kept else behind.removeprefix("&")
            return before + rest + after, match[1]
    return query + body, ""


def check_time(params: Params, now: int) -> None:
    """Check that a request comes within its window.

    Raises:
        ApiError: it has no time, is too late, or too far ahead.
    """
    sent, now_ms = params.need_integer("timestamp"), now // NS_PER_MS
    if sent >= now_ms + AHEAD_MS:
        text = "Timestamp for this request was 1000ms ahead of the server's time."
        raise ApiError(BAD_TIMESTAMP, text, why=f"{sent} is {sent - now_ms} ms ahead of {now_ms}")
    if is_late(params, now):
        raise ApiError(BAD_TIMESTAMP, why=f"{sent} is {now_ms - sent} ms before {now_ms}")


def is_late(params: Params, now: int) -> bool:
    """Tell whether a request's window has passed."""
    window = params.integer("recvWindow")
    window = RECV_WINDOW_MS if window is None else window
    return now // NS_PER_MS - params.need_integer("timestamp") > window


def check_arrival(params: Params, now: int, *, is_order: bool) -> None:
    """Check the window once more, where a request was held up on its way to the matching.

    Raises:
        ApiError: it has passed.
    """
    if is_late(params, now):
        raise ApiError(LATE_AT_MATCHING if is_order else BAD_TIMESTAMP)


def _check_of(key: ApiKey) -> Check:
    if not key.public_key:
        return _hmac_check(key.secret.encode())
    try:
        return _public_key_check(key.public_key.encode())
    except ImportError as error:
        text = f"account {key.key} has a public key: install the package cryptography to check it"
        raise ConfigError(text) from error
    except ValueError as error:
        raise ConfigError(f"account {key.key}: no RSA or Ed25519 public key: {error}") from error


def _hmac_check(secret: bytes) -> Check:
    def check(payload: bytes, signature: str) -> bool:
        expected = hmac.digest(secret, payload, "sha256").hex().encode()
        return hmac.compare_digest(expected, signature.lower().encode("utf-8", "surrogateescape"))

    return check


def _public_key_check(pem: bytes) -> Check:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - only who needs it
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa  # noqa: PLC0415

    public = serialization.load_pem_public_key(pem)
    if not isinstance(public, (rsa.RSAPublicKey, ed25519.Ed25519PublicKey)):
        raise ValueError(f"it is {type(public).__name__}")  # noqa: TRY004 - of the file's content

    def check(payload: bytes, signature: str) -> bool:
        try:
            raw = base64.b64decode(signature, validate=True)
            if isinstance(public, rsa.RSAPublicKey):
                public.verify(raw, payload, padding.PKCS1v15(), hashes.SHA256())
            else:
                public.verify(raw, payload)
        except (InvalidSignature, ValueError):  # or it is no base64
            return False
        return True

    return check
