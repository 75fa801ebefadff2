"""Execution algorithms. To add one: write one file here and add one line to `ALGOS`."""

from __future__ import annotations

from . import bracket, direct, iceberg, twap
from .base import STARTED, Action, Algo, Cause, End, Moment, SendChild, Terms, WakeIn

__all__ = [
    "ALGOS",
    "STARTED",
    "Action",
    "Algo",
    "Cause",
    "End",
    "Moment",
    "SendChild",
    "WakeIn",
    "find",
]

ALGOS: dict[str, Algo] = {
    "direct": Algo(direct.react),
    "bracket": Algo(bracket.react),
    "twap": Algo(twap.react, twap.check),
    "iceberg": Algo(iceberg.react, iceberg.check),
}

_NONE: Terms = {}


def find(text: str) -> tuple[Algo, Terms]:
    """Return an algorithm and its terms, as a wish names them: `iceberg:show=0.5`.

    Raises:
        ValueError: there is no such algorithm, or a term has no value or two.
    """
    if text in ALGOS:
        return ALGOS[text], _NONE
    name, _, rest = text.partition(":")
    if name not in ALGOS:
        raise ValueError(f"there is no algorithm {name}; there are {', '.join(ALGOS)}")
    terms: dict[str, str] = {}
    for part in rest.split(","):
        key, _, value = (each.strip() for each in part.partition("="))
        if not key or not value or key in terms:
            raise ValueError(f"terms are name=value, once each and with commas between; was {rest}")
        terms[key] = value
    return ALGOS[name], terms
