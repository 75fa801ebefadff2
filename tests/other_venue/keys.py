"""How requests to the other venue are signed, and who may log a session on."""

from __future__ import annotations

import base64
import hashlib
import hmac

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

KEY, SECRET = "other-key", "other-secret"


class Hmac:
    secret = SECRET
    may_log_on = False

    def is_good(self, signed, signature):
        wanted = hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).hexdigest()
        return signature.lower() == wanted


class Private:
    """The venue has the public half. `secret` is PEM text."""

    def __init__(self, key, *how):
        self._public, self._how = key.public_key(), how
        self.may_log_on = not how
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.secret = pem.decode()

    def is_good(self, signed, signature):
        try:
            self._public.verify(base64.b64decode(signature), signed.encode(), *self._how)
        except (InvalidSignature, ValueError):
            return False
        return True


def made(kind):
    """Return a key: "hmac", "rsa" or "ed25519"."""
    if kind == "ed25519":
        return Private(ed25519.Ed25519PrivateKey.generate())
    if kind == "rsa":
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return Private(key, padding.PKCS1v15(), hashes.SHA256())
    return Hmac()
