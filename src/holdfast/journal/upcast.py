"""Turn facts as older versions wrote them into today's shapes.

Each row carries the `VERSION` that wrote it. A change of shape that a default can't bridge raises
`VERSION` and gets a line in `UPCASTS`: (kind, the last version with the old shape) -> the step
to the next version. Steps take and give the JSON object; one that renames a kind sets "type".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

Payload = dict[str, Any]

VERSION = 1
"""The version of tables and facts that this code writes."""

UPCASTS: dict[tuple[str, int], Callable[[Payload], Payload]] = {}


def upcast(payload: bytes, version: int) -> bytes:
    """Return the JSON of a fact of `version` as this version would have written it."""
    fact = msgspec.json.decode(payload, type=Payload)
    for step in range(version, VERSION):
        change = UPCASTS.get((fact["type"], step))
        if change is not None:
            fact = change(fact)
    return msgspec.json.encode(fact)
