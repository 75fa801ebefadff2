"""What an answer of the venue means for a request: final, in doubt, to be tried again, ...

The rows are data (`outcome_rows`); here is the order in which they are looked at: the venue's own
code first, then the text of a 5xx, then the HTTP status, then the range that the code lies in.
What nobody documented leaves an order in doubt if it may have reached the matching engine.
"""

from __future__ import annotations

from typing import NamedTuple

from ...model.values import NS_PER_MS
from .outcome_rows import (
    CODES,
    HTTP,
    HTTP_MEANINGS,
    RANGES,
    SERVER_TEXTS,
    UNDOCUMENTED,
    UNKNOWN,
    Ask,
    Kind,
    Row,
    Then,
)

HTTP_OK = range(200, 300)
HTTP_CLIENT = range(400, 500)
HTTP_SERVER = range(500, 600)
NO_ANSWER = 0
"""The HTTP status of a request that was written and never answered."""

SEEN_BEFORE_ENGINE = frozenset({401, 403, 408, 418, 429, 451})
"""Statuses that say more than a code of no known meaning."""


class Outcome(NamedTuple):
    """What became of one request and what to do.

    `delay_ns` is how long to wait at least before RETRY_LATER's first try (to be doubled with
    each); the budget in `limits` may say longer. `failure` is what a circuit breaker counts:
    "auth", "limits", "venue" or "". `is_documented` is False where the venue declined with a code
    of which nobody knows what it says.
    """

    kind: Kind
    delay_ns: int = 0
    then: Then = Then.NOTHING
    failure: str = ""
    code: int | None = None
    reason: str = ""
    is_documented: bool = True


def classify(ask: Ask, http_status: int, code: int | None, text: str = "") -> Outcome:
    """Say what an answer means.

    Args:
        http_status: also the `status` of the WebSocket API; `NO_ANSWER` where none came.
        code: the venue's, None where the body had none.
        text: the venue's message, or the body.
    """
    row = _row(http_status, code, text)
    if row is None:
        return Outcome(Kind.TREAT_AS_SUCCESS, code=code, reason=text)
    is_the_venues = code is not None and code < 0
    return Outcome(
        kind=row.kind(ask),
        delay_ns=row.delay_ms * NS_PER_MS,
        then=row.then,
        failure=row.failure,
        code=code if is_the_venues else None,
        reason=text if is_the_venues and text else _in_words(http_status, text),
        is_documented=row is not UNDOCUMENTED,
    )


def _in_words(http_status: int, text: str) -> str:
    if http_status == NO_ANSWER:
        return text or "no answer came"
    said = (f"HTTP {http_status}", HTTP_MEANINGS.get(http_status), text)
    return ": ".join(filter(None, said))


def _row(http_status: int, code: int | None, text: str) -> Row | None:
    """Return the row that fits; None for a success."""
    if code is None or code >= 0:
        if http_status in HTTP_OK:
            return None
        return _by_text(text) or HTTP.get(http_status) or _by_class(http_status)
    if code in CODES:
        return CODES[code]
    if http_status in HTTP_SERVER:
        return _by_text(text) or UNKNOWN
    if http_status in SEEN_BEFORE_ENGINE:
        return HTTP[http_status]
    return next((row for codes, row in RANGES if code in codes), UNDOCUMENTED)


def _by_text(text: str) -> Row | None:
    """Return the row of a text of the venue's own: a proxy's page may use the same words."""
    folded = text.strip().casefold()
    return next((row for start, row in SERVER_TEXTS if folded.startswith(start)), None)


def _by_class(http_status: int) -> Row:
    return HTTP[400] if http_status in HTTP_CLIENT else UNKNOWN


__all__ = ["NO_ANSWER", "Ask", "Kind", "Outcome", "Then", "classify"]
