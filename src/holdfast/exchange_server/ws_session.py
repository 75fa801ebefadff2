"""Who is asking over the WebSocket API: a signed request, or a socket that has logged on. Pure.

What is signed are the parameters without `signature`, sorted by name, `name=value` with "&"
between and values as they read in JSON, not encoded. Any kind of key may sign single requests;
`session.logon` takes Ed25519 alone. On a socket that has logged on key and signature may be left
out.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from .auth import Keys, check_time
from .errors import BAD_KEY_FORMAT, BAD_SIGNATURE, ApiError, missing
from .frames import ms
from .methods import Security
from .params import Params
from .settings import ApiKey

WRONG_KIND_OF_KEY = -4056
_ED25519_MARK = "MCowBQYDK2Vw"
"""How every PEM of an Ed25519 public key begins: its algorithm's name in DER, in base64."""


class Session:
    """One socket's."""

    def __init__(self, keys: Keys, now: int, *, returns_limits: bool) -> None:
        self._keys = keys
        self.connected_ts = now
        self.returns_limits = returns_limits
        self.key: ApiKey | None = None
        self.authorized_ts = 0

    def identify(self, values: Mapping[str, object], security: Security, now: int) -> ApiKey | None:
        """Return whose request it is; None where the method does not ask.

        Raises:
            ApiError: the key, the signature or the time is not in order.
        """
        if security is Security.NONE:
            return None
        name = values.get("apiKey")
        key = self.key if name is None else self._keys.known(str(name))
        if key is None:
            raise ApiError(BAD_KEY_FORMAT)
        if security is Security.SIGNED:
            self._check_signature(key, values)
            check_time(Params(values), now)
        return key

    def _check_signature(self, key: ApiKey, values: Mapping[str, object]) -> None:
        signature = values.get("signature")
        if signature is None:
            if self.key is not None and self.key.key == key.key:
                return
            raise missing("signature")
        signed = str(signature)
        # One popular client encodes what it signs; the two differ in odd client ids alone.
        for payload in dict.fromkeys((payload_of(values), payload_of(values, encoded=True))):
            if self._keys.is_signed(key, payload, signed):
                return
        raise ApiError(BAD_SIGNATURE)

    def log_on(self, values: Mapping[str, object], now: int) -> dict[str, object]:
        """Let requests of this socket go unsigned from now on.

        Raises:
            ApiError: the key is not Ed25519, or the request is not in order.
        """
        if values.get("apiKey") is None:
            raise missing("apiKey")
        if values.get("signature") is None:
            raise missing("signature")
        key = self.identify(values, Security.SIGNED, now)
        assert key is not None, "a signed request has a key"
        if _ED25519_MARK not in key.public_key:
            kind = "RSA" if key.public_key else "HMAC_SHA256"
            raise ApiError(WRONG_KIND_OF_KEY, f"{kind} API key is not supported.")
        self.key, self.authorized_ts = key, now
        return self.status(now)

    def log_out(self, now: int) -> dict[str, object]:
        self.key, self.authorized_ts = None, 0
        return self.status(now)

    def status(self, now: int) -> dict[str, object]:
        return {
            "apiKey": self.key.key if self.key else None,
            "authorizedSince": ms(self.authorized_ts) if self.key else None,
            "connectedSince": ms(self.connected_ts),
            "returnRateLimits": self.returns_limits,
            "serverTime": ms(now),
        }


def payload_of(values: Mapping[str, object], *, encoded: bool = False) -> str:
    """Return the text that is signed."""
    params = Params(values)
    pairs = []
    for name in sorted(values):
        if name == "signature" or values[name] is None:
            continue
        value = params.text(name) or ""
        pairs.append(f"{name}={quote(value, safe='') if encoded else value}")
    return "&".join(pairs)
