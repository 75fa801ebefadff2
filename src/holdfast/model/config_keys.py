"""Where an account's API key comes from: settings, a file that its owner alone reads, a keyring.

Law: a secret is fetched when it is used and kept nowhere else. What goes wrong is told by the
name of the place, never by what was found there.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .config_kinds import MASK, Secret
from .errors import ConfigError

if TYPE_CHECKING:
    from .config_accounts import AccountFields
    from .config_fields import ConfigFields

OTHERS = 0o077  # mode bits: what the group or everyone may do
SECRET_BYTES_MAX = 64 * 1024
KEY_FILES = (".pem", ".key")
"""A secret that ends so is the name of a private key's file."""

KEYRING_NAMES = ("api_key", "api_secret")


class KeyPair(NamedTuple):
    """An account's key, what signs for it, and the password of an encrypted private key."""

    api_key: Secret
    api_secret: Secret
    password: Secret | None = None

    def __repr__(self) -> str:
        return f"KeyPair({MASK})"


def keys_of(config: ConfigFields | AccountFields) -> KeyPair | None:
    """Fetch the key that the settings name; None where they name none.

    Raises:
        ConfigError: a file can't be read or others may read it, or the keyring has no such entry.
    """
    key, secret = config.api_key, config.api_secret
    if config.api_keyring:
        key, secret = _from_keyring(config.api_keyring)
    elif config.api_secret_file is not None:
        secret = read_secret(config.api_secret_file)
    if not key or not secret:
        return None
    if secret.endswith(KEY_FILES):
        secret = read_secret(Path(secret).expanduser())
    password = config.api_secret_password
    return KeyPair(Secret(key), Secret(secret), Secret(password) if password else None)


def watch_keys_of(config: ConfigFields) -> KeyPair:
    """Fetch the key that `holdfast watch` asks with: never the one that trades.

    Raises:
        ConfigError: there is none, it is the session's, or its file can't be used.
    """
    key, secret = config.watch_api_key, config.watch_api_secret
    if config.watch_api_secret_file is not None:
        secret = read_secret(config.watch_api_secret_file)
    if not key or not secret:
        raise ConfigError(
            "holdfast watch asks with a key of its own, which may read and nothing else: set "
            "HOLDFAST_WATCH_API_KEY, and HOLDFAST_WATCH_API_SECRET or watch_api_secret_file"
        )
    if key in _trading_keys(config):
        raise ConfigError(
            "watch_api_key is the key that the session trades with: make another one at the "
            "venue that may only read"
        )
    return KeyPair(Secret(key), Secret(secret))


def _each(config: ConfigFields) -> list[ConfigFields | AccountFields]:
    return [config, *config.accounts.values()]


def _trading_keys(config: ConfigFields) -> set[str]:
    """Return the keys that the session trades with, as far as they can be had from here."""
    found = set()
    for account in _each(config):
        found.add(account.api_key)
        if account.api_keyring:
            with contextlib.suppress(ConfigError):  # another user's, or another machine's
                found.add(_from_keyring(account.api_keyring)[0])
    return found


def secrets_of(config: ConfigFields) -> tuple[str, ...]:
    """Return all that no text of ours may show. Raises what `keys_of` raises."""
    given = set(secrets_in(config))
    for account in _each(config):
        given |= {*(keys_of(account) or ())}
    return tuple(text for text in given if text)


def secrets_in(config: ConfigFields) -> tuple[str, ...]:
    """Return the secrets that the settings themselves hold: nothing is fetched for it."""
    given = {config.database_url, config.watch_api_key, config.watch_api_secret}
    for account in _each(config):
        given |= {account.api_key, account.api_secret, account.api_secret_password}
    return tuple(text for text in given if text)


def anchored_secret(secret: str) -> Secret:
    """Return a secret without spaces around it; the name of a private key's file as an absolute
    one: whoever uses it later may stand in another folder.
    """
    text = secret.strip()
    if not text.endswith(KEY_FILES):
        return Secret(text)
    return Secret(Path(text).expanduser().absolute())


def read_secret(path: Path) -> Secret:
    """Read a secret from a file that nobody but its owner may read or write.

    Raises:
        ConfigError: it can't be read, is empty, or is open to others.
    """
    try:
        with path.open("rb") as file:
            mode = path.stat().st_mode & 0o777
            if mode & OTHERS:
                raise ConfigError(
                    f"the secret's file {path} is open to others (mode {mode:04o}): "
                    f"chmod 600 {path}"
                )
            found = file.read(SECRET_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(f"the secret's file {path} can't be read: {error.strerror}") from error
    if len(found) > SECRET_BYTES_MAX:
        raise ConfigError(f"the secret's file {path} has more than {SECRET_BYTES_MAX} bytes")
    try:
        text = found.decode().strip()
    except UnicodeDecodeError:
        raise ConfigError(f"the secret's file {path} is no text") from None
    if not text:
        raise ConfigError(f"the secret's file {path} is empty")
    return Secret(text)


def _from_keyring(service: str) -> tuple[str, str]:
    try:
        import keyring  # noqa: PLC0415 - an extra, and slow to load
        from keyring.errors import KeyringError  # noqa: PLC0415
    except ImportError:
        raise ConfigError(
            "api_keyring needs the package keyring: pip install 'holdfast[keyring]'"
        ) from None
    try:
        found = [keyring.get_password(service, name) for name in KEYRING_NAMES]
    except KeyringError as error:
        raise ConfigError(f"the keyring can't be read: {type(error).__name__}") from None
    for name, value in zip(KEYRING_NAMES, found, strict=True):
        if not value:
            raise ConfigError(
                f"the keyring has no {name} of {service}: keyring set {service} {name}"
            )
    key, secret = (value or "" for value in found)
    return key, secret
