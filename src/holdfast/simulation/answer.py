"""What comes back over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Answer(NamedTuple):
    """An answer to one request."""

    status: int
    headers: Mapping[str, str]
    body: bytes
