"""Sign requests with HMAC-SHA256, Ed25519 or RSA, told apart by the shape of the secret.

A plain secret is HMAC's; PEM text, or the name of a file of it (.pem or .key), is a private key,
which says itself whether it is Ed25519 or RSA. No signer shows its secret in `repr`.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ...model.config_keys import KEY_FILES, read_secret
from ...model.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

PEM_MARK = "-----BEGIN"
BLOCK = 64  # bytes, of SHA-256
INNER_PAD = bytes(each ^ 0x36 for each in range(256))
OUTER_PAD = bytes(each ^ 0x5C for each in range(256))


class Signer(Protocol):
    """Signs the text that is transmitted.

    `can_log_on` tells whether a WebSocket session may be authenticated once instead of signing
    every request: the venue takes Ed25519 alone for that.
    """

    @property
    def can_log_on(self) -> bool: ...

    def sign(self, text: str) -> str:
        """Return the signature: hex for HMAC, base64 (not percent-encoded) for the others."""


class HmacSigner:
    """HMAC-SHA256 with both pads hashed beforehand: a signature costs two short updates."""

    __slots__ = ("_inner", "_outer")
    can_log_on = False

    def __init__(self, secret: str) -> None:
        key = secret.encode()
        if len(key) > BLOCK:
            key = hashlib.sha256(key).digest()
        key = key.ljust(BLOCK, b"\0")
        self._inner = hashlib.sha256(key.translate(INNER_PAD))
        self._outer = hashlib.sha256(key.translate(OUTER_PAD))

    def __repr__(self) -> str:
        return "HmacSigner(***)"

    def sign(self, text: str) -> str:
        inner = self._inner.copy()
        inner.update(text.encode())
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.hexdigest()


class Ed25519Signer:
    """Ed25519; may also log a WebSocket session on."""

    __slots__ = ("_key",)
    can_log_on = True

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "Ed25519Signer(***)"

    def sign(self, text: str) -> str:
        return base64.b64encode(self._key.sign(text.encode())).decode()


class RsaSigner:
    """RSASSA-PKCS1-v1_5 with SHA-256."""

    __slots__ = ("_key",)
    can_log_on = False

    def __init__(self, key: RSAPrivateKey) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "RsaSigner(***)"

    def sign(self, text: str) -> str:
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

        return base64.b64encode(self._key.sign(text.encode(), PKCS1v15(), SHA256())).decode()


class Credentials:
    """An account's key and what signs for it."""

    __slots__ = ("api_key", "signer")

    def __init__(self, api_key: str, secret: str, *, password: str | None = None) -> None:
        """Take the key as the venue shows it, and the secret in any of its three shapes.

        Raises:
            ConfigError: the key or the secret is empty, the key has letters that none has, or the
                private key can't be read.
        """
        self.api_key = _checked_key(str(api_key).strip())
        self.signer = make_signer(secret, password=password)

    def __repr__(self) -> str:
        return f"Credentials(***, {self.signer!r})"


def _checked_key(api_key: str) -> str:
    """Return a key that a header can carry.

    Raises:
        ConfigError: it is empty, or it can't be one.
    """
    if not api_key:
        raise ConfigError("the API key is empty")
    if not (api_key.isascii() and api_key.isprintable()) or " " in api_key:
        raise ConfigError("the API key must be of plain letters, digits and signs, without spaces")
    return api_key


def make_signer(secret: str, *, password: str | None = None) -> Signer:
    """Return the signer that a secret's shape asks for.

    Args:
        secret: HMAC secret, PEM text (its line ends may be written as backslash n), or the name
            of a PEM file.
        password: of an encrypted private key.

    Raises:
        ConfigError: the secret is empty, or the private key can't be read or is of another kind.
    """
    text = secret.strip()
    if not text:
        raise ConfigError("the API secret is empty")
    if text.startswith(PEM_MARK):
        return _private_key_signer(text.replace("\\n", "\n"), password, "in the setting")
    if text.endswith(KEY_FILES):
        pem = read_secret(Path(text).expanduser())
        return _private_key_signer(pem, password, f"in {text}")
    return HmacSigner(text)


def _private_key_signer(pem: str, password: str | None, where: str) -> Signer:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - heavy, rarely used
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        key = load_pem_private_key(pem.encode(), password.encode() if password else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The cause may quote the key.
        raise ConfigError(
            f"the private key {where} can't be read: not PEM, or its password is wrong or missing"
        ) from None
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return Ed25519Signer(key)
    if isinstance(key, rsa.RSAPrivateKey):
        return RsaSigner(key)
    raise ConfigError(f"the private key {where} must be Ed25519 or RSA, was {type(key).__name__}")
