"""Mask what must not be read by others, in any text: known secrets, and what is named like one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

MASK = "********"
SECRET_LENGTH_MIN = 4
"""Shorter values are no secrets, and masking them would garble every text."""

_NAMED = re.compile(
    r"""(?xi)
    (?P<name>\b[\w.-]*(?:key|secret|token|signature|passphrase|passw(?:or)?d)[\w.-]*)
    (?<!KeyError)(?<!KeyboardInterrupt)       # errors, whose text is no secret
    (?P<mark>["']?\s*(?:=|:)\s*(?:b?["'])?)   # a=b  a: b  "a": "b"  'a': b'b'
    (?P<value>[^\s"'&,;)}\]]+)
    """
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)(\s+)[\w.~+/=-]+")
_PASSWORD = re.compile(r"(?<=://)([^/\s:@]*):([^/\s@]+)(?=@)")
_SECRET_NAME = re.compile(r"(?i)key|secret|token|signature|passphrase|passw(or)?d")


class Redactor:
    """Knows secrets by their values; `hide` makes one known."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: list[str] = []
        for secret in secrets:
            self.hide(secret)

    def hide(self, secret: str) -> None:
        """Have a value masked wherever it stands, also as a URL or `repr` would write it."""
        if len(secret) < SECRET_LENGTH_MIN:
            return
        written = {secret, quote(secret, safe=""), repr(secret)[1:-1]}
        if len(bare := secret.strip()) >= SECRET_LENGTH_MIN:
            written |= {bare, quote(bare, safe="")}  # as it is used
        # A key in PEM is shown line by line in some texts.
        written |= {line for line in secret.splitlines() if len(line) > SECRET_LENGTH_MIN}
        # The longest first: one secret may be part of another.
        self._secrets = sorted({*self._secrets, *written}, key=len, reverse=True)

    def clean(self, text: str) -> str:
        """Return a text without its secrets."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, MASK)
        text = _PASSWORD.sub(rf"\1:{MASK}", text)
        text = _BEARER.sub(rf"\1\2{MASK}", text)
        return _NAMED.sub(rf"\g<name>\g<mark>{MASK}", text)

    def clean_values(self, event: Mapping[str, object]) -> dict[str, object]:
        """Return a record's values, masked where their name is a secret's."""
        return {
            name: MASK if value and _SECRET_NAME.search(name) else value
            for name, value in event.items()
        }
